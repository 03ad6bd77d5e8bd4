"""Engines that are ASE calculators: runs by :mod:`.md`, relaxations by :mod:`.relax`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ...data.atomic import write_text_atomic
from ...data.errors import MissingDependencyError, TrajectoryError
from ...data.records import Kind
from ...data.trajectories.trajectory import Segment, Trajectory
from ...data.transport.analysis import file_sha256
from ..acquisition.cost import UNKNOWN_COST, CostLine
from ..jobs.failures import Cause, Failure
from ..jobs.plan import AimdPlan, Plan, RelaxPlan
from .ase_calculators import require
from .engine import Progress, Readiness, Relaxed, Script, stopped
from .exits import STARTED, STOP, exit_failure, exit_status, tail
from .md import ASK_TO_STOP, CHECKPOINT, FAILED, FRAMES, read_checkpoint, read_frames
from .relax import read_relaxation
from .run_log import RunLog
from .settings import SettingNames

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

_SCRIPT: Final[str] = """\
python=${IONSIEVE_PYTHON:-python3}
# -P: what lies in this folder is never imported.
"$python" -P -c 'import ionsieve' 2> /dev/null || {
  say "$python has no ionsieve: set IONSIEVE_PYTHON to the interpreter that has"
  exit 127
}
run "$python" -P -m ionsieve.screening.engines.md_job . 2> job.err
status=$?
cat job.err >&2
exit $status
"""


@dataclass(frozen=True, kw_only=True)
class AseEngine:
    """Any ASE calculator.

    Parameters
    ----------
    name : str
    kind : str
        Kind of label it gives.
    calculator : callable
        Takes the plan and the folder, gives the calculator.
    packages : tuple of str
        Python packages that must be importable where it runs.
    settings : SettingNames
    cost : CostLine
    text_output : str
        File that the calculator writes, for a look inside a step.
    iteration : regular expression
        Finds the number of the SCF iteration in it.
    """

    name: str
    kind: Kind
    calculator: Callable[[Plan, Path], Calculator]
    packages: tuple[str, ...] = ()
    settings: SettingNames = field(default_factory=SettingNames)
    cost: CostLine = UNKNOWN_COST
    text_output: str = ""
    iteration: str = r"^iter: *(\d+)"

    def ready(self) -> Readiness:
        """Whether its packages are installed here."""
        try:
            for package in self.packages:
                require(package)
        except MissingDependencyError as error:
            return Readiness(False, str(error))
        return Readiness(True, f"{self.name} runs in this Python")

    def write_inputs(self, plan: Plan, folder: Path) -> None:
        """Nothing beyond ``plan.json``, which the campaign writes; a request to stop is undone."""
        for name in (ASK_TO_STOP, STOP):
            (folder / name).unlink(missing_ok=True)

    def script(self, plan: Plan) -> Script:
        """Run the job with the interpreter in ``IONSIEVE_PYTHON``."""
        return Script(_SCRIPT, locks_itself=True)

    def progress(self, plan: Plan, folder: Path) -> Progress:
        """From the checkpoint, the end marks and the script's exit status."""
        steps, seconds, whole = self._done(plan, folder)
        if whole or (steps and (folder / STOP).exists()):
            return Progress(state="finished", n_steps=steps, core_seconds=seconds)
        failure = self._failure(folder, steps)
        if failure is not None:
            return stopped(failure, steps, seconds)
        begun = steps > 0 or (folder / FRAMES).exists() or (folder / STARTED).exists()
        return Progress(
            state="started" if begun else "waiting",
            n_steps=steps,
            core_seconds=seconds,
            inside=self._inside(folder),
            # One process: its CPU time is its wall time, but for waiting.
            step_s=seconds / steps if steps and seconds else None,
        )

    def _failure(self, folder: Path, steps: int) -> Failure | None:
        if (folder / FAILED).exists():
            content = json.loads((folder / FAILED).read_text("utf-8"))
            return Failure(Cause(content.get("cause", Cause.CRASH)), content["reason"])
        status = exit_status(folder)
        return exit_failure(folder, self.name, status, steps) if status else None

    def _inside(self, folder: Path) -> str:
        text = tail(folder / self.text_output, 4_000) if self.text_output else ""
        found = re.findall(self.iteration, text, re.MULTILINE)
        return f"SCF iteration {found[-1]}" if found else ""

    def trajectory(self, plan: AimdPlan, folder: Path) -> Trajectory:
        """The frame log; a last frame between two regular ones is left out."""
        path = folder / FRAMES
        positions, facts = read_frames(path) if path.exists() else (np.empty((0, 0, 3)), [])
        regular = [i for i, fact in enumerate(facts) if fact["step"] % plan.frame_every == 0]
        if not regular:
            raise TrajectoryError(f"{path}: no frame in it yet")
        cell = plan.record.lattice
        return Trajectory(
            species=tuple(content[0].element for content in plan.record.species),
            lattices=cell[None],
            frac=positions[regular] @ np.linalg.inv(cell),
            frame_spacing_fs=plan.frame_spacing_fs,
            unwrapped=True,
            segments=(
                Segment(
                    file=path.name,
                    first_frame=0,
                    n_frames=len(regular),
                    sha256=file_sha256(str(path)) or "",
                ),
            ),
        )

    def log(self, plan: AimdPlan, folder: Path) -> RunLog | None:
        """From the frame log; NaN where the calculator has no conserved energy or no stress."""
        path = folder / FRAMES
        facts = read_frames(path)[1] if path.exists() else []
        if not facts:
            return None
        names = ("temperature_K", "conserved_eV", "pressure_GPa")
        # None becomes NaN.
        columns = np.array([[f.get(name) for f in facts] for name in names], dtype=np.float64)
        return RunLog(
            step=np.array([f["step"] for f in facts]),
            temperature_K=columns[0],
            conserved_eV=columns[1],
            pressure_GPa=columns[2],
            core_seconds=self._done(plan, folder)[1],
        )

    def relaxed(self, plan: RelaxPlan, folder: Path) -> Relaxed:
        """The geometry of the last ionic step."""
        return read_relaxation(plan, folder)

    def ask_to_stop(self, folder: Path) -> None:
        """The run looks for this file after every step."""
        write_text_atomic(folder / ASK_TO_STOP, "")

    @staticmethod
    def _done(plan: Plan, folder: Path) -> tuple[int, float | None, bool]:
        """Steps, core seconds, and whether that is all."""
        if isinstance(plan, RelaxPlan):
            try:
                found = read_relaxation(plan, folder)
            except TrajectoryError:
                return 0, None, False
            whole = found.converged or found.n_steps >= plan.n_steps
            return found.n_steps, found.core_seconds, whole
        state = read_checkpoint(folder / CHECKPOINT)
        if state is None:
            return 0, None, False
        steps = int(state["step"])
        return steps, float(state["core_seconds"]), steps >= plan.n_steps
