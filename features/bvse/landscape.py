"""Bond-valence site energy (BVSE) landscape of a mobile cation and how it percolates.

Potential of Chen, Wong & Adams (softBV, Acta Crystallogr. B 75, 18, 2019) as in bvlain 0.25.1: with
each anion of the host

    E = D0/2 · [(exp(α (r_min − r)) − 1)² − 1],

with each framework cation a screened repulsion

    E = k_e q_mobile q / √(n_mobile n) · erfc(r / (0.74 (r_cov,mobile + r_cov))) / r,

n = period, r_cov = covalent radius (Cordero). The other mobile ions are taken out. Sums end at
8 Å, where what is left is below 1 meV and flat. Mixed and partly occupied host sites act with
their occupancy.

A grid finds basins and the passes between them; the minima and passes that matter are then
refined to the stationary points of the continuous energy, so that barriers do not depend on the
grid. Union-find with lattice translations gives the level at which some piece of the landscape
becomes endless in one, two and three dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.elements import SYMBOLS
from ...data.embedded.bvse import MorseParameters, bvse_parameters
from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from ...data.units import COULOMB_EV_A
from ..core.elements import covalent_radii_A
from ..core.prepared import PreparedStructure
from ..void.blocks import block_radius
from ..void.grid import adaptive_spacing_A, grid_shape, images_within
from ..void.host import Host, host_of, numbered
from ..void.percolation import PercolationLevels, percolation_levels
from ..void.symmetry import SymmetricGrid, symmetric_grid
from .kernels import (
    coincident,
    descend,
    energies_at,
    energy_grid,
    joined_basins,
    pair_curves,
    passes,
    stationary_points,
    tabulated,
)

CUTOFF_A: Final[float] = 8.0
SCREENING: Final[float] = 0.74
SPACING_A: Final[float] = 0.4
LEAST_POINTS: Final[int] = 4_000
MOST_POINTS: Final[int] = 250_000
HIGHEST_EV: Final[float] = 10.0
"""Passes higher than this above the deepest point are closed."""

_USUALLY_ENOUGH_EV = 2.0
_BINS = 4096
_PIECES = 1024
_SHORTEST_A = 0.5
_PERIOD_ENDS = np.array([2, 10, 18, 36, 54, 86, 118])
_START = np.array([0.37, 0.23, 0.41])
_FARTHEST_A = 0.8
_FARTHEST_DOWN_A = 1.5
_GRID_ERROR_EV = 0.15
"""How far a pass read off the grid may lie above the true pass."""
_MINIMA_EV = 0.6
_SAME_PLACE_A = 0.05


class MissingParametersError(FeatureError):
    """The softBV set has no parameters for a pair in this crystal."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Landscape:
    """The energy landscape of the mobile ion in the host cell.

    Attributes
    ----------
    energy_eV : array (n0, n1, n2)
        On the grid of the host cell.
    lowest_eV : float
        Energy of the deepest minimum.
    barrier_eV : array (3,)
        Barrier above it for percolation in at least one, two and three dimensions; infinite where
        there is none below 10 eV.
    minimum_eV : array (n_minima,)
        Energies of the basins' minima; only those near the deepest are refined.
    lifetime_eV : array (n_minima,)
        Height of the pass by which each leaves for a deeper minimum or for infinity.
    mobile_site_eV : array (n_mobile,)
        Energies of the crystal's own mobile sites.
    lattice : array (3, 3), Å
        Of the host cell.
    """

    energy_eV: FloatArray
    lowest_eV: float
    barrier_eV: FloatArray
    minimum_eV: FloatArray
    lifetime_eV: FloatArray
    mobile_site_eV: FloatArray
    lattice: FloatArray

    @property
    def volume_A3(self) -> float:
        """Volume of the host cell, Å³."""
        return abs(float(np.linalg.det(self.lattice)))


