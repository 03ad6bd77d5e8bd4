"""Ranking: what to look at first.

Rank: probability of exceeding the threshold, ties broken by the predicted conductivity, then by
the smaller domain distance, then by id.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from .flags import TrainingRange

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
    "log10_sigma_300K_experiment_S_cm",
    "log10_sigma_300K_experiment_low",
    "log10_sigma_300K_experiment_high",
    "p_fast_experiment",
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
    "flag_reasons",
    "follow_up",
    "follow_up_reason",
    "core_hours",
    "n_sites",
    "source",
    "note",
    "e_above_hull_meV_atom",
    "li_window_low_V",
    "li_window_high_V",
)
"""In the order of the file; :mod:`.flags` and :mod:`.follow_up` add what is theirs."""

CELLS_APART_LOG10: Final[float] = 1.0
"""Cells of one formula that are predicted further apart than this are remarked upon."""

STABILITY_COLUMNS: Final[tuple[str, ...]] = (
    "e_above_hull_meV_atom",
    "li_window_low_V",
    "li_window_high_V",
)
"""From the source or from energies given; NaN where not known."""


ISOLATED_COLUMNS: Final[tuple[str, ...]] = (
    "isolated_class",
    "isolated_fraction",
    "isolated_count",
    "isolated_margin",
)
"""Descriptors that stand in the ranking."""


def rank_candidates(
    features: pd.DataFrame,
    predictions: pd.DataFrame,
    descriptions: pd.DataFrame,
    training: TrainingRange,
    measured: pd.DataFrame | None = None,
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
        ``note`` if the reader remarks on some or another structure stands for them, and
        :data:`STABILITY_COLUMNS` if known.
    training : TrainingRange
        For known formulas.
    measured : DataFrame, optional
        Same index; what a measurement would find, as ``predictions``. NaN where not given.

    Returns
    -------
    DataFrame
        Columns of :data:`RANKING_COLUMNS` but flags and shortlist.
    """
    table = pd.DataFrame(
        {
            "id": features.index.astype(str),
            "formula": descriptions["formula"].to_numpy(),
            "log10_sigma_300K_S_cm": predictions["prediction"].to_numpy(),
            "log10_sigma_300K_low": predictions["low"].to_numpy(),
            "log10_sigma_300K_high": predictions["high"].to_numpy(),
            "p_fast": predictions["p_exceeds"].to_numpy(),
            **_measured(measured, len(features)),
            "domain_distance": predictions["domain_distance"].to_numpy(),
            **{name: features[name].to_numpy() for name in ISOLATED_COLUMNS},
            "spread_log10": predictions["spread"].to_numpy(),
            "family_disagreement_log10": predictions["family_disagreement"].to_numpy(),
            "known_structure": descriptions["known_structure"].to_numpy(),
            "known_relation": descriptions["known_relation"].to_numpy(),
            "n_sites": descriptions["n_sites"].to_numpy(),
            "source": descriptions["source"].to_numpy(),
            "note": descriptions["note"].to_numpy() if "note" in descriptions else "",
            **{name: _known(descriptions, name) for name in STABILITY_COLUMNS},
        }
    ).round(DECIMALS)
    table["known_formula"] = table["formula"].isin(training.formulas)
    table["note"] = _notes_on_cells(table)
    return in_order(_sorted(table))


MEASURED_COLUMNS: Final[dict[str, str]] = {
    "log10_sigma_300K_experiment_S_cm": "prediction",
    "log10_sigma_300K_experiment_low": "low",
    "log10_sigma_300K_experiment_high": "high",
    "p_fast_experiment": "p_exceeds",
}
"""Answers for measurements: column of the ranking, column of the model."""


def _measured(measured: pd.DataFrame | None, n_rows: int) -> dict[str, np.ndarray]:
    if measured is None:
        return {name: np.full(n_rows, np.nan) for name in MEASURED_COLUMNS}
    return {name: measured[column].to_numpy() for name, column in MEASURED_COLUMNS.items()}


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Columns in the order of :data:`RANKING_COLUMNS`; those that are missing are left out."""
    return table[[name for name in RANKING_COLUMNS if name in table]]


def _notes_on_cells(table: pd.DataFrame) -> list[str]:
    """Notes, with what other cells of the same formula are predicted where they lie far apart.

    Li6PS5Cl with its S and Cl in order is slow in AIMD and fast with half of them exchanged: the
    cell given for a compound is a choice, and what hangs on it must be seen.
    """
    known = table.groupby("formula")["log10_sigma_300K_S_cm"]
    low, high = known.transform("min"), known.transform("max")
    return [
        "; ".join(
            filter(
                None,
                [
                    note,
                    f"other cells of {formula} are predicted from {one:.1f} to {other:.1f}: order "
                    "of the sites or polymorph decide"
                    if other - one > CELLS_APART_LOG10
                    else "",
                ],
            )
        )
        for note, formula, one, other in zip(
            table["note"], table["formula"], low, high, strict=True
        )
    ]


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
