"""Basins and passes of a grid, against loops over all pairs of neighbours."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.features.bvse.basins import descend, passes

STEPS = [np.array(s) for s in itertools.product((-1, 0, 1), repeat=3) if s > (0, 0, 0)]


def simple_passes(
    energy: np.ndarray, basin: np.ndarray, offset: np.ndarray, highest: float
) -> dict[tuple[int, ...], float]:
    """Lowest level between each two basins and translation, every pair of neighbours in turn."""
    shape = np.array(energy.shape)
    flat = energy.ravel()
    found: dict[tuple[int, ...], float] = {}
    for start in np.ndindex(*energy.shape):
        p = int(np.ravel_multi_index(start, energy.shape))
        for step in STEPS:
            end = np.array(start) + step
            q = int(np.ravel_multi_index(tuple(end % shape), energy.shape))
            shift = end // shape + offset[q] - offset[p]
            key = (int(basin[p]), int(basin[q]), *shift.tolist())
            back = (int(basin[q]), int(basin[p]), *(-shift).tolist())
            level = max(flat[p], flat[q])
            if key != back and level <= highest:
                found[max(key, back)] = min(level, found.get(max(key, back), np.inf))
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.tuples(*[st.integers(3, 7)] * 3), st.floats(0.2, 1.0))
def test_passes_are_those_of_all_pairs(seed: int, shape: tuple[int, ...], highest: float) -> None:
    # A few levels only: ties and plateaus, as symmetry makes them.
    energy = np.random.default_rng(seed).integers(0, 12, shape) / 12.0
    size = np.array(shape)
    basin, offset = descend(energy.ravel(), size)
    minima = np.flatnonzero(basin == np.arange(basin.size))
    node_of = np.full(basin.size, -1)
    node_of[minima] = np.arange(len(minima))
    edges, level = passes(energy.ravel(), size, basin, offset, node_of, len(minima), highest)
    found = {}
    for edge, height in zip(edges.tolist(), level.tolist(), strict=True):
        u, v, x, y, z, high, low = edge[:7]
        assert energy.ravel()[high] == pytest.approx(height)
        assert energy.ravel()[low] <= height
        key, back = (minima[u], minima[v], x, y, z), (minima[v], minima[u], -x, -y, -z)
        found[max(key, back)] = height
    assert found == pytest.approx(simple_passes(energy, basin, offset, highest))


def test_every_basin_is_a_minimum() -> None:
    energy = np.random.default_rng(1).random((6, 5, 7))
    basin, _ = descend(energy.ravel(), np.array(energy.shape))
    for bottom in np.unique(basin):
        here = np.array(np.unravel_index(bottom, energy.shape))
        around = [tuple((here + s * step) % energy.shape) for step in STEPS for s in (-1, 1)]
        assert energy[tuple(here)] <= min(energy[p] for p in around)
