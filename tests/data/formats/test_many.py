"""Files with many structures: one bad entry costs no other, numbers are numbers."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from ionsieve.data import Quarantined, StructureRecord
from ionsieve.data.formats.entry import Context, Provenance, finite_or_none, first_text, guarded
from ionsieve.data.store.open import open_source

PLAIN = {"lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 4]], "species": ["Li", "F"],
         "frac": [[0, 0, 0], [0.5, 0.5, 0.5]]}  # fmt: skip
FRAME = '2\nLattice="5.14 0 0 0 5.14 0 0 0 5.14" pbc="T T T" {}\n{} 0 0 0\nCl 2.57 2.57 2.57\n'


def entries(path: Path) -> list[StructureRecord | Quarantined]:
    return [item.entry for item in open_source(str(path)).items()]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0), (0.5, 0.5), (np.int64(0), 0.0), (np.float32(0.5), 0.5), (Decimal("0.25"), 0.25),
        (True, None), (np.bool_(True), None), ("1", None), (None, None), (float("nan"), None),
        (np.inf, None), (10**400, None), (np.array([1.0, 2.0]), None), (1j, None),
    ],
)  # fmt: skip
def test_numbers(value: object, number: float | None) -> None:
    assert finite_or_none(value) == number


def test_texts() -> None:
    assert first_text({"id": np.int64(7)}, ("id",)) == "7"
    assert first_text({"id": True, "name": " a"}, ("id", "name")) == " a"


def test_whole_numbers_in_extxyz_are_values(tmp_path: Path) -> None:
    whole, decimal = "id=a e_above_hull=0 band_gap=5", "id=b e_above_hull=0.0 band_gap=5.0"
    (tmp_path / "in.extxyz").write_text(FRAME.format(whole, "Li") + FRAME.format(decimal, "Li"))
    for record in entries(tmp_path / "in.extxyz"):
        assert isinstance(record, StructureRecord)
        assert (record.e_above_hull_eV_atom, record.band_gap_eV) == (0.0, 5.0)


@pytest.mark.parametrize(("symbol", "element"), [("D", "H"), ("T", "H"), ("Li", "Li")])
def test_isotopes_in_extxyz(tmp_path: Path, symbol: str, element: str) -> None:
    (tmp_path / "in.extxyz").write_text(FRAME.format("", symbol))
    (record,) = entries(tmp_path / "in.extxyz")
    assert isinstance(record, StructureRecord)
    assert element in record.composition


@pytest.mark.parametrize("symbol", ["X", "Vac", "OH"])
def test_what_is_no_element_costs_its_frame_only(tmp_path: Path, symbol: str) -> None:
    (tmp_path / "in.extxyz").write_text(FRAME.format("", symbol) + FRAME.format("", "Li"))
    bad, good = entries(tmp_path / "in.extxyz")
    assert isinstance(bad, Quarantined)
    assert isinstance(good, StructureRecord)


STRANGE = [
    {**PLAIN, "species": ["Li", "Vac"]},
    {**PLAIN, "species": ["Li", "OH"]},
    {**PLAIN, "species": ["Li", {}]},
    {**PLAIN, "lattice": {"a": 1}},
    {**PLAIN, "frac": [[0, 0, 0], ["a", 0, 0]]},
    {"attributes": {"lattice_vectors": 5, "species_at_sites": ["Li"]}},
    {"attributes": {"dimension_types": 1, "species_at_sites": ["Li"]}},
    {"attributes": {"structure_features": 3}},
    {"structure": {"lattice": {"matrix": 3}, "sites": [{"abc": 1, "species": 5}]}},
    {"lattice": {"matrix": PLAIN["lattice"]},
     "sites": [{"abc": [0, 0, 0], "species": [{"element": "Li", "occu": "much"}]}]},
    [1, 2], 7, None, "text",
]  # fmt: skip


@pytest.mark.parametrize("strange", STRANGE)
def test_one_strange_entry_costs_no_other(tmp_path: Path, strange: object) -> None:
    lines = [json.dumps({**PLAIN, "id": "first"}), json.dumps(strange)]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, json.dumps({**PLAIN, "id": "last"})]))
    (tmp_path / "a.json").write_text(json.dumps([PLAIN, strange, PLAIN]))
    for name in ("a.jsonl", "a.json"):
        first, bad, last = entries(tmp_path / name)
        assert isinstance(first, StructureRecord)
        assert isinstance(last, StructureRecord)
        assert isinstance(bad, Quarantined)
        assert bad.reason


def test_a_broken_row_of_an_ase_database_costs_no_other(tmp_path: Path) -> None:
    import ase
    import ase.db

    path = tmp_path / "name with @2, 'quotes'.db"
    crystal = ase.Atoms("LiF", cell=[4, 4, 4], scaled_positions=[[0, 0, 0], [0.5] * 3], pbc=True)
    with ase.db.connect(str(path), type="db", use_lock_file=False) as database:
        for k in range(3):
            database.write(crystal, key_value_pairs={"e_above_hull": k})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE systems SET positions = ? WHERE id = 2", (b"\1\2\3",))
    first, bad, last = entries(path)
    assert isinstance(first, StructureRecord)
    assert isinstance(bad, Quarantined)
    assert isinstance(last, StructureRecord)
    assert last.e_above_hull_eV_atom == 2.0


def test_a_row_of_parquet_that_is_no_text_costs_no_other(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = 3
    offsets = np.array([0, 1, 3, 4], dtype=np.int32)
    ids = pa.Array.from_buffers(
        pa.string(), n, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(b"a\xff\xfec")]
    )
    table = pa.table(
        {
            "id": ids,
            "lattice_vectors": [PLAIN["lattice"]] * n,
            "cartesian_site_positions": [[[0, 0, 0], [2.0, 2, 2]]] * n,
            "species_at_sites": [["Li", "F"]] * n,
            "band_gap": [Decimal("1.5")] * n,
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, bad, last = entries(tmp_path / "a.parquet")
    assert isinstance(first, StructureRecord)
    assert isinstance(bad, Quarantined)
    assert isinstance(last, StructureRecord)
    assert (first.id, first.band_gap_eV) == ("a", 1.5)


def test_partial_occupancies_of_ase_are_read(tmp_path: Path) -> None:
    """ASE keeps them beside the atoms, whose symbols are the most abundant species only."""
    from ase import Atoms

    from ionsieve.data.formats.ase_atoms import atoms_entry

    atoms = Atoms("LiF", cell=[4, 4, 4], scaled_positions=[[0, 0, 0], [0.5] * 3], pbc=True)
    atoms.info["occupancy"] = {"0": {"Li": 0.6, "Na": 0.3}, "1": {"F": 1.0}}
    context = Context("x", Provenance(source="test"))
    assert isinstance(atoms_entry(atoms, {}, "x", context), Quarantined)
    atoms.arrays["spacegroup_kinds"] = np.array([0, 1])
    record = atoms_entry(atoms, {}, "x", context)
    assert isinstance(record, StructureRecord)
    assert record.composition == {"Li": 0.6, "F": 1.0, "Na": 0.3}


@pytest.mark.parametrize("error", [RecursionError("deep"), MemoryError(), KeyError("x")])
def test_any_failure_becomes_a_quarantine_with_its_cause(error: Exception) -> None:
    def fails() -> StructureRecord:
        raise error

    entry = guarded(Context("x", Provenance(source="test")), "x", fails)
    assert isinstance(entry, Quarantined)
    assert type(error).__name__ in entry.reason
