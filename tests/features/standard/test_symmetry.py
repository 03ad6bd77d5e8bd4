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
from ionsieve.features.standard.symmetry import compute, describe_space_group, space_group_number


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
