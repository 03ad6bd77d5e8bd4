"""Bond-valence landscape columns of one structure."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..core.atoms import weighted_mean, weighted_spread
from ..core.columns import Column, Notes, Values
from ..core.prepared import PreparedStructure
from .landscape import HIGHEST_EV, Landscape, MissingParametersError, bvse_landscape

_FAMILY = "bvse"
_SOURCE = "softBV potential, Chen 2019, Acta Crystallogr. B 75, 18, as in bvlain 0.25.1"
_NO_PARAMETERS = "no bond-valence parameters for this mobile ion with one of the anions"

ACCESSIBLE_EV: Final[float] = 0.5
INTERSTITIAL_EV: Final[float] = 0.3
SHALLOWEST_EV: Final[float] = 0.05
"""A dent shallower than twice the thermal energy at room temperature is no site of its own."""


def _column(name: str, unit: str, definition: str, **options: object) -> Column:
    defaults: dict[str, object] = {"lower": 0, "nan_means": _NO_PARAMETERS, "cost": "high"}
    return Column(name, unit, definition, _SOURCE, _FAMILY, **(defaults | options))  # type: ignore[arg-type]


COLUMNS: Final[tuple[Column, ...]] = (
    *(
        _column(
            f"bvse_barrier_{n}d_eV",
            "eV",
            f"lowest energy above the deepest minimum at which the bond-valence landscape of the "
            f"empty host is connected in at least {n} dimension{'s' if n > 1 else ''}",
            nan_means=f"{_NO_PARAMETERS}, or no percolation below {HIGHEST_EV:g} eV",
        )
        for n in (1, 2, 3)
    ),
    _column(
        "bvse_barrier_anisotropy_eV",
        "eV",
        "bvse_barrier_3d_eV minus bvse_barrier_1d_eV",
        nan_means=f"{_NO_PARAMETERS}, or no percolation in three dimensions",
    ),
    _column(
        "bvse_accessible_fraction",
        "1",
        f"share of the cell within {ACCESSIBLE_EV} eV of the deepest minimum, counted on the grid",
        upper=1,
    ),
    _column(
        "bvse_minima_per_mobile",
        "1",
        f"minima within {INTERSTITIAL_EV} eV of the deepest and at least {SHALLOWEST_EV} eV below "
        "every pass to a deeper one or to infinity, per mobile ion",
    ),
    _column(
        "bvse_minima_density_A3",
        "1/Å³",
        "the same minima per volume",
    ),
    _column(
        "bvse_minima_spread_eV",
        "eV",
        "standard deviation of their energies",
        nan_means=f"{_NO_PARAMETERS}, or no such minimum",
    ),
    _column(
        "bvse_mobile_site_energy_eV",
        "eV",
        "mean energy of the crystal's own mobile sites above the deepest minimum",
    ),
    _column(
        "bvse_mobile_site_spread_eV",
        "eV",
        "standard deviation of the energies of the mobile sites",
    ),
)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Bond-valence landscape columns; see the catalogue for each."""
    try:
        found = bvse_landscape(prepared)
    except MissingParametersError as error:
        notes.append(f"{_FAMILY}: {error}")
        return {column.name: np.nan for column in COLUMNS}
    return _barriers(found, notes) | _minima(prepared, found) | _sites(prepared, found)


def _barriers(found: Landscape, notes: Notes) -> Values:
    barrier = np.where(np.isfinite(found.barrier_eV), found.barrier_eV, np.nan)
    blocked = int(np.isnan(barrier).sum())
    if blocked:
        notes.append(f"{_FAMILY}: no {4 - blocked}-D percolation below {HIGHEST_EV:g} eV")
    values: Values = {f"bvse_barrier_{n + 1}d_eV": float(barrier[n]) for n in range(3)}
    return values | {"bvse_barrier_anisotropy_eV": float(barrier[2] - barrier[0])}


def _minima(prepared: PreparedStructure, found: Landscape) -> Values:
    relative = found.minimum_eV - found.lowest_eV
    kept = (relative <= INTERSTITIAL_EV) & (found.lifetime_eV >= SHALLOWEST_EV)
    density = float(kept.sum()) / found.volume_A3
    roles, atoms = prepared.roles, prepared.atoms
    mobile_density = float(atoms.occupancy[roles.is_mobile].sum()) / atoms.volume_A3
    return {
        "bvse_accessible_fraction": accessible_fraction(found, ACCESSIBLE_EV),
        "bvse_minima_per_mobile": density / mobile_density,
        "bvse_minima_density_A3": density,
        "bvse_minima_spread_eV": float(relative[kept].std()) if kept.any() else np.nan,
    }


def _sites(prepared: PreparedStructure, found: Landscape) -> Values:
    weight = prepared.atoms.occupancy[prepared.roles.is_mobile]
    relative = found.mobile_site_eV - found.lowest_eV
    mean = weighted_mean(relative, weight)
    return {
        # A site is never below the deepest minimum but by rounding.
        "bvse_mobile_site_energy_eV": max(mean, 0.0),
        "bvse_mobile_site_spread_eV": weighted_spread(relative, weight),
    }


def accessible_fraction(found: Landscape, within_eV: float) -> float:
    """Share of the grid points at most an energy (eV) above the deepest minimum."""
    return float((found.energy_eV <= found.lowest_eV + within_eV).mean())
