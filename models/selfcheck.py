"""What a model knows about itself: scores of the held-out predictions that calibrated it.

These come at no further cost and are honest in what matters: the learners have not seen the group
(or material), and the trust in them was measured without it. Two things are shared with the held
out labels: the five numbers of the population, and hyperparameters if they were tuned on all
labels. :func:`.evaluate_grouped` repeats everything per fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from .ensemble import CalibratedEnsemble
from .labels.censoring import FloatArray, truncated_moments
from .labels.folds import IntArray
from .labels.tables import LabelArrays
from .labels.targets import Target
from .trust.metrics import (
    Outcome,
    concordance,
    coverage,
    mean_absolute_error,
    mean_bound_violation,
    root_mean_square_error,
    sharpness,
    spearman,
    with_interval,
)
from .trust.trust import Combined, HeldOut, cross_fitted

Scores = dict[str, dict[str, dict[str, list[float | None]]]]

GROUP_OUT: Final = "leave_group_out"
MATERIAL_OUT: Final = "leave_material_out"
_SAMPLES: Final = 100
_SCORES: Final[Mapping[str, Callable[[Outcome], float]]] = {
    "mae": mean_absolute_error,
    "rmse": root_mean_square_error,
    "bound_violation": mean_bound_violation,
    "spearman": spearman,
    "concordance": concordance,
    "coverage": coverage,
    "sharpness": sharpness,
}


MODEL: Final = "model"
HELD_OUT_COLUMNS: Final = (
    "left_out",
    "structure_id",
    "temperature_K",
    "label_lower",
    "label_upper",
    "prediction",
    "low",
    "high",
)

Outcomes = dict[str, dict[str, Outcome]]
"""Held-out labels and answers, by what was left out, then by method."""


def held_out_outcomes(
    ensemble: CalibratedEnsemble, target: Target, arrays: LabelArrays
) -> Outcomes:
    """Answers to labels that the learners had not seen, beside naive ones, in shown units.

    Parameters
    ----------
    ensemble : CalibratedEnsemble
        Fitted.
    target : Target
        Fitted.
    arrays : LabelArrays
        The labels it was fitted to.
    """
    mean, scale = target.line(arrays.temperature_K)
    bounds = (arrays.bounds - mean[:, None]) / scale[:, None]
    names = [GROUP_OUT] if len(ensemble.levels_) == 1 else [MATERIAL_OUT, GROUP_OUT]
    found: Outcomes = {}
    for which, name in enumerate(names):
        level = ensemble.levels_[which]
        model = cross_fitted(
            ensemble.levels_,
            which,
            bounds,
            ensemble.label_sd_,
            ensemble.coverage,
            expected=ensemble.expected_,
            recalls=ensemble.recalls,
        )
        answers = {MODEL: model, **_naive(level, bounds, arrays.group)}
        found[name] = {
            method: _outcome(answer, mean, scale, target, arrays)
            for method, answer in answers.items()
        }
    return found


def held_out_scores(outcomes: Outcomes, seed: int) -> Scores:
    """Scores by what was left out, then method, then name, as [value, low, high].

    Parameters
    ----------
    outcomes : dict
        From :func:`held_out_outcomes`.
    seed : int
        Of the bootstrap over groups.
    """
    return {
        left_out: {method: _scored(outcome, seed) for method, outcome in methods.items()}
        for left_out, methods in outcomes.items()
    }


def held_out_table(outcomes: Outcomes, structure_ids: Sequence[str]) -> pd.DataFrame:
    """The model's held-out answers as a table.

    Parameters
    ----------
    outcomes : dict
        From :func:`held_out_outcomes`.
    structure_ids : sequence of str, length n
        Of the labels.

    Returns
    -------
    DataFrame
        Columns :data:`HELD_OUT_COLUMNS`, one row per label and way of leaving out; log10 of S/cm
        or cm²/s, or K for an onset. An open side of a label is NaN.
    """
    parts = []
    for left_out, methods in outcomes.items():
        answer = methods[MODEL]
        bounds = np.where(np.isfinite(answer.bounds), answer.bounds, np.nan)
        values = (left_out, list(structure_ids), answer.stratum, *bounds.T, answer.prediction)
        columns = dict(zip(HELD_OUT_COLUMNS, (*values, *answer.interval.T), strict=True))
        parts.append(pd.DataFrame(columns))
    if not parts:
        return pd.DataFrame(columns=list(HELD_OUT_COLUMNS))
    return pd.concat(parts, ignore_index=True)


def _naive(level: HeldOut, bounds: FloatArray, groups: IntArray) -> dict[str, Combined]:
    """Answers without learning; the group's own mean exists where relatives are left in."""
    answers = {
        "temperature only": np.zeros(len(bounds)),
        "nearest neighbour": level.neighbour,
    }
    if not np.array_equal(level.groups, groups):
        answers["group mean"] = _group_means(level, bounds, groups)
    nothing = np.full(len(bounds), np.nan)
    return {name: Combined(z, nothing, nothing, nothing) for name, z in answers.items()}


def _group_means(level: HeldOut, bounds: FloatArray, groups: IntArray) -> FloatArray:
    """Mean position of the other materials of the group; the population where there are none."""
    expected, _ = truncated_moments(bounds, 0.0, 1.0)
    result = np.zeros(len(bounds))
    for row in range(len(bounds)):
        others = (groups == groups[row]) & (level.groups != level.groups[row])
        if others.any():
            result[row] = expected[others].mean()
    return result


def _outcome(
    answer: Combined, mean: FloatArray, scale: FloatArray, target: Target, arrays: LabelArrays
) -> Outcome:
    centre, half = mean + scale * answer.mean, scale * answer.half_width
    nothing = np.full(len(centre), np.nan)
    return Outcome(
        bounds=target.shown(arrays.bounds),
        prediction=target.shown(centre),
        interval=np.column_stack([target.shown(centre - half), target.shown(centre + half)]),
        group=arrays.group,
        stratum=np.nan_to_num(arrays.temperature_K),
        event=nothing,
        event_score=nothing,
    )


def _scored(outcome: Outcome, seed: int) -> dict[str, list[float | None]]:
    result = {}
    for name, score in _SCORES.items():
        found = with_interval(score, outcome, seed, _SAMPLES)
        # JSON knows no NaN: a score that is not defined is null.
        numbers = (found.value, found.low, found.high)
        result[name] = [float(v) if np.isfinite(v) else None for v in numbers]
    return result
