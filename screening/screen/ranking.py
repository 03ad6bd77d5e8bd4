"""Ranking and flags: what to look at first, and what a model cannot be trusted on.

Rank: probability of exceeding the threshold, ties broken by the predicted conductivity, then by
the smaller domain distance, then by id.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from .flags import FlagRules, TrainingRange, flag_columns, flag_reasons

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
    "known_structure",
    "known_relation",
    "flags",
    "n_sites",
    "source",
    "e_above_hull_meV_atom",
    "li_window_low_V",
    "li_window_high_V",
)


STABILITY_COLUMNS: Final[tuple[str, ...]] = (
    "e_above_hull_meV_atom",
    "li_window_low_V",
    "li_window_high_V",
)
"""From the source or from energies given; NaN where not known."""


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
        Same index; ``formula``, ``n_sites``, ``source``, ``known_structure``, ``known_relation``,
        and :data:`STABILITY_COLUMNS` if known.
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
            "known_structure": descriptions["known_structure"].to_numpy(),
            "known_relation": descriptions["known_relation"].to_numpy(),
            "n_sites": descriptions["n_sites"].to_numpy(),
            "source": descriptions["source"].to_numpy(),
            **{name: _known(descriptions, name) for name in STABILITY_COLUMNS},
        }
    ).round(DECIMALS)
    table["known_formula"] = table["formula"].isin(training.formulas)
    table["flags"] = _flags(table, features, training, rules or FlagRules(), mobile)
    return _sorted(table)[list(RANKING_COLUMNS)]


def _known(descriptions: pd.DataFrame, name: str) -> np.ndarray:
    if name not in descriptions:
        return np.full(len(descriptions), np.nan)
    return descriptions[name].to_numpy(dtype=np.float64)


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
    answers = table[["p_fast", "domain_distance", "family_disagreement_log10"]].to_dict("records")
    rows = features[flag_columns(features)].to_dict("records")
    return [
        ";".join(flag_reasons(answer, row, training, rules, mobile))
        for answer, row in zip(answers, rows, strict=True)
    ]
