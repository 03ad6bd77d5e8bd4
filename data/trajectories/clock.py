"""The time between frames: what the file says of it, compared with what the user says.

A wrong time between frames is a wrong diffusivity by the same factor and leaves no other trace, so
every statement counts: times and step numbers of the frames, the time step of the run, the options.
Two that differ are an error that gives both numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import TrajectoryError

TOLERANCE: Final[float] = 1e-3
"""Relative difference of two statements; times are printed with few digits."""

SHORTEST_STEP_FS: Final[float] = 0.05
"""No MD of ions uses a shorter time step."""

_HINT: Final[str] = "give --frame-spacing-fs (VASP: POTIM × NBLOCK)"


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What a file says of the time of its frames.

    Parameters
    ----------
    times : sequence of float
        One a frame, in units of ``time_unit_fs``; empty or with NaN where not said.
    time_unit_fs : float or None
        fs; None where the file gives times without a unit: then they are compared as fs and as ps.
    steps : sequence of int
        Number of the MD step of every frame; empty where not said.
    step_fs : float or None
        Time step of the run, fs.
    step_name : str
        What the file calls it, for messages.
    restarts : bool
        Step numbers may begin again inside the file, as where files were put together.
    """

    times: Sequence[float] = ()
    time_unit_fs: float | None = 1.0
    steps: Sequence[int] = ()
    step_fs: float | None = None
    step_name: str = "its time step"
    restarts: bool = False


@dataclass(frozen=True, kw_only=True)
class _Statement:
    spacing_fs: float
    said: str


