"""The checks that every structure passes, whatever file it comes from."""

import json

import pytest

from ionsieve.data import Quarantined, StructureError, StructureRecord
from ionsieve.data.formats.plausible import checked
from ionsieve.data.records import SiteSpecies
from ionsieve.data.store.open import open_source


def salt(edge: float, second: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> StructureRecord:
    return StructureRecord.ordered("x", [[edge, 0, 0], [0, edge, 0], [0, 0, edge]], ["Li", "F"],
                                   [[0, 0, 0], second])  # fmt: skip


def test_sound_structures_pass_unchanged() -> None:
    record = salt(3.0)
    assert checked(record) is record


@pytest.mark.parametrize(("edge", "reason"), [(12.0, "in pm"), (0.9, "in nm")])
def test_density(edge: float, reason: str) -> None:
    with pytest.raises(StructureError, match=reason):
        checked(salt(edge))


def test_contacts_name_both_sites() -> None:
    with pytest.raises(StructureError, match=r"sites 1 \(Li\) and 2 \(F\) are 0\.30 Å apart"):
        checked(salt(3.0, (0.1, 0, 0)))


def test_alternatives_may_be_close() -> None:
    half = StructureRecord(
        id="x",
        lattice=salt(3.0).lattice,
        species=((SiteSpecies("Li", 0.5),), (SiteSpecies("Na", 0.5),)),
        frac=[[0, 0, 0], [0.1, 0, 0]],
    )
    assert checked(half) is half


POSCAR = "x\n1\n4 0 0\n0 4 0\n0 0 4\nLi F\n1 1\nDirect\n0 0 0\n0 0 0.001\n"
EXTXYZ = '2\nLattice="4 0 0 0 4 0 0 0 4" pbc="T T T"\nLi 0 0 0\nF 0 0 0.004\n'
PLAIN = {"lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 4]], "species": ["Li", "F"],
         "frac": [[0, 0, 0], [0, 0, 0.001]]}  # fmt: skip
OPTIMADE = {
    "lattice_vectors": PLAIN["lattice"],
    "cartesian_site_positions": [[0, 0, 0], [0, 0, 0.004]],
    "species_at_sites": ["Li", "F"],
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("POSCAR", POSCAR),
        ("a.extxyz", EXTXYZ),
        ("a.json", json.dumps([PLAIN])),
        ("a.jsonl", json.dumps(PLAIN)),
        ("b.jsonl", json.dumps({"id": "1", "attributes": OPTIMADE})),
    ],
)
def test_two_atoms_on_one_place_are_refused_in_every_format(tmp_path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (item,) = open_source(str(tmp_path / name)).items()
    assert isinstance(item.entry, Quarantined)
    assert "0.00 Å apart" in item.entry.reason
