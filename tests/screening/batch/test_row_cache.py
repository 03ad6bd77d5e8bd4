"""Descriptors kept between runs: the same rows, computed once, whatever happens to the file."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

import structures
from ionsieve.data.records import StructureRecord
from ionsieve.features.featurizer import rows_to_frame
from ionsieve.screening.batch import row_cache
from ionsieve.screening.batch.row_cache import FILE, described_rows

FAMILIES = ("isolated_anions", "density")
NAMES = ("Li8TiS6_hcp", "Li6PS5Cl_F43m", "Li3OCl")


@pytest.fixture(scope="module")
def records() -> list[StructureRecord]:
    salt = StructureRecord.ordered("salt", 4 * np.eye(3), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    return [*(structures.get(name) for name in NAMES), salt]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids that were computed."""
    seen: list[str] = []
    real = row_cache.run_isolated

    def run(job, items, workers, timeout_s):  # type: ignore[no-untyped-def]
        given = list(items)
        seen.extend(record.id for _, record in given)
        return real(job, given, workers, timeout_s)

    monkeypatch.setattr(row_cache, "run_isolated", run)
    return seen


def test_rows_are_computed_once_and_are_the_same(
    records: list[StructureRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = counted(monkeypatch)
    fresh = described_rows(records, FAMILIES)
    first = described_rows(records[:2], FAMILIES, cache=tmp_path)
    seen.clear()
    done: list[int] = []
    second = described_rows(records, FAMILIES, cache=tmp_path, on_done=done.append)
    assert seen == [record.id for record in records[2:]]
    assert done[0] == 2
    assert done[-1] == len(records)
    seen.clear()
    third = described_rows(records[::-1], FAMILIES, cache=tmp_path)[::-1]
    assert seen == []
    for rows in (first, second, third):
        for row, expected in zip(rows, fresh, strict=False):
            assert (row.id, row.reason) == (expected.id, expected.reason)
            assert (row.values is None) == (expected.values is None)
    usable = [[r for r in rows if r.values is not None] for rows in (fresh, third)]
    tables = [rows_to_frame(rows, FAMILIES) for rows in usable]
    assert tables[0].equals(tables[1])


def test_other_families_species_and_structures_have_other_rows(
    records: list[StructureRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described_rows(records[:1], FAMILIES, cache=tmp_path)
    seen = counted(monkeypatch)
    described_rows(records[:1], FAMILIES[:1], cache=tmp_path)
    described_rows(records[:1], FAMILIES, "Na", cache=tmp_path)
    moved = StructureRecord(
        id=records[0].id,
        lattice=1.01 * records[0].lattice,
        species=records[0].species,
        frac=records[0].frac,
        provenance=records[0].provenance,
    )
    described_rows([moved], FAMILIES, cache=tmp_path)
    assert seen == [records[0].id] * 3
    monkeypatch.setattr(row_cache, "descriptor_code", lambda names: "changed")
    described_rows(records[:1], FAMILIES, cache=tmp_path)
    assert len(seen) == 4


@pytest.mark.parametrize("damage", ["file", "row"])
def test_a_damaged_cache_is_computed_again(
    records: list[StructureRecord], tmp_path: Path, damage: str
) -> None:
    expected = described_rows(records[:1], FAMILIES, cache=tmp_path)
    if damage == "file":
        (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    else:
        with sqlite3.connect(tmp_path / FILE) as database:
            database.execute("UPDATE rows SET row = x'00'")
    again = described_rows(records[:1], FAMILIES, cache=tmp_path)
    assert again[0].values is not None
    assert repr(again[0].values) == repr(expected[0].values)
