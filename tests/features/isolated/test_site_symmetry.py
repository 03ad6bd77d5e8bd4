"""Local symmetry of isolated anions: the labels of Yang 2025, and a count of operations."""

import logging
from pathlib import Path

import numpy as np
import pytest

import pool
import structures
from ionsieve.data import IonsieveError, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.features import isolated_anions, prepare
from ionsieve.features.catalogue import families
from ionsieve.features.featurizer import featurize_one
from ionsieve.features.isolated.site_symmetry import (
    POINT_GROUPS,
    ROTATIONS,
    _by_search,
    host_site_symmetry,
    schoenflies,
)
from ionsieve.features.void.host import host_of

# Yang 2025 (10.1038/s41524-025-01559-9), figure 3a and table 2.
LABELS = [
    ("Li8SiSe6_F43m", "Se", "Td", 24),
    ("Li8SiSe6_Pna21", "Se", "C1", 1),
    ("Li8SiSe6_hcp", "Se", "C3", 3),
    ("Li8TiS6_hcp", "S", "C3", 3),
    ("Li6VCl8", "Cl", "Td", 24),
    ("Li5CrCl8", "Cl", "C2v", 4),
    ("Li5SbS3I2", "I", "Cs", 2),
    ("Li7N2I_R3m", "N", "Cs", 2),
    ("Li6NI3_I4m", "N", "Oh", 48),
    ("Li6PS5Cl_F43m", "S", "Td", 24),
]


@pytest.mark.parametrize("conventional", [False, True])
@pytest.mark.parametrize(("name", "element", "label", "order"), LABELS)
def test_published_labels(
    name: str, element: str, label: str, order: int, conventional: bool
) -> None:
    record = structures.get(name, conventional)
    row = featurize_one(record, families(["isolated_anions"]))
    assert row.values is not None
    assert row.values["isolated_site_symmetry"] == label
    assert row.values["isolated_site_symmetry_order"] == order
    labels = {a.site_symmetry for a in isolated_anions(record) if a.element == element}
    assert label in labels


def test_both_anions_of_the_argyrodite_are_tetrahedral() -> None:
    found = {a.element: a.site_symmetry for a in isolated_anions(structures.get("Li6PS5Cl_F43m"))}
    assert found == {"S": "Td", "Cl": "Td"}


def test_all_sites_of_li7n2i() -> None:
    found = isolated_anions(structures.get("Li7N2I_R3m"))
    assert sorted(a.site_symmetry for a in found if a.element == "N") == ["C3v", "Cs", "Cs", "Cs"]
    assert {a.site_symmetry for a in found if a.element == "I"} == {"C3v"}


def test_disordered_sites_have_symmetry() -> None:
    found = isolated_anions(structures.get("Li6PS5Cl_exp48h"))
    assert {a.site_symmetry for a in found} == {"Td"}


@pytest.mark.parametrize(
    ("oriented", "label"),
    [
        ("1", "C1"),
        ("..m", "Cs"),
        (".m.", "Cs"),
        ("m2m", "C2v"),
        ("2.mm", "C2v"),
        ("mm2..", "C2v"),
        ("-4m.2", "D2d"),
        ("-42.m", "D2d"),
        ("2.22", "D2"),
        ("m.mm", "D2h"),
        ("4m.m", "C4v"),
        ("4/mm.m", "D4h"),
        (".3m", "C3v"),
        (".-3m", "D3d"),
        ("3..", "C3"),
        ("-62m", "D3h"),
        ("-43m", "Td"),
        ("m-3.", "Th"),
        ("m-3m", "Oh"),
    ],
)
def test_oriented_symbols(oriented: str, label: str) -> None:
    assert schoenflies(oriented)[0] == label


def test_every_site_symbol_of_every_space_group_is_known() -> None:
    import moyopy

    for number in range(1, 231):
        rotations = moyopy.operations_from_number(number, primitive=True).rotations
        largest = len({tuple(np.ravel(r)) for r in rotations})
        symbol = moyopy.SpaceGroupType(number).geometric_crystal_class
        assert POINT_GROUPS[symbol][1] == largest, number


def test_rotations_of_every_point_group() -> None:
    """Counts by trace and determinant, from the operations of every space group."""
    import moyopy

    for number in range(1, 231):
        rotations = moyopy.operations_from_number(number, primitive=True).rotations
        counts = [0] * 9
        for rotation in np.array(rotations):
            trace, sense = int(np.trace(rotation)), round(float(np.linalg.det(rotation)))
            if sense > 0 and trace != 3:
                counts[{-1: 0, 0: 1, 1: 2, 2: 3}[trace]] += 1
            elif sense < 0:
                counts[{-3: 4, 1: 5, 0: 6, -1: 7, -2: 8}[trace]] += 1
        label, _ = POINT_GROUPS[moyopy.SpaceGroupType(number).geometric_crystal_class]
        assert tuple(counts) == ROTATIONS[label], number


def test_counted_operations_give_the_labels_of_the_search(shared_data: Path) -> None:
    """Pool crystals and distorted ones, in which the search has to weigh operations."""
    rng = np.random.default_rng(0)
    counted = total = 0
    for record in pool.crystals(shared_data, every=12, element="Li", max_sites=80):
        for noise_A in (0.0, 0.02, 0.1):
            shift = rng.uniform(-noise_A, noise_A, (record.n_sites, 3))
            elements = [content[0].element for content in record.species]
            frac = record.frac + shift @ np.linalg.inv(record.lattice)
            moved = StructureRecord.ordered(record.id, record.lattice, elements, frac)
            try:
                prepared = prepare(moved)
            except IonsieveError:
                continue
            found, searched = host_site_symmetry(prepared), _by_search(prepared)
            assert found.label == searched.label, (record.id, noise_A)
            np.testing.assert_array_equal(found.order, searched.order)
            counted += noise_A == 0.0 and host_of(prepared).symmetry.is_clear
            total += noise_A == 0.0
    assert counted > 0.9 * total > 50


@pytest.mark.parametrize("name", ["Li5CrCl8", "Li8TiS6_hcp", "Li5SbS3I2", "Li6VCl8", "Li7O2Br3"])
def test_orders_equal_the_operations_that_leave_the_site(name: str) -> None:
    """Reference: pymatgen's operations of the host, those that map a site onto itself."""
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    record = structures.get(name)
    host = to_pymatgen(record)
    host.remove_species(["Li"])
    operations = SpacegroupAnalyzer(host, symprec=0.1).get_symmetry_operations()
    order = host_site_symmetry(prepare(record)).order
    for point, expected in zip(host.frac_coords, order[np.isfinite(order)], strict=True):
        shifts = np.array([op.operate(point) - point for op in operations])
        shifts -= np.round(shifts)
        stays = np.linalg.norm(host.lattice.get_cartesian_coords(shifts), axis=1) < 0.3
        assert stays.sum() == expected


def test_the_search_writes_nothing(capfd: pytest.CaptureFixture) -> None:
    record = structures.get("Li6NI3_I4m", conventional=True)
    host_site_symmetry(prepare(record))
    logging.shutdown()
    assert capfd.readouterr() == ("", "")
