"""Where a mobile ion may be: the similarity map and the path of lowest barrier, in the crystal.

Both live in the cell of the host (:mod:`ionsieve.features.void.host`); here they are laid into the
block of cells that a picture shows.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from ...data.records import FloatArray, IntArray
from ...features.bvse.landscape import bvse_landscape, landscape_grid
from ...features.core.prepared import PreparedStructure
from ...features.similarity.compare import Similarity, compare_void
from ...features.void.host import Host, host_of

POINT_SPACING_A: Final[float] = 0.45
"""Points of the similarity map are thinned to this distance from each other."""
MOST_POINTS: Final[int] = 1500
_SLACK_EV: Final[tuple[float, ...]] = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Passes read off the grid may lie above the refined ones."""
_MOST_STEPS: Final[int] = 400_000
_NEIGHBOURS: Final = [step for step in product((-1, 0, 1), repeat=3) if any(step)]


@dataclass(frozen=True, kw_only=True, eq=False)
class SimilarityMap:
    """The mobile-like void: where the host looks as it does from a mobile ion.

    Attributes
    ----------
    points_A : array (n, 3), Å
        In the frame of the crystal, within the block asked for.
    closeness : array (n,)
        1 at a mobile site's own environment, 0 at the edge of the mobile-like void.
    """

    points_A: FloatArray
    closeness: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class MigrationPath:
    """A path through the crystal that no other undercuts in its highest point, on the grid.

    Attributes
    ----------
    points_A : array (n, 3), Å
        From a minimum to its image in another cell, in the frame of the crystal.
    distance_A : array (n,), Å
        Along the path.
    energy_eV : array (n,)
        Above the lowest point of the landscape.
    barrier_eV : float
        Of the landscape, refined: percolation in at least one dimension.
    """

    points_A: FloatArray
    distance_A: FloatArray
    energy_eV: FloatArray
    barrier_eV: float


def host_origin_A(prepared: PreparedStructure, host: Host) -> FloatArray:
    """Where the origin of the host cell lies in the crystal, Å."""
    atom = int(np.flatnonzero(host.host_of_atom >= 0)[0])
    place = prepared.atoms.frac[atom] @ prepared.atoms.lattice
    return np.asarray(place - host.frac[host.host_of_atom[atom]] @ host.lattice)


def similarity_of(prepared: PreparedStructure) -> tuple[Similarity, FloatArray]:
    """The comparison of the void, and the distance at every grid point.

    Returns
    -------
    Similarity, array (n0, n1, n2)
        Distance to the nearest mobile environment; NaN outside the void.

    Raises
    ------
    FeatureError
        If there is no void or the host looks the same from everywhere.
    """
    found = compare_void(host_of(prepared), prepared.record.id)
    of_orbit = np.full(len(found.grid.size), np.nan)
    of_orbit[found.orbit] = np.where(found.is_inside, found.distance, np.nan)
    return found, of_orbit[found.grid.orbit].reshape(tuple(found.grid.shape))


def similarity_map(prepared: PreparedStructure, block_A: FloatArray) -> SimilarityMap:
    """The mobile-like void within a block of cells, as points.

    Parameters
    ----------
    prepared : PreparedStructure
    block_A : array (3, 3), Å
        Rows of the block, from the origin of the crystal.

    Raises
    ------
    FeatureError
        As :func:`similarity_of`.
    """
    found, distance = similarity_of(prepared)
    host = host_of(prepared)
    inside = np.argwhere(distance < found.threshold)
    closeness = 1.0 - distance[distance < found.threshold] / found.threshold
    points = inside / found.grid.shape @ host.lattice + found.grid.start_A
    points += host_origin_A(prepared, host)
    placed, which = _in_block(points, host.lattice, block_A)
    kept = _thinned(placed, closeness[which])
    return SimilarityMap(points_A=placed[kept], closeness=closeness[which][kept])


