"""Bonded groups by connectivity."""

import numpy as np

import structures
from ionsieve.features import prepare
from ionsieve.features.motion.groups import bonded_groups


def sizes(name):
    prepared = prepare(structures.get(name))
    host = ~prepared.roles.is_mobile
    atoms = prepared.atoms
    groups = bonded_groups(atoms.lattice, atoms.frac[host] % 1.0, atoms.z[host])
    return sorted(len(g) for g in groups)


def test_polyanions_of_crystals():
    assert sizes("Li6PS5Cl_F43m") in ([1, 1, 5], [1] * 8 + [5] * 4)
    assert set(sizes("Li3PO4")) == {5}
    # A network of corner-sharing polyhedra is no group.
    assert sizes("Li7La3Zr2O12_tet") == []


def test_a_group_across_the_cell_is_whole_and_a_stretched_bond_holds_on_the_average():
    lattice = np.eye(3) * 8.0
    frac = np.array([[0.98, 0.5, 0.5], [0.11, 0.5, 0.5]])
    (group,) = bonded_groups(lattice, frac, np.array([6, 8]))
    assert (group.image[1] - group.image[0]).tolist() == [1, 0, 0]
    frames = np.repeat(frac[None], 20, axis=0)
    frames[0, 1, 0] += 0.07
    assert len(bonded_groups(lattice, frames, np.array([6, 8]))) == 1
    frames[:, 1, 0] += 0.12
    assert len(bonded_groups(lattice, frames, np.array([6, 8]))) == 2
