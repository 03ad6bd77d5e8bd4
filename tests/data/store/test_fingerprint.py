"""Fingerprints: the same for any cell of a crystal, near for copies, apart for orderings."""

from dataclasses import replace

import numpy as np
import pytest

import structures
from ionsieve.data.store.duplicates import MAX_MATCHED_SITES, Shape, same_structure, shape_of
from ionsieve.data.store.fingerprint import _TOLERANCES, REACH

SHAPES = {name: shape_of(structures.get(name)) for name in structures.names()}
MATCHED = [n for n, s in SHAPES.items() if s.key and len(s.kinds) <= MAX_MATCHED_SITES]


def reference(shape: Shape) -> np.ndarray:
    """The definition, atom by atom."""
    n, k = len(shape.kinds), len(shape.contents)
    scale = (abs(np.linalg.det(shape.lattice)) / n) ** (1 / 3)
    images = np.array(np.meshgrid(*[range(-6, 7)] * 3)).reshape(3, -1).T @ shape.lattice
    cartesian = shape.frac @ shape.lattice
    weights = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            apart = np.linalg.norm(cartesian[j] + images - cartesian[i], axis=1) / scale
            apart = apart[(apart > 1e-6) & (apart < REACH)]
            weights[i, j] = (np.cos(0.5 * np.pi * apart / REACH) ** 2).sum()
    numbers = np.zeros((n, k + k * k))
    for i in range(n):
        for b in range(k):
            of_b = np.flatnonzero(shape.kinds == b)
            numbers[i, b] = weights[i, of_b].sum() / _TOLERANCES[0]
            for c in range(k):
                counts = weights[np.ix_(of_b, np.flatnonzero(shape.kinds == c))].sum(axis=1)
                numbers[i, k + b * k + c] = weights[i, of_b] @ counts / _TOLERANCES[1]
    return np.concatenate([np.sort(numbers[shape.kinds == a], axis=0).ravel() for a in range(k)])


@pytest.mark.parametrize("name", ["LiCl", "Li3N_alpha", "Li2S"])
def test_numbers_are_those_of_the_definition(name: str) -> None:
    np.testing.assert_allclose(SHAPES[name].fingerprint, reference(SHAPES[name]), rtol=1e-5)


@pytest.mark.parametrize("name", MATCHED)
def test_copies_agree_within_the_tolerance(name: str) -> None:
    """Strained by one per cent and displaced by 0.03 Å: as two functionals may differ."""
    shape = SHAPES[name]
    rng = np.random.default_rng(7)
    order = rng.permutation(len(shape.kinds))
    lattice = shape.lattice @ (np.eye(3) + rng.normal(0, 0.01, (3, 3)))
    moved = rng.normal(0, 0.03 / np.sqrt(3), shape.frac.shape) @ np.linalg.inv(shape.lattice)
    frac = shape.frac + moved + rng.random(3)
    copy = replace(shape, lattice=lattice, frac=frac[order], kinds=shape.kinds[order])
    if same_structure(shape, copy):
        assert np.abs(copy.fingerprint - shape.fingerprint).max() <= 1.0
    same = replace(shape, frac=shape.frac[order] + 0.3, kinds=shape.kinds[order]).fingerprint
    np.testing.assert_allclose(same, shape.fingerprint, rtol=1e-4, atol=1e-4)
