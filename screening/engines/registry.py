"""Engines behind one small interface: write a job's input, say how it is run, read how far it got.

GPAW runs through ASE in this process or on a node. CP2K, VASP and Quantum ESPRESSO are external
programs: their folders are complete but for pseudopotentials, and the command that runs them is
the user's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np

from ...data.errors import InputError, TrajectoryError
from ...data.records import Kind
from ...data.trajectories.trajectory import Segment, Trajectory
from ...data.transport.analysis import file_sha256
from ..jobs.plan import AimdPlan
from . import inputs as engine_inputs
from . import outputs as outputs
from . import scripts as engine_scripts
from .ase_calculators import chgnet_calculator, gpaw_calculator
from .cp2k import write_cp2k
from .md import CHECKPOINT, FAILED, FRAMES, read_checkpoint, read_frames
from .outputs import FrameReader, LogReader, joined_run
from .run_log import RunLog, join_logs

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

RunState = Literal["waiting", "started", "finished", "failed"]
INTERRUPTED: Final[tuple[str, ...]] = ("130", "137", "143")
"""Exit statuses, as written, of a program ended by INT, KILL or TERM: cut off, not wrong."""


@dataclass(frozen=True)
class Progress:
    """How far a job got, read from its folder."""

    state: RunState
    n_steps: int = 0
    core_seconds: float | None = None
    reason: str = ""


class Engine(Protocol):
    """What a campaign asks of an engine."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def kind(self) -> Kind:
        """Kind of the labels it gives."""

    def write_inputs(self, plan: AimdPlan, folder: Path) -> None:
        """Write or renew the input files; what a run left behind stays."""

    def script(self, plan: AimdPlan) -> str:
        """Shell lines that run the job in its folder, or go on with it."""

    def progress(self, plan: AimdPlan, folder: Path) -> Progress:
        """How far the job got."""

    def trajectory(self, plan: AimdPlan, folder: Path) -> Trajectory:
        """The run so far, equilibration included.

        Raises
        ------
        TrajectoryError
            If there is no frame, or a file cannot be read.
        """

    def log(self, plan: AimdPlan, folder: Path) -> RunLog | None:
        """Temperatures and conserved energies so far; None where there are none."""


@dataclass(frozen=True)
class AseEngine:
    """Any ASE calculator, run by :mod:`.md`.

    Parameters
    ----------
    name : str
    kind : str
        Kind of label it gives.
    calculator : callable
        Takes the plan and the folder, gives the calculator.
    """

    name: str
    kind: Kind
    calculator: Callable[[AimdPlan, Path], Calculator]

    def write_inputs(self, plan: AimdPlan, folder: Path) -> None:
        """Nothing beyond ``plan.json``, which the campaign writes."""

    def script(self, plan: AimdPlan) -> str:
        """Run the job with the interpreter in ``IONSIEVE_PYTHON``."""
        return 'exec "${IONSIEVE_PYTHON:-python3}" -m ionsieve.screening.engines.md_job .\n'

    def progress(self, plan: AimdPlan, folder: Path) -> Progress:
        """From the checkpoint and the two end marks."""
        if (folder / FAILED).exists():
            reason = json.loads((folder / FAILED).read_text("utf-8"))["reason"]
            return Progress("failed", self._steps(folder)[0], None, reason)
        steps, seconds = self._steps(folder)
        if steps >= plan.n_steps:
            return Progress("finished", steps, seconds)
        started = steps > 0 or (folder / FRAMES).exists()
        return Progress("started" if started else "waiting", steps, seconds)

    def trajectory(self, plan: AimdPlan, folder: Path) -> Trajectory:
        """The frame log; a last frame between two regular ones is left out."""
        path = folder / FRAMES
        positions, facts = read_frames(path) if path.exists() else (np.empty((0, 0, 3)), [])
        regular = [i for i, fact in enumerate(facts) if fact["step"] % plan.frame_every == 0]
        if not regular:
            raise TrajectoryError(f"{path}: no frame in it yet")
        cell = plan.record.lattice
        return Trajectory(
            tuple(content[0].element for content in plan.record.species),
            cell[None],
            positions[regular] @ np.linalg.inv(cell),
            plan.frame_spacing_fs,
            unwrapped=True,
            segments=(Segment(path.name, 0, len(regular), file_sha256(str(path)) or ""),),
        )

    def log(self, plan: AimdPlan, folder: Path) -> RunLog | None:
        """From the frame log; NaN where the calculator has no conserved energy."""
        path = folder / FRAMES
        facts = read_frames(path)[1] if path.exists() else []
        if not facts:
            return None
        columns = [[f.get(name) for f in facts] for name in ("temperature_K", "conserved_eV")]
        # None becomes NaN.
        temperature, conserved = np.array(columns, dtype=np.float64)
        return RunLog(
            np.array([f["step"] for f in facts]),
            temperature,
            conserved,
            core_seconds=self._steps(folder)[1],
        )

    @staticmethod
    def _steps(folder: Path) -> tuple[int, float | None]:
        state = read_checkpoint(folder / CHECKPOINT)
        if state is None:
            return 0, None
        return int(state["step"]), float(state["core_seconds"])


