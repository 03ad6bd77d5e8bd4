"""The index of vectors finds what comparing one by one finds."""

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.data.store import nearby
from ionsieve.data.store.nearby import TOLERANCE, NearbyIndex


def made(n: int, size: int, seed: int) -> np.ndarray:
    """Vectors in clusters of the size of the tolerance, over a range of many."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-8, 8, (max(n // 3, 1), size))
    chosen = centres[rng.integers(len(centres), size=n)]
    return (chosen + rng.uniform(-1, 1, (n, size))).astype(np.float32)


@settings(max_examples=25)
@given(st.integers(1, 150), st.integers(1, 5), st.integers(0, 2**31))
def test_what_is_near_is_found(n: int, size: int, seed: int) -> None:
    vectors = made(n, size, seed)
    index = NearbyIndex(sqlite3.connect(":memory:"))
    for k, vector in enumerate(vectors):
        before = np.abs(vectors[:k] - vector).max(axis=1, initial=0.0) <= TOLERANCE
        assert index.near("g", vector) == np.flatnonzero(before).tolist()
        index.add("g", k, vector, 0)
    assert index.near("another group", vectors[0]) == []


def test_blocks_that_are_forgotten_are_gone() -> None:
    vectors = made(200, 3, 0)
    index = NearbyIndex(sqlite3.connect(":memory:"))
    for k, vector in enumerate(vectors):
        index.add("g", k, vector, k // 50)
    index.forget_from(2)
    assert index.near("g", vectors[7])[0] <= 7
    assert all(max(index.near("g", v), default=0) < 100 for v in vectors)


def test_groups_that_are_no_longer_held_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "MOST_HELD_BYTES", 2000)
    vectors = made(120, 4, 1)
    index = NearbyIndex(sqlite3.connect(":memory:"))
    for k, vector in enumerate(vectors):
        index.add(f"g{k % 3}", k, vector, 0)
        near = np.abs(vectors[k % 3 : k + 1 : 3] - vector).max(axis=1) <= TOLERANCE
        assert index.near(f"g{k % 3}", vector) == [k % 3 + 3 * j for j in np.flatnonzero(near)]
    assert len(index._held) < 3
