"""Files of one run joined in their order; runs that do not follow each other are told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from ..errors import TrajectoryError
from .trajectory import FloatArray, Segment, Trajectory, allocate

_WINDOW: Final[int] = 200
"""Frames before and behind a joint that say how far atoms usually move between frames."""

_LEAST: Final[int] = 3


def join(parts: Sequence[Trajectory], consecutive: bool = False) -> Trajectory:
    """Concatenate consecutive segments in the order given.

    Frames at the start of a segment that repeat frames of the segment before (a restart that
    overlaps) are dropped and counted in ``warnings``.

    Parameters
    ----------
    parts : sequence of Trajectory
    consecutive : bool
        The user says that the parts are one run, whatever the positions look like.

    Raises
    ------
    TrajectoryError
        If atoms, frame spacing or kind of coordinates differ between segments, if frames are
        missing between them by their own times, or if a segment does not begin where the one
        before ends: then they are independent runs.
    """
    if not parts:
        raise TrajectoryError("no trajectory given; name at least one file")
    for part in parts if not consecutive else ():
        _check_restarts(part)
    if len(parts) == 1:
        return parts[0]
    for part in parts[1:]:
        _check_same_system(parts[0], part)
    overlaps = [0, *(_overlap(a, b) for a, b in pairwise(parts))]
    for (before, after), overlap in zip(pairwise(parts), overlaps[1:], strict=True):
        if overlap == 0:
            _check_times(before, after)
            if not consecutive:
                _check_jump(before, after)
    warnings = [text for part in parts for text in part.warnings]
    for part, overlap in zip(parts, overlaps, strict=True):
        if overlap:
            warnings.append(f"{part.name}: {overlap} frames repeat the segment before; dropped")
    return _concatenated(parts, overlaps, tuple(warnings))


def _check_times(before: Trajectory, after: Trajectory) -> None:
    """The times of two files fit together, or the second begins to count anew."""
    start = before.segments[0].first_time_fs if before.segments else None
    found = after.segments[0].first_time_fs if after.segments else None
    spacing = before.frame_spacing_fs
    if start is None or found is None or found <= 1.01 * spacing:
        return
    expected = start + before.n_frames * spacing
    if abs(found - expected) <= 0.01 * spacing or found == start:
        return
    if found > expected:
        raise TrajectoryError(
            f"{after.name}: begins at {found:g} fs by its own count, but {before.name} ends at "
            f"{expected - spacing:g} fs: {round((found - expected) / spacing)} frames are missing"
        )
    raise TrajectoryError(
        f"{after.name}: begins at {found:g} fs by its own count, before {before.name} ends at "
        f"{expected - spacing:g} fs; give the files in the order of the run"
    )


def _check_restarts(part: Trajectory) -> None:
    """A file that was put together of several begins to count anew at each."""
    inside = part.segments[0].restarts if part.segments else ()
    for start, frame, stop in zip((0, *inside), inside, (*inside[1:], None), strict=False):
        _check_jump(
            part.between(start, frame),
            part.between(frame, stop),
            f"{part.name}: frame {frame + 1}",
            f"frame {frame}, before the file begins to count anew",
        )


def _check_jump(
    before: Trajectory, after: Trajectory, where: str | None = None, whence: str | None = None
) -> None:
    """Refuse a segment whose first frame no dynamics reaches from the last one before.

    A joint is a jump when the mean squared step over the atoms exceeds all steps near it by a
    fifth, and is twice as large or one atom moves half as far again as any atom does near it.
    """
    usual = np.concatenate([_steps(before, before.n_frames - _WINDOW), _steps(after, 0)])
    if len(usual) < _LEAST:
        return
    between = np.asarray(after.frac[0]) - np.asarray(before.frac[-1])
    own = _squares(between[None], after, 0)[0]
    far_A2, farthest_A2 = float(usual.mean(axis=1).max()), float(usual.max())
    mean_A2, one_atom_A2 = float(own.mean()), float(own.max())
    far = mean_A2 > max(1.2 * far_A2, 1e-6)
    if not far or (mean_A2 <= 2.0 * far_A2 and one_atom_A2 <= 2.25 * farthest_A2):
        return
    here = where or f"{after.name}: frame 1"
    there = whence or f"the last frame of {before.name}"
    raise TrajectoryError(
        f"{here} lies {math.sqrt(mean_A2):.2f} Å (root mean square) from {there}, where atoms move "
        f"{math.sqrt(far_A2):.2f} Å at most between frames: these are independent runs, or not in "
        "order; analyse each on its own, or give --consecutive if they are one run"
    )


def _steps(run: Trajectory, start: int) -> FloatArray:
    """Squared steps of the atoms in a window of frames, (frames − 1, atoms), Å²."""
    start = max(0, start)
    return _squares(np.diff(np.asarray(run.frac[start : start + _WINDOW]), axis=0), run, start)


def _squares(steps: FloatArray, run: Trajectory, start: int) -> FloatArray:
    if not run.unwrapped:
        steps = steps - np.rint(steps)
    moved = np.matmul(steps, run.lattice(min(start, run.n_frames - 1)))
    # The whole cell may drift between two frames without any atom moving in it.
    moved -= np.median(moved, axis=1, keepdims=True)
    squares: FloatArray = np.square(moved).sum(axis=2)
    return squares


def _check_same_system(first: Trajectory, other: Trajectory) -> None:
    if first.species != other.species:
        raise TrajectoryError(
            f"{other.name}: its {other.n_atoms} atoms are not the {first.n_atoms} atoms of "
            f"{first.name} in the same order; join segments of one run only"
        )
    if not math.isclose(first.frame_spacing_fs, other.frame_spacing_fs, rel_tol=1e-6):
        raise TrajectoryError(
            f"{other.name}: frames every {other.frame_spacing_fs:g} fs, but "
            f"{first.frame_spacing_fs:g} fs in {first.name}"
        )
    if None not in (first.temperature_K, other.temperature_K) and (
        first.temperature_K != other.temperature_K
    ):
        raise TrajectoryError(
            f"{other.name}: its thermostat is set to {other.temperature_K:g} K, but that of "
            f"{first.name} to {first.temperature_K:g} K; analyse each temperature on its own"
        )
    if first.unwrapped != other.unwrapped:
        raise TrajectoryError(
            f"{other.name}: wrapped and unwrapped coordinates cannot be joined with {first.name}"
        )
    drift = np.abs(first.lattices.mean(axis=0) - other.lattices.mean(axis=0)).max()
    scale = float(np.linalg.norm(first.lattices.mean(axis=0), axis=1).min())
    if drift > 0.1 * scale:
        raise TrajectoryError(
            f"{other.name}: its mean cell differs by {drift:.2f} Å from {first.name}; "
            "join segments of one run only"
        )


def _same_frame(left: FloatArray, right: FloatArray) -> bool:
    difference = left - right
    difference -= np.rint(difference)
    return bool(np.abs(difference).max() < 1e-6)


def _overlap(before: Trajectory, after: Trajectory) -> int:
    """Count the frames at the start of ``after`` that end ``before``."""
    first_atom = before.frac[:, 0] - after.frac[0, 0]
    first_atom = first_atom - np.rint(first_atom)
    candidates = np.flatnonzero((np.abs(first_atom) < 1e-6).all(axis=1))
    for start in candidates:
        length = before.n_frames - int(start)
        if length <= after.n_frames and all(
            _same_frame(before.frac[start + k], after.frac[k]) for k in range(length)
        ):
            return length
    return 0


def _concatenated(
    parts: Sequence[Trajectory], overlaps: list[int], warnings: tuple[str, ...]
) -> Trajectory:
    kept = [part.n_frames - overlap for part, overlap in zip(parts, overlaps, strict=True)]
    empty = [part.name for part, n in zip(parts, kept, strict=True) if n == 0]
    frac = allocate((sum(kept), parts[0].n_atoms, 3))
    constant = all(np.array_equal(part.lattices, parts[0].lattices[:1]) for part in parts)
    lattices, segments, start = [], [], 0
    for part, overlap, n in zip(parts, overlaps, kept, strict=True):
        frac[start : start + n] = part.frac[overlap:]
        lattices.append(np.broadcast_to(part.lattices, (part.n_frames, 3, 3))[overlap:])
        origin = (
            part.segments[0]
            if part.segments
            else Segment(file=part.name, first_frame=0, n_frames=n)
        )
        segments.append(replace(origin, file=part.name, first_frame=start, n_frames=n))
        start += n
    return Trajectory(
        species=parts[0].species,
        lattices=parts[0].lattices[:1] if constant else np.concatenate(lattices),
        frac=frac,
        frame_spacing_fs=parts[0].frame_spacing_fs,
        unwrapped=parts[0].unwrapped,
        segments=tuple(segments),
        warnings=(*warnings, *(f"{name}: adds no new frame" for name in empty)),
        temperature_K=parts[0].temperature_K,
    )
