"""The way of least resistance between two places in the bond-valence landscape.

Between two points of a grid, the path whose highest point is lowest is the path between them in
the minimum spanning tree of the grid, each step weighted by the higher of its ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from ..core.prepared import PreparedStructure
from ..void.host import host_of
from .kernels import energies_at
from .landscape import force_field

SPACING_A: Final[float] = 0.1
_SHORTEST_A: Final[float] = 0.5
_HIGHEST_EV: Final[float] = 5.0
_MOST_POINTS: Final[int] = 400_000
_BETWEEN: Final[int] = 4
"""Energies taken on each step of the grid: a ridge may lie between two of its points."""
_STEPS: Final[IntArray] = np.array(
    [s for s in np.ndindex(3, 3, 3) if s > (1, 1, 1)], dtype=np.int64
) - 1  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class EnergyPath:
    """A path through the landscape.

    Attributes
    ----------
    frac : array (n, 3)
        Points in the cell of the structure, not folded: the path is continuous.
    energy_eV : array (n,)
        Relative to the lowest point of the path.
    length_A : array (n,)
        Distance covered.
    """

    frac: FloatArray
    energy_eV: FloatArray
    length_A: FloatArray

    @property
    def barrier_eV(self) -> float:
        """Highest point over the lowest of the path."""
        return float(self.energy_eV.max())

    def distance_to_A(self, frac: FloatArray, lattice: FloatArray) -> float:
        """Smallest distance of the path from a point (nearest image), Å."""
        apart = self.frac - frac
        return float(np.linalg.norm((apart - np.rint(apart)) @ lattice, axis=1).min())


def lowest_path(
    prepared: PreparedStructure, start: FloatArray, end: FloatArray, spacing_A: float = SPACING_A
) -> EnergyPath:
    """Path of the mobile ion between two places whose highest point is lowest.

    Parameters
    ----------
    prepared : PreparedStructure
    start, end : array (3,)
        Fractional coordinates in the cell of the structure, inside one cell of each other; the
        path ends at the image of ``end`` that is nearest.
    spacing_A : float
        Grid spacing, Å. The barrier is that of a real path, so an upper bound that a finer grid
        lowers by a few hundredths of an electronvolt.

    Raises
    ------
    FeatureError
        If the grid would be too large or no path stays below 5 eV.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

    lattice = prepared.atoms.lattice
    shape = np.maximum(np.ceil(np.linalg.norm(lattice, axis=1) / spacing_A).astype(int), 2)
    if shape.prod() > _MOST_POINTS:
        raise FeatureError(f"a grid of {shape.prod():,} points is too large; widen the spacing")
    every = np.stack(np.unravel_index(np.arange(shape.prod()), tuple(shape)), axis=1)
    energy = _energies(prepared, every / shape)
    first, second = _neighbours(shape)
    weight = np.maximum(energy[first], energy[second])
    lowest = float(energy.min())
    open_ = weight < lowest + _HIGHEST_EV
    n = int(shape.prod())
    graph = coo_matrix(
        (weight[open_] - lowest + 1.0, (first[open_], second[open_])), shape=(n, n)
    ).tocsr()
    tree = minimum_spanning_tree(graph)
    source, target = (_index(np.asarray(p, dtype=np.float64), shape) for p in (start, end))
    order, before = breadth_first_order(tree, source, directed=False)
    if target not in order:
        raise FeatureError(f"no path below {_HIGHEST_EV:g} eV between the two places")
    nodes = [target]
    while nodes[-1] != source:
        nodes.append(int(before[nodes[-1]]))
    return _as_path(prepared, np.array(nodes[::-1]), shape)


def _energies(prepared: PreparedStructure, frac: FloatArray) -> FloatArray:
    """Bond-valence site energy at fractional coordinates of the structure, (n, 3), eV."""
    host = host_of(prepared)
    field = force_field(prepared, host)
    points = frac @ prepared.atoms.lattice - _host_origin(prepared)
    inside = points @ np.linalg.inv(host.lattice)
    folded = np.ascontiguousarray((inside - np.floor(inside)) @ host.lattice)
    return np.asarray(energies_at(folded, *field.arguments(), _SHORTEST_A))


def _host_origin(prepared: PreparedStructure) -> FloatArray:
    """Cartesian place of the host's origin in the structure, Å."""
    host = host_of(prepared)
    atom = int(np.flatnonzero(host.host_of_atom >= 0)[0])
    own = host.frac[host.host_of_atom[atom]] @ host.lattice
    return np.asarray(prepared.atoms.frac[atom] @ prepared.atoms.lattice - own)


def _neighbours(shape: IntArray) -> tuple[IntArray, IntArray]:
    """Pairs of grid points next to each other, diagonals included, each once."""
    every = np.stack(np.unravel_index(np.arange(shape.prod()), tuple(shape)), axis=1)
    first, second = [], []
    for step in _STEPS:
        other = np.ravel_multi_index(tuple(((every + step) % shape).T), tuple(shape))
        first.append(np.arange(shape.prod()))
        second.append(other)
    return np.concatenate(first), np.concatenate(second)


def _index(frac: FloatArray, shape: IntArray) -> int:
    place = np.rint((frac - np.floor(frac)) * shape).astype(int) % shape
    return int(np.ravel_multi_index(tuple(place), tuple(shape)))


def _as_path(prepared: PreparedStructure, nodes: IntArray, shape: IntArray) -> EnergyPath:
    corner = np.stack(np.unravel_index(nodes, tuple(shape)), axis=1) / shape
    step = np.diff(corner, axis=0)
    step -= np.rint(step)
    part = np.arange(_BETWEEN) / _BETWEEN
    corner = corner[0] + np.concatenate([np.zeros((1, 3)), np.cumsum(step, axis=0)])
    inner = corner[:-1, None] + part[None, :, None] * step[:, None]
    frac = np.concatenate([inner.reshape(-1, 3), corner[-1:]])
    length = np.linalg.norm(np.diff(frac, axis=0) @ prepared.atoms.lattice, axis=1)
    energy = _energies(prepared, frac)
    return EnergyPath(
        frac=frac,
        energy_eV=energy - energy.min(),
        length_A=np.concatenate([[0.0], np.cumsum(length)]),
    )
