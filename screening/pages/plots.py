"""Geometry of the report's plots, in pixels; the template draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data.records import FloatArray
from ...models.ensemble import half_width_ratio
from ...models.trust.metrics import Outcome, coverage
from .axes import Scale, Tick
from .text import chance_text

LEVELS: Final[tuple[float, ...]] = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Stated coverages at which the observed one is shown."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Plot area in pixels with its ticks and axis labels."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_label: str
    y_label: str


@dataclass(frozen=True, kw_only=True)
class CandidatePoint:
    """One candidate in the plot of conductivity against uncertainty."""

    x: float
    y: float
    rank: int
    isolated_class: str
    is_flagged: bool
    in_shortlist: bool
    title: str


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """Predicted conductivity against the half width of its interval.

    ``others`` is an SVG path of dots: candidates beyond those that have a row in the page.
    """

    frame: Frame
    points: list[CandidatePoint]
    threshold_x: float
    others: str
    n_others: int


@dataclass(frozen=True, kw_only=True)
class HeldOutPoint:
    """One label against its held-out prediction; ``side`` says that the label is a bound."""

    x: float
    y: float
    low: float
    high: float
    side: str
    title: str


@dataclass(frozen=True)
class Parity:
    """Held-out predictions against labels."""

    frame: Frame
    diagonal: tuple[float, float, float, float]
    points: list[HeldOutPoint]


@dataclass(frozen=True)
class Coverage:
    """Observed against stated coverage, one line a way of leaving out."""

    frame: Frame
    diagonal: tuple[float, float, float, float]
    lines: list[tuple[str, list[tuple[float, float, str]]]]


def build_scatter(
    ranking: pd.DataFrame, threshold_log10: float, shown: NDArray[np.bool_]
) -> Scatter:
    """Place every ranked candidate; the best come last, on top.

    Parameters
    ----------
    ranking : DataFrame
    threshold_log10 : float
        log10 of S/cm.
    shown : array (n,) of bool
        These become marks of their own; the others are dots.
    """
    x = ranking["log10_sigma_300K_S_cm"].to_numpy()
    y = (ranking["log10_sigma_300K_high"] - ranking["log10_sigma_300K_low"]).to_numpy() / 2
    scale_x = Scale.over(np.append(x, threshold_log10), 58.0, 704.0)
    scale_y = Scale.over(y, 408.0, 14.0)
    points = [
        CandidatePoint(
            x=scale_x(a),
            y=scale_y(b),
            rank=int(row.rank),
            isolated_class=str(row.isolated_class),
            is_flagged=bool(row.flags),
            in_shortlist=pd.notna(getattr(row, "follow_up", None)),
            title=_candidate_title(row, b),
        )
        for a, b, row in zip(x[shown], y[shown], ranking[shown].itertuples(), strict=True)
    ]
    dots = zip(x[~shown], y[~shown], strict=True)
    others = "".join(f"M{scale_x(a)} {scale_y(b)}h0" for a, b in dots)
    labels = "predicted log₁₀ σ(300 K) / (S/cm)", "half width of the 90 % interval / decades"
    frame = _frame(720.0, 460.0, scale_x, scale_y, *labels)
    threshold_x = scale_x(threshold_log10)
    return Scatter(
        frame=frame,
        points=points[::-1],
        threshold_x=threshold_x,
        others=others,
        n_others=int((~shown).sum()),
    )


def _candidate_title(row: Any, half_width: float) -> str:
    flags = str(row.flags).replace(";", ", ") or "no flag"
    return (
        f"#{row.rank} {row.formula} ({row.id}): log10 σ(300 K) = "
        f"{row.log10_sigma_300K_S_cm:.2f} ± {half_width:.2f}, p_fast {chance_text(row.p_fast)}, "
        f"{flags}"
    )


def build_parity(calibration: pd.DataFrame) -> Parity:
    """Place held-out predictions of one way of leaving out.

    Parameters
    ----------
    calibration : DataFrame
        Rows of ``model_calibration.csv``.
    """
    lower, upper = (calibration[f"label_{s}_log10_S_cm"].to_numpy() for s in ("lower", "upper"))
    predicted = calibration["predicted_log10_S_cm"].to_numpy()
    low, high = (calibration[f"{s}_log10_S_cm"].to_numpy() for s in ("low", "high"))
    closed = np.isfinite(lower) & np.isfinite(upper)
    label = np.where(closed, 0.5 * (lower + upper), np.where(np.isfinite(upper), upper, lower))
    # Bars that leave the frame are cut, so that those at low temperature do not squeeze the rest.
    shown = np.concatenate([label, predicted])
    x, y = Scale.over(shown, 60.0, 404.0), Scale.over(shown, 358.0, 12.0)
    side = np.where(closed, "", np.where(np.isfinite(upper), "upper", "lower"))
    points = [
        HeldOutPoint(
            x=x(a),
            y=y(b),
            low=y.within(c),
            high=y.within(d),
            side=str(s),
            title=_held_out_title(row, a, b, c, d, str(s)),
        )
        for a, b, c, d, s, row in zip(
            label, predicted, low, high, side, calibration.itertuples(), strict=True
        )
    ]
    labels = "label log₁₀ σ / (S/cm)", "held-out prediction log₁₀ σ / (S/cm)"
    diagonal = (x(x.low), y(y.low), x(x.high), y(y.high))
    return Parity(_frame(420.0, 410.0, x, y, *labels), diagonal, points)


def _held_out_title(
    row: Any, label: float, predicted: float, low: float, high: float, side: str
) -> str:
    sign = {"upper": "below ", "lower": "above ", "": ""}[side]
    return (
        f"{row.structure_id} at {row.temperature_K:.0f} K: label {sign}{label:.2f}, "
        f"predicted {predicted:.2f} [{low:.2f}, {high:.2f}]"
    )


def observed_coverage(
    calibration: pd.DataFrame, stated: float, levels: Sequence[float] = LEVELS
) -> FloatArray:
    """Share of labels inside the held-out interval, at several stated coverages.

    Parameters
    ----------
    calibration : DataFrame
        Rows of ``model_calibration.csv`` of one way of leaving out.
    stated : float
        Coverage that its intervals state.
    levels : sequence of float
        Stated coverages wanted.
    """
    bounds = calibration[["label_lower_log10_S_cm", "label_upper_log10_S_cm"]].to_numpy()
    centre = calibration["predicted_log10_S_cm"].to_numpy()
    half = (calibration["high_log10_S_cm"] - calibration["low_log10_S_cm"]).to_numpy() / 2
    nothing = np.full(len(centre), np.nan)
    found = []
    for level in levels:
        width = half * half_width_ratio(level, stated)
        interval = np.column_stack([centre - width, centre + width])
        zeros = np.zeros(len(centre), dtype=np.int64)
        found.append(
            coverage(
                Outcome(
                    bounds=bounds,
                    prediction=centre,
                    interval=interval,
                    group=zeros,
                    stratum=nothing,
                    event=nothing,
                    event_score=nothing,
                )
            )
        )
    return np.array(found)


def build_coverage(calibration: pd.DataFrame, stated: float) -> Coverage:
    """Observed against stated coverage for each way of leaving out.

    Parameters
    ----------
    calibration : DataFrame
        ``model_calibration.csv``.
    stated : float
        Coverage that its intervals state.
    """
    x, y = Scale(0.45, 1.0, 66.0, 396.0), Scale(0.0, 1.04, 358.0, 12.0)
    lines = []
    for name, rows in calibration.groupby("left_out", sort=True):
        shares = observed_coverage(rows, stated)
        points = [
            (x(level), y(share), f"stated {level:.0%}, observed {share:.0%}")
            for level, share in zip(LEVELS, shares, strict=True)
            if np.isfinite(share)
        ]
        lines.append((str(name), points))
    frame = _frame(420.0, 410.0, x, y, "stated coverage", "labels inside the interval", "{:.0%}")
    return Coverage(frame, (x(0.45), y(0.45), x(1.0), y(1.0)), lines)


def _frame(
    width: float,
    height: float,
    x: Scale,
    y: Scale,
    x_label: str,
    y_label: str,
    tick: str = "{:g}",
) -> Frame:
    return Frame(
        width=width,
        height=height,
        left=x.start,
        right=x.end,
        top=y.end,
        bottom=y.start,
        x_ticks=x.ticks(label=tick),
        y_ticks=y.ticks(label=tick),
        x_label=x_label,
        y_label=y_label,
    )