@dataclass(frozen=True, eq=False, kw_only=True)
class ForceField:
    """Host atoms as the kernels take them."""

    position_A: FloatArray
    kind: IntArray
    weight: FloatArray
    parameters: FloatArray
    curves: FloatArray

    def arguments(
        self,
    ) -> tuple[FloatArray, IntArray, FloatArray, FloatArray, FloatArray, float]:
        """What the point kernels take."""
        return self.position_A, self.kind, self.weight, self.parameters, self.curves, CUTOFF_A


def bvse_landscape(prepared: PreparedStructure) -> Landscape:
    """Energy landscape and percolation barriers of the mobile species.

    Parameters
    ----------
    prepared : PreparedStructure

    Raises
    ------
    MissingParametersError
        If an anion or a charge is not in the softBV set; the message names the pair.
    FeatureError
        If there is no host, or the cell holds a void so wide that the field ends inside it.
    """
    host = host_of(prepared)
    field = force_field(prepared, host)
    grid = landscape_grid(host)
    shape, start = grid.shape, grid.start_A
    farthest = CUTOFF_A + 2 * block_radius(host.lattice / shape[:, None])
    of_first = energy_grid(
        host.lattice,
        shape,
        grid.is_first,
        field.position_A - start,
        field.kind,
        field.weight,
        _tables(field.parameters, farthest),
        CUTOFF_A,
        _BINS,
    )
    energy = of_first[grid.first][grid.orbit]
    if not energy.all():
        raise FeatureError(
            f"part of the cell is farther than {CUTOFF_A:g} Å from every host atom (a molecule or "
            "a slab in vacuum?): no landscape there"
        )
    for highest in (_USUALLY_ENOUGH_EV, HIGHEST_EV):
        network = _Network(host, field, shape, start, energy, highest)
        found = network.percolate()
        if np.isfinite(found.levels).all():
            break
    return Landscape(
        energy_eV=energy.reshape(shape),
        lowest_eV=network.lowest,
        barrier_eV=found.levels - network.lowest,
        minimum_eV=network.node_level,
        lifetime_eV=found.lifetime,
        mobile_site_eV=_mobile_site_energies(host, field),
        lattice=host.lattice,
    )


def landscape_grid(host: Host) -> SymmetricGrid:
    """The grid of the landscape of a host."""
    spacing = adaptive_spacing_A(host.volume_A3, SPACING_A, LEAST_POINTS, MOST_POINTS)
    return symmetric_grid(host, grid_shape(host.lattice, spacing), _START)


def _mobile_site_energies(host: Host, field: ForceField) -> FloatArray:
    # A host atom on the same spot is an alternative on a mixed site, not a neighbour.
    points = host.mobile_frac @ host.lattice
    return np.asarray(energies_at(points, *field.arguments(), _SHORTEST_A))


def force_field(prepared: PreparedStructure, host: Host) -> ForceField:
    """Kinds of host atoms with their parameters, and all atoms in reach of the cell.

    Raises
    ------
    MissingParametersError
        If a pair is not in the softBV set.
    """
    mobile = prepared.roles.mobile
    charge = float(prepared.roles.oxidation[prepared.roles.is_mobile].mean())
    kinds, kind = numbered(zip(host.z, np.round(host.oxidation, 6), strict=True))
    parameters = np.array([_pair_parameters(mobile, charge, int(z), float(q)) for z, q in kinds])
    # Refinement may leave the cell by up to its farthest step, a block of points by its size.
    images = images_within(host, CUTOFF_A + _FARTHEST_DOWN_A + 0.5)
    return ForceField(
        position_A=images.position_A,
        kind=kind[images.atom],
        weight=host.occupancy[images.atom],
        parameters=parameters,
        curves=np.concatenate([_curves(tuple(kind)) for kind in parameters.tolist()]),
    )


# The same few pairs of ions come again in crystal after crystal.
@lru_cache(maxsize=256)
def _curves(parameters: tuple[float, ...]) -> FloatArray:
    return np.asarray(pair_curves(np.array([parameters]), CUTOFF_A, _PIECES))


