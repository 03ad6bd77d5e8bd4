"""One run → one transport label: verdict, diffusivity, conductivity, bounds, provenance."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from scipy import stats

from ..errors import TrajectoryError
from ..records import Kind, Label
from ..trajectories.displacements import Displacements, displacements, equilibration_frames
from ..trajectories.msd import collective_msd, mean_squared_displacement
from ..trajectories.trajectory import FloatArray, Trajectory
from ..units import nernst_einstein_sigma_S_cm
from .diffusion import (
    CM2_S_PER_A2_FS,
    SITE_DISTANCE_A,
    DiffusionFit,
    effective_hops,
    fit_diffusivity,
    fit_window,
)
from .verdict import (
    BALLISTIC_EXPONENT,
    Evidence,
    Verdict,
    gather_evidence,
    judge,
    nearest_framework_distance,
)

REPORTED_LAGS_PS: Final[tuple[float, ...]] = (1.0, 5.0, 10.0, 20.0)
CHARGES_E: Final[dict[str, float]] = {
    **dict.fromkeys(("H", "Li", "Na", "K", "Rb", "Cs", "Ag", "Cu"), 1.0),
    **dict.fromkeys(("Mg", "Ca", "Zn"), 2.0),
    "Al": 3.0,
    **dict.fromkeys(("F", "Cl", "Br", "I"), -1.0),
    **dict.fromkeys(("O", "S"), -2.0),
}
"""Formal charge of a mobile ion where none is given, units of e."""
_RISKY_FRACTION: Final[float] = 1e-3


@dataclass(frozen=True)
class AnalysisSettings:
    """What was asked for; saved with the result."""

    mobile: str = "Li"
    temperature_K: float = 300.0
    charge_e: float | None = None
    site_distance_A: float = SITE_DISTANCE_A
    equilibration_ps: float | None = None
    """None: found automatically."""
    kind: Kind = "aimd"
    structure_id: str = ""


@dataclass(frozen=True, eq=False)
class TransportLabel:
    """What one run says about transport at one temperature, and on what grounds."""

    settings: AnalysisSettings
    verdict: Verdict
    evidence: Evidence
    n_frames: int
    """Frames of the joined run, equilibration included."""
    n_equilibration_frames: int
    frame_spacing_fs: float
    n_mobile: int
    mean_volume_A3: float
    n_eff: float
    fit: DiffusionFit | None
    """None unless the verdict is ``diffusive``."""
    diffusivity_upper_cm2_s: float | None
    """95 % bound where there is no value: of the charge diffusivity if confined, else of D."""
    haven_ratio: tuple[float, float] | None
    """95 % interval, or None when the run is too short for one."""
    lag_ps: FloatArray
    msd_A2: FloatArray
    collective_msd_A2: FloatArray
    sources: tuple[dict[str, object], ...] = ()
    warnings: tuple[str, ...] = field(default=())

    @property
    def charge_e(self) -> float:
        """Charge of the mobile ion, units of e."""
        given = self.settings.charge_e
        return CHARGES_E[self.settings.mobile] if given is None else given

    def sigma_mS_cm(self, diffusivity_cm2_s: float | None) -> float | None:
        """Nernst–Einstein conductivity of this cell at a diffusivity, mS/cm."""
        if diffusivity_cm2_s is None:
            return None
        density = self.n_mobile / self.mean_volume_A3
        return 1000.0 * nernst_einstein_sigma_S_cm(
            diffusivity_cm2_s, density, self.charge_e, self.settings.temperature_K
        )

    def at(self, curve_A2: FloatArray) -> dict[str, float | None]:
        """Read a curve at the reported lags, Å²; None where the run does not reach that far."""
        return {
            f"{lag:g}": (
                float(np.interp(lag, self.lag_ps, curve_A2)) if lag <= self.lag_ps[-1] else None
            )
            for lag in REPORTED_LAGS_PS
        }

    def as_dict(self) -> dict[str, object]:
        """Everything that is reported, by its public name; absent values are None."""
        return {
            "verdict": self.verdict,
            "evidence": self.evidence.as_dict(),
            "structure_id": self.settings.structure_id or None,
            "temperature_K": self.settings.temperature_K,
            "kind": self.settings.kind,
            "mobile": self.settings.mobile,
            "charge_e": self.charge_e,
            "n_mobile": self.n_mobile,
            "n_frames": self.n_frames,
            "n_equilibration_frames": self.n_equilibration_frames,
            "frame_spacing_fs": self.frame_spacing_fs,
            "mean_volume_A3": self.mean_volume_A3,
            "msd_A2": self.at(self.msd_A2),
            "collective_msd_A2": self.at(self.collective_msd_A2),
            **self._numbers(),
            "haven_ratio": None if self.haven_ratio is None else list(self.haven_ratio),
            "n_eff": self.n_eff,
            "site_distance_A": self.settings.site_distance_A,
            "sources": list(self.sources),
            "warnings": list(self.warnings),
        }

    def _numbers(self) -> dict[str, object]:
        fit, upper = self.fit, self.diffusivity_upper_cm2_s
        value = None if fit is None else fit.diffusivity_cm2_s
        low = None if fit is None else fit.low_cm2_s
        high = None if fit is None else fit.high_cm2_s
        return {
            "diffusivity_cm2_s": value,
            "diffusivity_rel_error": None if fit is None else fit.rel_error,
            "diffusivity_low_cm2_s": low,
            "diffusivity_high_cm2_s": high,
            "diffusivity_upper_cm2_s": upper,
            "sigma_mS_cm": self.sigma_mS_cm(value),
            "sigma_low_mS_cm": self.sigma_mS_cm(low),
            "sigma_high_mS_cm": self.sigma_mS_cm(high),
            "sigma_upper_mS_cm": self.sigma_mS_cm(upper),
            "interval_level": 0.95,
            "rel_errors": None if fit is None else fit.rel_errors(),
            "fit_window_ps": None if fit is None else list(fit.window_ps),
        }

    def label(self, source: str = "", group: str = "") -> Label | None:
        """Conductivity label for the table that models read; None where the run is molten.

        A diffusive run gives a value with its error in decades, any other an upper bound.
        """
        fit = self.fit
        value = None if fit is None else self.sigma_mS_cm(fit.diffusivity_cm2_s)
        upper = self.sigma_mS_cm(self.diffusivity_upper_cm2_s)
        if value is None and upper is None:
            return None
        return Label(
            self.settings.structure_id,
            self.settings.temperature_K,
            self.settings.kind,
            "sigma_S_cm",
            value=None if value is None else value / 1000.0,
            upper=None if upper is None else upper / 1000.0,
            error_log10=None if fit is None else fit.rel_error / math.log(10.0),
            group=group,
            source=source,
            note=f"{self.verdict}: {self.evidence.reason}",
        )


def analyse(run: Trajectory, settings: AnalysisSettings) -> TransportLabel:
    """Analyse one run at one temperature.

    Parameters
    ----------
    run : Trajectory
        Joined segments.
    settings : AnalysisSettings

    Returns
    -------
    TransportLabel

    Raises
    ------
    TrajectoryError
        If the mobile ion is absent or has no known charge, if the temperature is not positive, or
        if fewer than two frames are left after equilibration.
    """
    _check(settings, run)
    moves = displacements(run, settings.mobile)
    discard = _discarded(moves, settings)
    production = _production(moves, discard)
    if production.n_frames < 2:
        raise TrajectoryError(
            f"{run.name}: {production.n_frames} of {run.n_frames} frames are left after "
            "equilibration; discard less (--equilibration-ps)"
        )
    msd = mean_squared_displacement(production.positions_A)
    collective = collective_msd(production.positions_A)
    site = settings.site_distance_A
    window = fit_window(msd, site)
    fit = None
    if window is not None:
        fit = fit_diffusivity(production.positions_A, msd, window, run.frame_spacing_fs, site)
    n_eff = effective_hops(msd, production.n_mobile, site)
    evidence = gather_evidence(production, msd, collective, site)
    verdict, reason = judge(evidence, fit, n_eff, nearest_framework_distance(production))
    warnings = [*run.warnings, *_warnings(run, moves, discard)]
    kept = fit if verdict == "diffusive" else None
    if kept is not None and moves.risky_steps > _RISKY_FRACTION * moves.positions_A[1:, :, 0].size:
        warnings.append("diffusivity withheld: too many steps are ambiguous to unwrap the run")
        kept = None
    return TransportLabel(
        settings,
        verdict,
        _with_reason(evidence, reason),
        run.n_frames,
        discard,
        run.frame_spacing_fs,
        moves.n_mobile,
        moves.mean_volume_A3,
        n_eff,
        kept,
        _upper_bound(verdict, production, msd, collective, settings, evidence),
        None if kept is None else _haven_interval(kept, production, collective),
        np.asarray(np.arange(production.n_frames) * (run.frame_spacing_fs / 1000.0), np.float64),
        msd,
        collective,
        tuple(_sources(run)),
        tuple(warnings),
    )


def _check(settings: AnalysisSettings, run: Trajectory) -> None:
    if not (math.isfinite(settings.temperature_K) and settings.temperature_K > 0):
        raise TrajectoryError(f"temperature must be positive, got {settings.temperature_K} K")
    if not (math.isfinite(settings.site_distance_A) and settings.site_distance_A > 0):
        raise TrajectoryError(f"site distance must be positive, got {settings.site_distance_A} Å")
    if settings.charge_e is None and settings.mobile not in CHARGES_E:
        raise TrajectoryError(f"{run.name}: charge of {settings.mobile} unknown; give --charge")


def _discarded(moves: Displacements, settings: AnalysisSettings) -> int:
    if settings.equilibration_ps is None:
        return equilibration_frames(moves)
    if settings.equilibration_ps < 0:
        raise TrajectoryError(f"equilibration must not be negative: {settings.equilibration_ps} ps")
    return min(round(settings.equilibration_ps * 1000.0 / moves.frame_spacing_fs), moves.n_frames)


def _production(moves: Displacements, discard: int) -> Displacements:
    if discard == 0:
        return moves
    return Displacements(
        moves.positions_A[discard:],
        moves.framework_A[discard:],
        moves.framework_species,
        moves.frame_spacing_fs,
        moves.mean_volume_A3,
        moves.temperature_proxy_A2[discard:],
        moves.volumes_A3,
        moves.risky_steps,
        moves.first_risky_frame,
        moves.restart_jumps,
        moves.max_drift_A,
    )


def _with_reason(evidence: Evidence, reason: str) -> Evidence:
    return Evidence(**{**evidence.__dict__, "reason": reason})


def _warnings(run: Trajectory, moves: Displacements, discard: int) -> list[str]:
    texts = [
        f"{run.file_and_frame(frame)} (frame {frame + 1} of the joined run): "
        "jump that no dynamics explains; are the segments in order and of one run?"
        for frame in moves.restart_jumps
    ]
    if moves.risky_steps and moves.first_risky_frame is not None:
        texts.append(
            f"{run.file_and_frame(moves.first_risky_frame)}: {moves.risky_steps} steps come near "
            "half a cell edge, first here: frames are too far apart to unwrap surely"
        )
    if discard:
        texts.append(
            f"{discard} frames ({discard * run.frame_spacing_fs / 1000.0:g} ps) discarded as "
            "equilibration"
        )
    if not moves.framework_species:
        texts.append("every atom is mobile: no drift was subtracted, melting cannot be told")
    return texts


def _upper_bound(
    verdict: Verdict,
    moves: Displacements,
    msd_A2: FloatArray,
    collective_A2: FloatArray,
    settings: AnalysisSettings,
    evidence: Evidence,
) -> float | None:
    site2 = settings.site_distance_A**2
    if verdict == "confined":
        bound = _charge_bound(collective_A2, moves.n_mobile, site2)
    elif verdict == "too_short" and (evidence.msd_exponent or 2.0) <= BALLISTIC_EXPONENT:
        bound = _hop_bound(msd_A2, moves.n_mobile, site2)
    else:
        return None
    return bound * CM2_S_PER_A2_FS / moves.frame_spacing_fs


def _charge_bound(collective_A2: FloatArray, n_mobile: int, site2: float) -> float:
    """95 % bound on the long-time slope of the collective MSD over six, Å² a frame.

    The growth of the collective MSD from a tenth to half of the run is what diffusion could hide
    in; its sampling law at half of the run is near χ² with nine degrees of freedom. Three
    uncompensated hops could always have been missed (Poisson).
    """
    n = len(collective_A2) - 1
    first, last = n // 10, n // 2
    noise = 1.645 * float(collective_A2[first : last + 1].std())
    growth = max(float(collective_A2[last] - collective_A2[first]), 0.0) + noise
    hidden = growth * 9.0 / stats.chi2.ppf(0.05, 9) / (6.0 * (last - first))
    return max(float(hidden), 3.0 * site2 / (6.0 * n_mobile * n))


def _hop_bound(msd_A2: FloatArray, n_mobile: int, site2: float) -> float:
    """95 % Poisson bound on D, from the effective hops within half of the run, Å² a frame."""
    half = (len(msd_A2) - 1) // 2
    hops = n_mobile * float(msd_A2[half]) / site2
    most = float(stats.chi2.ppf(0.95, 2.0 * (hops + 1.0))) / 2.0
    return most * site2 / (6.0 * n_mobile * half)


def _haven_interval(
    fit: DiffusionFit, moves: Displacements, collective_A2: FloatArray
) -> tuple[float, float] | None:
    """95 % interval of the Haven ratio D* / D_σ; None where the run is too short for one.

    D_σ is the slope of the collective MSD from the start of the fit window to twice that lag or a
    tenth of the run. The displacement of the whole charge is a single random walk, so the slope
    follows χ²/ν. Its variance 2/ν was found by simulating Brownian walks: with x the last lag over
    the run and f the first lag over the last, 2/ν = x (0.55 + f) (1 + x/2), right to a tenth for
    x ≤ 0.2 and f ≤ 0.5 in three dimensions. ν shrinks in proportion where ions move in fewer.
    """
    n, spacing_fs = len(collective_A2), moves.frame_spacing_fs
    first = max(round(fit.window_ps[0] * 1000.0 / spacing_fs), 1)
    last = max(n // 10, 2 * first)
    if last > n // 5 or last - first < 3:
        return None
    lags = np.arange(first, last + 1)
    slope = float(np.polyfit(lags, collective_A2[lags], 1)[0])
    charge_cm2_s = slope / 6.0 * CM2_S_PER_A2_FS / spacing_fs
    if charge_cm2_s <= 0:
        return None
    share, start = last / n, first / last
    freedom = 2.0 / (share * (0.55 + start) * (1.0 + share / 2.0))
    freedom *= _dimension(moves.positions_A, first) / 3.0
    low, high = (float(q) / freedom for q in stats.chi2.ppf((0.025, 0.975), freedom))
    own = 1.96 * max(e for e in (fit.ion_rel_error, fit.block_rel_error, 0.0) if e is not None)
    ratio = fit.diffusivity_cm2_s / charge_cm2_s
    return (
        ratio * math.exp(-math.hypot(math.log(low), own)),
        ratio * math.exp(math.hypot(math.log(high), own)),
    )


def _dimension(positions_A: FloatArray, lag: int) -> float:
    """Effective number of dimensions of the motion, 1 to 3: (tr C)² / tr C² of displacements."""
    moved = (positions_A[lag :: max(1, lag)] - positions_A[: -lag : max(1, lag)]).reshape(-1, 3)
    covariance = moved.T @ moved
    return float(np.trace(covariance) ** 2 / np.trace(covariance @ covariance))


def _sources(run: Trajectory) -> list[dict[str, object]]:
    return [
        {
            "file": segment.file,
            "sha256": segment.sha256 or file_sha256(segment.file),
            "first_frame": segment.first_frame + 1,
            "n_frames": segment.n_frames,
        }
        for segment in run.segments
    ]


def file_sha256(path: str) -> str | None:
    """SHA-256 of a file, or None where the name is not that of a file (data held in memory)."""
    if not Path(path).is_file():
        return None
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
