"""Scores of anyone's predictions on the embedded tables, beside baselines on the same folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.embedded.benchmark import (
    Table,
    benchmark_baselines,
    benchmark_labels,
    benchmark_rows,
    folds_hash,
)
from ...data.errors import InputError
from ..labels.censoring import FloatArray
from ..trust.metrics import (
    Outcome,
    Score,
    auc,
    coverage,
    decide_event,
    group_resamples,
    mean_absolute_error,
    mean_bound_violation,
    percentile_interval,
    rank_correlation,
    with_interval,
)

ANSWER: Final = "log10_sigma_S_cm"
ALIASES: Final[dict[str, str]] = {
    "prediction": ANSWER,
    "log10_sigma_300K_S_cm": ANSWER,
    "log10_sigma_low": "low",
    "log10_sigma_high": "high",
    "structure_id": "id",
}
"""Columns as ``ionsieve predict`` and ``ionsieve screen`` name them."""

THRESHOLD_S_CM: Final[dict[str, float]] = {"experiment": 1e-4, "aimd": 1e-2}
"""Fast at room temperature; conducts at the temperature of the simulation."""

_LARGEST, _SMALLEST = 2.0, -60.0
"""Of log10 σ (S/cm): no ion conductor lies above, and nothing that can be measured below."""


def sharpness(outcome: Outcome) -> float:
    """Median width of the predicted interval, decades."""
    width = outcome.interval[:, 1] - outcome.interval[:, 0]
    finite = width[np.isfinite(width)]
    return float(np.median(finite)) if len(finite) else float("nan")


def spearman_within_temperature(outcome: Outcome) -> float:
    """Rank correlation over values, each ranked among those of its temperature; by their number."""
    closed = np.isfinite(outcome.bounds).all(axis=1)
    total, weight = 0.0, 0
    for value in np.unique(outcome.stratum[closed]):
        rows = closed & (outcome.stratum == value)
        found = rank_correlation(outcome.bounds[rows].mean(axis=1), outcome.prediction[rows])
        if np.isfinite(found):
            total, weight = total + found * int(rows.sum()), weight + int(rows.sum())
    return total / weight if weight else float("nan")


SCORES: Final[Mapping[str, Callable[[Outcome], float]]] = {
    "mae": mean_absolute_error,
    "bound_violation": mean_bound_violation,
    "spearman": spearman_within_temperature,
    "auc": auc,
    "coverage": coverage,
    "median_width": sharpness,
}
"""Scores by name: decades for the first two and the last, else between 0 (−1) and 1."""


@dataclass(frozen=True, kw_only=True)
class LandmarkAnswer:
    """A material known to be fast or slow, and where a method puts it.

    Attributes
    ----------
    formula : str
    known : str
        ``fast`` or ``slow``.
    n : int
        Entries; numbers are medians over them.
    label, prediction : float
        log10 of S/cm; a label that is a bound counts at its end.
    """

    formula: str
    known: str
    n: int
    label: float
    prediction: float


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """Scores of one method, beside those of others on the same folds."""

    on: Table
    method: str
    n_rows: int
    n_groups: int
    folds: str
    """Hash of the folds."""
    scores: Mapping[str, Mapping[str, Score]]
    """By method, then by score; the method scored comes first."""
    differences: Mapping[str, Score]
    """Mean absolute error of the method minus that of another, paired bootstrap, decades."""
    landmarks: Mapping[str, float]
    """By method: share of (fast, slow) pairs of landmarks that are ordered right."""
    landmark_answers: tuple[LandmarkAnswer, ...]
    """Of the method scored, fast ones first, each group from fast to slow."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not defined is null."""
        return {
            "on": self.on,
            "method": self.method,
            "n_rows": self.n_rows,
            "n_groups": self.n_groups,
            "folds": self.folds,
            "scores": {
                method: {name: _plain(score) for name, score in by.items()}
                for method, by in self.scores.items()
            },
            "mae_difference": {name: _plain(score) for name, score in self.differences.items()},
            "landmarks": {m: _number(v) for m, v in self.landmarks.items()},
            "landmark_answers": [asdict(one) for one in self.landmark_answers],
        }


