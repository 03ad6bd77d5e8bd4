"""Evaluation written down: metrics.json, predictions.csv, card.md and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.atomic import write_bytes_atomic, write_json_atomic, write_text_atomic
from ...data.csv_text import csv_text
from ..model import StructureModel
from ..trust.metrics import Score
from .ablation import Ablation, training_groups
from .grouped import GroupedEvaluation
from .plots import ablation_plot, evaluation_plot, learning_curve_plot

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
    write_text_atomic(folder / "predictions.csv", csv_text(evaluation.predictions))
    write_bytes_atomic(folder / "evaluation.png", evaluation_plot(evaluation))
    write_text_atomic(folder / "card.md", evaluation_card(evaluation, context))


def append_ablation(folder: Path, found: Ablation, context: str) -> None:
    """Write ``ablation.csv`` and ``ablation.png`` and add both to the card.

    Parameters
    ----------
    folder : path
        Where :func:`write_evaluation` wrote.
    found : Ablation
    context : str
        What was evaluated and how, one sentence.
    """
    write_text_atomic(
        folder / "ablation.csv", csv_text(found.gains.rename_axis("variant"), index=True)
    )
    write_bytes_atomic(folder / "ablation.png", ablation_plot(found.gains))
    lines = [
        context,
        "Positive = better; 95 % intervals from a paired bootstrap over groups. One that includes",
        "zero means that these labels do not show a gain.",
        "",
        *markdown_table(found.table()),
        "",
        "![What each family adds](ablation.png)",
    ]
    _append(folder, "What each descriptor family adds", lines)


def append_learning_curve(folder: Path, found: GroupedEvaluation) -> None:
    """Write ``learning_curve.csv`` and ``learning_curve.png`` and add both to the card."""
    groups = training_groups(found)
    table = found.table().reset_index(names="share of training groups")
    table.insert(1, "training groups", [round(n) for n in groups])
    write_text_atomic(folder / "learning_curve.csv", csv_text(table))
    write_bytes_atomic(folder / "learning_curve.png", learning_curve_plot(found, groups))
    turned = table.set_index(table.columns[0]).T.reset_index(names="score")
    lines = [*markdown_table(turned), "", "![Learning curve](learning_curve.png)"]
    _append(folder, "Learning curve", lines)


def _append(folder: Path, title: str, lines: Sequence[str]) -> None:
    card = (folder / "card.md").read_text(encoding="utf-8")
    text = "\n".join(["", f"## {title}", "", *lines, ""])
    write_text_atomic(folder / "card.md", card + text)


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
