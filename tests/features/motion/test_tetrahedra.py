"""Tetrahedra of an anion lattice."""

import numpy as np
import pytest

import structures
from ionsieve.data.errors import FeatureError
from ionsieve.features import prepare
from ionsieve.features.motion.tetrahedra import find_tetrahedra


def argyrodite(scatter_A=0.0, multiple=1):
    prepared = prepare(structures.get("Li6PS5Cl_F43m"))
    atoms, roles = prepared.atoms, prepared.roles
    rng = np.random.default_rng(1)
    cells = np.array(list(np.ndindex(*[multiple] * 3)))
    lattice = atoms.lattice * multiple

    def places(chosen):
        frac = ((atoms.frac[chosen][:, None] + cells) / multiple).reshape(-1, 3)
        return frac + rng.normal(0, scatter_A, frac.shape) @ np.linalg.inv(lattice)

    n_units = multiple**3 * abs(np.linalg.det(atoms.lattice)) / 240
    return places(roles.is_anion), places(roles.is_framework_cation), lattice, n_units


@pytest.mark.parametrize(("scatter_A", "multiple"), [(0.0, 2), (0.15, 2)])
def test_the_types_of_an_argyrodite(scatter_A, multiple):
    """136 tetrahedra a cubic cell (MgCu2): 48 + 48 + 16 + 16 + 4 + 4, phosphorus in one four."""
    anions, cations, lattice, _ = argyrodite(scatter_A, multiple)
    found = find_tetrahedra(anions, cations, lattice)
    n_cubic = len(cations) / 4
    counts = np.bincount(found.kind) / n_cubic
    assert sorted(counts.tolist()) == [4, 4, 16, 16, 48, 48]
    assert found.holds_cation.sum() == len(cations)
    assert len({int(k) for k in found.kind[found.holds_cation]}) == 1


def test_points_are_located_and_those_in_polyanions_go_next_door():
    anions, cations, lattice, _ = argyrodite(0.05, 2)
    found = find_tetrahedra(anions, cations, lattice)
    free = ~found.holds_cation
    centres = found.centre_frac[free] + [1.0, -2.0, 0.0]
    assert (found.locate(centres[None], lattice, free)[0] == np.flatnonzero(free)).all()
    moved = found.locate(cations[None], lattice, free)[0]
    assert free[moved].all()
    rng = np.random.default_rng(2)
    assert free[found.locate(rng.random((3, 200, 3)), lattice, free)].all()


def test_a_close_packing_is_refused():
    fcc = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    cells = np.array(list(np.ndindex(2, 2, 2)))
    anions = ((fcc[:, None] + cells) / 2).reshape(-1, 3)
    anions = anions + np.random.default_rng(3).normal(0, 1e-3, anions.shape)
    with pytest.raises(FeatureError, match="octahedra"):
        find_tetrahedra(anions, np.empty((0, 3)), np.eye(3) * 11)