def read_predictions(path: str | Path, on: Table) -> pd.DataFrame:
    """Read and check a file of predictions.

    Returns
    -------
    DataFrame
        ``log10_sigma_S_cm``, ``low``, ``high`` (NaN without intervals), in the order of
        :func:`ionsieve.data.embedded.benchmark.benchmark_rows`.

    Raises
    ------
    InputError
        In one line, with the row or the id and the remedy: a missing, unknown or repeated id, a
        cell that is no number, numbers that are not log10 of S/cm, an interval beside its value.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"{source}: no such file; 'ionsieve benchmark --template' writes one")
    try:
        table = pd.read_csv(source, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source}: not a readable CSV ({reason})") from None
    return check_predictions(table, on, str(source))


def check_predictions(table: pd.DataFrame, on: Table, name: str = "predictions") -> pd.DataFrame:
    """As :func:`read_predictions`, for a table in memory."""
    names = {old: new for old, new in ALIASES.items() if new not in table.columns}
    table = table.rename(columns=names)
    for column in ("id", ANSWER):
        if column not in table.columns:
            raise InputError(
                f"{name}: column {column!r} is missing; 'ionsieve benchmark --template --on {on}' "
                "writes the file to fill in"
            )
    table = table.assign(id=table["id"].astype(str).str.strip())
    asked = benchmark_rows(on)
    if "temperature_K" not in table.columns:
        table = _with_temperature(table, asked, name)
    numbers = pd.DataFrame({"id": table["id"]})
    numbers["temperature_K"] = _numbers(table, "temperature_K", name, required=True)
    numbers[ANSWER] = _numbers(table, ANSWER, name, required=True)
    for column in ("low", "high"):
        given = column in table.columns
        numbers[column] = _numbers(table, column, name) if given else np.nan
    answers = _aligned(numbers, asked, name)
    _check_units(answers[ANSWER].to_numpy(), name)
    _check_intervals(answers, name)
    return answers


def score_predictions(
    answers: pd.DataFrame,
    on: Table,
    method: str = "predictions",
    seed: int = 0,
    beside_baselines: bool = True,
) -> BenchmarkResult:
    """Score checked predictions beside the baselines.

    Parameters
    ----------
    answers : DataFrame
        From :func:`check_predictions`.
    on : {'experiment', 'aimd'}
    method : str
        What to call it.
    seed : int
        For the bootstrap over groups.
    beside_baselines : bool
        Also score the baselines, and compare with each.
    """
    asked = benchmark_rows(on)
    others = benchmark_baselines(on)
    if not beside_baselines:
        others = others[:0]
    outcomes = {method: _outcome(answers, asked, on)}
    landmarks = {method: _landmarks(answers, asked)}
    for other, rows in others.groupby("method", sort=False):
        if str(other) != method:
            aligned = _aligned(rows.drop(columns="method"), asked, str(other))
            outcomes[str(other)] = _outcome(aligned, asked, on)
            landmarks[str(other)] = _landmarks(aligned, asked)
    scores = {
        name: {key: with_interval(score, outcome, seed) for key, score in SCORES.items()}
        for name, outcome in outcomes.items()
    }
    own = outcomes[method]
    differences = {
        name: _difference(own, outcome, seed)
        for name, outcome in outcomes.items()
        if name != method
    }
    return BenchmarkResult(
        on=on,
        method=method,
        n_rows=len(asked),
        n_groups=int(asked["group"].nunique()),
        folds=folds_hash(),
        scores=scores,
        differences=differences,
        landmarks=landmarks,
        landmark_answers=_landmark_answers(answers, asked, on),
    )


def _landmark_answers(
    answers: pd.DataFrame, asked: pd.DataFrame, on: Table
) -> tuple[LandmarkAnswer, ...]:
    labels = benchmark_labels(on)
    ends = _log10_bounds(labels)
    end = np.where(np.isfinite(ends[:, 1]), ends[:, 1], ends[:, 0])
    known = labels[["structure_id", "temperature_K", "formula"]].assign(label=end)
    rows = asked.assign(prediction=answers[ANSWER].to_numpy())
    rows = rows[rows["landmark"] != ""].merge(
        known, left_on=["id", "temperature_K"], right_on=["structure_id", "temperature_K"]
    )
    found = [
        LandmarkAnswer(
            formula=str(formula),
            known=str(mark),
            n=int(part["id"].nunique()),
            label=round(float(part["label"].median()), 4),
            prediction=round(float(part["prediction"].median()), 4),
        )
        for (mark, formula), part in rows.groupby(["landmark", "formula"])
    ]
    return tuple(sorted(found, key=lambda one: (one.known, -one.prediction, one.formula)))


def _difference(own: Outcome, other: Outcome, seed: int) -> Score:
    samples = group_resamples(own.group, seed)
    drawn = [
        mean_absolute_error(own.take(rows)) - mean_absolute_error(other.take(rows))
        for rows in samples
    ]
    value = mean_absolute_error(own) - mean_absolute_error(other)
    return Score(value, *percentile_interval(np.array(drawn)))


def _outcome(answers: pd.DataFrame, asked: pd.DataFrame, on: Table) -> Outcome:
    labels = benchmark_labels(on)
    place = pd.MultiIndex.from_frame(asked[["id", "temperature_K"]])
    keys = pd.MultiIndex.from_arrays([labels["structure_id"], labels["temperature_K"]])
    row = place.get_indexer(keys)
    bounds = _log10_bounds(labels)
    prediction = answers[ANSWER].to_numpy()[row]
    threshold = np.full(len(labels), np.log10(THRESHOLD_S_CM[on]))
    return Outcome(
        bounds=bounds,
        prediction=prediction,
        interval=answers[["low", "high"]].to_numpy()[row],
        group=asked["group"].to_numpy(dtype=np.int64)[row],
        stratum=labels["temperature_K"].to_numpy(dtype=np.float64),
        event=decide_event(bounds, threshold, above=True),
        event_score=prediction,
    )


def _log10_bounds(labels: pd.DataFrame) -> FloatArray:
    value = labels["value"]
    low, high = (labels[name].where(value.isna(), value) for name in ("lower", "upper"))
    with np.errstate(divide="ignore"):
        ends = np.log10(np.column_stack([low.fillna(0.0), high.fillna(np.inf)]))
    return np.asarray(ends, dtype=np.float64)


def _landmarks(answers: pd.DataFrame, asked: pd.DataFrame) -> float:
    mark = asked["landmark"].to_numpy()
    fast, slow = (answers[ANSWER].to_numpy()[mark == kind] for kind in ("fast", "slow"))
    if not len(fast) or not len(slow):
        return float("nan")
    gap = fast[:, None] - slow[None, :]
    return float(((gap > 0) + 0.5 * (gap == 0)).mean())


def _with_temperature(table: pd.DataFrame, asked: pd.DataFrame, name: str) -> pd.DataFrame:
    """Experiments are asked at one temperature: the column may be left out."""
    known = asked["temperature_K"].unique()
    if len(known) > 1:
        raise InputError(f"{name}: column 'temperature_K' is missing; each row has its own")
    return table.assign(temperature_K=str(known[0]))


def _numbers(table: pd.DataFrame, column: str, name: str, required: bool = False) -> pd.Series:
    text = table[column].astype(str).str.strip()
    empty = text.str.lower().isin(["", "nan", "none", "na", "null"])
    number = pd.to_numeric(text.where(~empty), errors="coerce")
    wrong = (number.isna() & ~empty) | np.isinf(number) | (empty & required)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        shown = text.iloc[at] or "empty"
        raise InputError(
            f"{name}: row {at + 1} ({table['id'].iloc[at]}): {column} is {shown}; give a finite "
            f"number{'' if required else ' or leave it empty'}"
        )
    return number


def _aligned(numbers: pd.DataFrame, asked: pd.DataFrame, name: str) -> pd.DataFrame:
    """Rows in the order asked; what is missing, unknown or given twice is an error."""
    keys = ["id", "temperature_K"]
    if (twice := numbers.duplicated(keys)).any():
        one = numbers.loc[twice].iloc[0]
        raise InputError(
            f"{name}: {one['id']} at {one['temperature_K']:g} K is given twice; keep one row"
        )
    wanted = pd.MultiIndex.from_frame(asked[keys])
    given = pd.MultiIndex.from_frame(numbers[keys])
    if len(unknown := given.difference(wanted)):
        row_id, temperature = unknown[0]
        raise InputError(
            f"{name}: {row_id} at {temperature:g} K is not asked ({len(unknown)} such rows); "
            "keep the rows of the template"
        )
    if len(missing := wanted.difference(given)):
        row_id, temperature = missing[0]
        raise InputError(
            f"{name}: {len(missing)} of {len(wanted)} rows are missing, first {row_id} at "
            f"{temperature:g} K; every row needs a prediction"
        )
    return numbers.set_index(given).loc[wanted].reset_index(drop=True)


def _check_units(values: FloatArray, name: str) -> None:
    if (values > 0).all():
        if np.median(values) < 1.0:
            raise InputError(
                f"{name}: all values are positive, half of them below {np.median(values):.3g}: "
                "they look like conductivities in S/cm; give their log10"
            )
        raise InputError(
            f"{name}: all values are positive: log10 of S/cm is negative for all but a few melts; "
            "turn the sign, or give log10 of S/cm in place of another unit"
        )
    if (values > _LARGEST).any() or (values < _SMALLEST).any():
        worst = float(values[(values > _LARGEST) | (values < _SMALLEST)][0])
        raise InputError(
            f"{name}: {worst:g} is no log10 of a conductivity in S/cm (from {_SMALLEST:g} to "
            f"{_LARGEST:g}); check the unit"
        )


def _check_intervals(answers: pd.DataFrame, name: str) -> None:
    low, high = answers["low"].to_numpy(), answers["high"].to_numpy()
    if (np.isnan(low) != np.isnan(high)).any():
        at = int(np.flatnonzero(np.isnan(low) != np.isnan(high))[0])
        raise InputError(f"{name}: {answers['id'][at]} has one end of an interval; give both")
    value = answers[ANSWER].to_numpy()
    outside = (value < low) | (value > high)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"{name}: {answers['id'][at]}: the prediction {value[at]:g} is not between low "
            f"{low[at]:g} and high {high[at]:g}"
        )


def _plain(score: Score) -> list[float | None]:
    return [_number(v) for v in (score.value, score.low, score.high)]


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
