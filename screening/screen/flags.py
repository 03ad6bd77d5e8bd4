"""Flags: where AIMD would change what one does, each with its reason in numbers.

No single measure of uncertainty decides alone, because each is blind somewhere. A flag is raised
beyond an absolute limit and for the most extreme of the screen only (:class:`.FlagRules`), so that
what is flagged can be acted on. Known conductors carry none: their answer is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.records import FloatArray
from ...models.ensemble import probability_above
from ..acquisition.shortlist import SAME
from .flag_rules import FLAGS, FlagRules

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


@dataclass(frozen=True, eq=False, kw_only=True)
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
        formulas=frozenset(formulas),
        isolated_elements=_isolated_elements(features[_beside_a_framework(features)]),
        lower=features[present].min(),
        upper=features[present].max(),
    )


def _beside_a_framework(features: pd.DataFrame) -> pd.Series:
    """Structures with isolated anions beside a framework; a model's own table has numbers only."""
    if "isolated_class" in features:
        return features["isolated_class"] == "framework"
    return features["isolated_in_framework_fraction"] > 0


def _isolated_elements(features: pd.DataFrame) -> frozenset[str]:
    return frozenset(
        c.removeprefix(_ELEMENT)
        for c in features
        if c.startswith(_ELEMENT) and (features[c] > 0).any()
    )


def flag_columns(columns: Iterable[str]) -> list[str]:
    """Those columns of a feature table that flags look at."""
    wanted = {"isolated_class", *ISOLATED_COLUMNS, *FRUSTRATION_COLUMNS}
    return [c for c in columns if c in wanted or str(c).startswith(_ELEMENT)]


@dataclass(frozen=True, eq=False)
class Suspicion:
    """How far each of n candidates gives reason for one flag, and that reason.

    Parameters
    ----------
    strength : array (n,)
        Larger is more; −inf where there is no reason.
    reason : callable
        The reason of one candidate by its place: texts are made of those that are flagged only.
    """

    strength: FloatArray
    reason: Callable[[int], str]

    def raised(self, most: int) -> dict[int, str]:
        """The reasons of the ``most`` strongest, by their places; ties go by place."""
        order = np.argsort(-self.strength, kind="stable")[:most]
        return {int(i): self.reason(int(i)) for i in order if np.isfinite(self.strength[i])}


def add_flags(
    ranking: pd.DataFrame,
    features: pd.DataFrame,
    training: TrainingRange,
    rules: FlagRules,
    mobile: str,
    line_log10: float,
    coverage: float,
) -> pd.DataFrame:
    """Raise the flags of a screen.

    Parameters
    ----------
    ranking : DataFrame (n)
        Predictions, ``domain_distance``, ``family_disagreement_log10`` and ``known_relation``.
    features : DataFrame
        Descriptors by id; those of :func:`flag_columns` are read.
    training : TrainingRange
    rules : FlagRules
    mobile : str
        Mobile species of the candidates.
    line_log10 : float
        Line of the shortlist, log10 σ(300 K), S/cm.
    coverage : float
        Of the intervals in the ranking.

    Returns
    -------
    DataFrame
        ``ranking`` with ``flags``, joined by semicolons in the order of :data:`FLAGS`, and
        ``flag_reasons``, as ``flag: reason; reason | flag: reason``.
    """
    new = np.flatnonzero((ranking["known_relation"] != SAME).to_numpy())
    rows = ranking.iloc[new]
    own = features.loc[rows["id"], flag_columns(features)]
    suspicions = {
        "uncertain": crossing_suspicion(rows, line_log10, coverage, rules),
        "out_of_domain": distance_suspicion(rows, rules),
        "models_disagree": disagreement_suspicion(rows, rules),
        "novel_mechanism": mechanism_suspicion(own, training),
    }
    raised = {name: one.raised(rules.most(name, len(new))) for name, one in suspicions.items()}
    if mobile != training.mobile:
        # Not a matter of rank: no candidate of such a screen lies in the domain.
        foreign = f"mobile species {mobile}, and every label is of {training.mobile}"
        reasons = raised["out_of_domain"]
        raised["out_of_domain"] = {
            k: "; ".join(filter(None, [reasons.get(k, ""), foreign])) for k in range(len(new))
        }
    names, texts = [""] * len(ranking), [""] * len(ranking)
    for k, place in enumerate(new):
        own_flags = {name: raised[name][k] for name in FLAGS if k in raised[name]}
        names[place] = ";".join(own_flags)
        texts[place] = " | ".join(f"{name}: {reason}" for name, reason in own_flags.items())
    return ranking.assign(flags=names, flag_reasons=texts)


