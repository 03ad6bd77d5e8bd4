"""What all families share about pairs, beside the plain definitions."""

import numpy as np
import pytest

import structures
from ionsieve.features import prepare
from ionsieve.features.core.elements import bond_valence_table, covalent_radii_A
from ionsieve.features.core.neighbors import covalent_sums_A
from ionsieve.features.core.prepared import (
    ANION,
    FRAMEWORK,
    MOBILE,
    NEUTRAL,
    n_primitive_cells,
    pairs_between,
)
from ionsieve.features.core.roles import pair_valence_e

NAMES = ["Li6PS5Cl_F43m", "Li6PS5Cl_exp48h", "LGPS_exp", "Li3PS4_gamma"]


@pytest.mark.parametrize("name", NAMES)
def test_pairs_between_roles(name: str) -> None:
    prepared = prepare(structures.get(name))
    roles, pairs = prepared.roles, prepared.neighbors
    is_role = {
        MOBILE: roles.is_mobile,
        ANION: roles.is_anion,
        FRAMEWORK: roles.is_framework_cation,
    }
    is_role[NEUTRAL] = ~(is_role[MOBILE] | is_role[ANION] | is_role[FRAMEWORK])
    total = 0
    for one, is_one in is_role.items():
        for other, is_other in is_role.items():
            chosen = is_one[pairs.center] & is_other[pairs.neighbor]
            found = pairs_between(prepared, one, other)
            np.testing.assert_array_equal(found, np.flatnonzero(chosen))
            total += len(found)
    assert total == len(pairs.center)


@pytest.mark.parametrize("name", NAMES)
def test_covalent_sums(name: str) -> None:
    prepared = prepare(structures.get(name))
    z, pairs, radii = prepared.atoms.z, prepared.neighbors, covalent_radii_A()
    expected = [
        radii[z[i]] + radii[z[j]] for i, j in zip(pairs.center, pairs.neighbor, strict=True)
    ]
    np.testing.assert_array_equal(covalent_sums_A(z, pairs), expected)


def test_bond_valences_of_every_pair_of_elements() -> None:
    """The formula of O'Keeffe & Brese (1991, eqs. 1 and 4), pair by pair."""
    table, distance_A = bond_valence_table(), 2.1
    for zi in range(1, 119):
        others = np.arange(1, 119)
        found = pair_valence_e(np.full(118, zi), others, np.full(118, distance_A))
        for zj, valence in zip(others.tolist(), found.tolist(), strict=True):
            expected = 0.0
            if zi != zj and (table.is_anion_former[zi] or table.is_anion_former[zj]):
                ri, rj, ci, cj = table.r_A[zi], table.r_A[zj], table.c[zi], table.c[zj]
                length = ri + rj - ri * rj * (ci**0.5 - cj**0.5) ** 2 / (ci * ri + cj * rj)
                expected = float(np.nan_to_num(np.exp((length - distance_A) / 0.31)))
            assert valence == pytest.approx(expected, rel=1e-12, abs=0.0)


def test_primitive_cells_are_counted_by_whole_sites_or_by_contents() -> None:
    for name in ("Li6PS5Cl_F43m", "Li6PS5Cl_exp48h"):
        record = structures.get(name)
        large = structures.supercell(record, [[1, 0, 0], [0, 2, 0], [0, 0, 1]])
        assert n_primitive_cells(prepare(large)) == 2 * n_primitive_cells(prepare(record))
