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
from typing import Final

import numpy as np

from ..data.bvse_table import bvse_parameters
from ..data.elements import SYMBOLS
from ..data.errors import FeatureError
from ..data.records import FloatArray, IntArray
from ..data.units import COULOMB_EV_A
from .bvse_kernels import descend, energy_at, energy_grid, passes, stationary_points, tabulated
from .elements import covalent_radii_A
from .host import Host, host_of
from .percolation import PercolationLevels, percolation_levels
from .prepared import PreparedStructure
from .void_grid import adaptive_spacing_A, grid_shape, images_within

CUTOFF_A: Final[float] = 8.0
SCREENING: Final[float] = 0.74
SPACING_A: Final[float] = 0.4
LEAST_POINTS: Final[int] = 4_000
MOST_POINTS: Final[int] = 250_000
HIGHEST_EV: Final[float] = 10.0
"""Passes higher than this above the deepest point are closed."""

_BINS = 4096
_SHORTEST_A = 0.5
_PERIOD_ENDS = np.array([2, 10, 18, 36, 54, 86, 118])
_START = np.array([0.37, 0.23, 0.41])
_FARTHEST_A = 0.8
_GRID_ERROR_EV = 0.15
"""How far a pass read off the grid may lie above the true pass."""
_SAME_PLACE_A = 0.02


class MissingParametersError(FeatureError):
    """The softBV set has no parameters for a pair in this crystal."""


@dataclass(frozen=True, eq=False)
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
    spacing_A : float
    """

    energy_eV: FloatArray
    lowest_eV: float
    barrier_eV: FloatArray
    minimum_eV: FloatArray
    lifetime_eV: FloatArray
    mobile_site_eV: FloatArray
    spacing_A: float


@dataclass(frozen=True, eq=False)
class ForceField:
    """Host atoms as the kernels take them."""

    position_A: FloatArray
    kind: IntArray
    weight: FloatArray
    parameters: FloatArray

    def arguments(self) -> tuple[FloatArray, IntArray, FloatArray, FloatArray, float]:
        """What the point kernels take."""
        return self.position_A, self.kind, self.weight, self.parameters, CUTOFF_A


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
        If there is no host.
    """
    host = host_of(prepared)
    field = force_field(prepared, host)
    spacing = adaptive_spacing_A(host.volume_A3, SPACING_A, LEAST_POINTS, MOST_POINTS)
    shape = np.array(grid_shape(host.lattice, spacing), dtype=np.int64)
    start = _START / shape @ host.lattice
    energy = energy_grid(
        host.lattice,
        shape,
        field.position_A - start,
        field.kind,
        field.weight,
        tabulated(field.parameters, CUTOFF_A, _BINS, _SHORTEST_A),
        CUTOFF_A,
    )
    network = _Network(host, field, shape, start, energy)
    found = network.percolate()
    return Landscape(
        energy.reshape(shape),
        network.lowest,
        found.levels - network.lowest,
        network.node_level,
        found.lifetime,
        _mobile_site_energies(host, field),
        spacing,
    )


def _mobile_site_energies(host: Host, field: ForceField) -> FloatArray:
    points = host.mobile_frac @ host.lattice
    return np.array([energy_at(p, *field.arguments())[0] for p in points])


def force_field(prepared: PreparedStructure, host: Host) -> ForceField:
    """Kinds of host atoms with their parameters, and all atoms in reach of the cell.

    Raises
    ------
    MissingParametersError
        If a pair is not in the softBV set.
    """
    mobile = prepared.roles.mobile
    charge = float(prepared.roles.oxidation[prepared.roles.is_mobile].mean())
    key = np.column_stack([host.z, np.round(host.oxidation, 6)])
    kinds, kind = np.unique(key, axis=0, return_inverse=True)
    parameters = np.array([_pair_parameters(mobile, charge, int(z), float(q)) for z, q in kinds])
    # Refinement may leave the cell by up to its farthest step, a block of points by its size.
    images = images_within(host, CUTOFF_A + _FARTHEST_A + 1.0)
    return ForceField(
        images.position_A,
        kind.reshape(-1).astype(np.int64)[images.atom],
        host.occupancy[images.atom],
        parameters,
    )


