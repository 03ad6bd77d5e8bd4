"""Scores from the predictions that calibration made for rows it had held out, at no extra cost.

The population line has seen all labels, for the model and the baseline alike; a full refit per fold
(:mod:`.evaluation`) changes the scores little and takes ten times as long.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .censoring import FloatArray
from .ensemble import CalibratedEnsemble
from .folds import IntArray
from .metrics import Outcome, coverage, mean_absolute_error, spearman, with_interval
from .tables import LabelArrays
from .targets import Target

SCHEMES: Final = ("new family", "new material")
"""What was held out: whole groups of structures, or one structure at a time."""
BASELINE: Final = "temperature only"


def held_out_scores(
    arrays: LabelArrays, target: Target, ensemble: CalibratedEnsemble, seed: int
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Scores by scheme, method and name, each as value and 95 % interval over groups.

    Errors are in the unit of the target (decades for a conductivity).
    """
    scores = {}
    for scheme, part, (mean, half) in zip(
        SCHEMES, (arrays.group, arrays.row), ensemble.held_out_, strict=True
    ):
        flat = np.zeros_like(mean)
        nothing = np.full_like(mean, np.nan)
        scores[scheme] = {
            "model": _scores(_outcome(arrays, target, part, mean, half), seed),
            BASELINE: _scores(_outcome(arrays, target, part, flat, nothing), seed),
        }
    return scores


def _outcome(
    arrays: LabelArrays, target: Target, part: IntArray, mean: FloatArray, half: FloatArray
) -> Outcome:
    line, scale = target.line(arrays.temperature_K)
    centre, reach = line + scale * mean, scale * half
    undefined = np.full(len(mean), np.nan)
    return Outcome(
        arrays.bounds,
        centre,
        np.column_stack([centre - reach, centre + reach]),
        part,
        arrays.temperature_K,
        undefined,
        centre,
    )


def _scores(outcome: Outcome, seed: int) -> dict[str, list[float]]:
    chosen = {"mae": mean_absolute_error, "spearman": spearman}
    if np.isfinite(outcome.interval).all():
        chosen["coverage"] = coverage
    scored = {name: with_interval(score, outcome, seed) for name, score in chosen.items()}
    return {name: [s.value, s.low, s.high] for name, s in scored.items()}
