"""From frames to displacements: unwrapping, drift of the framework, equilibration, jumps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..errors import TrajectoryError
from .trajectory import BoolArray, FloatArray, Trajectory, allocate

HALF_CELL_RISK: Final[float] = 0.45
"""A step this long (fraction of a cell edge) may as well be its complement the other way."""
_BLOCK: Final[int] = 512
_EQUILIBRATION_BLOCKS: Final[int] = 40


@dataclass(frozen=True, eq=False)
class Displacements:
    """What the transport analysis works on: where the mobile ions went, framework at rest."""

    positions_A: FloatArray
    """Unwrapped positions of the mobile ions less framework drift, (n_frames, n_mobile, 3), Å."""
    framework_A: FloatArray
    """The same for all other atoms, (n_frames, n_framework, 3), Å; n_framework may be 0."""
    framework_species: tuple[str, ...]
    frame_spacing_fs: float
    mean_volume_A3: float
    temperature_proxy_A2: FloatArray
    """Mean squared step of the framework (of all atoms if there is none), (n_frames − 1,), Å²."""
    volumes_A3: FloatArray
    """Cell volumes, (1,) or (n_frames,)."""
    risky_steps: int
    """Steps of a mobile ion longer than :data:`HALF_CELL_RISK` of a cell edge."""
    first_risky_frame: int | None
    restart_jumps: tuple[int, ...]
    """Frames, counted from 0 in the joined run, reached by a jump that no dynamics explains."""
    max_drift_A: float

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.positions_A.shape[0])

    @property
    def n_mobile(self) -> int:
        """Number of mobile ions."""
        return int(self.positions_A.shape[1])


def unwrapped_steps(run: Trajectory, start: int, stop: int) -> tuple[FloatArray, FloatArray]:
    """Displacements that lead to frames ``start`` … ``stop − 1`` from the frame before each.

    Parameters
    ----------
    run : Trajectory
    start, stop : int
        ``start`` must be at least 1.

    Returns
    -------
    fractional, cartesian : arrays (stop − start, n_atoms, 3)
        The nearest image of each step, and the same in Å in the cell of the frame reached. A cell
        that breathes while fractional coordinates rest therefore displaces nothing.
    """
    frac = np.asarray(run.frac[start - 1 : stop])
    steps = np.diff(frac, axis=0)
    if not run.unwrapped:
        steps -= np.rint(steps)
    cells = run.lattices[start:stop] if len(run.lattices) > 1 else run.lattices
    return steps, np.matmul(steps, cells)


def displacements(run: Trajectory, mobile: str) -> Displacements:
    """Unwrap a trajectory and take out the drift of the framework.

    Parameters
    ----------
    run : Trajectory
        Wrapped or unwrapped frames.
    mobile : str
        Element symbol of the mobile ions; every other atom is framework.

    Returns
    -------
    Displacements
        The drift taken out is the unweighted mean displacement of the framework, not of the whole
        cell. Where every atom is mobile nothing is taken out.

    Raises
    ------
    TrajectoryError
        If the run has fewer than two frames or no such ion.
    """
    moving = run.where(mobile)
    if not moving.any():
        raise TrajectoryError(
            f"{run.name}: no {mobile} among {', '.join(sorted(set(run.species)))}; give --mobile"
        )
    if run.n_frames < 2:
        raise TrajectoryError(f"{run.name}: one frame is not a trajectory")
    return _accumulate(run, moving)


def _accumulate(run: Trajectory, moving: BoolArray) -> Displacements:
    n_mobile, n_rest = int(moving.sum()), int((~moving).sum())
    ions = allocate((run.n_frames, n_mobile, 3))
    rest = allocate((run.n_frames, n_rest, 3))
    squares = np.empty((4, run.n_frames - 1))
    last = np.asarray(run.frac[0]) @ run.lattice(0)
    ions[0], rest[0] = last[moving], last[~moving]
    origin = rest[0].mean(axis=0) if n_rest else np.zeros(3)
    risky, first_risky, drift = 0, None, 0.0
    for start in range(1, run.n_frames, _BLOCK):
        stop = min(start + _BLOCK, run.n_frames)
        frac, steps = unwrapped_steps(run, start, stop)
        long = np.zeros(stop - start) if run.unwrapped else _long_steps(frac[:, moving])
        if first_risky is None and long.any():
            first_risky = start + int(np.argmax(long > 0))
        risky += int(long.sum())
        own = np.square(steps).sum(axis=2)
        squares[0, start - 1 : stop - 1] = own.mean(axis=1)
        squares[2, start - 1 : stop - 1] = own.max(axis=1)
        squares[3, start - 1 : stop - 1] = np.median(own, axis=1)
        if n_rest:
            own = np.square(steps[:, ~moving] - steps[:, ~moving].mean(axis=1, keepdims=True))
            squares[1, start - 1 : stop - 1] = own.sum(axis=2).mean(axis=1)
        steps[0] += last
        places = np.cumsum(steps, axis=0, out=steps)
        last = places[-1].copy()
        shift = places[:, ~moving].mean(axis=1) - origin if n_rest else np.zeros((stop - start, 3))
        drift = max(drift, float(np.linalg.norm(shift, axis=1).max()))
        ions[start:stop] = places[:, moving] - shift[:, None]
        rest[start:stop] = places[:, ~moving] - shift[:, None]
    return Displacements(
        ions,
        rest,
        tuple(s for s, m in zip(run.species, moving, strict=True) if not m),
        run.frame_spacing_fs,
        run.mean_volume_A3,
        squares[1] if n_rest else squares[0],
        np.abs(np.linalg.det(run.lattices)),
        risky,
        first_risky,
        _restart_jumps(run, squares[0], squares[2], squares[3]),
        drift,
    )


def _long_steps(frac: FloatArray) -> FloatArray:
    return (np.abs(frac).max(axis=2) > HALF_CELL_RISK).sum(axis=1)


def _restart_jumps(
    run: Trajectory, mean_A2: FloatArray, largest_A2: FloatArray, median_A2: FloatArray
) -> tuple[int, ...]:
    """Frames whose step is out of line: at a joint of segments, or anywhere if enormous.

    All three are squared steps over the atoms of a frame. At a joint: when the mean exceeds every
    step within segments and nearly all of them by a fifth, or one atom moves half as far again as
    any atom does within segments. Anywhere: when half of the atoms move by more than 0.5 Å and
    three times as far as usual, which a few hopping ions never do.
    """
    joints = {segment.first_frame for segment in run.segments[1:]}
    inside = np.ones(len(mean_A2), dtype=bool)
    inside[[frame - 1 for frame in joints if 0 < frame < run.n_frames]] = False
    typical = np.sort(mean_A2[inside])
    if len(typical) < 3:
        return ()
    at_joint = max(1.2 * float(typical[-max(1, len(typical) // 200)]), float(typical[-1]), 1e-6)
    one_atom = max(2.25 * float(largest_A2[inside].max()), 1e-6)
    large = ~inside & ((mean_A2 > at_joint) | (largest_A2 > one_atom))
    large |= median_A2 > max(9.0 * float(np.median(median_A2[inside])), 0.25)
    return tuple(int(frame) + 1 for frame in np.flatnonzero(large))


def equilibration_frames(moves: Displacements) -> int:
    """Frames to discard at the start: those whose temperature or volume is not yet the later one.

    The run is cut into 40 blocks. The mean squared step of the framework (a thermometer that needs
    only positions) and the cell volume are compared with their mean over the second half; leading
    blocks more than five standard deviations (of block means) and 5 % away are discarded, at most
    half of the run.

    Parameters
    ----------
    moves : Displacements

    Returns
    -------
    int
        0 for a run that is stationary from the start.
    """
    discard = _unsettled(moves.temperature_proxy_A2)
    if len(moves.volumes_A3) > 1:
        discard = max(discard, _unsettled(moves.volumes_A3, relative=0.005))
    return discard


def _unsettled(series: FloatArray, relative: float = 0.05) -> int:
    size = len(series) // _EQUILIBRATION_BLOCKS
    if size < 2:
        return 0
    means = series[: size * _EQUILIBRATION_BLOCKS].reshape(_EQUILIBRATION_BLOCKS, size).mean(axis=1)
    later = means[_EQUILIBRATION_BLOCKS // 2 :]
    spread = max(5.0 * float(later.std(ddof=1)), relative * abs(float(later.mean())))
    settled = np.abs(means - later.mean()) <= spread
    first = int(np.argmax(settled)) if settled.any() else _EQUILIBRATION_BLOCKS
    return min(first, _EQUILIBRATION_BLOCKS // 2) * size