@lru_cache(maxsize=256)
def _table(parameters: tuple[float, ...]) -> NDArray[np.float32]:
    return np.asarray(tabulated(np.array([parameters]), CUTOFF_A, CUTOFF_A, _BINS, _SHORTEST_A))


def _tables(parameters: FloatArray, farthest: float) -> NDArray[np.float32]:
    """Tabulated pair energies of each kind, zero from the cutoff to ``farthest`` (Å)."""
    rows = np.concatenate([_table(tuple(kind)) for kind in parameters.tolist()])
    beyond = int(farthest * farthest / (CUTOFF_A * CUTOFF_A / _BINS)) + 3 - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, max(beyond, 0))))


def _pair_parameters(
    mobile: str, charge: float, z: int, oxidation: float
) -> tuple[float, float, float, float, float]:
    if oxidation == 0:
        return 0.0, 0.0, 0.0, 0.0, 1.0
    if oxidation < 0:
        found = _morse(mobile, charge, SYMBOLS[z - 1], oxidation)
        return found.d0_eV / 2, found.r_min_A, found.alpha_per_A, 0.0, 1.0
    mobile_z = SYMBOLS.index(mobile) + 1
    radii = covalent_radii_A()
    strength = COULOMB_EV_A * charge * oxidation / np.sqrt(period(mobile_z) * period(z))
    return 0.0, 0.0, 0.0, float(strength), float(SCREENING * (radii[mobile_z] + radii[z]))


def _morse(mobile: str, charge: float, anion: str, oxidation: float) -> MorseParameters:
    found = None
    if charge.is_integer() and oxidation.is_integer():
        found = bvse_parameters().get((mobile, int(charge), anion, int(oxidation)))
    if found is None:
        raise MissingParametersError(
            f"no bond-valence parameters for {mobile}{charge:+.3g} with {anion}{oxidation:+.3g}"
        )
    return found


def period(z: int) -> int:
    """Row of the periodic table, the principal quantum number of the valence shell."""
    return int(np.searchsorted(_PERIOD_ENDS, z)) + 1


