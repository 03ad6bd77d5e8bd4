"""Descriptors that were written before are found by their structures, and only by those."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import structures
from ionsieve.data.errors import InputError
from ionsieve.data.records import StructureRecord
from ionsieve.data.store.write import written_store
from ionsieve.screening.batch import row_cache
from ionsieve.screening.batch.featurize_store import featurize_store
from ionsieve.screening.batch.given_rows import GivenRows
from ionsieve.screening.batch.row_cache import described_rows

FAMILIES = ("isolated_anions", "density", "symmetry")


@pytest.fixture(scope="module")
def records() -> list[StructureRecord]:
    salt = StructureRecord.ordered("salt", 4 * np.eye(3), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    named = [structures.get(name) for name in ("Li8TiS6_hcp", "Li6PS5Cl_F43m", "Li3OCl", "LiF")]
    return [*named[:2], salt, *named[2:]]


@pytest.fixture(scope="module")
def folder(records: list[StructureRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("given")
    written_store(records, base / "store", 2)
    featurize_store(base / "store", base / "features", chosen=FAMILIES)
    return base / "features"


def test_rows_are_those_that_would_be_computed(
    records: list[StructureRecord], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = described_rows(records, FAMILIES)
    asked: list[object] = []
    monkeypatch.setattr(row_cache, "run_isolated", lambda _, items, *__: asked.extend(items) or [])
    given = GivenRows(folder, chosen=FAMILIES)
    assert len(given.files) == 3
    # In another order than that of the files.
    order = [3, 0, 4, 2, 1]
    found = described_rows([records[i] for i in order], FAMILIES, given=given)
    for i, row in zip(order, found, strict=True):
        assert (row.id, row.values is None) == (computed[i].id, computed[i].values is None)
        if row.values is None:
            assert row.reason == computed[i].reason
            continue
        for name, value in row.values.items():
            np.testing.assert_equal(value, computed[i].values[name])
    assert given.taken == len(records)
    assert asked == [], "computed again"


def test_another_structure_or_id_is_computed(records: list[StructureRecord], folder: Path) -> None:
    wider = replace(records[3], lattice=1.02 * records[3].lattice)
    renamed = replace(records[0], id="renamed")
    given = GivenRows(folder, chosen=FAMILIES)
    assert sorted(given.rows([wider, renamed, records[1]])) == [2]
    rows = described_rows([wider, records[3]], FAMILIES, given=given)
    volumes = [row.values["volume_per_atom_A3"] for row in rows]
    assert volumes[0] == pytest.approx(1.02**3 * volumes[1], rel=1e-6, abs=0)


def test_a_folder_of_others_is_refused(
    records: list[StructureRecord], folder: Path, tmp_path: Path
) -> None:
    given = GivenRows(folder, chosen=FAMILIES)
    with pytest.raises(InputError, match="none of these structures"):
        given.rows([replace(r, id=f"other-{r.id}") for r in records])
    for wrong in ({"mobile": "Na", "chosen": FAMILIES}, {"chosen": FAMILIES[:1]}, {}):
        with pytest.raises(InputError, match="no descriptors"):
            GivenRows(folder, **wrong)
    with pytest.raises(InputError, match="no descriptors"):
        GivenRows(tmp_path, chosen=FAMILIES)


def test_a_damaged_file_is_named(
    records: list[StructureRecord], folder: Path, tmp_path: Path
) -> None:
    written_store(records, tmp_path / "store", 2)
    featurize_store(tmp_path / "store", tmp_path / "features", chosen=FAMILIES)
    file = next((tmp_path / "features").rglob("features-00001.parquet"))
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(InputError, match="not a readable Parquet file"):
        GivenRows(tmp_path / "features", chosen=FAMILIES)
