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
from ..void.symmetry import SymmetricGrid, symmetric_grid
from .kernels import energies_at, energy_grid, pair_curves, tabulated
from .network import FARTHEST_DOWN_A, Network

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
    network = Network(host.lattice, field.arguments(), grid, energy)
    if not network.open_passes(_USUALLY_ENOUGH_EV):
        network.open_passes(HIGHEST_EV)
    found = network.percolate()
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
    kinds, kind = numbered(zip(host.z.tolist(), host.oxidation.round(6).tolist(), strict=True))
    parameters = np.array([_pair_parameters(mobile, charge, int(z), q) for z, q in kinds])
    # Refinement may leave the cell by up to its farthest step, a block of points by its size.
    images = images_within(host, CUTOFF_A + FARTHEST_DOWN_A + 0.5)
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
    width = int(farthest * farthest / (CUTOFF_A * CUTOFF_A / _BINS)) + 3
    table = np.zeros((len(rows), max(width, rows.shape[1])), dtype=np.float32)
    table[:, : rows.shape[1]] = rows
    return table


@lru_cache(maxsize=1024)
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
