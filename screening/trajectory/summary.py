"""One page about one run: MSD with its fit window, van Hove functions, Arrhenius line."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...data.atomic import write_bytes_atomic, write_text_atomic
from ...data.errors import InputError
from ...data.records import FloatArray
from ...data.trajectories.displacements import Displacements
from ...data.transport.analysis import TransportLabel
from ...data.transport.arrhenius import ArrheniusFit, DiffusivityPoint
from ...data.units import ROOM_TEMPERATURE_K
from ...features.motion.displacements import self_van_hove

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEMPLATE: Final[str] = "aimd_summary.html.j2"
_LAGS_PS: Final[tuple[float, ...]] = (1.0, 5.0, 10.0, 20.0)


def write_summary(
    path: str | Path,
    result: TransportLabel,
    moves: Displacements,
    frustration: dict[str, Any] | None = None,
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
    frustration : dict, optional
        From :func:`~ionsieve.screening.trajectory_frustration.frustration`.
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
    figure = figure_png(result, moves, arrhenius)
    if path.suffix.lower() == ".png":
        write_bytes_atomic(path, figure)
    else:
        write_text_atomic(path, summary_html(result, figure, frustration))


def figure_png(
    result: TransportLabel,
    moves: Displacements,
    arrhenius: tuple[ArrheniusFit, Sequence[DiffusivityPoint]] | None = None,
) -> bytes:
    """Draw the panels; the same input gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = 2 if arrhenius is None else 3
    figure = Figure(figsize=(4.6 * panels, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels)
    _draw_msd(axes[0], result)
    _draw_van_hove(axes[1], result, moves.positions_A[result.n_equilibration_frames :])
    if arrhenius is not None:
        _draw_arrhenius(axes[2], *arrhenius)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return stream.getvalue()


def _draw_msd(axes: Axes, result: TransportLabel) -> None:
    half = len(result.lag_ps) // 2 + 1
    shown = slice(1, max(half, 2))
    axes.loglog(result.lag_ps[shown], result.msd_A2[shown], label="MSD")
    axes.loglog(
        result.lag_ps[shown], result.collective_msd_A2[shown], "--", label="collective, per ion"
    )
    if result.fit is not None:
        axes.axvspan(*result.fit.window_ps, alpha=0.15, label="fit window")
    axes.set(xlabel="lag (ps)", ylabel="MSD (Å²)", title=f"{result.verdict.replace('_', ' ')}")
    axes.legend(fontsize="small")


def _draw_van_hove(axes: Axes, result: TransportLabel, positions_A: FloatArray) -> None:
    edges = np.linspace(0.0, 10.0, 101)
    for lag_ps in _LAGS_PS:
        lag = round(lag_ps * 1000.0 / result.frame_spacing_fs)
        if 0 < lag < len(positions_A):
            axes.plot(
                (edges[1:] + edges[:-1]) / 2.0,
                self_van_hove(positions_A, lag, edges),
                label=f"{lag_ps:g} ps",
            )
    axes.set(xlabel="r (Å)", ylabel="4πr² G_s (1/Å)", title="self van Hove")
    if axes.lines:
        axes.legend(fontsize="small")


def _draw_arrhenius(axes: Axes, fit: ArrheniusFit, points: Sequence[DiffusivityPoint]) -> None:
    coldest = min(ROOM_TEMPERATURE_K, fit.temperatures_K[0])
    inverse = np.linspace(1000.0 / fit.temperatures_K[1], 1000.0 / coldest, 60)
    temperatures = 1000.0 / inverse
    axes.semilogy(inverse, [fit.diffusivity_cm2_s(t) for t in temperatures])
    ends = [fit.interval_cm2_s(t, 0.95) for t in temperatures]
    if all(e is not None for e in ends):
        low, high = np.array(ends, dtype=np.float64).T
        axes.fill_between(inverse, low, high, alpha=0.3, label="95 % (t)")
    for p in points:
        error = None if p.censor else p.error_cm2_s
        marker = {"": "o", "upper": "v", "lower": "^"}[p.censor]
        axes.errorbar(1000.0 / p.temperature_K, p.diffusivity_cm2_s, error, fmt=marker, color="k")
    extrapolated = 1000.0 / fit.temperatures_K[0]
    if inverse[-1] > extrapolated:
        axes.axvspan(extrapolated, inverse[-1], color="0.93", zorder=0, label="extrapolated")
    axes.set(
        xlabel="1000 / T (1/K)",
        ylabel="D (cm²/s)",
        title=f"E_a = {fit.activation_energy_eV:.3f} ± {fit.activation_energy_error_eV:.3f} eV",
    )
    axes.legend(fontsize="small")


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
        sources=result.sources,
        warnings=result.warnings,
        image=base64.b64encode(figure).decode("ascii"),
    )


def _rows(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten nested values to (name, text) lines, less what stands elsewhere on the page."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if name in ("evidence", "sources", "warnings", "reason", "van_hove"):
            continue
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
    if isinstance(value, list | tuple):
        return " to ".join(_text(v) for v in value) if value else "none"
    return str(value)
