"""What a campaign asks of an engine: one small interface and the values that pass through it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from ...data.records import Kind, StructureRecord
from ...data.trajectories.trajectory import Trajectory
from ..acquisition.cost import CostLine
from ..jobs.failures import Failure
from ..jobs.plan import AimdPlan, Plan, RelaxPlan
from .run_log import RunLog
from .settings import SettingNames

RunState = Literal["waiting", "started", "interrupted", "blocked", "finished", "failed"]
"""``started``: runs, or was killed without a trace; ``interrupted``: ended from outside, goes on
when started again; ``blocked``: the machine lacks something; the rest says itself."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job got, read from its folder.

    Parameters
    ----------
    state : str
    n_steps : int
        MD or ionic steps done.
    core_seconds : float or None
    failure : Failure or None
        Why it is interrupted, blocked or failed.
    inside : str
        Where it is within the step it is at, as ``SCF iteration 14``.
    step_s : float or None
        Wall time a step of the present segment, s; None before its first.
    """

    state: RunState
    n_steps: int = 0
    core_seconds: float | None = None
    failure: Failure | None = None
    inside: str = ""
    step_s: float | None = None


def stopped(failure: Failure, n_steps: int, core_seconds: float | None = None) -> Progress:
    """Progress of a job that has ended otherwise than planned."""
    state: RunState = "failed"
    if failure.cause.blocks:
        state = "blocked"
    elif failure.cause.interrupts:
        state = "interrupted"
    return Progress(state=state, n_steps=n_steps, core_seconds=core_seconds, failure=failure)


@dataclass(frozen=True)
class Readiness:
    """Whether an engine runs on this machine, and what it needs where it runs."""

    here: bool
    text: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Relaxed:
    """Where a relaxation has come to.

    Parameters
    ----------
    record : StructureRecord
        Sites in the order of the plan.
    converged : bool
        Forces and stress are below the plan's limits.
    n_steps : int
    energy_eV, pressure_GPa, max_force_eV_A, core_seconds : float or None
        None where the engine's output does not say.
    """

    record: StructureRecord
    converged: bool
    n_steps: int
    energy_eV: float | None = None
    pressure_GPa: float | None = None
    max_force_eV_A: float | None = None
    core_seconds: float | None = None


@dataclass(frozen=True)
class Script:
    """Shell lines that run a job in its folder, or go on with it.

    They may call ``run COMMAND`` (passes signals on and keeps the exit status), ``say TEXT`` (to
    the user and into ``job.err``) and ``exit`` with a status.
    """

    lines: str
    locks_itself: bool = False
    """The program holds ``.lock`` while it runs; otherwise the script around it does."""
    compared: tuple[str, ...] = ()
    """Input files that name further files, or that the shell reads: with these, too, nothing is run
    that was not written for the plan."""


class Engine(Protocol):
    """What a campaign asks of an engine."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def kind(self) -> Kind:
        """Kind of the labels it gives."""

    @property
    def settings(self) -> SettingNames:
        """Settings that it knows."""

    @property
    def cost(self) -> CostLine:
        """What a step costs before any job has finished."""

    def ready(self) -> Readiness:
        """Whether it runs here, and what it needs where it does not."""

    def write_inputs(self, plan: Plan, folder: Path) -> None:
        """Write or renew the input files; what a run left behind stays."""

    def script(self, plan: Plan) -> Script:
        """How the job is run."""

    def progress(self, plan: Plan, folder: Path) -> Progress:
        """How far the job got."""

    def trajectory(self, plan: AimdPlan, folder: Path) -> Trajectory:
        """The run so far, equilibration included.

        Raises
        ------
        TrajectoryError
            If there is no frame, or a file cannot be read.
        """

    def log(self, plan: AimdPlan, folder: Path) -> RunLog | None:
        """Temperatures, conserved energies and pressures so far; None where there are none."""

    def relaxed(self, plan: RelaxPlan, folder: Path) -> Relaxed:
        """Where the relaxation has come to.

        Raises
        ------
        TrajectoryError
            If there is no geometry yet, or it cannot be read.
        """

    def ask_to_stop(self, folder: Path) -> None:
        """Have the program end after the step that it is at, with whole files."""


__all__ = ["Engine", "Progress", "Readiness", "Relaxed", "RunState", "Script", "stopped"]
