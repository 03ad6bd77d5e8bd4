"""Engines behind one small interface: write a job's input, say how it is run, read how far it got.

GPAW runs through ASE in this process or on a node. CP2K, VASP and Quantum ESPRESSO are external
programs: their folders are complete but for pseudopotentials, and the command that runs them is
the user's.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ..data.errors import InputError, MissingDependencyError
from ..data.records import Kind
from . import engine_inputs
from .aimd_plan import AimdPlan
from .md import CHECKPOINT, FAILED, FRAMES, read_checkpoint

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

RunState = Literal["waiting", "started", "finished", "failed"]


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

    def trajectory_files(self, folder: Path) -> list[Path]:
        """Files of the run so far, in order."""


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
        return 'exec "${IONSIEVE_PYTHON:-python3}" -m ionsieve.screening.md_job .\n'

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

    def trajectory_files(self, folder: Path) -> list[Path]:
        """The frame log."""
        return [folder / FRAMES] if (folder / FRAMES).exists() else []

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
        Takes plan, folder and the steps still to do.
    lines : str
        Shell lines; ``$STEPS`` is the number of steps planned.
    finished : regular expression
        Found near the end of ``output`` when the program ended well.
    output : str
        Main output file.
    frames : str
        Glob of trajectory files; the plain name (without number) is the last segment.
    frame_mark : regular expression
        Starts a frame.
    failures : tuple of (regular expression, reason)
        Looked for in the output.
    writes_start : bool
        The first frame is the start, before any step.
    """

    name: str
    write: Callable[[AimdPlan, Path, int], None]
    lines: str
    finished: str
    output: str
    frames: str
    frame_mark: str
    failures: tuple[tuple[str, str], ...] = ()
    kind: Kind = "aimd"
    writes_start: bool = False

    def write_inputs(self, plan: AimdPlan, folder: Path) -> None:
        """Input files for the steps still to do."""
        done = self._steps(plan, folder)
        self.write(plan, folder, max(1, plan.n_steps - done))

    def script(self, plan: AimdPlan) -> str:
        """The program's lines; its exit status is kept in ``exit_code``."""
        head = f"STEPS={plan.n_steps}\nEVERY={plan.frame_every}\n"
        return f"{head}{self.lines}status=$?\necho $status > exit_code\nexit $status\n"

    def progress(self, plan: AimdPlan, folder: Path) -> Progress:
        """From the output file, the frames and the exit status."""
        steps = self._steps(plan, folder)
        text = _tail(folder / self.output)
        if steps >= plan.n_steps - plan.frame_every and re.search(self.finished, text):
            return Progress("finished", steps)
        status = _tail(folder / "exit_code").strip()
        if status and (status != "0" or re.search(self.finished, text)):
            known = [reason for mark, reason in self.failures if re.search(mark, text)]
            unknown = f"{self.name} ended with status {status} after {steps} steps"
            return Progress("failed", steps, None, known[0] if known else unknown)
        return Progress("started" if text else "waiting", steps)

    def trajectory_files(self, folder: Path) -> list[Path]:
        """Segments in the order they were run: numbered ones first, the plain name last."""
        found = [p for p in folder.glob(self.frames) if p.stat().st_size]
        return sorted(found, key=_segment)

    def _steps(self, plan: AimdPlan, folder: Path) -> int:
        frames = sum(_count(p, self.frame_mark) for p in self.trajectory_files(folder))
        return max(0, frames - self.writes_start) * plan.frame_every


def _segment(path: Path) -> tuple[float, str]:
    number = re.search(r"\.(\d+)$", path.name)
    return (float(number[1]) if number else float("inf"), path.name)


def _count(path: Path, mark: str) -> int:
    pattern = re.compile(mark)
    with path.open(encoding="utf-8", errors="replace") as stream:
        return sum(1 for line in stream if pattern.search(line))


def _tail(path: Path, size: int = 20_000) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - size))
        return stream.read().decode("utf-8", errors="replace")