def flags_of(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """The flags of a row of the ranking, each with its reasons."""
    found = {}
    for part in filter(None, str(row["flag_reasons"]).split(" | ")):
        name, reasons = part.split(": ", 1)
        found[name] = reasons.split("; ")
    return found


def crossing_chance(rows: pd.DataFrame, line_log10: float, coverage: float) -> FloatArray:
    """Chance that the truth lies on the other side of a line than the prediction, shape (n,).

    Parameters
    ----------
    rows : DataFrame (n)
        ``log10_sigma_300K_S_cm`` with ``_low`` and ``_high``, log10 of S/cm.
    line_log10 : float
        log10 of S/cm.
    coverage : float
        Of the interval.
    """
    mean = rows["log10_sigma_300K_S_cm"].to_numpy(dtype=np.float64)
    half = 0.5 * (rows["log10_sigma_300K_high"] - rows["log10_sigma_300K_low"])
    above = probability_above(line_log10, mean, half.to_numpy(dtype=np.float64), coverage)
    return np.where(mean >= line_log10, 1.0 - above, above)


def crossing_suspicion(
    rows: pd.DataFrame, line_log10: float, coverage: float, rules: FlagRules
) -> Suspicion:
    """``uncertain``: AIMD may move the candidate across the line of the shortlist."""
    chance = crossing_chance(rows, line_log10, coverage)
    mean = rows["log10_sigma_300K_S_cm"].to_numpy(dtype=np.float64)

    def reason(i: int) -> str:
        return (
            f"predicted {mean[i]:.2f}, the shortlist ends at {line_log10:.2f}: {chance[i]:.0%} "
            "chance that the truth lies on the other side"
        )

    return Suspicion(np.where(chance >= rules.crossing, chance, -np.inf), reason)


def distance_suspicion(rows: pd.DataFrame, rules: FlagRules) -> Suspicion:
    """``out_of_domain``: farther from training than its families are from each other."""
    distance = rows["domain_distance"].to_numpy(dtype=np.float64)
    shares = _share_beyond(distance)

    def reason(i: int) -> str:
        return (
            f"domain distance {distance[i]:.2f} is above {rules.out_of_domain:g}; {shares[i]:.1%} "
            "of this screen lie as far out"
        )

    return Suspicion(np.where(distance > rules.out_of_domain, distance, -np.inf), reason)


def disagreement_suspicion(rows: pd.DataFrame, rules: FlagRules) -> Suspicion:
    """``models_disagree``: the two learners say different things."""
    apart = rows["family_disagreement_log10"].to_numpy(dtype=np.float64)

    def reason(i: int) -> str:
        return (
            f"the two learners differ by {apart[i]:.2f} decades, more than "
            f"{rules.disagreement_log10:g}"
        )

    return Suspicion(np.where(apart > rules.disagreement_log10, apart, -np.inf), reason)


def mechanism_suspicion(features: pd.DataFrame, training: TrainingRange) -> Suspicion:
    """``novel_mechanism``: beyond training in a sign of the mechanism, and rare in the screen.

    The strength of a candidate is that of its rarest sign: −log10 of the share of the screen that
    goes as far. Isolated anions count beside a framework only: in an antistructure every anion is
    trivially isolated, which is a class, not a discovery.
    """
    signs = [*_element_signs(features, training), *_range_signs(features, training)]
    shares = [float(np.mean(beyond)) if len(beyond) else 0.0 for beyond, _ in signs]
    strength = np.full(len(features), -np.inf)
    for (beyond, _), share in zip(signs, shares, strict=True):
        if share:
            strength[beyond] = np.maximum(strength[beyond], -np.log10(share))

    def reason(i: int) -> str:
        shown = zip(signs, shares, strict=True)
        return "; ".join(
            f"{text(i)} ({share:.1%} of this screen)"
            for (beyond, text), share in shown
            if beyond[i]
        )

    return Suspicion(strength, reason)


Sign = tuple[np.ndarray, Callable[[int], str]]
"""Which candidates show it, and what to say of one."""


def _element_signs(features: pd.DataFrame, training: TrainingRange) -> list[Sign]:
    framework = (features["isolated_class"] == "framework").to_numpy()
    signs: list[Sign] = []
    for column in features:
        element = str(column).removeprefix(_ELEMENT)
        if str(column).startswith(_ELEMENT) and element not in training.isolated_elements:
            beyond = framework & (features[column] > 0).to_numpy()
            text = f"isolated {element}, which no training structure has"
            signs.append((beyond, lambda _, text=text: text))  # type: ignore[misc]
    return signs


def _range_signs(features: pd.DataFrame, training: TrainingRange) -> list[Sign]:
    framework = (features["isolated_class"] == "framework").to_numpy()
    signs: list[Sign] = []
    for name in (*ISOLATED_COLUMNS, *FRUSTRATION_COLUMNS):
        if name not in features or name not in training.upper.index:
            continue
        values = features[name].to_numpy(dtype=np.float64)
        low, high = float(training.lower[name]), float(training.upper[name])
        if name in ISOLATED_COLUMNS:
            beyond = framework & (_above(values, high) | _above(low, values))
            range_text = f"trained on {low:.3g} to {high:.3g}"
        else:
            # Less frustration than in training is no mechanism.
            beyond, range_text = _above(values, high), f"trained on at most {high:.3g}"
        signs.append((beyond, partial(_outside, name, values, range_text)))
    return signs


def _outside(name: str, values: FloatArray, range_text: str, i: int) -> str:
    return f"{name} {values[i]:.3g}, {range_text}"


def _share_beyond(values: FloatArray) -> FloatArray:
    """Share of the values that are as large or larger, for each."""
    ordered = np.sort(values)
    return 1.0 - np.searchsorted(ordered, values, side="left") / max(len(values), 1)


def _above(value: FloatArray | float, bound: FloatArray | float) -> np.ndarray:
    """False for NaN on either side: what is not defined is not beyond."""
    slack = _SLACK * np.fmax(np.abs(value), np.abs(bound))
    return np.asarray(np.greater(value, bound + slack))
