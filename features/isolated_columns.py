"""Isolated-anion columns of one structure (Yang 2025)."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..data.elements import SYMBOLS
from .catalogue import Column, Notes, Values
from .isolated import IsolatedAnions, find_isolated_anions
from .prepared import PreparedStructure

_FAMILY = "isolated_anions"
_YANG = "Yang 2025, 10.1038/s41524-025-01559-9"
_NO_ANION = "no isolated anion"

ELEMENTS: Final[tuple[str, ...]] = ("N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I")


def _column(name: str, unit: str, definition: str, **options: object) -> Column:
    return Column(name, unit, definition, _YANG, _FAMILY, **options)  # type: ignore[arg-type]


COLUMNS: Final[tuple[Column, ...]] = (
    _column(
        "isolated_class",
        "1",
        "framework: framework cations and isolated anions; antistructure: no framework cation, so "
        "every anion is trivially isolated; none: no isolated anion",
        dtype="category",
    ),
    _column("isolated_count", "1", "isolated anions per cell, weighted by occupancy", lower=0),
    _column("isolated_fraction", "1", "share of the anions that is isolated", lower=0, upper=1),
    _column("isolated_density_A3", "1/Å³", "isolated anions per volume", lower=0),
    _column(
        "isolated_in_framework_fraction",
        "1",
        "isolated_fraction where isolated_class is framework, else 0: an antistructure does not "
        "count as rich in isolated anions",
        lower=0,
        upper=1,
    ),
    _column(
        "isolated_margin",
        "1",
        "smallest distance to a framework cation over the covalent radius sum, over the isolated "
        "anions: above 1.25 by definition, below 1.40 ambiguous",
        lower=0,
        nan_means="no isolated anion, or no framework cation",
    ),
    _column(
        "isolated_ambiguous_count",
        "1",
        "anions whose margin lies between 1.15 and 1.40",
        lower=0,
    ),
    _column(
        "isolated_mobile_coordination",
        "1",
        "mean number of mobile ions within 1.25 × the covalent radius sum of an isolated anion",
        lower=0,
        nan_means=_NO_ANION,
    ),
    _column(
        "isolated_clearance_A",
        "Å",
        "smallest distance from an isolated anion to a framework cation",
        lower=0,
        nan_means="no isolated anion, or no framework cation",
    ),
    *(
        _column(
            f"isolated_fraction_{e}",
            "1",
            f"share of the {e} anions that is isolated",
            lower=0,
            upper=1,
            nan_means=f"no {e} anion",
        )
        for e in ELEMENTS
    ),
)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Isolated-anion columns; see the catalogue for each."""
    found = find_isolated_anions(prepared)
    weight = prepared.atoms.occupancy
    is_anion, isolated = prepared.roles.is_anion, found.is_isolated
    count = float(weight[isolated].sum())
    fraction = count / float(weight[is_anion].sum())
    values: Values = {
        "isolated_class": found.isolated_class,
        "isolated_count": count,
        "isolated_fraction": fraction,
        "isolated_density_A3": count / prepared.atoms.volume_A3,
        "isolated_in_framework_fraction": fraction if found.isolated_class == "framework" else 0.0,
        "isolated_ambiguous_count": float(weight[found.is_ambiguous].sum()),
    }
    return values | _cage_values(prepared, found) | _by_element(prepared, found)


def _cage_values(prepared: PreparedStructure, found: IsolatedAnions) -> Values:
    isolated, weight = found.is_isolated, prepared.atoms.occupancy
    if not isolated.any():
        names = ("isolated_margin", "isolated_mobile_coordination", "isolated_clearance_A")
        return dict.fromkeys(names, np.nan)
    margin = float(found.margin[isolated].min())
    clearance = float(found.nearest_framework_cation_A[isolated].min())
    around = np.average(found.mobile_coordination[isolated], weights=weight[isolated])
    return {
        "isolated_margin": margin if np.isfinite(margin) else np.nan,
        "isolated_mobile_coordination": float(around),
        "isolated_clearance_A": clearance if np.isfinite(clearance) else np.nan,
    }


def _by_element(prepared: PreparedStructure, found: IsolatedAnions) -> Values:
    atoms, is_anion = prepared.atoms, prepared.roles.is_anion
    values: Values = {}
    for element in ELEMENTS:
        members = is_anion & (atoms.z == SYMBOLS.index(element) + 1)
        total = float(atoms.occupancy[members].sum())
        isolated = float(atoms.occupancy[members & found.is_isolated].sum())
        values[f"isolated_fraction_{element}"] = isolated / total if total > 0 else np.nan
    return values