def _pair_parameters(
    mobile: str, charge: float, z: int, oxidation: float
) -> tuple[float, float, float, float, float]:
    if oxidation == 0:
        return 0.0, 0.0, 0.0, 0.0, 1.0
    if oxidation < 0:
        pair = (mobile, charge, SYMBOLS[z - 1], oxidation)
        found = bvse_parameters().get(pair)  # type: ignore[call-overload]
        if found is None:
            raise MissingParametersError(
                f"no bond-valence parameters for {mobile}{charge:+g} with "
                f"{SYMBOLS[z - 1]}{oxidation:+.3g}"
            )
        return found.d0_eV / 2, found.r_min_A, found.alpha_per_A, 0.0, 1.0
    mobile_z = SYMBOLS.index(mobile) + 1
    radii = covalent_radii_A()
    strength = COULOMB_EV_A * charge * oxidation / np.sqrt(period(mobile_z) * period(z))
    return 0.0, 0.0, 0.0, float(strength), float(SCREENING * (radii[mobile_z] + radii[z]))


def period(z: int) -> int:
    """Row of the periodic table, the principal quantum number of the valence shell."""
    return int(np.searchsorted(_PERIOD_ENDS, z)) + 1


class _Network:
    """Minima and passes of a landscape, refined where the answer depends on them."""

    def __init__(
        self, host: Host, field: ForceField, shape: IntArray, start: FloatArray, energy: FloatArray
    ) -> None:
        self.host, self.field, self.shape, self.start = host, field, shape, start
        basin, offset = descend(energy, shape)
        minima = np.flatnonzero(basin == np.arange(len(basin)))
        node_of = np.full(len(basin), -1, dtype=np.int64)
        node_of[minima] = np.arange(len(minima))
        highest = float(energy.min()) + HIGHEST_EV
        self.first, self.second, self.shift, self.level, self.place = passes(
            energy, shape, basin, offset, node_of, len(minima), highest
        )
        self.node_level = energy[minima].copy()
        self._refine_minima(minima)
        self.lowest = float(self.node_level.min())
        self.is_refined = np.zeros(len(self.level), dtype=bool)

    def percolate(self) -> PercolationLevels:
        """Percolation levels, refining passes until those that decide are true ones."""
        found = self._levels()
        for _ in range(100):
            finite = found.levels[np.isfinite(found.levels)]
            highest = finite.max() + _GRID_ERROR_EV if len(finite) else -np.inf
            pending = np.flatnonzero(~self.is_refined & (self.level <= highest))
            if len(pending) == 0:
                break
            self._refine_passes(pending)
            found = self._levels()
        return found

    def _levels(self) -> PercolationLevels:
        return percolation_levels(
            self.node_level, self.first, self.second, self.shift, self.level
        )

    def _points_A(self, index: IntArray) -> FloatArray:
        triple = np.stack(np.unravel_index(index, tuple(self.shape)), axis=1)
        return np.asarray(triple / self.shape @ self.host.lattice + self.start)

    def _refine_minima(self, minima: IntArray) -> None:
        near = np.flatnonzero(self.node_level < self.node_level.min() + 0.6)
        energies, points, found = stationary_points(
            self._points_A(minima[near]), 0, *self.field.arguments(), _FARTHEST_A
        )
        self.node_level[near[found]] = energies[found]
        self._join_coincident(near[found], points[found])

    def _join_coincident(self, nodes: IntArray, points: FloatArray) -> None:
        """Minima that the grid split but that are one point get a pass at their own level."""
        frac = points @ np.linalg.inv(self.host.lattice)
        difference = frac[:, None] - frac[None]
        shift = np.rint(difference)
        distance = np.linalg.norm((difference - shift) @ self.host.lattice, axis=2)
        i, j = np.nonzero(np.triu(distance < _SAME_PLACE_A, k=1))
        if len(i) == 0:
            return
        level = np.maximum(self.node_level[nodes[i]], self.node_level[nodes[j]])
        self.first = np.concatenate([nodes[i], self.first])
        self.second = np.concatenate([nodes[j], self.second])
        self.shift = np.concatenate([shift[i, j].astype(np.int64), self.shift])
        self.level = np.concatenate([level, self.level])
        self.place = np.concatenate([np.full(len(i), -1), self.place])

    def _refine_passes(self, pending: IntArray) -> None:
        self.is_refined[pending] = True
        pending = pending[self.place[pending] >= 0]
        energies, _, found = stationary_points(
            self._points_A(self.place[pending]), 1, *self.field.arguments(), _FARTHEST_A
        )
        floor = np.maximum(
            self.node_level[self.first[pending]], self.node_level[self.second[pending]]
        )
        # A pass below its own basins or well above the grid's is another pass: keep the grid's.
        found &= (energies >= floor - 1e-6) & (energies <= self.level[pending] + 0.05)
        self.level[pending[found]] = energies[found]
