"""Space groups agree with spglib and do not depend on how the cell is chosen."""

from pathlib import Path

import numpy as np
import pytest
import spglib

import pool
import structures
from ionsieve.data import StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.features import prepare
from ionsieve.features.standard.symmetry import (
    _clear_number,
    _dataset,
    compute,
    describe_space_group,
    space_group_number,
)


def spglib_number(record: StructureRecord) -> int:
    cell = (record.lattice, record.frac, record.dominant_atomic_numbers)
    return int(spglib.get_symmetry_dataset(cell, symprec=0.01).number)


@pytest.mark.parametrize("name", structures.names())
def test_equals_matminer(name: str) -> None:
    from matminer.featurizers.structure import GlobalSymmetryFeatures

    record = structures.get(name)
    if not record.is_ordered:
        pytest.skip("matminer's numbers are for ordered structures")
    number, system, rank, centre, n_operations = GlobalSymmetryFeatures().featurize(
        to_pymatgen(record)
    )
    found = describe_space_group(space_group_number(record))
    # The cells of the tests are primitive: there matminer counts the same operations.
    assert found == (number, system, rank, centre, n_operations)


def test_pool_agrees_with_spglib(shared_data: Path) -> None:
    """All but at most one in a thousand: a tolerance at its edge has no right answer."""
    sample = list(pool.crystals(shared_data, every=20))
    differing = [r.id for r in sample if space_group_number(r) != spglib_number(r)]
    assert len(sample) > 400
    assert len(differing) <= len(sample) / 1000, differing


def test_most_groups_need_no_search_and_are_those_of_moyopys(shared_data: Path) -> None:
    """Relaxed, slightly and clearly distorted crystals, and supercells of them."""
    rng = np.random.default_rng(0)
    known = total = 0
    for record in pool.crystals(shared_data, every=60, max_sites=60):
        for noise_A in (0.0, 2e-4, 4e-3, 0.03):
            moved = distorted(record, noise_A, rng)
            number = _clear_number(moved, 0.01)
            assert number in (None, int(_dataset(moved, 0.01).number)), (record.id, noise_A)
            known += number is not None and noise_A == 0.0
            total += noise_A == 0.0
        large = structures.supercell(record, (1, 2, 1))
        assert _clear_number(large, 0.01) in (None, int(_dataset(large, 0.01).number)), record.id
    assert known > 0.95 * total


def distorted(record: StructureRecord, noise_A: float, rng: np.random.Generator) -> StructureRecord:
    shift = rng.uniform(-noise_A, noise_A, (record.n_sites, 3)) @ np.linalg.inv(record.lattice)
    strain = np.eye(3) + rng.uniform(-noise_A, noise_A, (3, 3)) / 10
    elements = [content[0].element for content in record.species]
    return StructureRecord.ordered(
        record.id, record.lattice @ strain, elements, record.frac + shift
    )


@pytest.mark.parametrize("number", range(1, 231))
def test_every_space_group_against_spglibs_database(number: int) -> None:
    hall = next(h for h in range(1, 531) if spglib.get_spacegroup_type(h).number == number)
    operations = spglib.get_symmetry_from_database(hall)
    rotations = {tuple(r.ravel()) for r in operations["rotations"]}
    described = describe_space_group(number)
    assert described.n_operations == len(rotations)
    assert described.is_centrosymmetric == (tuple(-np.eye(3, dtype=int).ravel()) in rotations)


@pytest.mark.parametrize("scaling", [(2, 1, 1), (1, 2, 3), ((1, 1, 0), (0, 2, 1), (1, 0, 1))])
def test_supercells_keep_every_column(scaling: object) -> None:
    record = structures.get("Li6PS5Cl_F43m")
    large = structures.supercell(record, scaling)
    assert compute(prepare(large), []) == compute(prepare(record), [])


def test_mixed_sites_count_as_their_own_species() -> None:
    """Li6PS5Cl with S/Cl mixed on 4a and 4d stays F-43m; different mixing must not merge sites."""
    record = structures.get("Li6PS5Cl_exp48h")
    assert space_group_number(record) == 216
