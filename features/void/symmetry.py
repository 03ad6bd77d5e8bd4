"""Symmetry of the host, and grids that have it: one point of each orbit stands for all others.

What a mobile ion sees has the symmetry of the host. A grid whose points are mapped onto each other
by the operations of the host needs one calculation an orbit, a sixth of the points at the median.
For that the grid must begin at a point of high symmetry, and the numbers of points along the axes
must fit the screws and glides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import lcm, prod
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit

from ...data.records import FloatArray, IntArray
from .host import Host

DENOMINATORS: Final[tuple[int, ...]] = (1, 2, 3, 4, 6, 8)
"""Screws and glides are such fractions of a lattice vector."""

_SAME_FRACTION = 2e-4
_POSSIBLE = np.array(DENOMINATORS)
_IDENTITY = np.eye(3, dtype=np.int64)
_CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_WORTH_IT = 0.7
"""More points than this share of the operations would cost more than symmetry saves."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SymmetricGrid:
    """An even grid over the host cell, in orbits of the host's symmetry.

    Attributes
    ----------
    shape : array (3,)
        Points along each axis.
    start_A : array (3,), Å
        The first point, as seen from the origin of the host.
    orbit : array (n_points,)
        Orbit of each point, last axis fastest.
    first : array (n_orbits,)
        Flat index of the first point of each orbit.
    size : array (n_orbits,)
        Points of each orbit.
    turn, move : arrays (n_operations, 3, 3) and (n_operations, 3)
        Operations on grid points: (i, j, k) · turn + move, modulo the shape.
    rotation, back : arrays (n_operations, 3, 3)
        The same on Cartesian vectors, v · rotation, and its inverse.
    """

    shape: IntArray
    start_A: FloatArray
    orbit: IntArray
    first: IntArray
    size: IntArray
    turn: IntArray
    move: IntArray
    rotation: FloatArray
    back: FloatArray

    @property
    def is_first(self) -> np.ndarray:
        """Bool array (n_points,): one point of each orbit."""
        chosen = np.zeros(len(self.orbit), dtype=np.bool_)
        chosen[self.first] = True
        return chosen


