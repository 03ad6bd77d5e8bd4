"""What an AIMD job does: protocol, spin, temperature ladder and how a study goes on.

Protocol after Yang 2025 (10.1038/s41524-025-01559-9): ordered supercell near 10 Å, PBE, Γ only,
NVT Nosé, 10 ps equilibration, 60 ps production, spin only where a cation is open-shell. Time step
2 fs after Yu 2024 (10.1021/jacs.4c02170) instead of Yang's 1 fs; 0.5 fs with hydrogen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ...data.errors import InputError
from ...data.records import StructureRecord
from .electrons import high_spin_moment
from .simulation_cell import SimulationCell, simulation_cells
from .structure_json import record_from_dict, record_to_dict

Verdict = Literal["diffusive", "confined", "molten", "too_short"]
HYDROGEN_STEP_SHARE: Final[float] = 0.25
"""Of the time step: X–H vibrations of 3,000 cm⁻¹ have periods of 11 fs."""
MIN_DIFFUSIVE_TEMPERATURES: Final[int] = 3
"""An Arrhenius line needs a third point to show whether it is one."""


@dataclass(frozen=True)
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

    def __post_init__(self) -> None:
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


@dataclass(frozen=True, eq=False)
class AimdPlan:
    """One MD run, complete: what any engine needs to write its input.

    Parameters
    ----------
    record : StructureRecord
        Ordered, with formal charges.
    n_steps : int
        All steps, equilibration included.
    frame_every : int
        Steps between kept frames.
    moments : tuple of float, length n_sites
        Starting magnetic moments, Bohr magnetons; all 0 means not spin-polarised.
    engine_settings : dict
        What the engine adds or overrides; its own business.
    """

    record: StructureRecord
    mobile: str
    temperature_K: float
    time_step_fs: float
    n_steps: int
    equilibration_ps: float
    frame_every: int
    moments: tuple[float, ...]
    n_electrons: float
    seed: int
    demonstration: bool = False
    notes: tuple[str, ...] = ()
    engine_settings: dict[str, Any] = field(default_factory=dict)

    @property
    def frame_spacing_fs(self) -> float:
        """Time between kept frames, fs."""
        return self.frame_every * self.time_step_fs

    @property
    def production_ps(self) -> float:
        """Time after equilibration, ps."""
        return self.n_steps * self.time_step_fs / 1000.0 - self.equilibration_ps

    @property
    def spin_polarised(self) -> bool:
        """True if any ion has unpaired electrons."""
        return any(self.moments)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        content = {k: v for k, v in self.__dict__.items() if k != "record"}
        return {**content, "record": record_to_dict(self.record)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> AimdPlan:
        """Read what :meth:`as_dict` gave."""
        lists = {name: tuple(content[name]) for name in ("moments", "notes")}
        return cls(**{**content, **lists, "record": record_from_dict(content["record"])})


def make_plan(
    record: StructureRecord,
    temperature_K: float,
    settings: ProtocolSettings,
    mobile: str = "Li",
    seed: int = 0,
    engine_settings: Mapping[str, Any] | None = None,
) -> AimdPlan:
    """Plan one run of a structure as it is in a database, disordered or not.

    Raises
    ------
    RoleError, StructureError
        If the structure cannot be made into an ordered neutral cell.
    """
    cell = simulation_cells(
        record, mobile, settings.target_A, settings.max_atoms, keep=1, seed=seed
    )[0]
    return plan_cell(cell, temperature_K, settings, mobile, seed, engine_settings)


def plan_cell(
    cell: SimulationCell,
    temperature_K: float,
    settings: ProtocolSettings,
    mobile: str = "Li",
    seed: int = 0,
    engine_settings: Mapping[str, Any] | None = None,
) -> AimdPlan:
    """Plan one run of a simulation cell."""
    step = settings.time_step_of(cell.record.elements)
    return AimdPlan(
        cell.record,
        mobile,
        float(temperature_K),
        step,
        settings.n_steps(cell.record.elements),
        settings.equilibration_ps,
        max(1, round(settings.frame_spacing_fs / step)),
        starting_moments(cell.record),
        cell.n_electrons,
        seed,
        settings.demonstration,
        (_origin(cell), *cell.notes),
        dict(engine_settings or {}),
    )


def _origin(cell: SimulationCell) -> str:
    if cell.method == "ordered":
        return f"ordered cell, periodic images at least {cell.image_distance_A:.1f} Å apart"
    return (
        f"{cell.method} arrangement of lowest Ewald energy among {cell.n_configurations:.3g}, "
        f"periodic images at least {cell.image_distance_A:.1f} Å apart"
    )


def starting_moments(record: StructureRecord) -> tuple[float, ...]:
    """High-spin ferromagnetic start for open-shell cations, 0 elsewhere, shape (n_sites,)."""
    return tuple(
        float(high_spin_moment(content[0].element, content[0].oxidation or 0.0))
        for content in record.species
    )


@dataclass(frozen=True)
class RunOutcome:
    """What is known about one temperature of one candidate."""

    temperature_K: float
    verdict: Verdict
    production_ps: float


@dataclass(frozen=True)
class NextStep:
    """How a study of one candidate goes on."""

    action: Literal["extend", "add", "close"]
    reason: str
    temperature_K: float | None = None
    production_ps: float | None = None

    def __str__(self) -> str:
        what: str = self.action
        if self.temperature_K is not None:
            what += f" {self.temperature_K:g} K"
        if self.production_ps is not None:
            what += f" to {self.production_ps:g} ps"
        return f"{what}: {self.reason}"


def next_step(outcomes: Sequence[RunOutcome], settings: ProtocolSettings) -> NextStep:
    """Decide how to go on with a candidate whose runs have all ended.

    Too short: run on, twice as long, up to the limit. Then towards three diffusive temperatures:
    hotter where ions do not diffuse yet, cooler where they do or where the crystal melts.

    Parameters
    ----------
    outcomes : sequence of RunOutcome
        One for each temperature.
    settings : ProtocolSettings
    """
    for outcome in outcomes:
        if outcome.verdict == "too_short" and outcome.production_ps < settings.max_production_ps:
            longer = min(2.0 * outcome.production_ps, settings.max_production_ps)
            reason = f"too short after {outcome.production_ps:g} ps"
            return NextStep("extend", reason, outcome.temperature_K, longer)
    diffusive = [o.temperature_K for o in outcomes if o.verdict == "diffusive"]
    if len(diffusive) >= MIN_DIFFUSIVE_TEMPERATURES:
        return NextStep("close", f"{len(diffusive)} diffusive temperatures")
    if len(outcomes) >= settings.max_temperatures:
        return NextStep("close", f"{len(outcomes)} temperatures were tried")
    return _another_temperature(outcomes, diffusive, settings)


def _another_temperature(
    outcomes: Sequence[RunOutcome], diffusive: list[float], settings: ProtocolSettings
) -> NextStep:
    tried = [o.temperature_K for o in outcomes]
    still = [o.temperature_K for o in outcomes if o.verdict in ("confined", "too_short")]
    molten = [o.temperature_K for o in outcomes if o.verdict == "molten"]
    # Between what does not move and what melts there may be something left to see.
    low = max(still, default=0.0)
    high = min(molten, default=float("inf"))
    open_rungs = [t for t in settings.ladder_K if low < t < high and t not in tried]
    if diffusive:
        reference = min(diffusive)
        cooler = [t for t in open_rungs if t < reference]
        choice = max(cooler, default=min((t for t in open_rungs if t > reference), default=None))
        reason = f"{len(diffusive)} of {MIN_DIFFUSIVE_TEMPERATURES} diffusive temperatures"
    elif molten:
        choice, reason = max(open_rungs, default=None), f"molten at {high:g} K"
    else:
        choice, reason = min(open_rungs, default=None), f"no diffusion at {low:g} K"
    if choice is None:
        return NextStep("close", f"{reason}; no temperature is left: bounds stand")
    return NextStep("add", reason, choice)


def retry_settings(reason: str, settings: Mapping[str, Any], attempt: int) -> dict[str, Any] | None:
    """Engine settings for another attempt after a failure; None to give up.

    Electronic convergence: slower mixing, then more smearing. A drift of the conserved energy:
    tighter convergence. Anything else is tried once more as it was: a node that died says nothing
    about the crystal.
    """
    if attempt >= 3:
        return None
    if "drifts" in reason:
        return {**settings, "convergence_factor": 0.1**attempt}
    if "converge" in reason.lower():
        ladder = ({"mixing": 0.02, "max_scf_steps": 300}, {"mixing": 0.01, "smearing_eV": 0.1})
        return {**settings, **ladder[attempt - 1]}
    return dict(settings) if attempt < 2 else None