def gpaw_calculator(plan: AimdPlan, folder: Path) -> Calculator:
    """GPAW in plane waves, PBE, Γ, symmetry off.

    Engine settings: ``cutoff_eV`` (340), ``smearing_eV`` (0.05), ``density_convergence`` (1e-5
    electrons per valence electron), ``max_scf_steps`` (150), ``mixing`` (GPAW's default).
    """
    require_gpaw()
    from gpaw import GPAW, PW, FermiDirac, Mixer

    own: dict[str, Any] = plan.engine_settings
    more = {"mixer": Mixer(own["mixing"], 5, 50.0)} if "mixing" in own else {}
    return GPAW(
        mode=PW(own.get("cutoff_eV", 340.0)),
        xc="PBE",
        kpts=(1, 1, 1),
        symmetry="off",
        occupations=FermiDirac(own.get("smearing_eV", 0.05)),
        spinpol=plan.spin_polarised,
        convergence={"density": own.get("density_convergence", 1e-5)},
        maxiter=own.get("max_scf_steps", 150),
        txt=str(folder / "gpaw.txt"),
        **more,
    )


def require_gpaw() -> None:
    """Raise MissingDependencyError with the remedy where GPAW is absent."""
    if importlib.util.find_spec("gpaw") is None:
        raise MissingDependencyError(
            "GPAW is not installed: 'make gpaw' (needs Debian's libxc-dev and libopenblas-dev, or "
            "their like, and a C++ compiler)"
        )


_CP2K_LINES: Final[str] = """\
input=cp2k.inp
if [ -s run-1.restart ]; then
  step=$(sed -n 's/^ *STEP_START_VAL *//p' run-1.restart | head -n 1)
  left=$((STEPS - ${step:-0}))
  [ "$left" -le 0 ] && exit 0
  input=cp2k-restart.inp
  sed "s/^    STEPS .*/    STEPS $left/" cp2k.inp > "$input"
  printf '&EXT_RESTART\\n  RESTART_FILE_NAME run-1.restart\\n&END EXT_RESTART\\n' >> "$input"
fi
rm -f exit_code
${IONSIEVE_CP2K:-cp2k} -i "$input" > cp2k.out 2> cp2k.err
"""

_VASP_LINES: Final[str] = """\
if [ ! -s POTCAR ]; then
  echo "make POTCAR from the data sets named in POTCAR.spec first" >&2
  exit 1
fi
if [ -s CONTCAR ] && [ -s XDATCAR ]; then
  n=1
  while [ -e "XDATCAR.$n" ]; do n=$((n + 1)); done
  mv XDATCAR "XDATCAR.$n"
  cp CONTCAR POSCAR
fi
frames=$(cat XDATCAR.* 2>/dev/null | grep -c 'Direct configuration')
left=$((STEPS - frames * EVERY))
[ "$left" -le 0 ] && exit 0
sed -i "s/^NSW *=.*/NSW = $left/" INCAR
rm -f exit_code
${IONSIEVE_VASP:-vasp_gam} > vasp.out 2> vasp.err
"""

_ESPRESSO_LINES: Final[str] = """\
rm -f exit_code
${IONSIEVE_PW:-pw.x} -in pw.in > pw.out 2> pw.err
"""

ENGINES: dict[str, Engine] = {
    "gpaw": AseEngine("gpaw", "aimd", gpaw_calculator),
    "cp2k": ExternalEngine(
        "cp2k",
        lambda plan, folder, _: engine_inputs.write_cp2k(plan, folder, plan.n_steps),
        _CP2K_LINES,
        r"PROGRAM ENDED AT",
        "cp2k.out",
        "run-pos-1.xyz",
        r"^ *i =",
        (
            (r"SCF run NOT converged", "SCF did not converge"),
            (r"exceeded requested execution time", "time limit"),
        ),
        writes_start=True,
    ),
    "vasp": ExternalEngine(
        "vasp",
        engine_inputs.write_vasp,
        _VASP_LINES,
        r"General timing and accounting|Voluntary context switches",
        "OUTCAR",
        "XDATCAR*",
        r"Direct configuration",
        ((r"Error EDDDAV|BRMIX: very serious", "electronic steps did not converge"),),
    ),
    "espresso": ExternalEngine(
        "espresso",
        engine_inputs.write_espresso,
        _ESPRESSO_LINES,
        r"JOB DONE",
        "pw.out",
        "trajectory.*",
        r"^Lattice|Lattice=",
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
