"""The HTML report: one self-contained page that works offline, everything in it escaped."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from .axes import Scale, Tick

if TYPE_CHECKING:
    from .pipeline import ScreenResult

TABLE_ROWS: Final[int] = 1000
"""Rows shown in the page; the CSV and Parquet files hold all of them."""

_WIDTH, _HEIGHT, _MARGIN = 760.0, 420.0, 56.0


@dataclass(frozen=True)
class Point:
    """One candidate in the plot, in pixels."""

    x: float
    y: float
    css: str
    title: str


@dataclass(frozen=True)
class Plot:
    """Predicted conductivity against the half width of its interval."""

    width: float
    height: float
    margin: float
    points: list[Point]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    threshold_x: float | None


def render_report(result: ScreenResult, run: dict[str, Any]) -> str:
    """The page as text; jinja2 escapes every value that goes into it."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = files(__package__).joinpath("templates", "report.html.j2").read_text("utf-8")
    shown = result.ranking.head(TABLE_ROWS)
    return environment.from_string(source).render(
        run=run,
        rows=_rows(shown),
        n_hidden=len(result.ranking) - len(shown),
        plot=build_plot(result.ranking, float(np.log10(result.settings.threshold_S_cm))),
        threshold_mS_cm=1e3 * result.settings.threshold_S_cm,
        quarantine=result.quarantine.head(200).to_dict("records"),
        n_quarantined=len(result.quarantine),
    )


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.to_dict("records")
    for row in rows:
        row["flags"] = [flag for flag in str(row["flags"]).split(";") if flag]
    return rows


def build_plot(ranking: pd.DataFrame, threshold_log10: float) -> Plot:
    """Place every ranked candidate; colour is its isolated-anion class."""
    x = ranking["log10_sigma_300K_S_cm"].to_numpy()
    y = (ranking["log10_sigma_300K_high"] - ranking["log10_sigma_300K_low"]).to_numpy() / 2
    to_x = Scale.over(np.append(x, threshold_log10), _MARGIN, _WIDTH - 16)
    to_y = Scale.over(y, _HEIGHT - _MARGIN, 16)
    points = [
        Point(to_x(a), to_y(b), f"c-{row.isolated_class}", _title(row, b))
        for a, b, row in zip(x, y, ranking.itertuples(), strict=True)
    ]
    # Best candidates are drawn last, on top.
    return Plot(
        _WIDTH,
        _HEIGHT,
        _MARGIN,
        points[::-1],
        to_x.ticks(),
        to_y.ticks(),
        to_x(threshold_log10),
    )


def _title(row: Any, half_width: float) -> str:
    text = f"#{row.rank} {row.formula} ({row.id}): log10 σ {row.log10_sigma_300K_S_cm:.2f}"
    return f"{text} ± {half_width:.2f}, p_fast {row.p_fast:.2f} {row.flags}".rstrip()
