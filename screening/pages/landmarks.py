"""Known conductors of a screen: where they land, and how the prediction compares with the label."""

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


@dataclass(frozen=True, kw_only=True)
class Landmark:
    """A known conductor: predicted interval beside the label, in pixels.

    Parameters
    ----------
    low, predicted, high, label : float
        Places along the axis.
    is_bound : bool
        The label says "below".
    """

    name: str
    y: float
    low: float
    predicted: float
    high: float
    label: float
    is_bound: bool
    title: str


@dataclass(frozen=True)
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
    return Landmarks(marks, scale.ticks(), scale(threshold_log10), height, left_out)


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
