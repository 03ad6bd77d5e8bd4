"""Held-out evaluation on whole groups, beside naive baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
import pandas as pd

from ..labels.folds import IntArray, grouped_folds
from ..labels.tables import LabelArrays
from ..labels.targets import Target, make_target
from ..model import make_model
from ..trust.metrics import (
    REGRESSION_SCORES,
    Outcome,
    Score,
    decide_event,
    event_scores,
    group_resamples,
    percentile_interval,
    with_interval,
)
from .baselines import NearestNeighbour, TemperatureOnly

MODEL_NAME: Final = "model"
Factory = Callable[[], Any]


@dataclass(frozen=True, kw_only=True)
class GroupedEvaluation:
    """Held-out predictions and scores of several methods on the same folds."""

    quantity: str
    unit: str
    predictions: pd.DataFrame
    """One row per label and method: ids, temperature, label bounds and prediction in ``unit``."""
    scores: Mapping[str, Mapping[str, Score]]
    """By method, then by score name."""
    outcomes: Mapping[str, Outcome]
    n_groups: int
    n_folds: int

    def table(self) -> pd.DataFrame:
        """Methods by scores, each as ``value [low, high]``."""
        rows = {m: {k: str(s) for k, s in by.items()} for m, by in self.scores.items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    def difference(
        self, score: Callable[[Outcome], float], first: str, second: str, seed: int = 0
    ) -> Score:
        """Score of ``first`` minus that of ``second`` with a paired bootstrap over groups.

        Pairing takes the difficulty of a group out of the comparison: the interval answers whether
        one method is better, not how hard the data are.
        """
        a, b = self.outcomes[first], self.outcomes[second]
        samples = group_resamples(a.group, seed)
        drawn = np.array([score(a.take(rows)) - score(b.take(rows)) for rows in samples])
        return Score(score(a) - score(b), *percentile_interval(drawn))

    def __str__(self) -> str:
        return self.table().T.to_string()

    def __repr__(self) -> str:
        labels = len(self.predictions) // max(len(self.outcomes), 1)
        return (
            f"<evaluation of {self.quantity}: {labels} labels of {self.n_groups} groups in "
            f"{self.n_folds} folds; {', '.join(self.outcomes)}>"
        )

    def _repr_html_(self) -> str:
        """Scores by method, for notebooks."""
        return f"<p>{escape(repr(self)[1:-1])}</p>{self.table().T.to_html()}"


def baselines(quantity: str = "sigma_S_cm") -> dict[str, Factory]:
    """Naive methods by name."""
    return {
        "temperature only": lambda: TemperatureOnly(quantity),
        "nearest neighbour": lambda: NearestNeighbour(quantity),
    }


def evaluate_grouped(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    methods: Mapping[str, Factory] | None = None,
    n_folds: int | None = None,
    seed: int = 0,
    quantity: str = "sigma_S_cm",
    threshold: float = 1e-3,
    temperature_K: float | None = None,
    top_k: int = 50,
    folds: Mapping[str, int] | None = None,
) -> GroupedEvaluation:
    """Leave whole groups out, predict their labels, score against values and bounds.

    Parameters
    ----------
    features : DataFrame
        Index = structure id.
    labels : DataFrame
        Labels of one kind; the column ``group`` says what is held out together
        (:mod:`.splitters`).
    methods : mapping of name to factory, optional
        Each makes an unfitted model. Default: the model of the quantity and the baselines.
    n_folds : int, optional
        Default: leave one group out.
    seed : int
        For folds, bootstrap intervals and the default model.
    quantity : str
        As in the label table.
    threshold : float
        Conductivity (S/cm) or diffusivity (cm²/s) of the event "conducts".
    temperature_K : float, optional
        Where the event is judged; needed for onsets. For other quantities the default is every
        label at its own temperature.
    top_k : int
        For precision and enrichment among the first; at most half of the labels.
    folds : mapping of structure id to number, optional
        Fixed folds, in place of folds drawn over the groups.

    Returns
    -------
    GroupedEvaluation
        Scores with 95 % intervals from a bootstrap over groups, in decades or K.
    """
    default: dict[str, Factory] = {
        MODEL_NAME: lambda: make_model(quantity, seed=seed, threshold=threshold),
        **baselines(quantity),
    }
    target = make_target(quantity)
    arrays = target.read(labels, features.index)
    judged = _EventAt(threshold, temperature_K)
    n_groups = len(np.unique(arrays.group))
    if folds is None:
        parts = list(grouped_folds(arrays.group, n_folds or n_groups, seed))
    else:
        number = np.array([folds[str(i)] for i in features.index[arrays.row]])
        parts = [
            (np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in np.unique(number)
        ]
    outcomes = {
        name: _held_out(factory, features, labels, arrays, parts, target, judged)
        for name, factory in (methods or default).items()
    }
    wanted = {**REGRESSION_SCORES, **event_scores(max(min(top_k, len(arrays.row) // 2), 1))}
    scores = {
        name: {k: with_interval(s, outcome, seed) for k, s in wanted.items()}
        for name, outcome in outcomes.items()
    }
    ids = features.index[arrays.row]
    frames = [_prediction_rows(name, ids, arrays, o) for name, o in outcomes.items()]
    return GroupedEvaluation(
        quantity=quantity,
        unit=target.unit,
        predictions=pd.concat(frames, ignore_index=True),
        scores=scores,
        outcomes=outcomes,
        n_groups=n_groups,
        n_folds=len(parts),
    )


@dataclass(frozen=True)
class _EventAt:
    threshold: float
    temperature_K: float | None

    def decide(self, target: Target, arrays: LabelArrays) -> np.ndarray:
        temperature = arrays.temperature_K
        if self.temperature_K is not None:
            temperature = np.full(len(arrays.row), self.temperature_K)
        threshold = target.event_threshold(self.threshold, temperature)
        event = decide_event(arrays.bounds, threshold, target.event_above)
        if target.event_above and self.temperature_K is not None:
            event = np.where(arrays.temperature_K == self.temperature_K, event, np.nan)
        return event

    def at(self, target: Target, arrays: LabelArrays) -> np.ndarray:
        """Temperature of predictions: of the label where it has one, else of the event."""
        if target.event_above:
            return arrays.temperature_K
        return np.full(len(arrays.row), self.temperature_K or 300.0)


def _held_out(
    factory: Factory,
    features: pd.DataFrame,
    labels: pd.DataFrame,
    arrays: LabelArrays,
    folds: list[tuple[IntArray, IntArray]],
    target: Target,
    judged: _EventAt,
) -> Outcome:
    n = len(arrays.row)
    prediction, probability = np.full(n, np.nan), np.full(n, np.nan)
    interval = np.full((n, 2), np.nan)
    temperature = judged.at(target, arrays)
    known = labels["structure_id"].astype(str)
    for train, test in folds:
        # By structure, not by row: a target may merge several labels of one structure.
        kept = known.isin(features.index[arrays.row[train]].astype(str))
        model = factory().fit(features, labels[kept])
        answer = model.predict(features.iloc[arrays.row[test]], temperature[test])
        prediction[test] = answer["prediction"]
        if "low" in answer:
            interval[test] = answer[["low", "high"]]
            probability[test] = answer["p_exceeds"]
    sign = 1.0 if target.event_above else -1.0
    return Outcome(
        bounds=target.shown(arrays.bounds),
        prediction=prediction,
        interval=interval,
        group=arrays.group,
        stratum=np.nan_to_num(arrays.temperature_K),
        event=judged.decide(target, arrays),
        event_score=np.where(np.isfinite(probability), probability, sign * prediction),
    )


def _prediction_rows(
    method: str, ids: pd.Index, arrays: LabelArrays, outcome: Outcome
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": method,
            "structure_id": ids,
            "temperature_K": arrays.temperature_K,
            "group": outcome.group,
            "label_low": outcome.bounds[:, 0],
            "label_high": outcome.bounds[:, 1],
            "prediction": outcome.prediction,
            "low": outcome.interval[:, 0],
            "high": outcome.interval[:, 1],
            "event": outcome.event,
            "event_score": outcome.event_score,
        }
    )