def frame_spacing(
    path: Path | str,
    clock: Clock,
    spacing_fs: float | None = None,
    step_fs: float | None = None,
) -> float:
    """Time between frames, fs, from everything that is said of it.

    Parameters
    ----------
    path : path
        For messages.
    clock : Clock
    spacing_fs : float, optional
        ``--frame-spacing-fs``.
    step_fs : float, optional
        ``--time-step``; where the file counts no steps, every frame is one.

    Raises
    ------
    TrajectoryError
        If nothing is said, frames are not equally spaced, or two statements differ.
    """
    for name, value in (("frame spacing", spacing_fs), ("time step", step_fs)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise TrajectoryError(f"{path}: {name} must be positive, got {value} fs; {_HINT}")
    between = _step_spacing(path, clock)
    said = [
        *_by_times(path, clock, spacing_fs, between, step_fs),
        *_by_steps(path, clock, between, step_fs),
    ]
    if spacing_fs is not None:
        said.append(_Statement(spacing_fs=spacing_fs, said="--frame-spacing-fs"))
    elif not said and step_fs is not None:
        said.append(_Statement(spacing_fs=step_fs, said="--time-step"))
    if not said:
        raise TrajectoryError(f"{path}: the file does not say the time between frames; {_HINT}")
    _agree(path, said)
    _plausible(path, clock, between, said[0])
    return said[0].spacing_fs


def clock_of_infos(infos: Sequence[Mapping[str, object]]) -> Clock:
    """What the comment lines of extended XYZ, or the info of ASE's frames, say of the time.

    Read are ``time_fs`` and ``time_ps``, ``time`` without a unit, and ``step``; capitals do not
    matter. What only some frames say, none does.
    """
    plain = [{str(k).lower(): v for k, v in info.items()} for info in infos]
    steps = _values(plain, ("step", "md_step"))
    whole = tuple(map(int, steps)) if all(step == int(step) for step in steps) else ()
    for names, unit in ((("time_fs",), 1.0), (("time_ps",), 1000.0), (("time",), None)):
        if times := _values(plain, names):
            return Clock(times=times, time_unit_fs=unit, steps=whole)
    return Clock(steps=whole)


def _values(infos: Sequence[Mapping[str, object]], names: Sequence[str]) -> list[float]:
    for name in names:
        found = [_as_number(info.get(name)) for info in infos]
        if found and all(map(math.isfinite, found)):
            return found
    return []


def _as_number(value: object) -> float:
    try:
        return math.nan if value is None else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _agree(path: Path | str, said: Sequence[_Statement]) -> None:
    first = said[0]
    for other in said[1:]:
        if abs(other.spacing_fs - first.spacing_fs) > TOLERANCE * first.spacing_fs:
            raise TrajectoryError(
                f"{path}: frames are {first.spacing_fs:g} fs apart by {first.said}, not "
                f"{other.spacing_fs:g} fs as by {other.said}; correct or leave out the option"
            )


def _plausible(path: Path | str, clock: Clock, between: int | None, first: _Statement) -> None:
    if between and first.spacing_fs / between < SHORTEST_STEP_FS:
        raise TrajectoryError(
            f"{path}: it counts {between} MD steps between frames, which {first.said} of "
            f"{first.spacing_fs:g} fs makes {first.spacing_fs / between:.2g} fs each; "
            "--frame-spacing-fs is the time between frames, --time-step that of one MD step"
        )


def _step_spacing(path: Path | str, clock: Clock) -> int | None:
    """MD steps between frames; None where the file does not count them."""
    if len(clock.steps) < 2:
        return None
    between = np.diff(np.asarray(clock.steps, dtype=np.int64))
    usual = int(_usual(between[between > 0])) if (between > 0).any() else 0
    odd = between != usual
    if clock.restarts:
        # Files put together: counting begins anew with the first or the zeroth frame.
        after = np.asarray(clock.steps[1:], dtype=np.int64)
        odd &= ~((between < 0) & ((after == usual) | (after == 0) | (after == clock.steps[0])))
    if usual <= 0 or odd.any():
        frame = int(np.argmax(odd)) + 2
        raise TrajectoryError(
            f"{path}: frame {frame}: {between[frame - 2]} steps after the frame before (number "
            f"{clock.steps[frame - 1]} after {clock.steps[frame - 2]}), elsewhere {usual}; "
            "irregular frames cannot be analysed, and none may be missing"
        )
    return usual


def _usual(values: NDArray[Any]) -> Any:
    """The lower median, which is one of the values."""
    return np.sort(values)[(len(values) - 1) // 2]


def _by_steps(
    path: Path | str, clock: Clock, between: int | None, step_fs: float | None
) -> list[_Statement]:
    said = []
    count = between or 1
    if clock.step_fs is not None:
        what = clock.step_name if count == 1 else f"{count} steps of {clock.step_name}"
        said.append(_Statement(spacing_fs=count * clock.step_fs, said=what))
    if step_fs is not None and between is not None:
        what = f"{count} steps of --time-step" if count > 1 else "--time-step"
        said.append(_Statement(spacing_fs=count * step_fs, said=what))
    return said


def _by_times(
    path: Path | str,
    clock: Clock,
    spacing_fs: float | None,
    between: int | None,
    step_fs: float | None,
) -> list[_Statement]:
    """The spacing of the frames' own times; in fs or ps, whichever the rest says, if no unit is."""
    times = np.asarray(clock.times, dtype=np.float64)
    if len(times) < 2 or not np.isfinite(times).all():
        return []
    steps = np.diff(times)
    usual = float(_usual(steps))
    # A digit behind the last one printed: times of a long run lose some.
    slack = TOLERANCE * abs(usual) + 1e-9 * float(np.abs(times).max())
    odd = np.abs(steps - usual) > slack
    unit = "" if clock.time_unit_fs is None else " fs"
    scale = clock.time_unit_fs or 1.0
    if odd.any() or usual <= 0:
        frame = int(np.argmax(odd if odd.any() else steps <= 0)) + 2
        raise TrajectoryError(
            f"{path}: frame {frame}: {scale * steps[frame - 2]:g}{unit} after the frame before, "
            f"elsewhere {scale * usual:g}; irregular frames cannot be analysed, thin them to equal "
            "steps"
        )
    if clock.time_unit_fs is not None:
        return [_spacing_of_times(scale * usual, between, step_fs, path)]
    others = [v for v in (spacing_fs, (between or 1) * step_fs if step_fs else None) if v]
    if not others:
        raise TrajectoryError(
            f"{path}: its frames are {usual:g} apart in time, without a unit; {_HINT}"
        )
    in_ps = abs(1000.0 * usual - others[0]) <= TOLERANCE * others[0]
    return [_Statement(spacing_fs=usual * (1000.0 if in_ps else 1.0), said="their times")]


def _spacing_of_times(
    spacing_fs: float, between: int | None, step_fs: float | None, path: Path | str
) -> _Statement:
    if step_fs is not None and between is None:
        count = spacing_fs / step_fs
        if round(count) < 1 or abs(count - round(count)) > 0.01:
            raise TrajectoryError(
                f"{path}: frames are {spacing_fs:g} fs apart by their times, which are no whole "
                f"steps of --time-step {step_fs:g} fs; correct or leave out the option"
            )
    return _Statement(spacing_fs=spacing_fs, said="their times")


def restarts(clock: Clock) -> tuple[int, ...]:
    """Frames, counted from 0, at which the step numbers begin anew."""
    between = np.diff(np.asarray(clock.steps, dtype=np.int64))
    return tuple((np.flatnonzero(between < 0) + 1).tolist())


def first_time_fs(clock: Clock, spacing_fs: float) -> float | None:
    """Time of the first frame as the file counts it, fs; None where it does not count.

    Parameters
    ----------
    clock : Clock
    spacing_fs : float
        Time between frames, fs, as :func:`frame_spacing` found it.
    """
    times = np.asarray(clock.times, dtype=np.float64)
    if len(times) and np.isfinite(times).all():
        # Without a unit, the spacing tells which one it is.
        span = times[1] - times[0] if len(times) > 1 else 0.0
        unit = clock.time_unit_fs or (spacing_fs / span if span > 0 else None)
        return None if unit is None else float(times[0] * unit)
    if len(clock.steps) > 1 and (between := clock.steps[1] - clock.steps[0]) > 0:
        return clock.steps[0] * spacing_fs / between
    return None