def symmetric_grid(host: Host, shape: tuple[int, int, int], start: FloatArray) -> SymmetricGrid:
    """The grid of at least ``shape`` points that has the symmetry of the host.

    Parameters
    ----------
    host : Host
    shape : tuple of 3 int
        Fewest points along each axis.
    start : array (3,)
        First point of a grid without symmetry, in steps of the grid. With symmetry, the grid
        begins at a point that as many operations as possible leave in place.

    Returns
    -------
    SymmetricGrid
        Of orbits of one point where symmetry is not worth its additional points.
    """
    for group in _groups_of(host):
        fitted = _fitted(host, shape, group)
        if fitted is not None:
            return fitted
    points = np.array(shape, dtype=np.int64)
    every = np.arange(prod(shape), dtype=np.int64)
    return SymmetricGrid(
        shape=points,
        start_A=start / points @ host.lattice,
        orbit=every,
        first=every,
        size=np.ones(len(every), dtype=np.int64),
        turn=_IDENTITY[None],
        move=np.zeros((1, 3), dtype=np.int64),
        rotation=np.eye(3)[None],
        back=np.eye(3)[None],
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Group:
    """Operations with the points where a grid may begin.

    Attributes
    ----------
    rotation, translation
        As in :class:`.reduction.CellSymmetry`.
    cartesian, back : arrays (n_operations, 3, 3)
        Rotations of Cartesian vectors, and their inverses.
    origins : array (n_origins, 3)
    denominators : tuple of tuple of 3 int
        For each origin: of the translations as seen from there, along each axis.
    mixes : 3 × 3 of bool
        Whether some operation turns a step along the first axis into one along the second.
    """

    rotation: IntArray
    translation: FloatArray
    cartesian: FloatArray
    back: FloatArray
    origins: FloatArray
    denominators: tuple[tuple[int, ...], ...]
    mixes: list[list[bool]]


_KNOWN: WeakKeyDictionary[Host, list[_Group]] = WeakKeyDictionary()


def _groups_of(host: Host) -> list[_Group]:
    """All operations; else the inversion with the identity, if it is there. Found once a host."""
    known = _KNOWN.get(host)
    if known is None:
        rotation, translation = host.symmetry.rotation, host.symmetry.translation
        known = [_group(host.lattice, rotation, translation)] if len(rotation) > 1 else []
        inversion = (rotation == -_IDENTITY).all(axis=(1, 2))
        pair = inversion | (rotation == _IDENTITY).all(axis=(1, 2))
        if inversion.any() and len(rotation) > 2:
            known.append(_group(host.lattice, rotation[pair], translation[pair]))
        _KNOWN[host] = known
    return known


def _group(lattice: FloatArray, rotation: IntArray, translation: FloatArray) -> _Group:
    to_fractions, matrices = np.linalg.inv(lattice), _matrices(rotation.tobytes())
    origins = _origins(rotation, translation, matrices)
    denominators = _denominators(origins, rotation, translation, _POSSIBLE)
    return _Group(
        rotation=rotation,
        translation=translation,
        cartesian=to_fractions @ rotation @ lattice,
        back=to_fractions @ matrices.back @ lattice,
        origins=origins,
        denominators=tuple(map(tuple, denominators.tolist())),
        mixes=matrices.mixes,
    )


class _Matrices(NamedTuple):
    """What follows from the rotations of a group alone."""

    fixing: int
    """The operation that leaves the most single points in place; the inversion has eight."""
    inverse: FloatArray | None
    """Of this operation less the identity; None where no operation leaves a single point."""
    back: FloatArray
    mixes: list[list[bool]]


# The same few groups of rotations come again in crystal after crystal.
@lru_cache(maxsize=256)
def _matrices(rotations: bytes) -> _Matrices:
    rotation = np.frombuffer(rotations, dtype=np.int64).reshape(-1, 3, 3)
    away = rotation - _IDENTITY
    determinant = np.abs(np.rint(np.linalg.det(away)))
    most = int(determinant.argmax())
    mixes: list[list[bool]] = (rotation != 0).any(axis=0).tolist()
    inverse = np.linalg.inv(away[most]) if determinant[most] else None
    return _Matrices(most, inverse, np.rint(np.linalg.inv(rotation)), mixes)


def _fitted(host: Host, shape: tuple[int, int, int], group: _Group) -> SymmetricGrid | None:
    # The first origin of those from which the denominators are the same.
    first_of: dict[tuple[int, ...], int] = {}
    for number, denominators in enumerate(group.denominators):
        first_of.setdefault(denominators, number)
    found: dict[tuple[int, int, int], int] = {}
    for needed, number in first_of.items():
        points = _fitting_shape(shape, group.mixes, needed)
        if points is not None:
            found.setdefault(points, number)
    if not found:
        return None
    points, number = min(found.items(), key=lambda item: (prod(item[0]), item[1]))
    if prod(points) > _WORTH_IT * len(group.rotation) * prod(shape):
        return None
    size = np.array(points, dtype=np.int64)
    # The grid point nearest to the origin of the host comes first: others are one cell away.
    start = group.origins[number] * size
    start = start - np.floor(start + 1e-6)
    # A point at (i + start) steps is mapped to another: by integers, but for the noise of atoms.
    turn = np.rint(group.rotation * (size / size[:, None])).astype(np.int64)
    move = np.rint(start @ turn + group.translation * size - start).astype(np.int64)
    turn, move = turn % size, move % size
    orbit, first, count = _orbits(size, turn, move)
    if len(first) == 0:
        return None
    return SymmetricGrid(
        shape=size,
        start_A=start / size @ host.lattice,
        orbit=orbit,
        first=first,
        size=count,
        turn=turn,
        move=move,
        rotation=group.cartesian,
        back=group.back,
    )


def _origins(rotation: IntArray, translation: FloatArray, matrices: _Matrices) -> FloatArray:
    """Points from which the translations of the operations are simple fractions, (n, 3).

    An operation that leaves a single point in place (inversion, −3, −4, −6) has a few such points
    in the cell: origins of the groups that hold it. In the other groups, the mean of an orbit.
    All of it follows from the set of operations alone, not from the description of the crystal.
    """
    if matrices.inverse is None:
        turned = np.einsum("pa,gab->pgb", _CORNERS / 2.0, rotation)
        origins = (turned + translation).mean(axis=1)
    else:
        origins = (_CORNERS - translation[matrices.fixing]) @ matrices.inverse
    origins = origins - np.floor(origins)
    origins[origins > 1.0 - 1e-6] = 0.0
    return np.asarray(origins)


@njit(cache=True)
def _denominators(
    origins: FloatArray, rotation: IntArray, translation: FloatArray, possible: IntArray
) -> IntArray:
    """Smallest denominators of the translations as seen from each origin, (n_origins, 3).

    Zero where none of the possible ones fits along an axis.
    """
    found = np.zeros((len(origins), 3), dtype=np.int64)
    for p in range(len(origins)):
        for x in range(3):
            for q in possible:
                fits = True
                for g in range(len(rotation)):
                    seen = translation[g, x] - origins[p, x]
                    for y in range(3):
                        seen += origins[p, y] * rotation[g, y, x]
                    seen *= q
                    fits = fits and abs(seen - np.rint(seen)) < _SAME_FRACTION * q
                if fits:
                    found[p, x] = q
                    break
    return found


def _fitting_shape(
    shape: tuple[int, int, int], mixes: list[list[bool]], needed: tuple[int, ...]
) -> tuple[int, int, int] | None:
    """Fewest points along each axis that the operations map onto each other; None if too many.

    Parameters
    ----------
    shape : tuple of 3 int
        Fewest points along each axis.
    mixes : 3 × 3 of bool
        Whether some operation turns a step along the first axis into one along the second.
    needed : tuple of 3 int
        Denominators of the translations.
    """
    if 0 in needed:
        return None
    points = [_multiple(n, q) for n, q in zip(shape, needed, strict=True)]
    for _ in range(4):
        before = list(points)
        for a, b in permutations(range(3), 2):
            if mixes[a][b] and mixes[b][a]:
                both = _multiple(max(points[a], points[b]), lcm(needed[a], needed[b]))
                points[a] = points[b] = both
            elif mixes[a][b]:
                # A step along a becomes n_b / n_a steps along b.
                points[b] = _multiple(points[b], lcm(points[a], needed[b]))
        if points == before:
            return points[0], points[1], points[2]
        if prod(points) > 100 * prod(shape):
            break
    return None


def _multiple(number: int, of: int) -> int:
    """The smallest multiple that is not below a number."""
    return -(-number // of) * of


def _orbits(shape: IntArray, turn: IntArray, move: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Orbits of grid points under operations i → i · turn + move.

    Parameters
    ----------
    shape : array (3,)
    turn : array (n_operations, 3, 3)
        Folded: from 0 to below the number of points along the axis, as is ``move``.
    move : array (n_operations, 3)

    Returns
    -------
    orbit : array (n_points,)
    first, size : arrays (n_orbits,)
        Empty if the operations form no group: orbits would overlap.
    """
    total = int(shape.prod())
    orbit = np.full(total, -1, dtype=np.int64)
    first, size = np.empty(total, dtype=np.int64), np.zeros(total, dtype=np.int64)
    # Multiples of each step beforehand, already folded: the divisions are what this costs.
    along = np.empty((len(turn), 3, int(shape.max()), 3), dtype=np.int64)
    _multiples(shape, turn, move, along)
    count = _fill_orbits(shape, along, orbit, first, size)
    return orbit, first[:count].copy(), size[:count].copy()


@njit(cache=True)
def _fill_orbits(
    shape: IntArray, along: IntArray, orbit: IntArray, first: IntArray, size: IntArray
) -> int:
    """Fill the last three arrays; returns the number of orbits, 0 if they overlap."""
    count, point, of_row = 0, -1, np.empty((len(along), 3), np.int64)
    for row in range(shape[0] * shape[1]):
        i, j, is_new = row // shape[1], row % shape[1], True
        for k in range(shape[2]):
            point += 1
            if orbit[point] >= 0:
                continue
            if is_new:
                # What all points of a row share.
                for g in range(len(along)):
                    for x in range(3):
                        steps = along[g, 0, i, x] + along[g, 1, j, x]
                        of_row[g, x] = steps - (shape[x] if steps >= shape[x] else 0)
                is_new = False
            first[count] = point
            for g in range(len(along)):
                image = 0
                for x in range(3):
                    steps = of_row[g, x] + along[g, 2, k, x]
                    steps -= shape[x] if steps >= shape[x] else 0
                    image = image * shape[x] + steps
                if orbit[image] < 0:
                    orbit[image] = count
                    size[count] += 1
                elif orbit[image] != count:
                    return 0
            if orbit[point] != count:
                return 0
            count += 1
    return count


@njit(cache=True)
def _multiples(shape: IntArray, turn: IntArray, move: IntArray, along: IntArray) -> None:
    """Folded images of the steps along each axis, into (n_operations, 3, longest axis, 3)."""
    for g in range(len(turn)):
        for axis in range(3):
            for x in range(3):
                # The translation goes with the first axis.
                steps = move[g, x] if axis == 0 else 0
                for n in range(shape[axis]):
                    along[g, axis, n, x] = steps
                    steps += turn[g, axis, x]
                    steps -= shape[x] if steps >= shape[x] else 0


@dataclass(frozen=True, kw_only=True, eq=False)
class PairOrbits:
    """Pairs of grid points that symmetry maps onto each other.

    Attributes
    ----------
    first : array (n_orbits,)
        One pair of each orbit.
    orbit : array (n_pairs,)
        Orbit of each pair.
    turn : array (n_pairs, 3, 3)
        What is at ``v`` as seen from the first point of the first pair of the orbit is at
        ``v · turn`` as seen from the first point of this pair.
    """

    first: IntArray
    orbit: IntArray
    turn: FloatArray

    def turned(self, vectors: FloatArray) -> FloatArray:
        """Vectors of the orbits, (n_orbits, …, 3), as they are at each pair, (n_pairs, …, 3)."""
        of_pair = vectors[self.orbit].reshape(len(self.orbit), -1, 3)
        return np.asarray((of_pair @ self.turn).reshape(-1, *vectors.shape[1:]))


def pair_orbits(grid: SymmetricGrid, pairs: IntArray) -> PairOrbits:
    """Orbits of ordered pairs of points of a grid.

    Parameters
    ----------
    grid : SymmetricGrid
    pairs : array (n_pairs, 2)
        Flat indices.
    """
    key, operation = _standard_pairs(
        pairs, grid.shape, grid.turn, grid.move, grid.first[grid.orbit[pairs[:, 0]]]
    )
    first, orbit, turn = _alike(key, operation, grid.rotation, grid.back)
    return PairOrbits(first=first, orbit=orbit, turn=turn)


@njit(cache=True)
def _standard_pairs(
    pairs: IntArray, shape: IntArray, turn: IntArray, move: IntArray, target: IntArray
) -> tuple[IntArray, IntArray]:
    """A number that pairs of one orbit share, and the operation that leads to it.

    Of the operations that take the first point to ``target`` (n_pairs,), the one that takes the
    second point to the lowest index.
    """
    key, operation = np.empty(len(pairs), dtype=np.int64), np.zeros(len(pairs), dtype=np.int64)
    total = shape[0] * shape[1] * shape[2]
    for p in range(len(pairs)):
        lowest = total
        for g in range(len(turn)):
            if _image(pairs[p, 0], shape, turn[g], move[g]) != target[p]:
                continue
            image = _image(pairs[p, 1], shape, turn[g], move[g])
            if image < lowest:
                lowest = image
                operation[p] = g
        key[p] = target[p] * total + lowest
    return key, operation


@njit(cache=True)
def _image(point: int, shape: IntArray, turn: IntArray, move: IntArray) -> int:
    """Flat index of the point that an operation makes of another."""
    i, j, k = point // (shape[1] * shape[2]), point // shape[2] % shape[1], point % shape[2]
    image = 0
    for x in range(3):
        steps = i * turn[0, x] + j * turn[1, x] + k * turn[2, x] + move[x]
        image = image * shape[x] + steps % shape[x]
    return image


@njit(cache=True)
def _alike(
    key: IntArray, operation: IntArray, rotation: FloatArray, back: FloatArray
) -> tuple[IntArray, IntArray, FloatArray]:
    """Number pairs by their keys, in order of appearance, and turn from the first to each.

    By way of where both are taken: there by ``rotation`` (n_operations, 3, 3), and from there by
    its inverse, ``back``.
    """
    first, orbit = np.empty(len(key), dtype=np.int64), np.empty(len(key), dtype=np.int64)
    turn = np.zeros((len(key), 3, 3))
    count = 0
    for p in range(len(key)):
        orbit[p] = count
        for known in range(count):
            if key[first[known]] == key[p]:
                orbit[p] = known
                break
        if orbit[p] == count:
            first[count] = p
            count += 1
        there, here = rotation[operation[first[orbit[p]]]], back[operation[p]]
        for x in range(3):
            for y in range(3):
                for z in range(3):
                    turn[p, x, z] += there[x, y] * here[y, z]
    return first[:count].copy(), orbit, turn
