"""The prototype table: every entry against independent symmetry, chemistry and its source."""

import gzip
import json
from collections import Counter
from pathlib import Path

import moyopy
import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.symmetry.groups import SpaceGroup

from ionsieve.data.convert import to_pymatgen
from ionsieve.data.embedded.orbits import expand_site, lattice_matrix
from ionsieve.data.embedded.prototypes import (
    Prototype,
    expand,
    load_prototypes,
    prototype_from_dict,
)
from ionsieve.data.errors import InputError
from ionsieve.data.records import StructureRecord

PROTOTYPES = tuple(load_prototypes().values())
by_name = pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda p: p.name)

WANTED = {
    "argyrodite-F43m": 216,
    "Li8SiSe6-F43m": 216,
    "Li8SiO6-P63cm": 185,
    "Ag8GeS6-Pna21": 33,
    "Li2S-Fm3m": 225,
    "Li7N2I-R3m": 160,
    "Li5NBr2-Immm": 71,
    "Li4NCl-R3m": 166,
    "Li10N3Br-P6m2": 187,
    "Li3OCl-Pm3m": 221,
    "Li7O2Br3-I4mmm": 139,
    "Li6FeCl8-Fm3m": 225,
    "Li5CrCl8-Cmmm": 65,
    "Li3InCl6-C2m": 12,
    "Li3ErBr6-C2c": 15,
    "Li10GeP2S12-P42mc": 105,
    "Li3PS4-beta-Pnma": 62,
    "Li3PS4-gamma-Pmn21": 31,
    "Li5SbS3I2-Pnnm": 58,
    "LiYS2-R3m": 166,
    "Li7La3Zr2O12-I41acd": 142,
    "LiTi2P3O12-R3c": 167,
}


def _spacegroup(record: StructureRecord) -> int:
    cell = moyopy.Cell(
        record.lattice.tolist(), record.frac.tolist(), record.dominant_atomic_numbers.tolist()
    )
    return int(moyopy.MoyoDataset(cell, symprec=1e-3).number)


def _shortest(record: StructureRecord, a: str, b: str) -> float:
    structure = to_pymatgen(record)
    centres = [site for site in structure if site.specie.symbol == a]
    return min(
        neighbour.nn_distance
        for site in centres
        for neighbour in structure.get_neighbors(site, 4.0)
        if neighbour.specie.symbol == b
    )


@by_name
@pytest.mark.parametrize("conventional", [False, True])
def test_expands_to_its_formula_and_space_group(prototype: Prototype, conventional: bool) -> None:
    record = expand(prototype, prototype.default_elements, conventional=conventional)
    formula = Composition(record.composition).reduced_composition
    assert formula == Composition(prototype.formula).reduced_composition
    assert _spacegroup(record) == prototype.number


@by_name
def test_is_charge_neutral_and_states_its_source(prototype: Prototype) -> None:
    record = expand(prototype, prototype.default_elements)
    charge = sum(s.oxidation for content in record.species for s in content if s.oxidation)
    assert charge == 0
    assert prototype.source
    assert prototype.licence in record.provenance.licence
    if prototype.licence == "facts":
        assert "constructed" in prototype.source


@by_name
def test_primitive_cell_is_as_dense_as_the_conventional_one(prototype: Prototype) -> None:
    small = expand(prototype, prototype.default_elements)
    large = expand(prototype, prototype.default_elements, conventional=True)
    ratio = large.n_sites / small.n_sites
    assert ratio == pytest.approx(large.volume_A3 / small.volume_A3, rel=1e-9)
    assert ratio == {"P": 1, "R": 3, "F": 4}.get(prototype.space_group[0], 2)


def test_the_families_of_the_field_are_present() -> None:
    found = {p.name: p.number for p in PROTOTYPES}
    assert WANTED.items() <= found.items()


@pytest.mark.parametrize(
    ("name", "a", "b", "expected", "rel"),
    [
        # P–S in thiophosphate tetrahedra: 2.05 Å (Deiseroth 2008, 10.1002/anie.200703900).
        ("argyrodite-F43m", "P", "S", 2.05, 0.01),
        ("Li3PS4-beta-Pnma", "P", "S", 2.05, 0.01),
        ("Li10GeP2S12-P42mc", "P", "S", 2.05, 0.01),
        ("Li7P3S11-P1", "P", "S", 2.05, 0.03),
        # Si–Se assumed for Yang 2025's cubic phase, see the entry's source.
        ("Li8SiSe6-F43m", "Si", "Se", 2.30, 0.005),
        # Shannon radii (1976): Zr4+ 0.72 + O2− 1.40; P5+ 0.17 + 1.38; Si4+ 0.26 + 1.38.
        ("Li7La3Zr2O12-I41acd", "Zr", "O", 2.12, 0.02),
        ("LiTi2P3O12-R3c", "P", "O", 1.55, 0.02),
        ("Li8SiO6-P63cm", "Si", "O", 1.64, 0.03),
        # In3+ 0.80 + Cl− 1.81, Y3+ 0.90 + 1.81; positions of these two are approximate.
        ("Li3InCl6-C2m", "In", "Cl", 2.61, 0.08),
        ("Li3YCl6-P321", "Y", "Cl", 2.71, 0.10),
        # Fixed by symmetry: a√3/4 in antifluorite, a/2 in the antiperovskite.
        ("Li2S-Fm3m", "Li", "S", 5.65202 * 3**0.5 / 4, 1e-5),
        ("Li3OCl-Pm3m", "Li", "O", 3.83737 / 2, 1e-4),
    ],
)
def test_bond_lengths(name: str, a: str, b: str, expected: float, rel: float) -> None:
    prototype = load_prototypes()[name]
    record = expand(prototype, prototype.default_elements)
    assert _shortest(record, a, b) == pytest.approx(expected, rel=rel)


