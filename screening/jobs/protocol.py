"""How candidates are simulated: cell, relaxation, temperatures, times.

Protocol after Yang 2025 (10.1038/s41524-025-01559-9): ions and cell relaxed with PBE at 520 eV,
ordered supercell near 10 Å, Γ only, NVT Nosé, 10 ps equilibration, 60 ps production, spin only
where a cation is open-shell. Time step 2 fs after Yu 2024 (10.1021/jacs.4c02170) instead of Yang's
1 fs; 0.5 fs with hydrogen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ...data.errors import InputError

HYDROGEN_STEP_SHARE: Final[float] = 0.25
"""Of the time step: X–H vibrations of 3,000 cm⁻¹ have periods of 11 fs."""
BY_ENGINE: Final[str] = "engine"
NO_RELAXATION: Final[str] = "none"


@dataclass(frozen=True, kw_only=True)
class RelaxationSettings:
    """How ions and cell are relaxed before a run.

    Parameters
    ----------
    by : str
        ``engine`` (the campaign's own), ``none``, or the name of an engine whose potential does it
        cheaply; labels then say so.
    cutoff_eV : float
        Plane-wave cut-off, eV, as Yang 2025; larger than that of a run, because the stress of an
        incomplete basis pulls the cell together.
    force_eV_A : float
        Largest force on an atom, eV/Å.
    stress_GPa : float
        Largest component of the stress, GPa.
    scf_eV : float
        Convergence of the electronic energy, eV.
    k_length_A : float
        A direction is sampled by so many k-points that cell length times their number reaches
        this, Å.
    max_steps : int
        Ionic steps.
    """

    by: str = BY_ENGINE
    cutoff_eV: float = 520.0
    force_eV_A: float = 0.02
    stress_GPa: float = 0.1
    scf_eV: float = 1e-5
    k_length_A: float = 18.0
    max_steps: int = 200

    def __post_init__(self) -> None:
        for name in ("cutoff_eV", "force_eV_A", "stress_GPa", "scf_eV", "k_length_A", "max_steps"):
            if not getattr(self, name) > 0:
                raise InputError(f"relaxation: {name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class ProtocolSettings:
    """How candidates are simulated.

    Parameters
    ----------
    target_A, max_atoms
        Image distance wanted (Å) and largest cell.
    start_K : tuple of float
        Temperatures proposed first, K.
    ladder_K : tuple of float
        Temperatures that a study may go on to, K, ascending.
    time_step_fs : float
        MD step, fs; a quarter of it where there is hydrogen.
    equilibration_ps, production_ps, max_production_ps : float
        Discarded, first and longest production time, ps.
    frame_spacing_fs : float
        Frames are kept this far apart, fs.
    max_temperatures : int
        Temperatures that one candidate may cost.
    demonstration : bool
        Coarse settings: labels are marked and not trained on.
    stop_early : bool
        End runs that have shown enough.
    early_share : float
        Share of the first production time that a run must have before it may end as diffusive or
        bound.
    early_error_log10 : float
        Error of the diffusivity, decades, that is small enough.
    relaxation : RelaxationSettings
        What is done with a candidate before it is heated; may be given as a mapping.
    """

    target_A: float = 10.0
    max_atoms: int = 240
    start_K: tuple[float, ...] = (1000.0,)
    ladder_K: tuple[float, ...] = (300.0, 400.0, 600.0, 800.0, 1000.0, 1200.0)
    time_step_fs: float = 2.0
    equilibration_ps: float = 10.0
    production_ps: float = 60.0
    max_production_ps: float = 240.0
    frame_spacing_fs: float = 20.0
    max_temperatures: int = 4
    demonstration: bool = False
    stop_early: bool = True
    early_share: float = 0.5
    early_error_log10: float = 0.1
    relaxation: RelaxationSettings = field(default_factory=lambda: RelaxationSettings())

    def __post_init__(self) -> None:
        if isinstance(self.relaxation, Mapping):
            object.__setattr__(self, "relaxation", RelaxationSettings(**self.relaxation))
        for name in ("start_K", "ladder_K"):
            object.__setattr__(self, name, tuple(float(t) for t in getattr(self, name)))
            if not getattr(self, name) or min(getattr(self, name)) <= 0:
                raise InputError(f"{name} needs positive temperatures, got {getattr(self, name)}")
        for name in ("target_A", "time_step_fs", "production_ps", "frame_spacing_fs"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be positive, got {getattr(self, name)}")
        if self.frame_spacing_fs < self.time_step_fs:
            raise InputError(
                f"frames every {self.frame_spacing_fs} fs are closer than the time step of "
                f"{self.time_step_fs} fs"
            )

    def time_step_of(self, elements: Iterable[str]) -> float:
        """MD step of a crystal of these elements, fs: a quarter where there is hydrogen."""
        return self.time_step_fs * (HYDROGEN_STEP_SHARE if "H" in elements else 1.0)

    def n_steps(self, elements: Iterable[str]) -> int:
        """MD steps of a first run, equilibration included."""
        total_fs = 1000.0 * (self.equilibration_ps + self.production_ps)
        return max(1, round(total_fs / self.time_step_of(elements)))
