"""Held-out evaluation of conductivity models on whole groups, beside naive baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from .baselines import NearestNeighbour, TemperatureOnly
from .conductivity import ConductivityModel
from .folds import grouped_folds
from .metrics import REGRESSION_SCORES, Outcome, Score, with_interval
from .tables import LabelArrays, label_arrays

MODEL_NAME: Final = "model"
Factory = Callable[[], Any]


@dataclass(frozen=True)
class GroupedEvaluation:
    """Held-out predictions and scores of several methods on the same folds."""

    predictions: pd.DataFrame
    """One row per label and method: ids, temperature, label bounds (log10 S/cm), prediction."""
    scores: Mapping[str, Mapping[str, Score]]
    """By method, then by score name."""
    n_groups: int

    def table(self) -> pd.DataFrame:
        """Methods by scores, each as ``value [low, high]``."""
        rows = {m: {k: str(s) for k, s in by.items()} for m, by in self.scores.items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    def __str__(self) -> str:
        return self.table().T.to_string()


def baselines() -> dict[str, Factory]:
    """Naive methods by name."""
    return {"temperature only": TemperatureOnly, "nearest neighbour": NearestNeighbour}


def evaluate_grouped(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    methods: Mapping[str, Factory] | None = None,
    n_folds: int | None = None,
    seed: int = 0,
) -> GroupedEvaluation:
    """Leave whole groups out, predict their labels, score against values and bounds.

    Parameters
    ----------
    features : DataFrame
        Index = structure id.
    labels : DataFrame
        Conductivity labels of one kind; the column ``group`` names families.
    methods : mapping of name to factory, optional
        Each makes an unfitted model. Default: :class:`ConductivityModel` and the baselines.
    n_folds : int, optional
        Default: leave one group out.
    seed : int
        For the bootstrap intervals and the default model.

    Returns
    -------
    GroupedEvaluation
        Scores with 95 % intervals from a bootstrap over groups, decades where they have a unit.
    """
    chosen = methods or {MODEL_NAME: lambda: ConductivityModel(seed=seed), **baselines()}
    arrays = label_arrays(labels, features.index)
    selected = labels[labels["quantity"] == "sigma_S_cm"].reset_index(drop=True)
    n_groups = len(np.unique(arrays.group))
    folds = list(grouped_folds(arrays.group, n_folds or n_groups))
    outcomes = {
        name: _held_out(factory, features, selected, arrays, folds)
        for name, factory in chosen.items()
    }
    scores = {
        name: {k: with_interval(s, outcome, seed) for k, s in REGRESSION_SCORES.items()}
        for name, outcome in outcomes.items()
    }
    frames = [_prediction_rows(name, selected, o) for name, o in outcomes.items()]
    return GroupedEvaluation(pd.concat(frames, ignore_index=True), scores, n_groups)


def _held_out(
    factory: Factory,
    features: pd.DataFrame,
    labels: pd.DataFrame,
    arrays: LabelArrays,
    folds: list[tuple[Any, Any]],
) -> Outcome:
    prediction = np.full(len(labels), np.nan)
    interval = np.full((len(labels), 2), np.nan)
    for train, test in folds:
        model = factory().fit(features, labels.iloc[train])
        rows = features.iloc[arrays.row[test]]
        answer = model.predict(rows, arrays.temperature_K[test])
        prediction[test] = answer["prediction"]
        if "low" in answer:
            interval[test] = answer[["low", "high"]]
    return Outcome(arrays.log10_bounds, prediction, interval, arrays.group, arrays.temperature_K)


def _prediction_rows(method: str, labels: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": method,
            "structure_id": labels["structure_id"].to_numpy(),
            "temperature_K": outcome.stratum,
            "group": labels["group"].to_numpy(),
            "label_low": outcome.bounds[:, 0],
            "label_high": outcome.bounds[:, 1],
            "prediction": outcome.prediction,
            "low": outcome.interval[:, 0],
            "high": outcome.interval[:, 1],
        }
    )