def test_isolated_anions_of_the_argyrodite_are_the_4a_and_4c_sites() -> None:
    prototype = load_prototypes()["argyrodite-F43m"]
    isolated = {s.wyckoff for s in prototype.sites if s.label.startswith("Y")}
    assert isolated <= {"4a", "4c", "4d"}
    assert len(isolated) == 2


def test_substitution_changes_elements_and_volume_only() -> None:
    prototype = load_prototypes()["argyrodite-F43m"]
    before = expand(prototype, prototype.default_elements)
    elements = {**prototype.default_elements, "Y2": "Br"}
    after = expand(prototype, elements, volume_factor=1.1)
    assert after.id == "argyrodite-F43m_Li6PS5Br"
    assert after.volume_A3 == pytest.approx(1.1 * before.volume_A3, rel=1e-12)
    np.testing.assert_array_equal(after.frac, before.frac)


def test_points_near_a_special_position_are_put_on_it() -> None:
    lattice = lattice_matrix((4.0, 4.0, 10.0, 90.0, 90.0, 120.0))
    images = expand_site("P 6 -2", lattice, np.array([0.333333, 0.666667, 0.2]))
    assert len(images) == 2  # 2b of P6mm
    assert sorted(images[:, 0]) == pytest.approx([1 / 3, 2 / 3], rel=1e-14)


def test_orbits_agree_with_pymatgen_for_a_general_point() -> None:
    point = np.array([0.11, 0.23, 0.07])
    lattice = lattice_matrix((8.5, 8.5, 20.8, 90.0, 90.0, 120.0))
    images = expand_site('-R 3 2"c', lattice, point)
    expected = SpaceGroup("R-3c").get_orbit(point)
    rounded = [{tuple(np.round(x % 1.0, 9)) for x in found} for found in (images, expected)]
    assert rounded[0] == rounded[1]
    assert len(images) == 36


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"A": "Li"}, "has the labels A, Y"),
        ({"A": "Li", "Y": "Xx"}, "not an element"),
        ({"A": "Li", "Y": "S", "Z": "S"}, "has the labels"),
    ],
)
def test_wrong_elements_are_refused(elements: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        expand(load_prototypes()["Li2S-Fm3m"], elements)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_wrong_volume_factor_is_refused(factor: float) -> None:
    prototype = load_prototypes()["Li2S-Fm3m"]
    with pytest.raises(InputError, match="volume_factor"):
        expand(prototype, prototype.default_elements, volume_factor=factor)


def _entry() -> dict:
    return {
        "name": "Li2S-test",
        "structure_type": "fluorite",
        "formula": "Li2S",
        "space_group": "Fm-3m",
        "number": 225,
        "hall": "-F 4 2 3",
        "cell": [5.65, 5.65, 5.65, 90, 90, 90],
        "labels": {
            "A": {"element": "Li", "oxidation": 1, "role": "mobile", "count": 2},
            "Y": {"element": "S", "oxidation": -2, "role": "isolated_anion", "count": 1},
        },
        "sites": [["A", "8c", 0.25, 0.25, 0.25], ["Y", "4a", 0, 0, 0]],
        "source": "test",
        "licence": "facts",
    }


def test_a_sound_entry_is_accepted() -> None:
    assert prototype_from_dict(_entry()).primitive.labels == ("A", "A", "Y")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"formula": "Li3S"}, "formula Li3S"),
        ({"name": "../x"}, "letters, digits"),
        ({"sites": [["A", "8c", 0.25, 0.25, 0.2], ["Y", "4a", 0, 0, 0]]}, "48 images"),
        ({"sites": [["A", "4b", 0.5, 0.5, 0.5], ["Y", "4a", 0, 0, 0]]}, "do not match"),
        ({"hall": "P 1"}, "1 images"),
        (
            {"sites": [["A", "8c", 0.25, 0.25, 0.25], ["Y", "4a", 0.004, 0.004, 0]]},
            "Li2S-test: site at .* move it on or off",
        ),
        ({"labels": {"A": {"element": "Li"}}}, "lacks or misspells"),
    ],
)
def test_unsound_entries_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prototype_from_dict({**_entry(), **change})


def test_charged_entry_is_refused() -> None:
    entry = _entry()
    entry["labels"]["Y"]["oxidation"] = -1
    with pytest.raises(InputError, match="not charge neutral: \\+1"):
        prototype_from_dict(entry)


def test_entries_match_the_database_structures_they_cite(shared_data: Path) -> None:
    cited = {p.source.split("Materials Project ")[-1]: p for p in PROTOTYPES if "Togo" in p.source}
    matcher = StructureMatcher(ltol=0.01, stol=0.02, angle_tol=0.5, scale=False)
    compared: Counter[bool] = Counter()
    with gzip.open(shared_data / "pool" / "phonondb.jsonl.gz", "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["id"] not in cited:
                continue
            prototype = cited[entry["id"]]
            source = Structure(Lattice(entry["lattice"]), entry["species"], entry["frac"])
            ours = to_pymatgen(expand(prototype, prototype.default_elements))
            compared[matcher.fit(ours, source)] += 1
    assert compared == {True: len(cited)}
