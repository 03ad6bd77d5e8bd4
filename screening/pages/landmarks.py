"""Known conductors: where they land, and how the prediction compares with the label.

Those of the AIMD table that a screen holds, and textbook materials that every ranking is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .axes import Scale, Tick
from .svg import formula_text
from .text import signed_text

_NEAR_K: Final[float] = 30.0
_ROOM_K: Final[float] = 300.0
_MOST: Final[int] = 24
_LINE: Final[float] = 24.0
TEXTBOOK_LINE: Final[float] = -4.0
"""log10 of 0.1 mS/cm: fast, of what is measured at room temperature."""


@dataclass(frozen=True, kw_only=True)
class Landmark:
    """A known conductor: predicted interval beside the label, in pixels.

    Parameters
    ----------
    low, predicted, high : float
        Places along the axis.
    label : float, optional
        The same; None where nothing was measured.
    is_bound : bool
        The label says "below".
    known : str
        ``fast`` or ``slow`` of a textbook material, else empty.
    """

    name: str
    y: float
    low: float
    predicted: float
    high: float
    label: float | None
    is_bound: bool
    title: str
    known: str = ""


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """Rows below each other on one axis of log10 σ(300 K)."""

    rows: list[Landmark]
    ticks: list[Tick]
    threshold_x: float
    height: float
    n_left_out: int
    width: float = 720.0


def build_landmarks(
    known: Sequence[Mapping[str, Any]],
    rows: Mapping[str, Mapping[str, Any]],
    threshold_log10: float,
) -> Landmarks | None:
    """Place the known conductors with a label near room temperature, best first.

    Parameters
    ----------
    known : sequence
        ``known`` of ``run.json``.
    rows : mapping of id to row
        Of the ranking.
    threshold_log10 : float
        log10 of S/cm.
    """
    fitting = [
        (one, rows[one["id"]], _label(one))
        for one in known
        if abs(one["temperature_K"] - _ROOM_K) <= _NEAR_K
        and one["id"] in rows
        and _label(one) is not None
    ]
    shown = fitting[:_MOST]
    if not shown:
        return None
    ends = [r[f"log10_sigma_300K_{end}"] for _, r, _ in shown for end in ("low", "high")]
    scale = Scale.over([*ends, *(v for _, _, v in shown), threshold_log10], 190.0, 706.0)
    marks = [
        Landmark(
            name=formula_text(str(one["formula"])),
            y=20.0 + _LINE * k,
            low=scale(row["log10_sigma_300K_low"]),
            predicted=scale(row["log10_sigma_300K_S_cm"]),
            high=scale(row["log10_sigma_300K_high"]),
            label=scale(label),
            is_bound=one["log10_sigma_S_cm"] is None and one["log10_sigma_lower_S_cm"] is None,
            title=_title(one, row),
        )
        for k, (one, row, label) in enumerate(shown)
        if label is not None
    ]
    height = 20.0 + _LINE * len(marks) + 30.0
    left_out = len(known) - len(shown)
    return Landmarks(
        rows=marks,
        ticks=scale.ticks(),
        threshold_x=scale(threshold_log10),
        height=height,
        n_left_out=left_out,
    )


def build_textbook(found: Sequence[Mapping[str, Any]]) -> Landmarks | None:
    """Place textbook conductors, fast ones first, each group by its prediction.

    Parameters
    ----------
    found : sequence
        ``landmarks`` of ``run.json``: rows of :func:`..screen.landmarks.landmarks`.
    """
    if not found:
        return None
    rows = sorted(found, key=lambda one: (one["known"] != "fast", -one["prediction"], one["name"]))
    labels = [one["label"] for one in rows if one["label"] is not None]
    ends = [one[end] for one in rows for end in ("low", "high")]
    scale = Scale.over([*ends, *labels, TEXTBOOK_LINE], 190.0, 706.0)
    marks = [
        Landmark(
            name=str(one["name"]),
            y=20.0 + _LINE * k,
            low=scale(one["low"]),
            predicted=scale(one["prediction"]),
            high=scale(one["high"]),
            label=None if one["label"] is None else scale(one["label"]),
            is_bound=False,
            title=_textbook_title(one),
            known=str(one["known"]),
        )
        for k, one in enumerate(rows)
    ]
    height = 20.0 + _LINE * len(marks) + 30.0
    return Landmarks(
        rows=marks,
        ticks=scale.ticks(),
        threshold_x=scale(TEXTBOOK_LINE),
        height=height,
        n_left_out=0,
    )


def pairs_in_order(found: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Pairs of a fast and a slow textbook material: how many are ordered right, of how many."""
    fast, slow = (
        [one["prediction"] for one in found if one["known"] == kind] for kind in ("fast", "slow")
    )
    return sum(a > b for a in fast for b in slow), len(fast) * len(slow)


def _textbook_title(one: Mapping[str, Any]) -> str:
    measured = "" if one["label"] is None else f", measured {one['label']:.2f}"
    return (
        f"{one['name']}, known to be {one['known']}: predicted {one['prediction']:.2f} "
        f"[{one['low']:.2f}, {one['high']:.2f}]{measured}, median of {one['n']}"
    )


def _label(one: Mapping[str, Any]) -> float | None:
    """Where the mark stands; a bound at its end, one from both sides between them."""
    value, low, high = (one[f"log10_sigma_{end}S_cm"] for end in ("", "lower_", "upper_"))
    if value is not None:
        return float(value)
    ends = [float(end) for end in (low, high) if end is not None]
    return sum(ends) / len(ends) if ends else None


def label_text(one: Mapping[str, Any]) -> str:
    """The label of a known conductor, log10 of S/cm: a value or bounds."""
    value, low, high = (one[f"log10_sigma_{end}S_cm"] for end in ("", "lower_", "upper_"))
    if value is not None:
        return signed_text(value)
    if low is not None and high is not None:
        return f"{signed_text(low)} to {signed_text(high)}"
    return f"below {signed_text(high)}" if high is not None else f"above {signed_text(low)}"


def _title(one: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    return (
        f"#{one['rank']} {one['formula']} ({one['id']}): AIMD {label_text(one)} at "
        f"{one['temperature_K']:.0f} K, predicted {row['log10_sigma_300K_S_cm']:.2f} "
        f"[{row['log10_sigma_300K_low']:.2f}, {row['log10_sigma_300K_high']:.2f}]"
    )