def _in_block(
    points_A: FloatArray, lattice: FloatArray, block_A: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Every image of points of the host cell inside a block, and the point that each is of."""
    to_block, to_cell = np.linalg.inv(block_A), np.linalg.inv(lattice)
    corners = np.array(list(product((0.0, 1.0), repeat=3))) @ block_A @ to_cell
    own = points_A @ to_cell
    low = np.floor(corners.min(axis=0) - own.max(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0) - own.min(axis=0)).astype(int)
    ranges = [range(a, b + 1) for a, b in zip(low, high, strict=True)]
    placed, which = [], []
    for cell in product(*ranges):
        image = points_A + np.array(cell, dtype=float) @ lattice
        share = image @ to_block
        keep = np.flatnonzero(((share > -1e-6) & (share < 1.0 + 1e-6)).all(axis=1))
        placed.append(image[keep])
        which.append(keep)
    return np.concatenate(placed), np.concatenate(which)


def _thinned(points_A: FloatArray, closeness: FloatArray) -> IntArray:
    """Indices of points that keep their distance, the closest to a mobile environment first."""
    order = np.argsort(-closeness, kind="stable")
    tree, free = cKDTree(points_A), np.ones(len(points_A), dtype=bool)
    kept = []
    for i in order:
        if free[i]:
            kept.append(int(i))
            free[tree.query_ball_point(points_A[i], POINT_SPACING_A)] = False
        if len(kept) == MOST_POINTS:
            break
    return np.array(sorted(kept), dtype=np.int64)


def migration_path(prepared: PreparedStructure) -> MigrationPath | None:
    """The path of lowest barrier through the bond-valence landscape; None without one below 10 eV.

    Dijkstra's algorithm on the grid, among points below the barrier of the landscape, from a
    minimum to its image in another cell. Steps cost their length and, ten times that for each eV,
    their height, so that the path keeps to the valleys; its highest point is that of the barrier
    as the grid shows it, up to 0.4 eV above the refined one.

    Raises
    ------
    FeatureError
        If there is no landscape: no host, or a pair without parameters.
    """
    host, landscape = host_of(prepared), bvse_landscape(prepared)
    barrier = float(landscape.barrier_eV[0])
    if not np.isfinite(barrier):
        return None
    energy = landscape.energy_eV - landscape.lowest_eV
    start_A = landscape_grid(host).start_A
    for slack in _SLACK_EV:
        steps = _path_below(energy, host.lattice, barrier + slack)
        if steps is not None:
            break
    else:
        return None
    fractions = steps / np.array(energy.shape)
    points = fractions @ host.lattice + start_A + host_origin_A(prepared, host)
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return MigrationPath(
        points_A=points,
        distance_A=np.concatenate([[0.0], np.cumsum(lengths)]),
        energy_eV=energy[tuple((steps % energy.shape).T)],
        barrier_eV=barrier,
    )


def _path_below(energy: FloatArray, lattice: FloatArray, highest: float) -> IntArray | None:
    """Grid points from a minimum to an image of it, all at most ``highest``; None without one."""
    shape = np.array(energy.shape)
    lengths = [float(np.linalg.norm(np.array(s) / shape @ lattice)) for s in _NEIGHBOURS]
    for start in _minima(energy, highest):
        found = _dijkstra(energy, start, highest, lengths)
        if found is not None:
            return found
    return None


def _minima(energy: FloatArray, highest: float) -> list[tuple[int, int, int]]:
    """The lowest points of the valleys below a height, deepest first; at most eight are tried."""
    low = np.ones(energy.shape, dtype=bool)
    for step in _NEIGHBOURS:
        low &= energy <= np.roll(energy, step, axis=(0, 1, 2))
    places = np.argwhere(low & (energy <= highest))
    order = np.argsort(energy[tuple(places.T)], kind="stable")[:8]
    return [(int(x), int(y), int(z)) for x, y, z in places[order]]


def _dijkstra(
    energy: FloatArray, start: tuple[int, int, int], highest: float, lengths: list[float]
) -> IntArray | None:
    nx, ny, nz = energy.shape
    queue = [(0.0, start)]
    best = {start: 0.0}
    before: dict[tuple[int, int, int], tuple[int, int, int]] = {}
    done: set[tuple[int, int, int]] = set()
    while queue and len(done) < _MOST_STEPS:
        cost, here = heapq.heappop(queue)
        if here in done:
            continue
        done.add(here)
        if here != start and (here[0] % nx, here[1] % ny, here[2] % nz) == start:
            return _walked(here, before)
        for (a, b, c), length in zip(_NEIGHBOURS, lengths, strict=True):
            there = (here[0] + a, here[1] + b, here[2] + c)
            height = float(energy[there[0] % nx, there[1] % ny, there[2] % nz])
            if height > highest or there in done:
                continue
            total = cost + length * (1.0 + 10.0 * height)
            if total < best.get(there, np.inf):
                best[there], before[there] = total, here
                heapq.heappush(queue, (total, there))
    return None


def _walked(
    end: tuple[int, int, int], before: dict[tuple[int, int, int], tuple[int, int, int]]
) -> IntArray:
    path = [end]
    while path[-1] in before:
        path.append(before[path[-1]])
    return np.array(path[::-1], dtype=np.int64)


__all__ = [
    "MigrationPath",
    "SimilarityMap",
    "host_origin_A",
    "migration_path",
    "similarity_map",
    "similarity_of",
]
