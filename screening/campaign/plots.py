"""Plots of a campaign as positions in pixels; the template draws them as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ..pages.axes import Scale, Tick

WIDTH: Final[float] = 560.0
HEIGHT: Final[float] = 320.0
MARGIN: Final[float] = 52.0
_TOP: Final[float] = 14.0
_LANES: Final[dict[str, tuple[str, ...]]] = {
    "rounds": ("round", "stop_rule", "stopped", "reopened"),
    "jobs": ("proposed", "submitted", "handed over again"),
    "results": ("result", "done"),
    "failures": ("failed", "excluded"),
    "models": ("model", "init"),
}
"""Lanes of the timeline and the events in them; closed studies are in the tables."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A prediction made before a run, and what came back; log10 S/cm at the run's temperature."""

    name: str
    temperature_K: float
    predicted: float
    low: float
    high: float
    value: float | None
    upper: float | None
    demonstration: bool


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point with its error bar, in pixels."""

    x: float
    y: float
    css: str
    title: str
    x_low: float = 0.0
    x_high: float = 0.0
    y_low: float = 0.0
    y_high: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Marks between two axes."""

    marks: list[Mark]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[tuple[float, float, float, float]]
    width: float = WIDTH
    height: float = HEIGHT
    margin: float = MARGIN
    top: float = _TOP


def _axes(x: Sequence[float], y: Sequence[float]) -> tuple[Scale, Scale]:
    return Scale.over(x, MARGIN, WIDTH - 14), Scale.over(y, HEIGHT - MARGIN, _TOP)


def forecast_plot(forecasts: Sequence[Forecast]) -> Chart | None:
    """Label against prediction, the diagonal between them; bounds point down."""
    shown = [(f, f.value if f.value is not None else f.upper) for f in forecasts]
    placed = [(f, came) for f, came in shown if came is not None]
    if not placed:
        return None
    both = [v for f, came in placed for v in (f.low, f.high, came)]
    to_x, to_y = _axes(both, both)
    marks = [
        Mark(
            x=to_x(f.predicted),
            y=to_y(came),
            css="demo" if f.demonstration else "value" if f.value is not None else "bound",
            title=f"{f.name} expected {f.predicted:.2f} at {f.temperature_K:g} K, "
            f"{'found' if f.value is not None else 'found below'} {came:.2f}",
            x_low=to_x(f.low),
            x_high=to_x(f.high),
        )
        for f, came in placed
    ]
    ends = (to_x(to_x.low), to_y(to_y.low), to_x(to_x.high), to_y(to_y.high))
    return Chart(marks=marks, x_ticks=to_x.ticks(), y_ticks=to_y.ticks(), lines=[ends])


def accuracy_plot(models: Sequence[dict[str, list[float | None]]]) -> Chart | None:
    """Held-out mean error of each model, with its interval, for each scheme."""
    points = [
        (number, name, float(value), float(low), float(high))
        for number, by_scheme in enumerate(models)
        for name, (value, low, high) in by_scheme.items()
        if value is not None and low is not None and high is not None
    ]
    if not points:
        return None
    to_x, to_y = _axes([-0.4, len(models) - 0.6], [0.0, *(high for *_, high in points)])
    marks = [
        Mark(
            x=to_x(number + (0.06 if "group" in name else -0.06)),
            y=to_y(value),
            css="group" if "group" in name else "material",
            title=f"model {number}, {name.replace('_', ' ')}: {value:.2f} [{low:.2f}, {high:.2f}]",
            y_low=to_y(low),
            y_high=to_y(high),
        )
        for number, name, value, low, high in points
    ]
    step = max(1, len(models) // 10)
    x_ticks = [Tick(to_x(n), str(n)) for n in range(0, len(models), step)]
    return Chart(marks=marks, x_ticks=x_ticks, y_ticks=to_y.ticks(), lines=_joined(marks))


def _joined(marks: Sequence[Mark]) -> list[tuple[float, float, float, float]]:
    return [
        (a.x, a.y, b.x, b.y)
        for css in ("material", "group")
        for a, b in zip(
            [m for m in marks if m.css == css], [m for m in marks if m.css == css][1:], strict=False
        )
    ]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Estimated and used cost of one round, in pixels."""

    y: float
    label: str
    estimated: float
    used: float
    text: str


@dataclass(frozen=True)
class BarChart:
    """Rounds below each other."""

    bars: list[Bar]
    height: float
    width: float = WIDTH
    margin: float = MARGIN


def cost_plot(rounds: Sequence[dict[str, Any]]) -> BarChart | None:
    """Core hours estimated when a round was proposed, and used so far by all of its jobs."""
    largest = max((max(r["estimated"], r["used"]) for r in rounds), default=0.0)
    if largest <= 0:
        return None
    unit = (WIDTH - MARGIN - 220) / largest
    bars = [
        Bar(
            y=28.0 * n,
            label=f"round {r['round']}",
            estimated=round(unit * r["estimated"], 1),
            used=round(unit * r["used"], 1),
            text=f"{_hours(r['estimated'])} estimated, {_hours(r['used'])} used",
        )
        for n, r in enumerate(rounds)
    ]
    return BarChart(bars, 28.0 * len(bars) + 6)


def _hours(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"


@dataclass(frozen=True)
class Lane:
    """One row of the timeline."""

    y: float
    name: str
    marks: list[Mark]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Events by time."""

    lanes: list[Lane]
    first: str
    last: str
    width: float = 2 * WIDTH
    height: float = 30.0 * len(_LANES) + 30.0


def timeline(history: Sequence[dict[str, Any]]) -> Timeline | None:
    """Events in lanes from the first to the last."""
    if not history:
        return None
    times = [datetime.fromisoformat(h["utc"]).timestamp() for h in history]
    to_x = Scale.over(times, 90.0, 2 * WIDTH - 20.0)
    lanes = []
    for row, (name, events) in enumerate(_LANES.items()):
        y = 18.0 + 30.0 * row
        marks = [
            Mark(
                x=to_x(t),
                y=y,
                css=h["event"].replace(" ", "-"),
                title=f"{h['utc']} {h['event']} {h['subject']}",
            )
            for h, t in zip(history, times, strict=True)
            if h["event"] in events
        ]
        lanes.append(Lane(y, name, marks))
    return Timeline(lanes=lanes, first=str(history[0]["utc"]), last=str(history[-1]["utc"]))
