"""Environment-similarity columns of one structure."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import erfc

from ..core.atoms import weighted_mean
from ..core.columns import Column, Notes, Value, Values
from ..core.prepared import PreparedStructure
from ..isolated.definition import find_isolated_anions
from ..void.host import Host, host_of
from ..void.percolation import region_dimension
from .compare import Similarity, compare_void

_FAMILY = "similarity"
_SOURCE = "Yang 2025, 10.1038/s41524-025-01559-9, Fig. S1; smooth, on a grid (ionsieve)"
_NO_ISOLATED = "no isolated anion, or none with void around it"
LIKE_DIFFERENCE: Final[float] = 0.75
"""A void point is like a mobile site below this mean difference per column, in spreads."""


def _column(name: str, unit: str, definition: str, **options: object) -> Column:
    return Column(name, unit, definition, _SOURCE, _FAMILY, cost="medium", **options)  # type: ignore[arg-type]


COLUMNS: Final[tuple[Column, ...]] = (
    _column(
        "acsf_enrichment_max",
        "1",
        "largest enrichment of an isolated anion: its share of the mobile-like void (the 10 % "
        "whose host-only ACSF vectors are nearest to a mobile ion's) over its share of all void",
        lower=0,
        nan_means=_NO_ISOLATED,
    ),
    _column(
        "acsf_enrichment_isolated_mean",
        "1",
        "mean enrichment of the isolated anions",
        lower=0,
        nan_means=_NO_ISOLATED,
    ),
    _column(
        "acsf_enrichment_isolated_min",
        "1",
        "smallest enrichment of an isolated anion",
        lower=0,
        nan_means=_NO_ISOLATED,
    ),
    _column(
        "acsf_enrichment_bonded_mean",
        "1",
        "mean enrichment of the anions that are not isolated",
        lower=0,
        nan_means="every anion is isolated, or no bonded one has void around it",
    ),
    _column(
        "acsf_enrichment_contrast",
        "1",
        "mean enrichment of isolated minus that of bonded anions",
        nan_means="one of the two classes is absent",
    ),
    _column(
        "cage_shell_radius_A",
        "Å",
        "mean distance from the isolated anion of the mobile-like void nearest to it, over the "
        "isolated anions weighted by their part of that void",
        lower=0,
        nan_means="no isolated anion with mobile-like void around it",
    ),
    _column(
        "cage_shell_spread_A",
        "Å",
        "standard deviation of that distance about each anion's own mean: small for a sphere",
        lower=0,
        nan_means="no isolated anion with mobile-like void around it",
    ),
    _column(
        "void_fraction",
        "1",
        "share of the cell at least 1.9 Å from every host atom (edge smooth over 0.1 Å)",
        lower=0,
        upper=1,
    ),
    _column(
        "mobile_like_void_fraction",
        "1",
        "share of that void whose mean difference per ACSF column to the nearest mobile site is "
        f"below {LIKE_DIFFERENCE} spreads (edge smooth over a fifth of it)",
        lower=0,
        upper=1,
    ),
    _column(
        "mobile_like_difference",
        "1",
        "mean difference per ACSF column, in spreads, that bounds the closest 10 % of the void",
        lower=0,
    ),
    _column(
        "mobile_like_dimension",
        "1",
        f"dimensions in which the void with a difference below {LIKE_DIFFERENCE} is connected",
        lower=0,
        upper=3,
    ),
    _column(
        "mobile_environment_spread",
        "1",
        "root-mean-square difference per ACSF column of the mobile sites from their mean, in "
        "spreads over the void: 0 where all sites look alike",
        lower=0,
    ),
)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Environment-similarity columns; see the catalogue for each."""
    host = host_of(prepared)
    found = compare_void(host, prepared.atoms.id)
    isolated = np.zeros(len(host.z), dtype=bool)
    isolated[host.host_of_atom[find_isolated_anions(prepared).is_isolated]] = True
    return _scores(host, found, isolated) | _shell(found, isolated) | _volumes(host, found)


def _scores(host: Host, found: Similarity, isolated: np.ndarray) -> Values:
    score, defined = found.enrichment, np.isfinite(found.enrichment)
    inside = score[isolated & defined]
    bonded = host.is_anion & ~isolated & defined
    mean = _mean(score, host.occupancy, isolated & defined)
    bonded_mean = _mean(score, host.occupancy, bonded)
    return {
        "acsf_enrichment_max": float(inside.max()) if len(inside) else np.nan,
        "acsf_enrichment_isolated_mean": mean,
        "acsf_enrichment_isolated_min": float(inside.min()) if len(inside) else np.nan,
        "acsf_enrichment_bonded_mean": bonded_mean,
        "acsf_enrichment_contrast": mean - bonded_mean,
    }


def _mean(values: np.ndarray, weights: np.ndarray, chosen: np.ndarray) -> float:
    return weighted_mean(values[chosen], weights[chosen]) if chosen.any() else np.nan


def _shell(found: Similarity, isolated: np.ndarray) -> Values:
    chosen = isolated & np.isfinite(found.shell_radius_A)
    weight = found.mobile_like_weight
    variance = _mean(found.shell_spread_A**2, weight, chosen)
    return {
        "cage_shell_radius_A": _mean(found.shell_radius_A, weight, chosen),
        "cage_shell_spread_A": float(np.sqrt(variance)),
    }


def _volumes(host: Host, found: Similarity) -> Values:
    edge = 0.2 * LIKE_DIFFERENCE * np.sqrt(2.0)
    like = 0.5 * erfc((found.distance - LIKE_DIFFERENCE) / edge)
    is_like = np.zeros(len(found.grid.first), dtype=bool)
    is_like[found.orbit[(found.distance < LIKE_DIFFERENCE) & found.is_inside]] = True
    dimension: Value = float(region_dimension(is_like[found.grid.orbit], found.grid.shape))
    return {
        "void_fraction": found.void_fraction,
        "mobile_like_void_fraction": weighted_mean(like, found.weights),
        "mobile_like_difference": found.threshold,
        "mobile_like_dimension": dimension,
        "mobile_environment_spread": _environment_spread(host, found),
    }


def _environment_spread(host: Host, found: Similarity) -> float:
    weight = host.mobile_occupancy
    mean = weight @ found.environments / weight.sum()
    squared = ((found.environments - mean) ** 2).sum(axis=1)
    return weighted_mean(squared, weight) ** 0.5
