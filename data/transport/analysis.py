"""One run → one transport label: verdict, diffusivity, conductivity, bounds, provenance."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Final

import numpy as np

from ..errors import TrajectoryError
from ..records import Kind, Label
from ..trajectories.cell import CellFluctuations, cell_fluctuations
from ..trajectories.displacements import Displacements, displacements, equilibration_frames
from ..trajectories.trajectory import FloatArray, Trajectory
from ..units import nernst_einstein_sigma_S_cm
from .bounds import haven_interval
from .diffusion import SITE_DISTANCE_A, DiffusionFit
from .directions import DiffusionTensor, diffusion_tensor
from .verdict import Evidence, Verdict, judge_displacements, upper_bound

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
_TENSOR_FRAMES: Final[int] = 20


@dataclass(frozen=True, kw_only=True)
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
    also_mobile: tuple[str, ...] = ()
    """Elements that move beside it and are no part of the host."""


@dataclass(frozen=True, eq=False, kw_only=True)
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
    """95 % bound where there is no value: of the charge diffusivity, or of D if that is larger."""
    haven_ratio: tuple[float, float] | None
    """95 % interval, or None when the run is too short for one."""
    tensor: DiffusionTensor | None
    """None for a run of a few frames."""
    cell: CellFluctuations | None
    """None where the cell is constant."""
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
            **self._directions(),
            "cell": None if self.cell is None else asdict(self.cell),
            "n_eff": self.n_eff,
            "site_distance_A": self.settings.site_distance_A,
            "sources": list(self.sources),
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        given = self.settings
        value, upper = (self._numbers()[k] for k in ("sigma_mS_cm", "sigma_upper_mS_cm"))
        found = "no conductivity" if upper is None else f"σ below {upper:.3g} mS/cm"
        if value is not None:
            low, high = (self._numbers()[f"sigma_{end}_mS_cm"] for end in ("low", "high"))
            found = f"σ {value:.3g} [{low:.3g}, {high:.3g}] mS/cm"
        return f"<{given.mobile} at {given.temperature_K:g} K: {self.verdict}, {found}>"

    def _repr_html_(self) -> str:
        """What is one number or one word, and the warnings, for notebooks."""
        facts = {k: v for k, v in self.as_dict().items() if isinstance(v, (str, int, float))}
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>"
            for name, value in [*facts.items(), *(("warning", w) for w in self.warnings)]
        )
        return f"<p>{escape(repr(self)[1:-1])}</p><table>{rows}</table>"

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

    def _directions(self) -> dict[str, object]:
        if self.tensor is None:
            return {"diffusivity_tensor_cm2_s": None, "directions": []}
        return {
            "diffusivity_tensor_cm2_s": self.tensor.tensor_cm2_s.tolist(),
            "directions": [asdict(d) for d in self.tensor.directions],
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
            structure_id=self.settings.structure_id,
            temperature_K=self.settings.temperature_K,
            kind=self.settings.kind,
            quantity="sigma_S_cm",
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
    moves = displacements(run, [settings.mobile, *settings.also_mobile])
    return analyse_displacements(run, moves.of(settings.mobile), settings)


def analyse_displacements(
    run: Trajectory, moves: Displacements, settings: AnalysisSettings
) -> TransportLabel:
    """The same from displacements that are already known, of ``settings.mobile`` alone."""
    discard = _discarded(moves, settings)
    production = moves.after(discard)
    if production.n_frames < 2:
        raise TrajectoryError(
            f"{run.name}: {production.n_frames} of {run.n_frames} frames are left after "
            "equilibration; discard less (--equilibration-ps)"
        )
    found = judge_displacements(production, settings.site_distance_A)
    warnings = [*run.warnings, *_warnings(run, moves, discard), *found.warnings]
    fit = found.fit if found.verdict == "diffusive" else None
    if fit is not None and moves.risky_steps > _RISKY_FRACTION * moves.positions_A[1:, :, 0].size:
        warnings.append("diffusivity withheld: too many steps are ambiguous to unwrap the run")
        fit = None
    upper = upper_bound(found, production, settings.site_distance_A)
    return TransportLabel(
        settings=settings,
        verdict=found.verdict,
        evidence=found.evidence,
        n_frames=run.n_frames,
        n_equilibration_frames=discard,
        frame_spacing_fs=run.frame_spacing_fs,
        n_mobile=moves.n_mobile,
        mean_volume_A3=moves.mean_volume_A3,
        n_eff=found.n_eff,
        fit=fit,
        diffusivity_upper_cm2_s=upper,
        haven_ratio=None if fit is None else haven_interval(fit, production, found.collective_A2),
        tensor=_tensor(production, settings.site_distance_A),
        cell=cell_fluctuations(run, discard),
        lag_ps=np.asarray(np.arange(production.n_frames) * (run.frame_spacing_fs / 1000.0)),
        msd_A2=found.msd_A2,
        collective_msd_A2=found.collective_A2,
        sources=tuple(_sources(run)),
        warnings=tuple(warnings),
    )


def _tensor(moves: Displacements, site_distance_A: float) -> DiffusionTensor | None:
    if moves.n_frames < _TENSOR_FRAMES:
        return None
    return diffusion_tensor(
        moves.positions_A, moves.lattice, moves.frame_spacing_fs, site_distance_A
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
    cell = cell_fluctuations(run, discard)
    if cell is not None and cell.drifts:
        texts.append(
            f"the cell volume drifts by {100 * cell.volume_drift:+.1f} % between the halves of the "
            "run: it has not settled; discard more (--equilibration-ps) or run longer"
        )
    return texts


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
