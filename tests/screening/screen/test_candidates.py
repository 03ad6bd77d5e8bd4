"""Inputs of a screen in any mixture: nothing lost, nothing taken twice, nothing ends the run."""

from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from ionsieve.data.disorder.policy import DisorderPolicy
from ionsieve.data.store.ingest import ingest
from ionsieve.data.store.open import open_source
from ionsieve.data.store.store import Store
from ionsieve.screening.screen.candidates import Candidates, collect_candidates
from ionsieve.screening.screen.filters import Filter


def antifluorite(anion: str, a: float) -> Structure:
    sites = [[0.25, 0.25, 0.25], [0, 0, 0]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Li", anion], sites)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cifs"
    folder.mkdir()
    antifluorite("S", 5.72).to(filename=str(folder / "Li2S.cif"))
    (folder / "broken.cif").write_text("data_\n")
    return folder


def store_of(folder: Path, out: Path) -> Path:
    ingest([open_source(str(folder))], out)
    return out


def collected(*inputs: Path, filters: tuple[Filter, ...] = ()) -> Candidates:
    advance = lambda stage, done, total: None  # noqa: E731
    return collect_candidates(list(inputs), "Li", DisorderPolicy(), filters, advance)


def test_a_store_a_folder_and_a_file_are_one_screen(folder: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    antifluorite("Se", 6.0).to(filename=str(others / "Li2Se.cif"))
    single = tmp_path / "Li2Te.cif"
    antifluorite("Te", 6.5).to(filename=str(single))
    found = collected(store_of(others, tmp_path / "store"), folder, single)
    assert [record.id for record in found.records] == ["Li2Se", "Li2S", "Li2Te"]
    assert [entry.id for entry in found.quarantined] == ["broken"]
    assert found.n_input == 4
    assert found.funnel.kept["input"] == 4
    rows = found.funnel.frame().set_index("stage")
    assert rows.loc["policy", "kept"] == 3


def test_an_empty_batch_of_a_store_is_no_defect(folder: Path, tmp_path: Path) -> None:
    (folder / "Li2S.cif").unlink()
    store = store_of(folder, tmp_path / "store")
    assert Store(store).n_structures == 0
    found = collected(store, filters=(Filter(name="small", column="n_sites", maximum=9),))
    assert list(found.records) == []
    assert [entry.id for entry in found.quarantined] == ["broken"]


def test_one_id_in_a_store_and_in_a_file_is_taken_once(folder: Path, tmp_path: Path) -> None:
    store = store_of(folder, tmp_path / "store")
    antifluorite("Se", 6.0).to(filename=str(folder / "Li2S.cif"))
    found = collected(store, folder)
    assert [record.id for record in found.records] == ["Li2S"]
    assert "S" in found.records[0].composition
    reasons = {entry.stage: entry.reason for entry in found.quarantined}
    assert "belongs to an earlier structure" in reasons["same_id"]
    frame = found.funnel.frame()
    dropped = frame["dropped"].sum()
    assert found.n_input == len(found.records) + dropped
