"""Symmetry operations: a plain search over all of them, and moyopy's."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structures
from ionsieve.features.core.operations import Operations, find_operations
from ionsieve.features.core.primitive import minkowski_reduced

MATRICES = list(np.array(list(product((-1, 0, 1), repeat=9))).reshape(-1, 3, 3))
UNIMODULAR = np.array([m for m in MATRICES if round(abs(float(np.linalg.det(m)))) == 1])


def simple_operations(
    lattice: np.ndarray, frac: np.ndarray, kind: np.ndarray, reach: float, bend: float
) -> dict[tuple, tuple[float, float]]:
    """Rotation and image of the first atom → largest distance of an atom from its image, strain."""
    found = {}
    lengths, cosines, products = shape_of(lattice)
    for rotation in UNIMODULAR:
        new_lengths, new_cosines, new_products = shape_of(rotation @ lattice)
        longer = np.abs(new_lengths - lengths).max()
        if longer > reach or np.abs(new_cosines - cosines).max() > bend:
            continue
        strain = max(longer, np.abs(new_products - products).max())
        for target in np.flatnonzero(kind == kind[0]):
            moved = (frac - frac[0]) @ rotation + frac[target]
            apart = moved[:, None] - frac
            distance = np.linalg.norm((apart - np.rint(apart)) @ lattice, axis=2)
            distance[kind[:, None] != kind] = np.inf
            worst = distance.min(axis=1).max()
            if worst <= reach:
                found[(*rotation.ravel().tolist(), int(target))] = (worst, strain)
    return found


def shape_of(lattice: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lengths, products = np.linalg.norm(lattice, axis=1), lattice @ lattice.T
    cosines = products / np.outer(lengths, lengths)
    pairs = [0, 1, 2], [1, 2, 0]
    return lengths, cosines[pairs], products[pairs]


def keys_of(found: Operations, frac: np.ndarray) -> set[tuple]:
    rows = set()
    for g, rotation in enumerate(found.rotation):
        target = int(found.image[g, 0])
        np.testing.assert_allclose(
            (frac[0] @ rotation + found.translation[g] - frac[target] + 0.5) % 1.0, 0.5, atol=1e-9
        )
        rows.add((*rotation.ravel().tolist(), target))
    assert len(rows) == len(found.rotation)
    return rows


CELLS = {
    "cubic": np.eye(3) * 4.0,
    "face-centred": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 3.0,
    "hexagonal": np.array([[4, 0, 0], [-2, 4 * np.sqrt(0.75), 0], [0, 0, 6.0]]),
    "orthorhombic": np.diag([3.5, 4.5, 6.0]),
}


@settings(deadline=None, max_examples=30)
@given(
    cell=st.sampled_from(sorted(CELLS)),
    seed=st.integers(0, 10**6),
    noise_A=st.sampled_from([0.0, 1e-3, 0.03, 0.1]),
    reach_A=st.sampled_from([0.025, 0.25]),
)
def test_equals_a_plain_search(cell: str, seed: int, noise_A: float, reach_A: float) -> None:
    """Atoms on special positions, displaced and strained: those that fit, and whether others do."""
    rng = np.random.default_rng(seed)
    lattice = minkowski_reduced(CELLS[cell] @ (np.eye(3) + rng.normal(size=(3, 3)) * noise_A / 10))
    frac = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.25] * 3, [0.75] * 3])
    frac = frac + rng.normal(size=frac.shape) * noise_A / 4.0
    kind = np.array([1, 4, 2, 2]) if seed % 2 else np.array([1, 3, 2, 5])
    fit_A = (reach_A / 8, reach_A / 8)
    found = find_operations(
        lattice=lattice,
        frac=frac,
        kind=kind,
        origin=0,
        fit_A=fit_A,
        reach_A=reach_A,
        bend=reach_A / 2,
    )
    near = simple_operations(lattice, frac, kind, reach_A, reach_A / 2)
    fitting = {key for key, misfit in near.items() if max(misfit) <= fit_A[0]}
    assert keys_of(found, frac) == fitting
    assert found.is_clear == (len(fitting) == len(near))


@pytest.mark.parametrize("name", ["Li6PS5Cl_F43m", "Li2S", "Li8SiSe6_hcp", "Li7N2I_R3m"])
def test_exact_ones_are_those_of_moyopy(name: str) -> None:
    import moyopy

    record = structures.get(name)
    lattice = minkowski_reduced(record.lattice)
    frac = record.frac @ record.lattice @ np.linalg.inv(lattice)
    kind = record.dominant_atomic_numbers
    found = find_operations(
        lattice=lattice,
        frac=frac,
        kind=kind,
        origin=0,
        fit_A=(1e-2, 1e-2),
        reach_A=1e-2,
        bend=1e-2,
    )
    cell = moyopy.Cell(lattice.tolist(), frac.tolist(), kind.tolist())
    expected = moyopy.MoyoDataset(cell, symprec=1e-2, rotate_basis=False).operations
    assert {tuple(r.T.ravel()) for r in found.rotation} == {
        tuple(np.ravel(r)) for r in expected.rotations
    }
    # Images are permutations of the atoms.
    assert (np.sort(found.image, axis=1) == np.arange(len(kind))).all()


def one_atom(lattice: np.ndarray, fit_A: float) -> Operations:
    return find_operations(
        lattice=lattice,
        frac=np.zeros((1, 3)),
        kind=np.array([1]),
        origin=0,
        fit_A=(fit_A, fit_A),
        reach_A=0.05,
        bend=0.05,
    )


def test_a_strained_lattice_is_seen() -> None:
    """A cube longer by 0.01 Å along one axis has 16 operations, and nearly those of a cube."""
    strained = one_atom(np.diag([4.0, 4.0, 4.01]), 1e-3)
    assert len(strained.rotation) == 16
    assert not strained.is_clear
    assert len(one_atom(np.diag([4.0, 4.0, 4.01]), 0.02).rotation) == 48
    cube = one_atom(np.eye(3) * 4.0, 1e-3)
    assert len(cube.rotation) == 48
    assert cube.is_clear


def test_a_large_cell_of_nearly_equal_parts_takes_little_room() -> None:
    """512 atoms, each displaced: thousands of operations nearly fit, one does."""
    rng = np.random.default_rng(0)
    frac = np.stack(np.meshgrid(*[np.arange(8) / 8] * 3), axis=-1).reshape(-1, 3)
    found = find_operations(
        lattice=np.eye(3) * 24.0,
        frac=frac + rng.normal(size=frac.shape) * 0.001,
        kind=np.zeros(512, dtype=np.int64),
        origin=0,
        fit_A=(1e-3, 1e-4),
        reach_A=0.25,
        bend=0.1,
    )
    assert len(found.rotation) == 1
    assert not found.is_clear
