"""Engines that are external programs: their folders are complete but for pseudopotentials."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from ...data.atomic import write_text_atomic
from ...data.records import Kind
from ...data.trajectories.trajectory import Trajectory
from ..acquisition.cost import UNKNOWN_COST, CostLine
from ..jobs.failures import Cause, Failure
from ..jobs.plan import AimdPlan, Plan, RelaxPlan
from .engine import Progress, Readiness, Relaxed, Script, stopped
from .exits import STARTED, STOP, exit_failure, exit_status, tail
from .outputs import FrameReader, LogReader, joined_run
from .run_log import RunLog, join_logs
from .settings import SettingNames

_SEGMENTS: Final[str] = "segment.*"


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a job's script calls.

    Parameters
    ----------
    variable : str
        Environment variable that holds the command.
    default : str
        Command where it is not set.
    provide : str
        What the user must provide besides, in words; empty for nothing.
    """

    variable: str
    default: str
    provide: str = ""

    @property
    def command(self) -> str:
        """The command as it is set here."""
        return os.environ.get(self.variable) or self.default

    def here(self) -> bool:
        """True if the command's first word is found on this machine."""
        words = shlex.split(self.command)
        return bool(words) and shutil.which(words[0]) is not None


@dataclass(frozen=True, kw_only=True)
class Task:
    """How one task is run by a program and read back.

    Parameters
    ----------
    write : callable
        Takes plan and folder, writes the inputs.
    lines : str
        Shell lines; ``$STEPS`` is the number of steps planned.
    finished : regular expression
        Found near the end of ``output`` when the program ended well.
    steps : callable
        Steps done in a segment, from its folder.
    """

    write: Callable[[Plan, Path], None]
    lines: str
    finished: str
    steps: Callable[[Path], int]


