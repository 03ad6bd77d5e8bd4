"""Jump events: recrossings, directions, correlations in space and time."""

import numpy as np
import pytest

from ionsieve.data.errors import FeatureError
from ionsieve.features.motion.jumps import (
    find_jumps,
    jump_space_time_correlation,
    neighbouring_jump_cosine,
    settled_sites,
    successive_jump_cosine,
)


def test_recrossings_are_no_jumps():
    assignment = np.array([[0], [0], [1], [0], [0], [1], [1], [1]])
    assert settled_sites(assignment, 2)[:, 0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    sites = np.array([[0.95, 0, 0], [0.05, 0, 0]])
    assert len(find_jumps(assignment, sites, np.eye(3) * 10, 1)) == 3
    jumps = find_jumps(assignment, sites, np.eye(3) * 10, 2)
    assert (jumps.frame.tolist(), jumps.origin.tolist(), jumps.target.tolist()) == ([6], [0], [1])
    np.testing.assert_allclose(jumps.vector_A, [[1.0, 0, 0]], atol=1e-12)


def test_directions_of_jumps():
    lattice, sites = np.eye(3) * 12.0, np.array([[k / 4, 0, 0] for k in range(4)])
    back = find_jumps(np.array([[0], [1], [0], [1]]), sites, lattice, 1)
    np.testing.assert_allclose(successive_jump_cosine(back), [-1, -1])
    onward = find_jumps(np.array([[0], [1], [2], [3], [0]]), sites, lattice, 1)
    np.testing.assert_allclose(successive_jump_cosine(onward), [1, 1, 1])
    string = find_jumps(np.array([[0, 1], [1, 2], [1, 2]]), sites, lattice, 1)
    np.testing.assert_allclose(neighbouring_jump_cosine(string, lattice, 4.0, 2), [1.0])
    assert len(neighbouring_jump_cosine(string, lattice, 2.0, 2)) == 0


def random_hopping(rng, n_frames, n_ions, sites, rate):
    """Each ion hops between its own two sites at random."""
    state = np.cumsum(rng.random((n_frames, n_ions)) < rate, axis=0) % 2
    return state + 2 * np.arange(n_ions)


def test_independent_jumps_do_not_know_of_each_other_and_cascades_do():
    rng = np.random.default_rng(4)
    lattice, sites = np.eye(3) * 20.0, rng.random((80, 3))
    free = random_hopping(rng, 3000, 40, sites, 0.02)
    bins_A, bins_t = np.array([0.0, 6.0, 12.0]), np.array([0, 1, 10, 20])
    jumps = find_jumps(free, sites, lattice, 1)
    table = jump_space_time_correlation(jumps, lattice, bins_A, bins_t)
    assert table.shape == (3, 2)
    np.testing.assert_allclose(table[:, 1], 1.0, atol=0.15)
    # Ion 2k + 1 does what ion 2k did three frames before, one ångström away.
    sites[2::4] = sites[0::4] + 0.05
    sites[3::4] = sites[1::4] + 0.05
    led = free.copy()
    for ion in range(0, 40, 2):
        led[3:, ion + 1] = led[:-3, ion] + 2
        led[:3, ion + 1] = led[0, ion] + 2
    jumps = find_jumps(led, sites, lattice, 1)
    table = jump_space_time_correlation(jumps, lattice, np.array([0.0, 2.0]), bins_t)
    assert table[1, 0] > 3
    with pytest.raises(FeatureError, match="long-time limit"):
        jump_space_time_correlation(jumps, lattice, bins_A, np.array([0, 1500]))
