"""One page about one run: MSD with its fit window, van Hove functions, Arrhenius line."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from ...data.atomic import write_bytes_atomic, write_text_atomic
from ...data.errors import InputError
from ...data.trajectories.displacements import Displacements
from ...data.transport.analysis import TransportLabel
from ...data.transport.arrhenius import ArrheniusFit, DiffusivityPoint
from .frustration import Frustration
from .plots import Panel, draw_arrhenius, draw_msd, draw_van_hove, frustration_panels

TEMPLATE: Final[str] = "aimd_summary.html.j2"
_ELSEWHERE: Final[frozenset[str]] = frozenset(
    ("evidence", "sources", "warnings", "reason", "van_hove", "curves", "notes")
)
"""Shown in their own place on the page, or as pictures."""


def write_summary(
    path: str | Path,
    result: TransportLabel,
    moves: Displacements,
    frustration: Frustration | None = None,
    arrhenius: tuple[ArrheniusFit, Sequence[DiffusivityPoint]] | None = None,
) -> None:
    """Write the summary of a run as one self-contained HTML page, or its figure as PNG.

    Parameters
    ----------
    path : path
        Ends in ``.html`` or ``.png``.
    result : TransportLabel
    moves : Displacements
        Of the same run.
    frustration : Frustration, optional
        Of the same run.
    arrhenius : (ArrheniusFit, points), optional
        Fit over several temperatures and what it was fitted to.

    Raises
    ------
    InputError
        If the name ends otherwise.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".png"):
        raise InputError(f"{path}: a summary is written as .html or .png")
    figure = figure_png(result, moves, frustration, arrhenius)
    if path.suffix.lower() == ".png":
        write_bytes_atomic(path, figure)
    else:
        write_text_atomic(
            path,
            summary_html(result, figure, None if frustration is None else frustration.measures),
        )


def figure_png(
    result: TransportLabel,
    moves: Displacements,
    frustration: Frustration | None = None,
    arrhenius: tuple[ArrheniusFit, Sequence[DiffusivityPoint]] | None = None,
) -> bytes:
    """Draw the panels; the same input gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    positions = moves.positions_A[result.n_equilibration_frames :]
    panels: list[Panel] = [
        lambda axes: draw_msd(axes, result),
        lambda axes: draw_van_hove(axes, result, positions),
    ]
    if arrhenius is not None:
        panels.append(lambda axes: draw_arrhenius(axes, *arrhenius))
    if frustration is not None:
        spacing = result.frame_spacing_fs
        panels += frustration_panels(frustration.measures, frustration.jumps, spacing)
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.8 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for place, draw in zip(axes, panels, strict=False):
        draw(place)
    for place in axes[len(panels) :]:
        place.axis("off")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return stream.getvalue()


def summary_html(
    result: TransportLabel, figure: bytes, frustration: dict[str, Any] | None = None
) -> str:
    """Self-contained page: nothing is loaded from elsewhere, every value is escaped."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        files("ionsieve.screening").joinpath("templates", TEMPLATE).read_text(encoding="utf-8")
    )
    content = result.as_dict()
    return template.render(
        verdict=result.verdict.replace("_", " "),
        reason=result.evidence.reason,
        settings=result.settings,
        rows=_rows(content),
        evidence=_rows(dict(result.evidence.as_dict())),
        frustration=_rows(frustration or {}),
        notes=(frustration or {}).get("notes", []),
        sources=result.sources,
        warnings=result.warnings,
        image=base64.b64encode(figure).decode("ascii"),
    )


def _rows(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested values to (name, text) lines, less what stands elsewhere on the page."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if name in _ELSEWHERE:
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(k + 1): part for k, part in enumerate(value)}
        if isinstance(value, dict):
            rows += _rows(value, f"{prefix}{name} ")
        else:
            rows.append((f"{prefix}{name}", _text(value)))
    return rows


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple):
        return "; ".join(", ".join(_text(v) for v in row) for row in value)
    if isinstance(value, list | tuple):
        return " to ".join(_text(v) for v in value) if value else "none"
    return str(value)
