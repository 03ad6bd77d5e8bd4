"""Density features: how much room there is, and for whom (matminer's DensityFeatures and more)."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.elements import SYMBOLS
from ...data.records import FloatArray
from ...data.units import AMU_A3_TO_G_CM3
from ..core.atoms import weighted_mean
from ..core.columns import Column, Notes, Values
from ..core.elements import atomic_masses_amu, covalent_radii_A, slater_radii_A
from ..core.prepared import ANION, MOBILE, PreparedStructure, pairs_between

_FAMILY = "density"
_MATMINER = "matminer DensityFeatures"

COLUMNS: Final[tuple[Column, ...]] = (
    Column("density_g_cm3", "g/cm³", "mass density", _MATMINER, _FAMILY, lower=0),
    Column("volume_per_atom_A3", "Å³", "cell volume per atom", _MATMINER, _FAMILY, lower=0),
    Column(
        "packing_fraction",
        "1",
        "volume of spheres of the atomic (Slater) radii over cell volume",
        _MATMINER,
        _FAMILY,
        lower=0,
        nan_means="an element has no tabulated atomic radius",
    ),
    Column(
        "covalent_packing_fraction",
        "1",
        "volume of spheres of the covalent (Cordero) radii over cell volume",
        "ionsieve",
        _FAMILY,
        lower=0,
        nan_means="an element has no tabulated covalent radius",
    ),
    Column("mobile_density_A3", "1/Å³", "mobile ions per volume", "ionsieve", _FAMILY, lower=0),
    Column("mobile_fraction", "1", "mobile ions per atom", "ionsieve", _FAMILY, lower=0, upper=1),
    Column("volume_per_anion_A3", "Å³", "cell volume per anion", "ionsieve", _FAMILY, lower=0),
    Column(
        "mobile_anion_distance_A",
        "Å",
        "mean over mobile ions of the distance to the nearest anion",
        "ionsieve",
        _FAMILY,
        lower=0,
        nan_means="no anion within 6 Å of any mobile ion",
    ),
    Column(
        "mobile_mobile_distance_A",
        "Å",
        "mean over mobile ions of the distance to the nearest other mobile ion",
        "ionsieve",
        _FAMILY,
        lower=0,
        nan_means="no two mobile ions within 6 Å",
    ),
)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Density columns; see the catalogue for each."""
    atoms, roles = prepared.atoms, prepared.roles
    weight, volume = atoms.occupancy, atoms.volume_A3
    mobile = float(weight[roles.is_mobile].sum())
    _note_missing_radii(prepared, notes)
    mass_amu = float((weight * atomic_masses_amu()[atoms.z]).sum())
    return {
        "density_g_cm3": mass_amu / volume * AMU_A3_TO_G_CM3,
        "volume_per_atom_A3": volume / float(weight.sum()),
        "packing_fraction": _filled(weight, slater_radii_A()[atoms.z], volume),
        "covalent_packing_fraction": _filled(weight, covalent_radii_A()[atoms.z], volume),
        "mobile_density_A3": mobile / volume,
        "mobile_fraction": mobile / float(weight.sum()),
        "volume_per_anion_A3": volume / float(weight[roles.is_anion].sum()),
        "mobile_anion_distance_A": _mean_nearest(prepared, ANION),
        "mobile_mobile_distance_A": _mean_nearest(prepared, MOBILE),
    }


def _note_missing_radii(prepared: PreparedStructure, notes: Notes) -> None:
    present = np.bincount(prepared.atoms.z).nonzero()[0].tolist()
    for kind, table in (("atomic", slater_radii_A()), ("covalent", covalent_radii_A())):
        missing = [SYMBOLS[z - 1] for z in present if not np.isfinite(table[z])]
        if missing:
            notes.append(f"{_FAMILY}: no {kind} radius is tabulated for {', '.join(missing)}")


def _mean_nearest(prepared: PreparedStructure, partner: int) -> float:
    pairs, is_mobile = prepared.neighbors, prepared.roles.is_mobile
    # The nearest of each centre comes first, so that going backwards it stays.
    chosen = pairs_between(prepared, MOBILE, partner)[::-1]
    nearest = np.full(len(is_mobile), np.inf)
    nearest[pairs.center[chosen]] = pairs.distance_A[chosen]
    reached = is_mobile & np.isfinite(nearest)
    if not reached.any():
        return np.nan
    return weighted_mean(nearest[reached], prepared.atoms.occupancy[reached])


def _filled(weight: FloatArray, radius_A: FloatArray, volume_A3: float) -> float:
    return float((weight * 4 / 3 * np.pi * radius_A**3).sum()) / volume_A3
