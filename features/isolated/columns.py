"""Isolated-anion columns of one structure (Yang 2025)."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER, SYMBOLS
from ..core.atoms import weighted_mean
from ..core.columns import Column, Notes, Values
from ..core.prepared import PreparedStructure, n_primitive_cells
from .definition import (
    AMBIGUOUS,
    ANION_ELEMENTS,
    BOND_RATIO,
    CAGE_RATIO,
    FRAMEWORK_OCCUPANCY,
    IsolatedAnions,
    find_isolated_anions,
    leading_element,
)
from .site_symmetry import host_site_symmetry

_FAMILY = "isolated_anions"
_YANG = "Yang 2025, 10.1038/s41524-025-01559-9"
_NO_ANION = "no isolated anion"
_ANION_NUMBERS = {element: ATOMIC_NUMBER[element] for element in ANION_ELEMENTS}


def _column(name: str, unit: str, definition: str, **options: object) -> Column:
    return Column(name, unit, definition, _YANG, _FAMILY, **options)  # type: ignore[arg-type]


COLUMNS: Final[tuple[Column, ...]] = (
    _column(
        "isolated_class",
        "1",
        "framework: framework cations and isolated anions; antistructure: no framework cation, so "
        "every anion is trivially isolated; zintl: the same with metals or metalloids as the only "
        "anions, an electronic conductor; none: no isolated anion",
        dtype="category",
    ),
    _column(
        "isolated_count",
        "1",
        "isolated anions per primitive cell of the full structure, weighted by occupancy",
        lower=0,
    ),
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
        f"anions: above {BOND_RATIO:.2f} by definition, below {AMBIGUOUS[1]:.2f} ambiguous",
        lower=0,
        nan_means="no isolated anion, or no framework cation",
    ),
    _column(
        "isolated_ambiguous_count",
        "1",
        f"anions per primitive cell whose margin lies between {AMBIGUOUS[0]:.2f} and "
        f"{AMBIGUOUS[1]:.2f}",
        lower=0,
    ),
    _column(
        "isolated_mobile_coordination",
        "1",
        f"mean number of mobile ions within {CAGE_RATIO:.2f} × the covalent radius sum of an "
        "isolated anion",
        lower=0,
        nan_means=_NO_ANION,
    ),
    _column(
        "isolated_nearest_framework_cation_A",
        "Å",
        "smallest distance from an isolated anion to a framework cation",
        lower=0,
        nan_means="no isolated anion, or no framework cation",
    ),
    _column(
        "isolated_clearance_A",
        "Å",
        "smallest distance from an isolated anion to a framework cation, less "
        f"{BOND_RATIO:.2f} × the covalent radius sum: the room beyond the longest bond",
        nan_means="no isolated anion, or no framework cation",
    ),
    _column(
        "isolated_site_symmetry",
        "1",
        "point group (Schoenflies) of the most common site of the leading isolated anion, mobile "
        "ions removed, tolerance 0.1 Å and 5°; leading: the element of the strongest formal "
        "charge, then the most abundant; of equally common sites the most symmetric",
        dtype="category",
        nan_means=_NO_ANION,
    ),
    _column(
        "isolated_site_symmetry_order",
        "1",
        "order of the point group isolated_site_symmetry: 1 (C1) to 48 (Oh)",
        lower=1,
        upper=48,
        nan_means=_NO_ANION,
    ),
    _column(
        "isolated_site_symmetry_order_max",
        "1",
        "largest order of the site point groups of the isolated anions",
        lower=1,
        upper=48,
        nan_means=_NO_ANION,
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
        for e in ANION_ELEMENTS
    ),
)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Isolated-anion columns; see the catalogue for each."""
    found = find_isolated_anions(prepared)
    weight = prepared.atoms.occupancy
    is_anion, isolated = prepared.roles.is_anion, found.is_isolated
    cells = n_primitive_cells(prepared)
    count = float(weight[isolated].sum())
    fraction = count / float(weight[is_anion].sum())
    values: Values = {
        "isolated_class": found.isolated_class,
        "isolated_count": count / cells,
        "isolated_fraction": fraction,
        "isolated_density_A3": count / prepared.atoms.volume_A3,
        "isolated_in_framework_fraction": fraction if found.isolated_class == "framework" else 0.0,
        "isolated_ambiguous_count": float(weight[found.is_ambiguous].sum()) / cells,
    }
    values |= _cage_values(prepared, found) | _by_element(prepared, found)
    return values | _symmetry_values(prepared, isolated, notes)


def _cage_values(prepared: PreparedStructure, found: IsolatedAnions) -> Values:
    isolated, weight = found.is_isolated, prepared.atoms.occupancy
    if not isolated.any():
        return {}
    around = weighted_mean(found.mobile_coordination[isolated], weight[isolated])
    values: Values = {"isolated_mobile_coordination": float(around)}
    smallest = {
        "isolated_margin": found.margin,
        "isolated_nearest_framework_cation_A": found.nearest_framework_cation_A,
        "isolated_clearance_A": found.clearance_A,
    }
    for name, per_anion in smallest.items():
        lowest = float(per_anion[isolated].min())
        values[name] = lowest if np.isfinite(lowest) else np.nan
    return values


def _symmetry_values(prepared: PreparedStructure, isolated: np.ndarray, notes: Notes) -> Values:
    """Label and order of the leading anion's most common site, and the largest order."""
    atoms, leading = prepared.atoms, leading_element(prepared)
    if not leading:
        return {}
    symmetry = host_site_symmetry(prepared)
    if symmetry.reason:
        notes.append(f"{_FAMILY}: {symmetry.reason}")
        return {}
    present = np.flatnonzero(isolated & (atoms.occupancy >= FRAMEWORK_OCCUPANCY))
    amounts: dict[tuple[float, str], float] = {}
    for atom in present[atoms.z[present] == ATOMIC_NUMBER[leading]]:
        site = int(atoms.site[atom])
        key = (float(symmetry.order[site]), symmetry.label[site])
        amounts[key] = amounts.get(key, 0.0) + float(atoms.occupancy[atom])
    order, label = max(amounts, key=lambda key: (round(amounts[key], 6), *key))
    return {
        "isolated_site_symmetry": label,
        "isolated_site_symmetry_order": order,
        "isolated_site_symmetry_order_max": float(symmetry.order[atoms.site[present]].max()),
    }


def _by_element(prepared: PreparedStructure, found: IsolatedAnions) -> Values:
    z, weight = prepared.atoms.z, prepared.atoms.occupancy
    n = len(SYMBOLS) + 1
    total = np.bincount(z, weights=weight * prepared.roles.is_anion, minlength=n).tolist()
    isolated = np.bincount(z, weights=weight * found.is_isolated, minlength=n).tolist()
    values: Values = {}
    for element, k in _ANION_NUMBERS.items():
        share = isolated[k] / total[k] if total[k] > 0 else np.nan
        values[f"isolated_fraction_{element}"] = share
    return values
