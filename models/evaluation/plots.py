"""Pictures of an evaluation: held-out predictions, what families add, what more data would."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ..trust.metrics import Score
from .grouped import GroupedEvaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CURVE_SCORES: Final = ("mae", "spearman", "auc")


def evaluation_plot(evaluation: GroupedEvaluation) -> bytes:
    """Held-out predictions against labels, and the error of each method, as PNG."""
    figure = _figure(9, 4)
    left, right = figure.subplots(1, 2)
    _parity(left, evaluation)
    _bars(right, evaluation)
    return _png(figure)


def ablation_plot(gains: pd.DataFrame, scores: Sequence[str] = ("spearman", "auc")) -> bytes:
    """What each family adds to the standard ones, and to all others, as PNG.

    Parameters
    ----------
    gains : DataFrame
        From :class:`.Ablation`; positive is better.
    scores : sequence of str
        One panel each.
    """
    names = list(gains.index)
    figure = _figure(4.2 * len(scores) + 1, 0.28 * len(names) + 1.2)
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for axes, score in zip(panels, scores, strict=True):
        value, low, high = (gains[f"{score}_{k}"].to_numpy() for k in ("gain", "low", "high"))
        # A percentile interval may exclude the value itself; a bar cannot be negative.
        error = np.maximum(np.nan_to_num([value - low, high - value]), 0.0)
        axes.errorbar(value, range(len(names)), xerr=error, fmt="o", ms=4, capsize=2, color="0.2")
        axes.axvline(0.0, color="0.6", lw=0.8)
        axes.set(xlabel=f"gain in {score}")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    return _png(figure)


def learning_curve_plot(evaluation: GroupedEvaluation, n_groups: Sequence[float]) -> bytes:
    """Scores against the number of training groups, as PNG.

    Parameters
    ----------
    evaluation : GroupedEvaluation
        From :func:`.learning_curve`.
    n_groups : sequence of float
        Training groups of each of its methods.
    """
    found = {k: [s[k] for s in evaluation.scores.values()] for k in _CURVE_SCORES}
    drawn = {k: v for k, v in found.items() if all(np.isfinite(s.value) for s in v)}
    figure = _figure(4 * len(drawn), 3.2)
    for axes, (name, scores) in zip(
        figure.subplots(1, len(drawn), squeeze=False)[0], drawn.items(), strict=True
    ):
        value, error = _with_errors(scores)
        axes.errorbar(n_groups, value, yerr=error, fmt="o-", ms=4, capsize=3, color="0.2")
        unit = f" ({evaluation.unit})" if name == "mae" else ""
        axes.set(xlabel="training groups", ylabel=f"{name}{unit}")
    return _png(figure)


def _figure(width: float, height: float) -> Figure:
    # Without the global figure manager: nothing is shown, nothing leaks, any thread may call.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # No date and version in the file: equal evaluations give equal bytes.
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def _with_errors(scores: Sequence[Score]) -> tuple[np.ndarray, np.ndarray]:
    value = np.array([s.value for s in scores])
    error = np.array([[s.value - s.low, s.high - s.value] for s in scores]).T
    return value, np.maximum(np.nan_to_num(error), 0.0)


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
    value, error = _with_errors([evaluation.scores[n]["mae"] for n in names])
    axes.barh(range(len(names)), value, xerr=error, color="0.7", capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel=f"mean absolute error ({evaluation.unit})")
