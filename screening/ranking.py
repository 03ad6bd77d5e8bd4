"""Ranking and flags: what to look at first, and what a model cannot be trusted on.

Rank: probability of exceeding the threshold, ties broken by the predicted conductivity, then by
the smaller domain distance, then by id. Each flag says why a candidate deserves AIMD; no single
measure of uncertainty decides alone, because each is blind somewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

DECIMALS: Final[int] = 6
"""Numbers are rounded before sorting, so that the order cannot hang on the last bit."""

RANKING_COLUMNS: Final[tuple[str, ...]] = (
    "rank",
    "id",
    "formula",
    "log10_sigma_300K_S_cm",
    "log10_sigma_300K_low",
    "log10_sigma_300K_high",
    "p_fast",
    "domain_distance",
    "isolated_class",
    "isolated_fraction",
    "isolated_count",
    "isolated_margin",
    "spread_log10",
    "family_disagreement_log10",
    "known_formula",
    "flags",
    "n_sites",
    "source",
)


@dataclass(frozen=True)
class FlagRules:
    """When a candidate is flagged.

    Parameters
    ----------
    uncertain_p : (float, float)
        ``uncertain``: the probability of being fast lies in this range: AIMD would decide.
    out_of_domain : float
        ``out_of_domain``: domain distance above this; 1 is the distance from one training family
        to the next. So is every candidate of another mobile species than the labels'.
    disagreement_log10 : float
        ``models_disagree``: the two model families differ by more decades than this.
    """

    uncertain_p: tuple[float, float] = (0.2, 0.8)
    out_of_domain: float = 1.5
    disagreement_log10: float = 1.0


@dataclass(frozen=True, eq=False)
class TrainingRange:
    """What the training set has seen of the mechanisms that ionsieve looks for."""

    formulas: frozenset[str]
    isolated_elements: frozenset[str]
    lower: pd.Series
    upper: pd.Series
    mobile: str = "Li"
    """The species whose conduction the labels describe."""


MECHANISM_COLUMNS: Final[tuple[str, ...]] = (
    "isolated_in_framework_fraction",
    "isolated_density_A3",
    "isolated_mobile_coordination",
)


def training_range(features: pd.DataFrame, formulas: pd.Series) -> TrainingRange:
    """Summarise the training features for ``novel_mechanism`` and ``known_formula``."""
    present = [c for c in MECHANISM_COLUMNS if c in features]
    return TrainingRange(
        frozenset(formulas),
        _isolated_elements(features[features["isolated_class"] == "framework"]),
        features[present].min(),
        features[present].max(),
    )


def _isolated_elements(features: pd.DataFrame) -> frozenset[str]:
    prefix = "isolated_fraction_"
    return frozenset(
        c.removeprefix(prefix) for c in features if c.startswith(prefix) and (features[c] > 0).any()
    )


def rank_candidates(
    features: pd.DataFrame,
    predictions: pd.DataFrame,
    descriptions: pd.DataFrame,
    training: TrainingRange,
    rules: FlagRules | None = None,
    mobile: str = "Li",
) -> pd.DataFrame:
    """One row per candidate, best first.

    Parameters
    ----------
    features : DataFrame
        Index = id; holds the isolated-anion columns.
    predictions : DataFrame
        Same index; columns of :meth:`ConductivityModel.predict`, log10 S/cm.
    descriptions : DataFrame
        Same index; ``formula``, ``n_sites``, ``source``.
    training : TrainingRange
        For flags and known formulas.
    rules : FlagRules, optional
    mobile : str
        Mobile species of the candidates; another one than the labels' is out of domain throughout,
        because no descriptor tells the model how one ion's barriers compare with another's.

    Returns
    -------
    DataFrame
        Columns :data:`RANKING_COLUMNS`.
    """
    table = pd.DataFrame(
        {
            "id": features.index.astype(str),
            "formula": descriptions["formula"].to_numpy(),
            "log10_sigma_300K_S_cm": predictions["prediction"].to_numpy(),
            "log10_sigma_300K_low": predictions["low"].to_numpy(),
            "log10_sigma_300K_high": predictions["high"].to_numpy(),
            "p_fast": predictions["p_exceeds"].to_numpy(),
            "domain_distance": predictions["domain_distance"].to_numpy(),
            "isolated_class": features["isolated_class"].to_numpy(),
            "isolated_fraction": features["isolated_fraction"].to_numpy(),
            "isolated_count": features["isolated_count"].to_numpy(),
            "isolated_margin": features["isolated_margin"].to_numpy(),
            "spread_log10": predictions["spread"].to_numpy(),
            "family_disagreement_log10": predictions["family_disagreement"].to_numpy(),
            "n_sites": descriptions["n_sites"].to_numpy(),
            "source": descriptions["source"].to_numpy(),
        }
    ).round(DECIMALS)
    table["known_formula"] = table["formula"].isin(training.formulas)
    table["flags"] = _flags(table, features, training, rules or FlagRules(), mobile)
    return _sorted(table)[list(RANKING_COLUMNS)]


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    ordered = table.sort_values(
        ["p_fast", "log10_sigma_300K_S_cm", "domain_distance", "id"],
        ascending=[False, False, True, True],
        kind="stable",
        ignore_index=True,
    )
    ordered["rank"] = np.arange(1, len(ordered) + 1)
    return ordered


def _flags(
    table: pd.DataFrame,
    features: pd.DataFrame,
    training: TrainingRange,
    rules: FlagRules,
    mobile: str,
) -> list[str]:
    low, high = rules.uncertain_p
    far = (table["domain_distance"] > rules.out_of_domain).to_numpy()
    raised = {
        "uncertain": table["p_fast"].between(low, high).to_numpy(),
        "out_of_domain": far | (mobile != training.mobile),
        "models_disagree": (
            table["family_disagreement_log10"] > rules.disagreement_log10
        ).to_numpy(),
        "novel_mechanism": _novel(features, training),
    }
    names = np.array(list(raised))
    matrix = np.column_stack(list(raised.values()))
    return [";".join(names[row]) for row in matrix]


def _novel(features: pd.DataFrame, training: TrainingRange) -> np.ndarray:
    """Isolated anions outside what training has seen: another element, or beyond its range."""
    framework = (features["isolated_class"] == "framework").to_numpy()
    beyond = np.zeros(len(features), dtype=bool)
    for column in training.lower.index:
        values = features[column].to_numpy()
        beyond |= (values < training.lower[column]) | (values > training.upper[column])
    for column in features:
        element = str(column).removeprefix("isolated_fraction_")
        if column != element and element not in training.isolated_elements:
            beyond |= (features[column] > 0).to_numpy()
    return framework & beyond
