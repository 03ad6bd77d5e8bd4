"""Minima and passes of an energy landscape, refined where the answer depends on them.

A grid finds the basins and the passes between them. Passes that symmetry maps onto each other are
one: what is found for one of them, its energy, its place and the basins below, is turned to where
the others are.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.records import FloatArray, IntArray
from ..void.blocks import points_at
from ..void.percolation import PercolationLevels, percolation_levels
from ..void.symmetry import PairOrbits, SymmetricGrid, pair_orbits
from .basins import descend, passes
from .kernels import energies_at
from .stationary import coincident, stationary_points, undecided, ways_down

FARTHEST_DOWN_A: Final[float] = 1.5
"""How far a minimum may lie from its grid point, Å."""

_FARTHEST_A = 0.8
_GRID_ERROR_EV = 0.15
"""How far a pass read off the grid may lie above the true pass."""
_MINIMA_EV = 0.6
_SAME_PLACE_A = 0.05

FieldArguments = tuple[FloatArray, IntArray, FloatArray, FloatArray, FloatArray, float]
"""Positions, kinds and weights of atoms, parameters, curves, cutoff, as the point kernels take."""


class Network:
    """Nodes are minima of the landscape, edges the passes between them and their images.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Of the host cell.
    field : tuple
        Arguments of the point kernels.
    grid : SymmetricGrid
    energy : array (n_points,), eV
        On the grid, the same for all points of an orbit.
    """

    def __init__(
        self, lattice: FloatArray, field: FieldArguments, grid: SymmetricGrid, energy: FloatArray
    ) -> None:
        self.lattice, self.field, self.grid, self.energy = lattice, field, grid, energy
        self.inverse = np.linalg.inv(lattice)
        self.basin, self.offset = descend(energy, grid.shape)
        minima = np.flatnonzero(self.basin == np.arange(len(self.basin)))
        self.node_of = np.full(len(self.basin), -1, dtype=np.int64)
        self.node_of[minima] = np.arange(len(minima))
        self.node_level = energy[minima].copy()
        self._clear()
        self._refine_minima(minima)
        self.lowest = float(self.node_level.min())
        # Passes between minima that are one point, whatever height the others end at.
        self.joints = (self.first, self.second, self.shift, self.level)

    def open_passes(self, highest_eV: float) -> bool:
        """Find the passes up to an energy; whether they connect the landscape in three dimensions.

        Parameters
        ----------
        highest_eV : float
            Passes higher than this above the lowest grid point are closed.
        """
        self._find_passes(highest_eV)
        return bool(np.isfinite(self._levels().levels).all())

    def percolate(self) -> PercolationLevels:
        """Percolation levels, refining and checking passes until those that decide are true."""
        found = self._levels()
        for _ in range(100):
            pending, doubtful = undecided(
                found.levels,
                found.is_used,
                self.level,
                self.grid_level,
                self.is_refined,
                self.point,
                _GRID_ERROR_EV,
            )
            if len(pending):
                self._refine_passes(pending)
            elif len(doubtful):
                self._reconnect(doubtful)
            else:
                break
            found = self._levels()
        return found

    def _clear(self) -> None:
        nothing = np.empty(0, dtype=np.int64)
        self.first, self.second, self.shift = nothing, nothing, np.empty((0, 3), dtype=np.int64)
        self.place = np.empty((0, 2), dtype=np.int64)
        self.level = self.grid_level = np.empty(0)
        self.point, self.is_refined = np.empty((0, 3)), np.empty(0, dtype=bool)

    def _find_passes(self, highest_eV: float) -> None:
        edges, level = passes(
            self.energy,
            self.grid.shape,
            self.basin,
            self.offset,
            self.node_of,
            len(self.node_level),
            float(self.energy.min()) + highest_eV,
        )
        self.first, self.second = edges[:, 0].copy(), edges[:, 1].copy()
        self.shift, self.place = edges[:, 2:5].copy(), edges[:, 5:7].copy()
        self.level, self.grid_level = level, level.copy()
        self.point = np.full((len(level), 3), np.nan)
        self.is_refined = np.zeros(len(level), dtype=bool)
        self._add_passes(*self.joints)

    def _levels(self) -> PercolationLevels:
        return percolation_levels(self.node_level, self.first, self.second, self.shift, self.level)

    def _points_A(self, index: IntArray) -> FloatArray:
        return points_at(index, self.grid.shape, self.grid.start_A, self.lattice)

    def _refine_minima(self, minima: IntArray) -> None:
        near = np.flatnonzero(self.node_level < self.node_level.min() + _MINIMA_EV)
        energies, points, found = stationary_points(
            self._points_A(minima[near]), 0, *self.field, FARTHEST_DOWN_A
        )
        self.node_level[near[found]] = energies[found]
        self._join_coincident(near[found], points[found])

    def _join_coincident(self, nodes: IntArray, points: FloatArray) -> None:
        """Minima that the grid split but that are one point get a pass at their own level."""
        pairs = coincident(points @ self.inverse, self.lattice, _SAME_PLACE_A)
        if len(pairs):
            first, second = nodes[pairs[:, 0]], nodes[pairs[:, 1]]
            level = np.maximum(self.node_level[first], self.node_level[second])
            self._add_passes(first, second, pairs[:, 2:], level)

    def _add_passes(
        self, first: IntArray, second: IntArray, shift: IntArray, level: FloatArray
    ) -> None:
        n = len(first)
        if n == 0:
            return
        self.first = np.concatenate([self.first, first])
        self.second = np.concatenate([self.second, second])
        self.shift = np.concatenate([self.shift, shift])
        self.level = np.concatenate([self.level, level])
        self.grid_level = np.concatenate([self.grid_level, level])
        self.place = np.concatenate([self.place, np.full((n, 2), -1)])
        self.point = np.concatenate([self.point, np.full((n, 3), np.nan)])
        self.is_refined = np.concatenate([self.is_refined, np.ones(n, dtype=bool)])

    def _refine_passes(self, pending: IntArray) -> None:
        self.is_refined[pending] = True
        orbits = pair_orbits(self.grid, self.place[pending])
        one = pending[orbits.first]
        high, low = self._points_A(self.place[one, 0]), self._points_A(self.place[one, 1])
        difference = (low - high) @ self.inverse
        to_half = 0.5 * (difference - np.rint(difference)) @ self.lattice
        # Two neighbouring grid points may stand on either side of a ridge: look between them.
        between = energies_at(high + to_half, *self.field, 0.0)
        steeper = (between > self.level[one])[:, None]
        self.level[pending] = np.maximum(self.level[pending], between[orbits.orbit])
        self.grid_level[pending] = self.level[pending]
        every = np.ones(len(pending), dtype=bool)
        missed = self._refine_from(pending, orbits, np.where(steeper, to_half, 0.0), every)
        if missed.any():
            self._refine_from(pending, orbits, np.where(steeper, 0.0, to_half), missed)

    def _refine_from(
        self, edges: IntArray, orbits: PairOrbits, steps: FloatArray, wanted: np.ndarray
    ) -> np.ndarray:
        """Refine passes, one of each orbit; True where no fitting pass was found.

        Parameters
        ----------
        edges : array (n,)
        orbits : PairOrbits
            Of their grid points.
        steps : array (n_orbits, 3), Å
            Where to start, as seen from the higher grid point of the first of each orbit.
        wanted : bool array (n,)
            Others stay as they are.
        """
        chosen = np.flatnonzero(np.bincount(orbits.orbit[wanted], minlength=len(orbits.first)))
        high = self._points_A(self.place[edges, 0])
        origin = high[orbits.first]
        energy, way = np.full(len(origin), np.nan), np.zeros_like(origin)
        energy[chosen], points, is_pass = stationary_points(
            origin[chosen] + steps[chosen], 1, *self.field, _FARTHEST_A
        )
        energy[chosen[~is_pass]] = np.nan
        way[chosen] = points - origin[chosen]
        found_eV = energy[orbits.orbit]
        floor = np.maximum(self.node_level[self.first[edges]], self.node_level[self.second[edges]])
        # A pass below its own basins or well above the grid's is another pass.
        found = wanted & (found_eV >= floor - 1e-6) & (found_eV <= self.level[edges] + 0.02)
        self.level[edges[found]] = found_eV[found]
        self.point[edges[found]] = (high + orbits.turned(way))[found]
        return wanted & ~found

    def _reconnect(self, edges: IntArray) -> None:
        """Let true passes join the basins below them; their old edges get the grid's level."""
        orbits = pair_orbits(self.grid, self.place[edges])
        high, top = self._points_A(self.place[edges, 0]), self.point[edges]
        way = top - high
        # Of one orbit, some may have been refined from another start, to another pass.
        apart = orbits.turned(way[orbits.first]) - way
        alone = (apart * apart).sum(axis=1) > _SAME_PLACE_A**2
        one = np.concatenate([orbits.first, alone.nonzero()[0]])
        down = ways_down(top[one], *self.field) - top[one, None]
        ends = top[:, None] + orbits.turned(down[: len(orbits.first)])
        ends[alone] = top[alone, None] + down[len(orbits.first) :]
        nodes, shift = self._basins_of(ends)
        self._add_passes(nodes[:, 0], nodes[:, 1], shift, self.level[edges])
        self.level[edges] = self.grid_level[edges]
        self.point[edges] = np.nan

    def _basins_of(self, ends: FloatArray) -> tuple[IntArray, IntArray]:
        """Nodes (n, 2) of pairs of points (n, 2, 3), Å, and the translation in between (n, 3)."""
        shape = self.grid.shape
        step = np.rint((ends - self.grid.start_A) @ self.inverse * shape).astype(np.int64)
        cell = step // shape
        # Flat indices: the last axis is the fastest.
        index = (step - cell * shape) @ np.array([shape[1] * shape[2], shape[2], 1])
        cell += self.offset[index]
        return self.node_of[self.basin[index]], cell[:, 1] - cell[:, 0]
