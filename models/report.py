"""Evaluation written down: metrics.json, predictions.csv, card.md and plots."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ..data.atomic import write_bytes_atomic, write_json_atomic, write_text_atomic
from .evaluation import GroupedEvaluation
from .metrics import Score
from .model import StructureModel

KIND_CAVEATS: Final[Mapping[str, str]] = {
    "aimd": "AIMD conductivities are optimistic against experiment, by up to 1.6 decades, and "
    "values below 600 K are mostly extrapolated.",
    "mlip_md": "Machine-learned potentials of the M3GNet generation soften and melt early; onsets "
    "are too low and say nothing about 300 K.",
    "experiment": "Measured conductivities depend on density, grain boundaries and impurities; "
    "values of one compound differ by up to two decades between laboratories.",
}
"""What a reader must know about each kind of label."""


def scores_as_json(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, Any]:
    """Scores as ``method → score → {value, low, high}``; undefined ones are null."""
    return {
        method: {
            name: {
                k: v if np.isfinite(v) else None
                for k, v in (("value", s.value), ("low", s.low), ("high", s.high))
            }
            for name, s in by.items()
        }
        for method, by in scores.items()
    }


def write_evaluation(
    folder: Path, evaluation: GroupedEvaluation, context: Mapping[str, Any]
) -> None:
    """Write ``metrics.json``, ``predictions.csv``, ``card.md`` and ``evaluation.png``.

    Parameters
    ----------
    folder : path
        Created if missing.
    evaluation : GroupedEvaluation
    context : mapping
        Plain values that say what was evaluated: kind, grouping, seed, versions, counts.
    """
    description = {
        "quantity": evaluation.quantity,
        "unit": evaluation.unit,
        "n_groups": evaluation.n_groups,
        "n_folds": evaluation.n_folds,
        "context": dict(context),
        "scores": scores_as_json(evaluation.scores),
    }
    write_json_atomic(folder / "metrics.json", description)
    csv = evaluation.predictions.to_csv(index=False)
    write_text_atomic(folder / "predictions.csv", csv)
    write_bytes_atomic(folder / "evaluation.png", evaluation_plot(evaluation))
    write_text_atomic(folder / "card.md", evaluation_card(evaluation, context))


def evaluation_card(evaluation: GroupedEvaluation, context: Mapping[str, Any]) -> str:
    """The evaluation as a page of Markdown."""
    lines = [f"# Evaluation of {evaluation.quantity}", ""]
    lines += [f"- {key}: {value}" for key, value in context.items()]
    lines += [
        f"- {evaluation.n_groups} groups in {evaluation.n_folds} folds; whole groups held out",
        "",
        KIND_CAVEATS.get(str(context.get("kind")), ""),
        "",
        f"Scores with 95 % bootstrap intervals over groups; residuals in {evaluation.unit}.",
        "",
        *markdown_table(evaluation.table().T.reset_index(names="score")),
        "",
        "`coverage` should be near the stated coverage of the intervals, `sharpness` is their mean",
        "width. `bound_violation` is the mean distance by which one-sided bounds are missed.",
        "`concordance` compares pairs at one temperature only; `spearman` also earns from "
        "temperature.",
        "",
        "![Held-out predictions](evaluation.png)",
        "",
    ]
    return "\n".join(lines)


def model_card(model: StructureModel, context: Mapping[str, Any]) -> str:
    """What a model is, what it was trained on and what it knows about itself, as Markdown."""
    training = model.training_
    lines = [f"# Model of {model.quantity}", ""]
    lines += [f"- {key}: {value}" for key, value in {**context, **training}.items()]
    lines += [
        f"- learners: {', '.join(model.members)}",
        f"- feature columns: {len(model.columns_)}",
        f"- predictions in {model.target.unit}, {model.coverage:.0%} intervals",
        "",
        KIND_CAVEATS.get(str(training["kind"]), ""),
        "Predictions at a temperature outside "
        f"{training['temperature_min_K']}–{training['temperature_max_K']} K are extrapolated along "
        "an Arrhenius line.",
        "",
    ]
    if not model.ensemble_.trust_.calibrated:
        lines += ["All labels are one-sided bounds: **the intervals are nominal, not calibrated.**"]
    for left_out, methods in model.evaluation_.items():
        rows = {m: {k: _cell(v) for k, v in s.items()} for m, s in methods.items()}
        table = pd.DataFrame(rows).reset_index(names="score")
        lines += [f"## {left_out.replace('_', ' ').capitalize()}", "", *markdown_table(table), ""]
    lines += [
        "Held-out predictions of the calibration; `ionsieve evaluate` repeats everything per fold.",
        "",
    ]
    return "\n".join(lines)


def markdown_table(table: pd.DataFrame) -> list[str]:
    """A table as lines of Markdown."""
    head = "| " + " | ".join(str(c) for c in table.columns) + " |"
    rule = "|" + " --- |" * len(table.columns)
    body = ["| " + " | ".join(str(v) for v in row) + " |" for row in table.to_numpy()]
    return [head, rule, *body]


def _cell(numbers: Sequence[float | None]) -> str:
    value, low, high = numbers
    return "–" if value is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def evaluation_plot(evaluation: GroupedEvaluation) -> bytes:
    """Held-out predictions against labels, and coverage against stated coverage, as PNG."""
    # Without the global figure manager: nothing is shown, nothing leaks, any thread may call.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _parity(left, evaluation)
    _bars(right, evaluation)
    buffer = io.BytesIO()
    # No date and version in the file: equal evaluations give equal bytes.
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _parity(axes: Any, evaluation: GroupedEvaluation) -> None:
    name = next(iter(evaluation.outcomes))
    outcome = evaluation.outcomes[name]
    low, high = outcome.bounds.T
    closed = np.isfinite(low) & np.isfinite(high)
    axes.plot(0.5 * (low + high)[closed], outcome.prediction[closed], ".", ms=4, label="values")
    for side, marker, label in ((high, "<", "below"), (low, ">", "above")):
        rows = ~closed & np.isfinite(side)
        if rows.any():
            axes.plot(side[rows], outcome.prediction[rows], marker, ms=4, label=label, alpha=0.6)
    ends = [outcome.prediction.min(), outcome.prediction.max()]
    axes.plot(ends, ends, "k-", lw=0.8)
    axes.set(xlabel=f"label ({evaluation.unit})", ylabel="held-out prediction", title=name)
    axes.legend(frameon=False, fontsize=8)


def _bars(axes: Any, evaluation: GroupedEvaluation) -> None:
    names = list(evaluation.scores)
    scores = [evaluation.scores[n]["mae"] for n in names]
    value = np.array([s.value for s in scores])
    error = np.abs(np.array([[s.value - s.low, s.high - s.value] for s in scores]).T)
    axes.barh(range(len(names)), value, xerr=np.nan_to_num(error), color="0.7", capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=f"mean absolute error ({evaluation.unit})")
