"""Panels of the summary of a run, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...data.records import FloatArray
from ...data.transport.analysis import TransportLabel
from ...data.transport.arrhenius import ArrheniusFit, DiffusivityPoint
from ...data.units import ROOM_TEMPERATURE_K
from ...features.motion.displacements import self_van_hove
from ...features.motion.jumps import Jumps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Panel = Callable[["Axes"], None]
_LAGS_PS: Final[tuple[float, ...]] = (1.0, 5.0, 10.0, 20.0)
_MOST_EVENTS: Final[int] = 4000


def draw_msd(axes: Axes, result: TransportLabel) -> None:
    """MSD and collective MSD with the fit window."""
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


def draw_van_hove(axes: Axes, result: TransportLabel, positions_A: FloatArray) -> None:
    """Self van Hove function at several lags."""
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


def draw_arrhenius(axes: Axes, fit: ArrheniusFit, points: Sequence[DiffusivityPoint]) -> None:
    """Fit over temperatures with its interval; the extrapolated part is shaded."""
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


def frustration_panels(
    measures: dict[str, Any], jumps: Jumps, frame_spacing_fs: float
) -> list[Panel]:
    """Panels of the measures that this run has."""
    curves = measures["curves"]
    panels: list[Panel] = []
    if len(jumps):
        panels.append(lambda axes: _draw_events(axes, jumps, frame_spacing_fs))
    if measures["hot_spots"] is not None:
        panels.append(lambda axes: _draw_hot_spots(axes, measures["hot_spots"]))
    if curves["angles"]:
        first = next((n for n in curves["angles"] if "isolated" in n), next(iter(curves["angles"])))
        panels.append(lambda axes: _draw_angles(axes, curves["angles"]))
        panels.append(lambda axes: _draw_angle_map(axes, first, curves["angles"][first]))
    panels.append(lambda axes: _draw_wells(axes, curves["wells"]))
    panels.append(lambda axes: _draw_single_ions(axes, curves["single_ions"], measures))
    if curves["rotation"]:
        panels.append(lambda axes: _draw_rotation(axes, curves["rotation"]))
    return panels


def _draw_events(axes: Axes, jumps: Jumps, frame_spacing_fs: float) -> None:
    """Jump events in time and along the cell: horizontal bands are hot spots, columns bursts."""
    chosen = np.arange(0, len(jumps), max(1, len(jumps) // _MOST_EVENTS))
    place = jumps.midpoint_frac[chosen] - np.floor(jumps.midpoint_frac[chosen])
    points = axes.scatter(
        jumps.frame[chosen] * frame_spacing_fs / 1000.0, place[:, 2], c=place[:, 0], s=3,
        cmap="twilight", vmin=0.0, vmax=1.0,
    )  # fmt: skip
    axes.figure.colorbar(points, ax=axes, label="along a")
    axes.set(xlabel="time (ps)", ylabel="along c", title=f"{len(jumps):,} jump events")


def _draw_hot_spots(axes: Axes, hot: dict[str, Any]) -> None:
    table = np.array([[np.nan if v is None else v for v in row] for row in hot["table"]])
    mesh = axes.pcolormesh(
        hot["edges_A"], hot["edges_ps"], table, cmap="RdBu_r", vmin=0.0, vmax=2.0
    )
    axes.figure.colorbar(mesh, ax=axes, label="g(r, t) / long-time limit")
    axes.set(xlabel="distance of jumps (Å)", ylabel="time between them (ps)", title="hot spots")


def _draw_angles(axes: Axes, angles: dict[str, Any]) -> None:
    for name, curve in angles.items():
        axes.plot(curve["angle_deg"], curve["all_per_deg"], label=name)
    axes.set(xlabel="cation–anion–cation angle (°)", ylabel="density (1/°)", title="angles")
    axes.legend(fontsize="small")


def _draw_angle_map(axes: Axes, name: str, curve: dict[str, Any]) -> None:
    middle = np.array(curve["angle_deg"])
    step = middle[1] - middle[0]
    mesh = axes.pcolormesh(
        np.append(middle - step / 2, middle[-1] + step / 2),
        curve["edges_A"],
        np.array(curve["density_per_deg"]),
        cmap="viridis",
    )
    axes.figure.colorbar(mesh, ax=axes, label="density at a distance (1/°)")
    axes.set(
        xlabel="cation–anion–cation angle (°)",
        ylabel="cation–anion distance (Å)",
        title=f"angles about {name}",
        ylim=(1.5, 5.0),
    )


def _draw_wells(axes: Axes, wells: dict[str, Any]) -> None:
    energy = np.array([np.nan if v is None else v for v in wells["all"]])
    axes.plot(wells["r_A"], energy)
    axes.set(xlabel="distance from site (Å)", ylabel="free energy (k_B T)", title="wells")


def _draw_single_ions(axes: Axes, curve: dict[str, Any], measures: dict[str, Any]) -> None:
    lag = measures["single_ion_displacement"]["lag_ps"]
    axes.stairs(curve["share"], curve["edges_A"], fill=True, alpha=0.6)
    axes.set(
        xlabel=f"displacement in {lag:g} ps (Å)",
        ylabel="share of ions",
        title=f"single ions, Gini {measures['single_ion_gini']:.2f}",
    )


def _draw_rotation(axes: Axes, curves: dict[str, Any]) -> None:
    for name, curve in curves.items():
        axes.plot(curve["lag_ps"], curve["correlation"], label=name)
    axes.set(xlabel="lag (ps)", ylabel="⟨u(0)·u(t)⟩", title="rotation", ylim=(-0.1, 1.05))
    axes.legend(fontsize="small")
