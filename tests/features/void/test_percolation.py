"""Percolation of periodic networks, against direct search in a supercell."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.features.void.percolation import percolation_levels, region_dimension


def levels_of(edges: list[tuple[int, int, tuple[int, int, int], float]], n: int) -> np.ndarray:
    first, second, shift, level = (np.array(column) for column in zip(*edges, strict=True))
    return percolation_levels(np.zeros(n), first, second, shift, level.astype(float)).levels


def test_a_chain_a_sheet_and_a_net() -> None:
    edges = [(0, 1, (0, 0, 0), 0.1), (1, 0, (1, 0, 0), 0.2)]
    assert levels_of(edges, 2).tolist() == [0.2, np.inf, np.inf]
    edges += [(0, 0, (1, 1, 0), 0.4)]
    assert levels_of(edges, 2).tolist() == [0.2, 0.4, np.inf]
    edges += [(1, 1, (2, 1, 0), 0.5), (1, 1, (0, 0, 3), 0.7)]
    assert levels_of(edges, 2).tolist() == [0.2, 0.4, 0.7]


def test_two_interpenetrating_nets_stay_apart() -> None:
    edges = [(0, 0, (1, 0, 0), 1.0), (1, 1, (0, 1, 0), 1.0), (0, 1, (0, 0, 0), 3.0)]
    # Each net is endless in one direction; only joined do they span a plane.
    assert levels_of(edges, 2).tolist() == [1.0, 3.0, np.inf]


def simple_dimension(edges: list[tuple[int, int, tuple[int, int, int]]], n: int) -> int:
    """Rank of the translations found by walking from node to node, one start at a time."""
    best = 0
    for start in range(n):
        seen, queue, cycles = {start: np.zeros(3, dtype=int)}, [start], []
        while queue:
            here = queue.pop()
            for a, b, s in edges + [(b, a, tuple(-x for x in s)) for a, b, s in edges]:
                if a != here:
                    continue
                there = seen[here] + np.array(s)
                if b in seen:
                    cycles.append(there - seen[b])
                else:
                    seen[b] = there
                    queue.append(b)
        if cycles:
            best = max(best, int(np.linalg.matrix_rank(np.array(cycles))))
    return best


node = st.integers(0, 4)
step = st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(-2, 2))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(node, node, step), min_size=1, max_size=9))
def test_levels_agree_with_walking(edges: list[tuple[int, int, tuple[int, int, int]]]) -> None:
    weighted = [(a, b, s, float(level)) for level, (a, b, s) in enumerate(edges)]
    levels = levels_of(weighted, 5)
    for level in range(len(edges)):
        dimension = simple_dimension(edges[: level + 1], 5)
        assert int((levels <= level).sum()) == dimension


def test_lifetimes_are_heights_of_escape() -> None:
    """Two wells of different depth in a row: the shallow one dies when it finds the deep one."""
    found = percolation_levels(
        np.array([0.0, 0.3]),
        np.array([0, 1]),
        np.array([1, 0]),
        np.array([[0, 0, 0], [1, 0, 0]]),
        np.array([0.5, 0.9]),
    )
    np.testing.assert_allclose(found.lifetime, [0.9, 0.2])
    assert found.is_used.all()


@pytest.mark.parametrize(
    ("axes", "dimension"), [((), 0), ((0,), 1), ((2,), 1), ((0, 1), 2), ((0, 1, 2), 3)]
)
def test_rods_along_axes(axes: tuple[int, ...], dimension: int) -> None:
    shape = np.array([7, 5, 6])
    inside = np.zeros(shape, dtype=bool)
    inside[3, 2, 2] = True
    for axis in axes:
        rod: list[slice | int] = [3, 2, 2]
        rod[axis] = slice(None)
        inside[tuple(rod)] = True
    assert region_dimension(inside.ravel(), shape) == dimension


def test_a_diagonal_rod_is_one_dimensional() -> None:
    shape = np.array([6, 6, 6])
    inside = np.zeros(shape, dtype=bool)
    for i in range(6):
        inside[i, i, i] = True
    assert region_dimension(inside.ravel(), shape) == 1


def test_dimension_does_not_depend_on_the_origin() -> None:
    rng = np.random.default_rng(0)
    shape = np.array([6, 7, 5])
    for _ in range(20):
        inside = rng.random(shape) < 0.12
        found = {
            region_dimension(np.roll(inside, shift, axis=(0, 1, 2)).ravel(), shape)
            for shift in itertools.product((0, 3), (0, 2), (0, 1))
        }
        assert len(found) == 1
