"""The neighbour list against a brute-force search and its own symmetries."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structures
from ionsieve.features.core.neighbors import end_to_end, neighbor_list

CELL = np.array([[4.1, 0.0, 0.0], [1.2, 5.3, 0.0], [-0.7, 0.9, 6.2]])


def brute_force(lattice: np.ndarray, frac: np.ndarray, cutoff: float) -> set:
    """Every pair within the cutoff, by looking at 11³ images."""
    found = set()
    for i, j in itertools.product(range(len(frac)), repeat=2):
        for image in itertools.product(range(-5, 6), repeat=3):
            distance = np.linalg.norm((frac[j] + image - frac[i]) @ lattice)
            if distance <= cutoff and (i != j or any(image)):
                found.add((i, j, *image, round(float(distance), 9)))
    return found


def as_set(pairs) -> set:
    rows = np.column_stack([pairs.center, pairs.neighbor, pairs.image])
    return {
        (*map(int, row), round(float(d), 9)) for row, d in zip(rows, pairs.distance_A, strict=True)
    }


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(0, 1000), st.floats(2.0, 6.0))
def test_same_pairs_as_brute_force(n: int, seed: int, cutoff: float) -> None:
    frac = np.random.default_rng(seed).random((n, 3))
    assert as_set(neighbor_list(CELL, frac, cutoff)) == brute_force(CELL, frac, cutoff)


def test_each_pair_is_seen_from_both_sides_and_sorted_by_distance() -> None:
    record = structures.get("Li6PS5Cl_F43m")
    pairs = neighbor_list(record.lattice, record.frac, 5.0)
    flipped = {(j, i, -a, -b, -c, d) for i, j, a, b, c, d in as_set(pairs)}
    assert flipped == as_set(pairs)
    for atom in range(record.n_sites):
        part = pairs.of(atom)
        assert (pairs.center[part] == atom).all()
        assert (np.diff(pairs.distance_A[part]) >= 0).all()


def test_keeping_pairs_keeps_the_slices_right() -> None:
    record = structures.get("Li2S")
    pairs = neighbor_list(record.lattice, record.frac, 5.0)
    kept = pairs.keep(pairs.distance_A < 3.0)
    assert 0 < len(kept.center) < len(pairs.center)
    for atom in range(record.n_sites):
        assert (kept.center[kept.of(atom)] == atom).all()
    assert kept.start[-1] == len(kept.center)


def test_chosen_centres_only() -> None:
    record = structures.get("Li3PS4_gamma")
    everything = neighbor_list(record.lattice, record.frac, 4.5)
    chosen = neighbor_list(record.lattice, record.frac, 4.5, np.array([2, 5]))
    expected = np.isin(everything.center, [2, 5])
    assert as_set(chosen) == as_set(everything.keep(expected))


def test_atoms_on_one_point_are_a_pair_at_distance_zero() -> None:
    pairs = neighbor_list(CELL, np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]), 2.0)
    assert pairs.distance_A == pytest.approx([0.0, 0.0], abs=1e-12)


def test_lists_end_to_end() -> None:
    """Pairs of each centre are where they were, behind those of all lists before."""
    lists = [np.array([0, 2, 5]), np.array([0, 0, 1, 4]), np.array([0, 3])]
    assert end_to_end(lists).tolist() == [0, 2, 5, 5, 6, 9, 12]
    assert end_to_end(lists[:1]).tolist() == [0, 2, 5]