class _Network:
    """Minima and passes of a landscape, refined where the answer depends on them."""

    def __init__(
        self,
        host: Host,
        field: ForceField,
        shape: IntArray,
        start: FloatArray,
        energy: FloatArray,
        highest_eV: float,
    ) -> None:
        self.host, self.field, self.shape, self.start = host, field, shape, start
        self.inverse = np.linalg.inv(host.lattice)
        self.basin, self.offset = descend(energy, shape)
        minima = np.flatnonzero(self.basin == np.arange(len(self.basin)))
        self.node_of = np.full(len(self.basin), -1, dtype=np.int64)
        self.node_of[minima] = np.arange(len(minima))
        edges, self.level = passes(
            energy,
            shape,
            self.basin,
            self.offset,
            self.node_of,
            len(minima),
            float(energy.min()) + highest_eV,
        )
        self.first, self.second = edges[:, 0].copy(), edges[:, 1].copy()
        self.shift, self.place = edges[:, 2:5].copy(), edges[:, 5:7].copy()
        self.grid_level = self.level.copy()
        self.point = np.full((len(self.level), 3), np.nan)
        self.is_refined = np.zeros(len(self.level), dtype=bool)
        self.node_level = energy[minima].copy()
        self._refine_minima(minima)
        self.lowest = float(self.node_level.min())

    def percolate(self) -> PercolationLevels:
        """Percolation levels, refining and checking passes until those that decide are true."""
        found = self._levels()
        for _ in range(100):
            finite = found.levels[np.isfinite(found.levels)]
            pending = self._pending(finite, found.is_used)
            doubtful = self._doubtful(finite, found.is_used)
            if len(pending):
                self._refine_passes(pending)
            elif len(doubtful):
                self._reconnect(doubtful)
            else:
                break
            found = self._levels()
        return found

    def _levels(self) -> PercolationLevels:
        return percolation_levels(self.node_level, self.first, self.second, self.shift, self.level)

    def _points_A(self, index: IntArray) -> FloatArray:
        triple = np.stack(np.unravel_index(index, tuple(self.shape)), axis=1)
        return np.asarray(triple / self.shape @ self.host.lattice + self.start)

    def _refine_minima(self, minima: IntArray) -> None:
        near = np.flatnonzero(self.node_level < self.node_level.min() + _MINIMA_EV)
        energies, points, found = stationary_points(
            self._points_A(minima[near]), 0, *self.field.arguments(), _FARTHEST_DOWN_A
        )
        self.node_level[near[found]] = energies[found]
        self._join_coincident(near[found], points[found])

    def _join_coincident(self, nodes: IntArray, points: FloatArray) -> None:
        """Minima that the grid split but that are one point get a pass at their own level."""
        pairs = coincident(points @ self.inverse, self.host.lattice, _SAME_PLACE_A)
        if len(pairs):
            first, second = nodes[pairs[:, 0]], nodes[pairs[:, 1]]
            level = np.maximum(self.node_level[first], self.node_level[second])
            self._add_passes(first, second, pairs[:, 2:], level)

    def _add_passes(
        self, first: IntArray, second: IntArray, shift: IntArray, level: FloatArray
    ) -> None:
        n = len(first)
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
        high, low = self._points_A(self.place[pending, 0]), self._points_A(self.place[pending, 1])
        difference = (low - high) @ self.inverse
        half = high + 0.5 * (difference - np.rint(difference)) @ self.host.lattice
        # Two neighbouring grid points may stand on either side of a ridge: look between them.
        between = energies_at(half, *self.field.arguments(), 0.0)
        steeper = between > self.level[pending]
        self.level[pending] = np.maximum(self.level[pending], between)
        self.grid_level[pending] = self.level[pending]
        missed = self._refine_from(pending, np.where(steeper[:, None], half, high))
        second = np.where(steeper[:, None], high, half)[missed]
        self._refine_from(pending[missed], second)

    def _refine_from(self, edges: IntArray, starts: FloatArray) -> np.ndarray:
        """Refine passes from starting points (Å); True where no fitting pass was found."""
        energies, points, found = stationary_points(starts, 1, *self.field.arguments(), _FARTHEST_A)
        floor = np.maximum(self.node_level[self.first[edges]], self.node_level[self.second[edges]])
        # A pass below its own basins or well above the grid's is another pass.
        found &= (energies >= floor - 1e-6) & (energies <= self.level[edges] + 0.02)
        self.level[edges[found]] = energies[found]
        self.point[edges[found]] = points[found]
        return ~found

    def _pending(self, levels: FloatArray, is_used: np.ndarray) -> IntArray:
        """Passes not yet refined that may decide: in use, or a little above a deciding level."""
        if len(levels) == 0:
            return np.empty(0, dtype=np.int64)
        above = self.level - levels[:, None]
        may_open = ((above > 0) & (above <= _GRID_ERROR_EV)).any(axis=0)
        in_use = is_used & (self.level <= levels.max())
        return np.flatnonzero(~self.is_refined & (in_use | may_open))

    def _doubtful(self, levels: FloatArray, is_used: np.ndarray) -> IntArray:
        """Refined passes that open at a deciding level only because refinement lowered them.

        Refinement may have slid to a lower pass between other basins.
        """
        matters = (self.level <= levels[:, None] + 1e-9) & (
            self.grid_level > levels[:, None] + 1e-9
        )
        return np.flatnonzero(matters.any(axis=0) & np.isfinite(self.point[:, 0]) & is_used)

    def _reconnect(self, edges: IntArray) -> None:
        """Let true passes join the basins below them; their old edges get the grid's level."""
        ends, shift = joined_basins(
            self.point[edges],
            self.start,
            self.inverse,
            self.shape,
            self.basin,
            self.offset,
            *self.field.arguments(),
        )
        nodes = self.node_of[ends]
        self._add_passes(nodes[:, 0], nodes[:, 1], shift, self.level[edges])
        self.level[edges] = self.grid_level[edges]
        self.point[edges] = np.nan
