"""What CP2K, VASP and Quantum ESPRESSO leave: frames by MD step, and the numbers of their logs.

Each function reads the files of one segment of a run, finished or killed; :func:`joined_run` puts
the segments together, counting no step twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Final

import numpy as np
from scipy import constants

from ...data.errors import TrajectoryError
from ...data.records import StructureRecord
from ...data.trajectories.joining import join
from ...data.trajectories.readers import read_trajectory
from ...data.trajectories.trajectory import FloatArray, IntArray, Segment, Trajectory
from ...data.transport.analysis import file_sha256
from ..jobs.plan import AimdPlan
from .run_log import RunLog

HARTREE_EV: Final[float] = constants.value("Hartree energy in eV")


@dataclass(frozen=True, eq=False)
class SegmentFrames:
    """Frames of one segment.

    Parameters
    ----------
    run : Trajectory
    step : array (n_frames,)
        MD step of each frame; counted from the segment's start where ``relative``.
    relative : bool
        The program counts anew in every segment.
    """

    run: Trajectory
    step: IntArray
    relative: bool = False


def joined_run(parts: Sequence[SegmentFrames], plan: AimdPlan, folder: Path) -> Trajectory:
    """One run with the planned spacing between frames; files are named relative to ``folder``.

    Steps that a later segment repeats are taken from it; segments that count from their own start
    follow each other, and frames at a start that repeat those before are dropped.

    Raises
    ------
    TrajectoryError
        If steps are missing in between.
    """
    if not parts:
        raise TrajectoryError("no frame yet")
    kept = [p for p in parts if p.relative] or _without_repeats(parts)
    run = join([p.run for p in kept])
    steps = np.arange(run.n_frames) if kept[0].relative else np.concatenate([p.step for p in kept])
    chosen = steps % plan.frame_every == 0
    gaps = np.diff(steps[chosen]) != plan.frame_every
    if gaps.any():
        after = int(steps[chosen][np.argmax(gaps)])
        raise TrajectoryError(
            f"{run.name}: frames are missing after step {after}; the segments of this run do not "
            "follow each other"
        )
    whole = _thinned(run, chosen, plan.frame_spacing_fs)
    names = [str(Path(s.file).relative_to(folder)) for s in whole.segments]
    named = [replace(s, file=n) for s, n in zip(whole.segments, names, strict=True)]
    return replace(whole, segments=tuple(named))


def _without_repeats(parts: Sequence[SegmentFrames]) -> list[SegmentFrames]:
    kept = []
    for number, part in enumerate(parts):
        later = [int(other.step[0]) for other in parts[number + 1 :] if len(other.step)]
        n = int((part.step < min(later, default=np.iinfo(np.int64).max)).sum())
        if n:
            kept.append(SegmentFrames(_first(part.run, n), part.step[:n]))
    return kept


def _first(run: Trajectory, n_frames: int) -> Trajectory:
    mask = np.arange(run.n_frames) < n_frames
    return _thinned(run, mask, run.frame_spacing_fs)


def _thinned(run: Trajectory, mask: np.ndarray, spacing_fs: float) -> Trajectory:
    """Keep the frames of the mask; the segments say which frames of which file are left."""
    segments, start = [], 0
    for segment in run.segments:
        own = mask[segment.first_frame : segment.first_frame + segment.n_frames]
        digest = segment.sha256 or file_sha256(segment.file) or ""
        segments.append(
            Segment(file=segment.file, first_frame=start, n_frames=int(own.sum()), sha256=digest)
        )
        start += int(own.sum())
    constant = len(run.lattices) == 1
    return Trajectory(
        species=run.species,
        lattices=run.lattices if constant else run.lattices[mask],
        frac=run.frac if mask.all() else run.frac[mask],
        frame_spacing_fs=spacing_fs,
        unwrapped=run.unwrapped,
        segments=tuple(segments),
        warnings=run.warnings,
    )


def cp2k_frames(folder: Path, plan: AimdPlan) -> SegmentFrames | None:
    """``run-pos-1.xyz`` with its cell file; None where there is no whole frame."""
    path = folder / "run-pos-1.xyz"
    steps = np.array([int(m[1]) for m in _matches(path, r"^ i = *(\d+)")], dtype=np.int64)
    if not len(steps):
        return None
    try:
        run = read_trajectory([path], plan.frame_spacing_fs, torn_end=True)
    except TrajectoryError:
        if len(steps) > 1:
            raise
        return None
    return SegmentFrames(run, steps[: run.n_frames])


def cp2k_log(folder: Path, plan: AimdPlan) -> RunLog | None:
    """``run-1.ener``: step, time, kinetic energy, temperature, potential and conserved energy."""
    path = folder / "run-1.ener"
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    rows = [line.split() for line in lines if line.endswith("\n") and not line.startswith("#")]
    table = np.array([row for row in rows if len(row) == 7], dtype=np.float64).reshape(-1, 7)
    output = folder / "cp2k.out"
    cores = _product(output, (r"message passing processes +(\d+)", r"threads for this .* (\d+)$"))
    unconverged = sum(1 for _ in _matches(output, r"SCF run NOT converged"))
    return _log(
        step=table[:, 0],
        temperature_K=table[:, 3],
        conserved_eV=HARTREE_EV * table[:, 5],
        pressure_GPa=_at_steps(table[:, 0], cp2k_pressures(folder)),
        n_unconverged=unconverged,
        core_seconds=cores * table[:, 6].sum(),
    )


def cp2k_pressures(folder: Path) -> dict[int, float]:
    """``run-1.stress``, bar: pressure by step, GPa."""
    found = {}
    for match in _matches(folder / "run-1.stress", r"^ *(\d+) +\S+((?: +\S+){9})\n"):
        tensor = [float(x) for x in match[2].split()]
        found[int(match[1])] = 1e-4 * (tensor[0] + tensor[4] + tensor[8]) / 3.0
    return found


def _at_steps(steps: FloatArray | IntArray, values: dict[int, float]) -> FloatArray:
    return np.array([values.get(int(step), np.nan) for step in steps], dtype=np.float64)


def vasp_frames(folder: Path, plan: AimdPlan) -> SegmentFrames | None:
    """XDATCAR, or vasprun.xml where that is absent: every step, counted from the segment's start.

    ``NBLOCK`` must be 1, as in the INCAR that is written here.
    """
    for name, mark in (("XDATCAR", r"irect configuration"), ("vasprun.xml", r"</calculation>")):
        path = folder / name
        whole = sum(1 for _ in _matches(path, mark))
        if not whole:
            continue
        try:
            run = read_trajectory([path], plan.time_step_fs, torn_end=True)
        except TrajectoryError:
            if whole > 1:
                raise
            return None
        return SegmentFrames(run, np.arange(run.n_frames), relative=True)
    return None


_OUTCAR_MARKS: Final = re.compile(
    r"total energy   ETOTAL *= *(?P<total>\S+)|\(temperature +(?P<kelvin>\S+) K\)"
    r"|(?P<reached>aborting loop because EDIFF is reached)"
    r"|LOOP\+: .*real time *(?P<real>[\d.]+)"
    r"|running +(?:on +)?(?P<cores>\d+) (?:total cores|mpi-ranks)"
    r"|total pressure *= *(?P<pressure>\S+) kB"
)


_OUTCAR_NAMES: Final = ("total", "kelvin", "reached", "real", "cores", "pressure")


def vasp_log(folder: Path, plan: AimdPlan) -> RunLog | None:
    """OUTCAR: ``ETOTAL``, the energy with the thermostat's; steps whose electrons converged.

    ``total pressure`` is that with the ions' kinetic part.
    """
    found: dict[str, list[float]] = {k: [] for k in _OUTCAR_NAMES}
    for match in _matches(folder / "OUTCAR", _OUTCAR_MARKS.pattern):
        name = str(match.lastgroup)
        found[name].append(1.0 if name == "reached" else float(match[name]))
    n = min(len(found["total"]), len(found["kelvin"]))
    cores = found["cores"][0] if found["cores"] else 1.0
    pressures = dict(enumerate(0.1 * p for p in found["pressure"]))
    return _log(
        step=np.arange(n),
        temperature_K=np.array(found["kelvin"][:n]),
        conserved_eV=np.array(found["total"][:n]),
        pressure_GPa=_at_steps(np.arange(n), pressures),
        n_unconverged=max(0, n - len(found["reached"])),
        core_seconds=cores * sum(found["real"]),
    )


_ITERATION: Final[str] = r"Entering Dynamics: *iteration = *(\d+)"


def espresso_frames(folder: Path, plan: AimdPlan) -> SegmentFrames | None:
    """``pw.out`` by ASE: the start and the positions of each step whose electrons converged."""
    from ase.io.espresso import read_espresso_out

    path = folder / "pw.out"
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    marks = [(int(m[1]), m.start()) for m in re.finditer(_ITERATION, text)]
    if not marks:
        return None
    # The energy of a step stands before the mark of the next: what follows the last is not whole.
    end = len(text) if "JOB DONE" in text else marks[-1][1]
    images = list(read_espresso_out(StringIO(text[:end]), index=slice(None)))
    first = images[0]
    run = Trajectory(
        species=tuple(first.get_chemical_symbols()),
        lattices=np.asarray(first.cell)[None],
        frac=np.array([a.get_scaled_positions(wrap=False) for a in images]),
        frame_spacing_fs=plan.time_step_fs,
        segments=(Segment(file=str(path), first_frame=0, n_frames=len(images)),),
    )
    return SegmentFrames(run, marks[0][0] - 1 + np.arange(len(images)))


def espresso_log(folder: Path, plan: AimdPlan) -> RunLog | None:
    """``pw.out``: temperatures and time; a stochastic thermostat conserves no energy."""
    path = folder / "pw.out"
    steps = [int(m[1]) for m in _matches(path, _ITERATION)]
    kelvin = [float(m[1]) for m in _matches(path, r"^ +temperature +=\s*(\S+) K")]
    spent = [float(m[1]) for m in _matches(path, r"total cpu time spent up to now is *(\S+) secs")]
    unconverged = sum(1 for _ in _matches(path, r"convergence NOT achieved"))
    cores = _product(path, (r"Parallel version .* on +(\d+) proc",))
    n = min(len(steps), len(kelvin))
    # Of the electrons; the ions' part follows from the temperature.
    virial_kbar = [float(m[1]) for m in _matches(path, r"\(kbar\) +P= *(\S+)")]
    pressures = {
        step: 0.1 * virial + ideal_gas_GPa(plan.record, t)
        for step, virial, t in zip(steps, virial_kbar, kelvin, strict=False)
    }
    return _log(
        step=np.array(steps[:n]),
        temperature_K=np.array(kelvin[:n]),
        conserved_eV=np.full(n, np.nan),
        pressure_GPa=_at_steps(np.array(steps[:n]), pressures),
        n_unconverged=unconverged,
        core_seconds=cores * max(spent, default=0.0),
    )


def ideal_gas_GPa(record: StructureRecord, temperature_K: float) -> float:
    """Kinetic part of the pressure, N k T / V, GPa."""
    density_m3 = record.n_sites / (record.volume_A3 * 1e-30)
    return 1e-9 * density_m3 * constants.k * temperature_K


def _log(
    *,
    step: FloatArray | IntArray,
    temperature_K: FloatArray,
    conserved_eV: FloatArray,
    pressure_GPa: FloatArray,
    n_unconverged: int,
    core_seconds: float,
) -> RunLog | None:
    if not len(step):
        return None
    return RunLog(
        step=step.astype(np.int64),
        temperature_K=temperature_K,
        conserved_eV=conserved_eV,
        pressure_GPa=pressure_GPa,
        n_unconverged=n_unconverged,
        core_seconds=float(core_seconds) if core_seconds > 0 else None,
    )


def _matches(path: Path, pattern: str) -> Iterator[re.Match[str]]:
    """Matches line by line; nothing where the file is absent."""
    if not path.exists():
        return
    mark = re.compile(pattern)
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            match = mark.search(line)
            if match:
                yield match


def _product(path: Path, patterns: Sequence[str]) -> float:
    """Product of the first number that each pattern finds; 1 for those not found."""
    first = (next(_matches(path, pattern), None) for pattern in patterns)
    return float(np.prod([float(m[1]) for m in first if m is not None]))


def cp2k_steps(folder: Path) -> int:
    """Last step in the energy file."""
    rows = list(_matches(folder / "run-1.ener", r"^ +(\d+) .*\n"))
    return int(rows[-1][1]) if rows else 0


def vasp_steps(folder: Path) -> int:
    """Steps of one segment whose frame is whole."""
    whole = sum(1 for _ in _matches(folder / "vasprun.xml", r"</calculation>"))
    path = folder / "XDATCAR"
    if not path.exists():
        return whole
    with path.open(encoding="utf-8", errors="replace") as stream:
        head = [stream.readline() for _ in range(7)]
        rows = [line.endswith("\n") for line in stream if "irect" not in line]
    atoms = sum(int(n) for n in head[-1].split())
    return (len(rows) - (bool(rows) and not rows[-1])) // atoms if atoms else whole


def espresso_steps(folder: Path) -> int:
    """Last step that was begun."""
    return max((int(m[1]) for m in _matches(folder / "pw.out", _ITERATION)), default=0)


FrameReader = Callable[[Path, AimdPlan], SegmentFrames | None]
LogReader = Callable[[Path, AimdPlan], RunLog | None]
