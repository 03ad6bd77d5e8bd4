"""From frames to displacements: unwrapping, drift of the host, equilibration, jumps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ..errors import TrajectoryError
from .trajectory import BoolArray, FloatArray, Trajectory, allocate

HALF_CELL_RISK: Final[float] = 0.45
"""A step this long (fraction of a cell edge) may as well be its complement the other way."""
MOBILE_CANDIDATES: Final[tuple[str, ...]] = ("Li", "Na", "K", "Ag", "Cu")
"""Cations that may move though they are not the one asked for: the host is without them."""
_BLOCK: Final[int] = 512
_EQUILIBRATION_BLOCKS: Final[int] = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class Displacements:
    """What the transport analysis works on: where the mobile ions went, framework at rest."""

    positions_A: FloatArray
    """Unwrapped positions of the mobile ions less host drift, (n_frames, n_mobile, 3), Å."""
    mobile_species: tuple[str, ...]
    """Element of each mobile ion."""
    framework_A: FloatArray
    """The same for all other atoms, (n_frames, n_framework, 3), Å; n_framework may be 0."""
    framework_species: tuple[str, ...]
    frame_spacing_fs: float
    lattice: FloatArray
    """Mean cell, (3, 3), Å, in which all displacements are measured."""
    mean_volume_A3: float
    temperature_proxy_A2: FloatArray
    """Mean squared step of the host (of all atoms if there is none), (n_frames − 1,), Å²."""
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

    def after(self, discard: int) -> Displacements:
        """The same without the first frames; the data are not copied."""
        if discard == 0:
            return self
        return replace(
            self,
            positions_A=self.positions_A[discard:],
            framework_A=self.framework_A[discard:],
            temperature_proxy_A2=self.temperature_proxy_A2[discard:],
        )

    def of(self, element: str) -> Displacements:
        """The same with the ions of one element as the mobile ones; others leave the picture."""
        chosen = np.array([s == element for s in self.mobile_species])
        if chosen.all():
            return self
        return replace(
            self,
            positions_A=self.positions_A[:, chosen],
            mobile_species=(element,) * int(chosen.sum()),
        )


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
        The nearest image of each step, and the same in Å in the *mean* cell. In a cell that
        breathes, fractional displacements are what belongs to the ions: an atom at rest in the
        crystal displaces nothing, and an ion that returns to its place has displacement zero.
        Steps in the cell of each frame, summed, would keep a random remainder of every vibration
        (on schemes at constant pressure: Bullerjahn 2023, 10.1021/acs.jctc.3c00308).
    """
    frac = np.asarray(run.frac[start - 1 : stop])
    steps = np.diff(frac, axis=0)
    if not run.unwrapped:
        steps -= np.rint(steps)
    return steps, np.matmul(steps, run.lattices.mean(axis=0))


def displacements(run: Trajectory, mobile: str | Sequence[str]) -> Displacements:
    """Unwrap a trajectory and take out the drift of the host.

    Parameters
    ----------
    run : Trajectory
        Wrapped or unwrapped frames.
    mobile : str or sequence of str
        Element symbols of the mobile ions; every other atom is framework.

    Returns
    -------
    Displacements
        The drift taken out is the unweighted mean displacement of the host, not of the whole cell:
        of the framework less other cations that may move (:data:`MOBILE_CANDIDATES`), where
        anything is left. Where every atom is mobile nothing is taken out.

    Raises
    ------
    TrajectoryError
        If the run has fewer than two frames or no such ion.
    """
    wanted = [mobile] if isinstance(mobile, str) else list(mobile)
    for element in wanted:
        if not run.where(element).any():
            raise TrajectoryError(
                f"{run.name}: no {element} among {', '.join(sorted(set(run.species)))}; "
                "give --mobile"
            )
    if run.n_frames < 2:
        raise TrajectoryError(f"{run.name}: one frame is not a trajectory")
    moving = run.where(wanted)
    host = ~moving & ~run.where(MOBILE_CANDIDATES)
    return _accumulate(run, moving, host if host.any() else ~moving)


def _accumulate(run: Trajectory, moving: BoolArray, host: BoolArray) -> Displacements:
    n_host = int(host.sum())
    ions = allocate((run.n_frames, int(moving.sum()), 3))
    rest = allocate((run.n_frames, int((~moving).sum()), 3))
    squares = np.empty((4, run.n_frames - 1))
    lattice = run.lattices.mean(axis=0)
    last = np.asarray(run.frac[0]) @ lattice
    ions[0], rest[0] = last[moving], last[~moving]
    origin = last[host].mean(axis=0) if n_host else np.zeros(3)
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
        if n_host:
            own = np.square(steps[:, host] - steps[:, host].mean(axis=1, keepdims=True))
            squares[1, start - 1 : stop - 1] = own.sum(axis=2).mean(axis=1)
        steps[0] += last
        places = np.cumsum(steps, axis=0, out=steps)
        last = places[-1].copy()
        shift = places[:, host].mean(axis=1) - origin if n_host else np.zeros((stop - start, 3))
        drift = max(drift, float(np.linalg.norm(shift, axis=1).max()))
        ions[start:stop] = places[:, moving] - shift[:, None]
        rest[start:stop] = places[:, ~moving] - shift[:, None]
    return Displacements(
        positions_A=ions,
        mobile_species=tuple(s for s, m in zip(run.species, moving, strict=True) if m),
        framework_A=rest,
        framework_species=tuple(s for s, m in zip(run.species, moving, strict=True) if not m),
        frame_spacing_fs=run.frame_spacing_fs,
        lattice=lattice,
        mean_volume_A3=run.mean_volume_A3,
        temperature_proxy_A2=squares[1] if n_host else squares[0],
        volumes_A3=np.abs(np.linalg.det(run.lattices)),
        risky_steps=risky,
        first_risky_frame=first_risky,
        restart_jumps=_restart_jumps(run, squares[0], squares[2], squares[3]),
        max_drift_A=drift,
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
