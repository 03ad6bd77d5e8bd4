"""Close pairs against every pair and image, and their bounded work."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.data.formats.distances import close_pairs, distances_A


def reference(lattice: np.ndarray, frac: np.ndarray, reach: float) -> dict[tuple[int, int], float]:
    """Every pair with all images of the neighbouring cells."""
    images = np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=3)))
    found = {}
    for i, j in itertools.combinations(range(len(frac)), 2):
        shift = frac[i] - frac[j]
        shift = shift - np.floor(shift)
        shortest = np.linalg.norm((shift + images) @ lattice, axis=1).min()
        if shortest <= reach:
            found[i, j] = shortest
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_as_the_reference(seed: int, n_sites: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = np.diag(rng.uniform(3, 12, 3)) + rng.uniform(-2, 2, (3, 3))
    frac = rng.integers(-3, 4, (n_sites, 3)) + np.round(rng.random((n_sites, 3)) * 6) / 6
    frac += rng.normal(0, 0.01, frac.shape)
    first, second, distance = close_pairs(lattice, frac, 0.5)
    found = dict(zip(zip(first.tolist(), second.tolist(), strict=True), distance, strict=True))
    expected = reference(lattice, frac, 0.5)
    assert found.keys() == expected.keys()
    assert list(found.values()) == pytest.approx(list(expected.values()), rel=1e-9, abs=1e-9)


def test_sites_on_opposite_faces_are_neighbours() -> None:
    frac = np.array([[0.0, 0.0, 0.0], [1.0 - 1e-17, 0.99999, 0.0], [0.5, 0.5, 0.5]])
    first, second, distance = close_pairs(np.eye(3) * 5, frac, 0.1)
    assert (first.tolist(), second.tolist()) == ([0], [1])
    assert distance[0] == pytest.approx(5e-5, rel=1e-6)


def test_work_does_not_grow_with_the_volume_or_the_place() -> None:
    frac = np.array([[1e6, -3e5, 0.0], [0.0, 0.0, 1e-9]])
    first, _, _ = close_pairs(np.diag([9000.0, 8000.0, 7000.0]), frac, 0.5)
    assert first.tolist() == [0]


def test_no_sites_no_pairs() -> None:
    assert close_pairs(np.eye(3), np.zeros((1, 3)), 0.5)[0].size == 0
    assert distances_A(np.eye(3) * 4, np.array([0.9, 0.0, 0.0])) == pytest.approx(0.4)
