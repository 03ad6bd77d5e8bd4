"""Sources read in workers: the same entries and cursors; a file that kills costs only itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import structures
from faulty_jobs import SourceFileTrap
from ionsieve.data import Quarantined
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.sources import paths
from ionsieve.data.sources.paths import PathSource
from ionsieve.data.store.ingest import ingest
from ionsieve.data.store.open import open_source
from ionsieve.data.store.store import Store
from ionsieve.screening.batch.isolated_source import IsolatedSource, isolated

NAMES = ("LiCl", "LiF", "Li2S", "Li3N_alpha")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files, one that cannot be read, and a format of many structures between them."""
    path = tmp_path_factory.mktemp("in")
    crystals = {name: to_pymatgen(structures.get(name)) for name in NAMES}
    for name, crystal in crystals.items():
        crystal.to(str(path / f"{name}.vasp"), fmt="poscar")
    lines = (crystal.to_json() for crystal in crystals.values())
    (path / "Li3.jsonl").write_text("\n".join(lines))
    (path / "broken.cif").write_text("data_x\n_cell_length_a 3\n")
    return path


def described(items: Iterator[Any]) -> list[Any]:
    return [
        (i.cursor, i.entry.id, getattr(i.entry, "reason", None) or i.entry.content_hash)
        for i in items
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_entries_and_cursors_are_those_of_the_source(folder: Path, workers: int) -> None:
    plain = PathSource(str(folder))
    source = isolated(plain, workers)
    assert isinstance(source, IsolatedSource)
    expected = described(plain.items())
    assert len(expected) == 9
    assert described(source.items()) == expected
    for place in (1, 4, 6, len(expected)):
        after = expected[place - 1][0]
        assert described(source.items(after)) == expected[place:]
    assert source.identity() == plain.identity()
    assert (source.name, source.notices()) == (plain.name, plain.notices())


def test_files_that_hang_or_kill_are_quarantined(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SourceFile", SourceFileTrap)
    source = isolated(open_source(str(folder)), 2, timeout_s=3.0)
    summary = ingest([source], tmp_path / "store")
    assert summary.counts["input"] == 9
    refused = {q.id: q.reason for q in Store(tmp_path / "store").quarantined()}
    assert refused["LiF"] == "timeout: no result within 3 s"
    assert refused["LiCl"] == "crash: the worker process was ended by SIGSEGV, 2 times"
    assert isinstance(next(Store(tmp_path / "store").quarantined()), Quarantined)


def test_other_sources_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(to_pymatgen(structures.get("LiF")).to_json())
    source = open_source(str(tmp_path))
    assert isolated(source) is source
