"""Candidates that are structures of the training table, or have the type of one."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from ionsieve.data import StructureRecord
from ionsieve.data.convert import from_pymatgen, to_pymatgen
from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.screening.generate.prototypes import embedded_candidates
from ionsieve.screening.screen.known import Known, find_known
from pool import crystals

TABLE = load_aimd_structures()


def argyrodite(
    species: list[str], a: float, disorder: float = 0.0, name: str = "x"
) -> StructureRecord:
    """Li6PS5Cl type; ``disorder`` is the share of halide on the chalcogenide's site."""
    li, p, s, x = species
    free = s if not disorder else {s: 1 - disorder, x: disorder}
    halide = x if not disorder else {x: 1 - disorder, s: disorder}
    structure = Structure.from_spacegroup(
        "F-43m",
        Lattice.cubic(a),
        [li, p, s, free, halide],
        [
            [0.25, 0.0179, 0.25],
            [0.5, 0.5, 0.5],
            [0.6199, 0.6199, 0.6199],
            [0.25, 0.25, 0.25],
            [0, 0, 0],
        ],
    )
    return from_pymatgen(structure, name)


KNOWN = argyrodite(["Li", "P", "S", "Cl"], 9.86, name="known")


def relation(record: StructureRecord, known: StructureRecord = KNOWN, mobile: str = "Li") -> str:
    (found,) = find_known([record], [known], mobile)
    assert found.structure == (known.id if found.relation else "")
    return found.relation


@pytest.mark.parametrize("a", [9.4, 9.86, 10.4])
def test_the_known_conductor_in_another_cell(a: float) -> None:
    """Primitive, doubled, shifted, scaled: what two relaxations of one phase differ by."""
    conventional = to_pymatgen(argyrodite(["Li", "P", "S", "Cl"], a))
    primitive = conventional.get_primitive_structure()
    doubled = primitive.make_supercell([2, 1, 1], in_place=False)
    doubled.translate_sites(range(len(doubled)), [0.1, 0.2, 0.3])
    for structure in (conventional, primitive, doubled):
        assert relation(from_pymatgen(structure, "x")) == "same"


def test_other_elements_in_the_same_places_are_isostructural() -> None:
    assert relation(argyrodite(["Li", "As", "Se", "I"], 10.6)) == "isostructural"
    assert relation(argyrodite(["Na", "P", "S", "Cl"], 10.6), mobile="Na") == "isostructural"


def test_the_mobile_species_keeps_its_part() -> None:
    """The same crystal asked about another ion is no known conductor of that ion."""
    assert relation(argyrodite(["Na", "P", "S", "Cl"], 10.6)) == ""
    swapped = argyrodite(["P", "Li", "S", "Cl"], 9.86)
    assert relation(swapped) == ""


def test_other_disorder_is_another_structure() -> None:
    half = argyrodite(["Li", "P", "S", "Cl"], 9.86, 0.5)
    assert relation(half) == ""
    assert relation(argyrodite(["Li", "P", "S", "Cl"], 10.0, 0.5), half) == "same"
    assert relation(argyrodite(["Li", "Sb", "Se", "Br"], 10.9, 0.5), half) == "isostructural"


def test_a_different_structure_of_the_same_formula() -> None:
    rock_salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.13), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    zinc_blende = Structure.from_spacegroup(
        "F-43m", Lattice.cubic(5.6), ["Li", "Cl"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    known = from_pymatgen(rock_salt, "rock salt")
    assert relation(from_pymatgen(zinc_blende, "x"), known) == ""
    bromide = rock_salt.copy()
    bromide.replace_species({"Cl": "Br"})
    assert relation(from_pymatgen(bromide, "x"), known) == "isostructural"


def test_the_same_goes_before_the_isostructural() -> None:
    other = argyrodite(["Li", "As", "S", "Cl"], 10.0, name="other")
    for order in itertools.permutations([KNOWN, other]):
        found = find_known([argyrodite(["Li", "P", "S", "Cl"], 9.9)], order)
        assert found == [Known("known", "same")]


def test_every_structure_of_the_table_is_itself() -> None:
    """But for those too large to be matched, and those that another entry equals."""
    found = find_known(TABLE, TABLE)
    related = [(r, f) for r, f in zip(TABLE, found, strict=True) if f.relation]
    assert len(related) > 0.9 * len(TABLE)
    for record, known in related:
        assert known.relation == "same"
        twin = next(r for r in TABLE if r.id == known.structure)
        assert twin.elements == record.elements


def test_embedded_candidates_of_known_prototypes() -> None:
    chosen = ["argyrodite-F43m_Li6PS5Cl", "Li7N2I-R3m_Li7N2Br", "Li6NI3-I4m_Li6NI3"]
    records = {r.id: r for r in embedded_candidates("Li").records}
    assert find_known([records[i] for i in chosen], TABLE) == [
        Known("Li6PS5Cl_inversion000", "same"),
        Known("Li7N2I_R3m", "isostructural"),
        # Another polymorph than the cubic one of the table.
        Known(),
    ]


def test_crystals_of_the_pool(shared_data: Path) -> None:
    """Independent relaxations: what the table has from the literature is found again."""
    expected = {
        "mp-753546": ("Li8TiS6_P6_3cm", "same"),
        "mp-559814": ("Li5SbS3I2_Pnnm", "same"),
        "mp-675941": ("Li7N2I_R3m", "same"),
        "mp-28828": ("Li6VCl8_Fm-3m", "isostructural"),
        "mp-754266": ("", ""),  # Li8TiS6 of another space group
    }
    records = [r for r in crystals(shared_data, element="Li") if r.id in expected]
    assert {r.id for r in records} == set(expected)
    for record, found in zip(records, find_known(records, TABLE), strict=True):
        assert (found.structure, found.relation) == expected[record.id]


def test_order_of_sites_and_axes_does_not_matter() -> None:
    record = argyrodite(["Li", "P", "S", "Cl"], 9.9)
    order = np.random.default_rng(0).permutation(record.n_sites)
    turned = StructureRecord(
        id="x",
        lattice=record.lattice[[2, 0, 1]],
        species=tuple(record.species[i] for i in order),
        frac=record.frac[order][:, [2, 0, 1]],
    )
    assert relation(turned) == "same"
