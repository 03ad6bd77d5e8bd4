"""Flags: why a candidate deserves AIMD, each with its reason in numbers.

No single measure of uncertainty decides alone, because each is blind somewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from .flag_rules import FlagRules

FLAGS: Final[tuple[str, ...]] = (
    "uncertain",
    "out_of_domain",
    "models_disagree",
    "novel_mechanism",
)

ISOLATED_COLUMNS: Final[tuple[str, ...]] = (
    "isolated_in_framework_fraction",
    "isolated_density_A3",
    "isolated_mobile_coordination",
)
"""Beyond the training range on either side: isolated anions in an unseen amount or setting."""

FRUSTRATION_COLUMNS: Final[tuple[str, ...]] = (
    "mobile_bond_valence_spread_e",
    "mobile_bond_variation",
    "anion_polarizability_spread_A3",
    "anion_electronegativity_spread",
    "occupancy_entropy_kB",
    "anion_mixing_entropy_kB",
    "host_site_mixing_entropy_kB",
    "anion_coordination_breadth",
    "mobile_coordination_breadth",
    "mobile_polyhedron_distortion",
)
"""Competing preferences: more of one than any training structure has. Less is no mechanism."""

_ELEMENT = "isolated_fraction_"
_SLACK = 1e-6
"""Of the larger number: the same structure in another cell must not fall out of its own range."""


@dataclass(frozen=True, eq=False)
class TrainingRange:
    """What the training set has seen of the mechanisms that ionsieve looks for."""

    formulas: frozenset[str]
    isolated_elements: frozenset[str]
    lower: pd.Series
    upper: pd.Series
    mobile: str = "Li"
    """The species whose conduction the labels describe."""


def training_range(features: pd.DataFrame, formulas: pd.Series) -> TrainingRange:
    """Summarise the training features for ``novel_mechanism`` and ``known_formula``."""
    present = [c for c in (*ISOLATED_COLUMNS, *FRUSTRATION_COLUMNS) if c in features]
    return TrainingRange(
        frozenset(formulas),
        _isolated_elements(features[features["isolated_class"] == "framework"]),
        features[present].min(),
        features[present].max(),
    )


def _isolated_elements(features: pd.DataFrame) -> frozenset[str]:
    return frozenset(
        c.removeprefix(_ELEMENT)
        for c in features
        if c.startswith(_ELEMENT) and (features[c] > 0).any()
    )


def flag_reasons(
    answer: Mapping[str, Any],
    features: Mapping[str, Any],
    training: TrainingRange,
    rules: FlagRules,
    mobile: str,
) -> dict[str, list[str]]:
    """The flags of one candidate, each with what raised it.

    Parameters
    ----------
    answer : mapping
        ``p_fast``, ``domain_distance`` and ``family_disagreement_log10`` of the ranking.
    features : mapping
        Descriptors by name; those of :func:`flag_columns` are read.
    training : TrainingRange
    rules : FlagRules
    mobile : str
        Mobile species of the candidate.

    Returns
    -------
    dict
        Flags in the order of :data:`FLAGS`; only those raised.
    """
    low, high = rules.uncertain_p
    found: dict[str, list[str]] = {name: [] for name in FLAGS}
    if low <= answer["p_fast"] <= high:
        found["uncertain"].append(f"p_fast {answer['p_fast']:.2f} lies in {low:g} to {high:g}")
    if answer["domain_distance"] > rules.out_of_domain:
        found["out_of_domain"].append(
            f"domain distance {answer['domain_distance']:.2f} is above {rules.out_of_domain:g}"
        )
    if mobile != training.mobile:
        found["out_of_domain"].append(
            f"mobile species {mobile}, and every label is of {training.mobile}"
        )
    if answer["family_disagreement_log10"] > rules.disagreement_log10:
        found["models_disagree"].append(
            f"trees and boosting differ by {answer['family_disagreement_log10']:.2f} decades, "
            f"more than {rules.disagreement_log10:g}"
        )
    found["novel_mechanism"] = [*_isolated(features, training), *_frustrated(features, training)]
    return {name: reasons for name, reasons in found.items() if reasons}


def flag_columns(features: pd.DataFrame) -> list[str]:
    """Columns of a feature table that flags look at."""
    wanted = {"isolated_class", *ISOLATED_COLUMNS, *FRUSTRATION_COLUMNS}
    return [c for c in features if c in wanted or str(c).startswith(_ELEMENT)]


def _isolated(features: Mapping[str, Any], training: TrainingRange) -> list[str]:
    """Isolated anions beside a framework that training has not seen: element, amount, setting.

    In an antistructure every anion is trivially isolated: that is a class, not a discovery.
    """
    if features["isolated_class"] != "framework":
        return []
    reasons = [
        f"isolated {name.removeprefix(_ELEMENT)}, which no training structure has"
        for name, value in features.items()
        if name.startswith(_ELEMENT)
        and value > 0
        and name.removeprefix(_ELEMENT) not in training.isolated_elements
    ]
    for name in _known(ISOLATED_COLUMNS, features, training):
        low, high = float(training.lower[name]), float(training.upper[name])
        if _above(features[name], high) or _above(low, features[name]):
            reasons.append(f"{name} {features[name]:.3g}, trained on {low:.3g} to {high:.3g}")
    return reasons


def _frustrated(features: Mapping[str, Any], training: TrainingRange) -> list[str]:
    """More frustrated, in some way, than anything trained on."""
    return [
        f"{name} {features[name]:.3g}, trained on at most {float(training.upper[name]):.3g}"
        for name in _known(FRUSTRATION_COLUMNS, features, training)
        if _above(features[name], float(training.upper[name]))
    ]


def _known(
    names: tuple[str, ...], features: Mapping[str, Any], training: TrainingRange
) -> list[str]:
    return [name for name in names if name in features and name in training.upper.index]


def _above(value: float, bound: float) -> bool:
    """False for NaN on either side: what is not defined is not beyond."""
    return bool(value > bound + _SLACK * max(abs(value), abs(bound)))