@dataclass(frozen=True, kw_only=True)
class ExternalEngine:
    """A program that is run by a command of the user's.

    Parameters
    ----------
    name : str
    program : Program
    md, relaxation : Task
    output : str
        Main output file.
    frames, run_log : callable
        Read one segment: the folder itself, or ``segment.001`` and so on in it.
    read_relaxed : callable
        Takes plan and folder, gives the last geometry.
    absolute : bool
        The program counts steps on through restarts.
    failures : tuple of (regular expression, cause, text)
        Looked for in the output and in what the program said.
    iteration : (file, regular expression)
        Where the number of the SCF iteration stands.
    compared : tuple of str
        Input files that name further files (:class:`.engine.Script`).
    stop_file : (name, content)
        File that asks the program to end.
    settings : SettingNames
    cost : CostLine
    kind : str
    """

    name: str
    program: Program
    md: Task
    relaxation: Task
    output: str
    frames: FrameReader
    run_log: LogReader
    read_relaxed: Callable[[RelaxPlan, Path], Relaxed]
    absolute: bool
    failures: tuple[tuple[str, Cause, str], ...] = ()
    iteration: tuple[str, str] = ("", "")
    compared: tuple[str, ...] = ()
    stop_file: tuple[str, str] = ("", "")
    settings: SettingNames = field(default_factory=SettingNames)
    cost: CostLine = UNKNOWN_COST
    kind: Kind = "aimd"

    def ready(self) -> Readiness:
        """Whether the program is on this machine's path; what must be provided besides."""
        besides = f"; provide {self.program.provide}" if self.program.provide else ""
        if self.program.here():
            return Readiness(True, f"{self.name} runs here by {self.program.command!r}{besides}")
        return Readiness(
            False,
            f"{self.name}: {self.program.command!r} is not on this machine; run the jobs where it "
            f"is, and set {self.program.variable} there if it is called otherwise{besides}",
        )

    def _task(self, plan: Plan) -> Task:
        return self.relaxation if isinstance(plan, RelaxPlan) else self.md

    def write_inputs(self, plan: Plan, folder: Path) -> None:
        """Input files; those of a run that has begun keep the positions it goes on from."""
        self._task(plan).write(plan, folder)

    def script(self, plan: Plan) -> Script:
        """The program's lines."""
        gamma = int(plan.k_points == (1, 1, 1))
        lines = f"STEPS={plan.n_steps}\nGAMMA={gamma}\n{self._task(plan).lines}"
        return Script(lines, compared=self.compared)

    def progress(self, plan: Plan, folder: Path) -> Progress:
        """From the output file, the steps done and the exit status."""
        task, steps = self._task(plan), self._steps(plan, folder)
        text = tail(folder / self.output)
        ended = bool(re.search(task.finished, text))
        status = exit_status(folder)
        if self._whole(plan, folder, steps, ended, text, status):
            return Progress(state="finished", n_steps=steps)
        if status is not None and (status or ended):
            return stopped(self._failure(folder, status, steps, text), steps)
        begun = bool(text) or steps > 0 or (folder / STARTED).exists()
        return Progress(
            state="started" if begun else "waiting",
            n_steps=steps,
            inside=self._inside(folder),
            step_s=self._step_s(plan, folder),
        )

    def _whole(
        self, plan: Plan, folder: Path, steps: int, ended: bool, text: str, status: int | None
    ) -> bool:
        if isinstance(plan, RelaxPlan):
            return ended and status == 0
        if (folder / STOP).exists() and steps > 0:
            return ended or status == 0
        return steps >= plan.n_steps and (ended or not text)

    def _failure(self, folder: Path, status: int, steps: int, text: str) -> Failure:
        errors = (self.output.replace(".out", ".err"), f"{self.name}.err")
        general = exit_failure(folder, self.name, status, steps, errors)
        if general.cause is not Cause.CRASH:
            return general
        said = text + "".join(tail(folder / f"{self.name}.{end}") for end in ("out", "err"))
        said += tail(folder / errors[0])
        known = [Failure(cause, words) for mark, cause, words in self.failures
                 if re.search(mark, said)]  # fmt: skip
        return known[0] if known else general

    def _inside(self, folder: Path) -> str:
        name, pattern = self.iteration
        found = re.findall(pattern, tail(folder / name, 4_000), re.MULTILINE) if name else []
        return f"SCF iteration {found[-1]}" if found else ""

    def _step_s(self, plan: Plan, folder: Path) -> float | None:
        """Wall time a step of the present segment, from the times of its first and last sign."""
        begin, last = folder / STARTED, folder / self.output
        steps = self._task(plan).steps(folder)
        if self.absolute and not isinstance(plan, RelaxPlan):
            earlier = [self.md.steps(part) for part in parts(folder)[:-1]]
            steps -= max(earlier, default=0)
        if steps <= 0 or not (begin.exists() and last.exists()):
            return None
        return max(0.0, last.stat().st_mtime - begin.stat().st_mtime) / steps

    def trajectory(self, plan: AimdPlan, folder: Path) -> Trajectory:
        """All segments, no step twice."""
        found = [self.frames(part, plan) for part in parts(folder)]
        return joined_run([part for part in found if part is not None], plan, folder)

    def log(self, plan: AimdPlan, folder: Path) -> RunLog | None:
        """All segments, no step twice."""
        found = [self.run_log(part, plan) for part in parts(folder)]
        logs = [log for log in found if log is not None]
        if not self.absolute:
            ends = np.cumsum([0, *(len(log.step) for log in logs)])
            logs = [replace(log, step=log.step + e) for log, e in zip(logs, ends, strict=False)]
        return join_logs(logs) if logs else None

    def relaxed(self, plan: RelaxPlan, folder: Path) -> Relaxed:
        """The geometry of the last ionic step."""
        return self.read_relaxed(plan, folder)

    def ask_to_stop(self, folder: Path) -> None:
        """The program's own soft stop."""
        name, content = self.stop_file
        if name:
            write_text_atomic(folder / name, content)

    def _steps(self, plan: Plan, folder: Path) -> int:
        done = [self._task(plan).steps(part) for part in parts(folder)]
        # A relaxation that goes on begins a new count in every program.
        return max(done) if self.absolute and not isinstance(plan, RelaxPlan) else sum(done)


def parts(folder: Path) -> list[Path]:
    """Segments in the order they were run; one that is being moved counts already."""
    return [*sorted(folder.glob(_SEGMENTS)), folder]


__all__ = ["ExternalEngine", "Program", "Task", "parts"]