@dataclass(frozen=True)
class ExternalEngine:
    """A program that is run by a command of the user's.

    Parameters
    ----------
    name : str
    write : callable
        Takes plan, folder and the number of steps planned.
    lines : str
        Shell lines; ``$STEPS`` is the number of steps planned.
    finished : regular expression
        Found near the end of ``output`` when the program ended well.
    output : str
        Main output file.
    frames, run_log : callable
        Read one segment: the folder itself, or ``segment.001`` and so on in it.
    steps : callable
        Steps done in a segment, from its folder.
    absolute : bool
        The program counts steps on through restarts.
    failures : tuple of (regular expression, reason)
        Looked for in the output and in what the program said.
    """

    name: str
    write: Callable[[AimdPlan, Path, int], None]
    lines: str
    finished: str
    output: str
    frames: FrameReader
    run_log: LogReader
    steps: Callable[[Path], int]
    absolute: bool
    failures: tuple[tuple[str, str], ...] = ()
    kind: Kind = "aimd"

    def write_inputs(self, plan: AimdPlan, folder: Path) -> None:
        """Input files; those of a run that has begun keep the positions it goes on from."""
        self.write(plan, folder, plan.n_steps)

    def script(self, plan: AimdPlan) -> str:
        """The program's lines; its exit status is kept in ``exit_code``."""
        head = f"STEPS={plan.n_steps}\n"
        return f"{head}{self.lines}status=$?\necho $status > exit_code\nexit $status\n"

    def progress(self, plan: AimdPlan, folder: Path) -> Progress:
        """From the output file, the steps done and the exit status."""
        steps = self._steps(folder)
        text = _tail(folder / self.output)
        ended = re.search(self.finished, text)
        if steps >= plan.n_steps and (ended or not text):
            return Progress("finished", steps)
        status = _tail(folder / "exit_code").strip()
        if status and status not in INTERRUPTED and (status != "0" or ended):
            said = text + _tail(folder / self.output.replace(".out", ".err"))
            said += _tail(folder / f"{self.name}.out") + _tail(folder / f"{self.name}.err")
            known = [reason for mark, reason in self.failures if re.search(mark, said)]
            unknown = f"{self.name} ended with status {status} after {steps} steps"
            return Progress("failed", steps, None, known[0] if known else unknown)
        return Progress("started" if text or steps else "waiting", steps)

    def trajectory(self, plan: AimdPlan, folder: Path) -> Trajectory:
        """All segments, no step twice."""
        found = [self.frames(part, plan) for part in self._parts(folder)]
        return joined_run([part for part in found if part is not None], plan, folder)

    def log(self, plan: AimdPlan, folder: Path) -> RunLog | None:
        """All segments, no step twice."""
        found = [self.run_log(part, plan) for part in self._parts(folder)]
        logs = [log for log in found if log is not None]
        if not self.absolute:
            ends = np.cumsum([0, *(len(log.step) for log in logs)])
            logs = [replace(log, step=log.step + e) for log, e in zip(logs, ends, strict=False)]
        return join_logs(logs) if logs else None

    def _steps(self, folder: Path) -> int:
        done = [self.steps(part) for part in self._parts(folder)]
        return max(done) if self.absolute else sum(done)

    @staticmethod
    def _parts(folder: Path) -> list[Path]:
        """Segments in the order they were run; one that is being moved counts already."""
        return [*sorted(folder.glob("segment.*")), folder]


def _tail(path: Path, size: int = 20_000) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - size))
        return stream.read().decode("utf-8", errors="replace")


ENGINES: dict[str, Engine] = {
    "gpaw": AseEngine("gpaw", "aimd", gpaw_calculator),
    "chgnet": AseEngine("chgnet", "mlip_md", chgnet_calculator),
    "cp2k": ExternalEngine(
        "cp2k",
        write_cp2k,
        engine_scripts.CP2K,
        r"PROGRAM ENDED AT",
        "cp2k.out",
        outputs.cp2k_frames,
        outputs.cp2k_log,
        outputs.cp2k_steps,
        True,
        (
            (r"SCF run NOT converged", "SCF did not converge"),
            (r"exceeded requested execution time", "time limit"),
        ),
    ),
    "vasp": ExternalEngine(
        "vasp",
        engine_inputs.write_vasp,
        engine_scripts.VASP,
        r"General timing and accounting|Voluntary context switches",
        "OUTCAR",
        outputs.vasp_frames,
        outputs.vasp_log,
        outputs.vasp_steps,
        False,
        (
            (r"Error EDDDAV|BRMIX: very serious|ZPOTRF|not hermitian", "SCF did not converge"),
            (r"POSMAP internal error|very small distance", "two atoms came too close"),
        ),
    ),
    "espresso": ExternalEngine(
        "espresso",
        engine_inputs.write_espresso,
        engine_scripts.ESPRESSO,
        r"JOB DONE",
        "pw.out",
        outputs.espresso_frames,
        outputs.espresso_log,
        outputs.espresso_steps,
        True,
        ((r"convergence NOT achieved", "SCF did not converge"),),
    ),
}
"""Engines by name; a program may add its own before it opens a campaign."""


def engine(name: str) -> Engine:
    """Look an engine up.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise InputError(f"engine {name!r} is not one of {', '.join(sorted(ENGINES))}")
    return ENGINES[name]
