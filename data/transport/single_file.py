"""Ions in single file: in a channel where none can pass, the tracer MSD grows as τ^½ for ever.

There is then no tracer diffusivity to extrapolate, while charge moves freely along the channel
(Hahn, Kärger & Kukla 1996, 10.1103/PhysRevLett.76.2762). Two signs are looked for: neighbours in a
channel that keep their order although they move farther than they are apart, and a collective
displacement that outruns a sub-diffusive tracer in one dimension.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import stats

from ..trajectories.displacements import Displacements
from ..trajectories.trajectory import BoolArray, FloatArray, IntArray
from .bounds import effective_dimension

ONE_DIMENSION: Final[float] = 1.4
"""Effective dimension below which motion counts as one-dimensional; vibration adds a little."""
CHANNEL_A: Final[float] = 1.8
"""Ions whose mean places across the channel lie closer than this share it."""
SUBDIFFUSIVE: Final[float] = 0.75
"""Between τ^0.5 of single file and τ^1 of free walkers."""
OUTRUN: Final[float] = 1.5
FAR_OUTRUN: Final[float] = 3.0
"""Growth of the collective MSD over that of the tracer: 1 for free walkers, above it in a file."""
ENOUGH_PAIRS: Final[float] = 3.0
"""Passings that free walkers would have shown; with fewer, order says nothing."""
KEPT_ORDER: Final[float] = 0.2
"""Share of those below which the order was kept."""
REVERSED: Final[float] = 0.02
"""Share of frames in reversed order that counts as a passing; vibration of neighbours is rarer."""


def is_single_file(
    moves: Displacements, msd_exponent: float | None, collective_growth: float | None
) -> bool:
    """Whether the ions move along channels without passing each other.

    Parameters
    ----------
    moves : Displacements
    msd_exponent : float or None
        d ln MSD / d ln τ late in the run.
    collective_growth : float or None
        Growth of the collective MSD per growth of the MSD.
    """
    half = (moves.n_frames - 1) // 2
    if half < 4 or effective_dimension(moves.positions_A, half) > ONE_DIMENSION:
        return False
    passed, expected = passings(moves)
    if expected >= ENOUGH_PAIRS and passed < KEPT_ORDER * expected:
        return True
    # Lone ions in their channels have nobody to pass; then, and where a channel was not found,
    # only how both displacements grow can tell.
    limit = FAR_OUTRUN if expected >= ENOUGH_PAIRS else OUTRUN
    return (collective_growth or 0.0) > limit and (msd_exponent or 1.0) < SUBDIFFUSIVE


def passings(moves: Displacements) -> tuple[int, float]:
    """Pairs of channel neighbours that passed each other, and pairs that free walkers would have.

    Returns
    -------
    passed : int
        Neighbours whose order along the channel is another at the end than at the start.
    expected : float
        Number of neighbours that would have exchanged if each had moved as far on its own.
    """
    axis = _main_axis(moves)
    mean = moves.positions_A.mean(axis=0)
    along = moves.positions_A @ axis
    across = mean - np.outer(mean @ axis, axis)
    half = max((moves.n_frames - 1) // 2, 1)
    # The relative displacement of two free walkers after half of the run, and by diffusion to its
    # end.
    spread = 2.0 * float(np.sqrt(np.square(along[half:] - along[:-half]).mean()))
    passed, expected = 0, 0.0
    for first, second, shift in _neighbours(across, along[0], _period_A(moves.lattice, axis)):
        gap = along[:, second] + shift - along[:, first]
        # Reflection principle: a walk crosses a level twice as often as it ends beyond it.
        expected += 2.0 * float(stats.norm.sf(abs(gap[0]) / spread)) if spread > 0 else 0.0
        passed += bool((gap * gap[0] < 0).mean() > REVERSED)
    return passed, expected


def _main_axis(moves: Displacements) -> FloatArray:
    half = max((moves.n_frames - 1) // 2, 1)
    moved = (moves.positions_A[half:] - moves.positions_A[:-half]).reshape(-1, 3)
    return np.asarray(np.linalg.eigh(moved.T @ moved)[1][:, -1])


def _period_A(lattice: FloatArray, axis: FloatArray) -> float | None:
    """Length of the channel in the cell, where a cell vector runs along it."""
    along = np.abs(lattice @ axis)
    parallel = along > 0.98 * np.linalg.norm(lattice, axis=1)
    return float(along[parallel].min()) if parallel.any() else None


def _neighbours(
    across_A: FloatArray, along_A: FloatArray, period_A: float | None
) -> list[tuple[int, int, float]]:
    """Pairs of ions next to each other in one channel, with the shift of the second one.

    The last ion of a channel is followed by the first one of the next cell.
    """
    order = np.argsort(along_A)
    pairs: list[tuple[int, int, float]] = []
    for place, first in enumerate(order.tolist()):
        rest: IntArray = order[place + 1 :]
        same = rest[_together(across_A, first, rest)]
        if len(same):
            pairs.append((first, int(same[0]), 0.0))
        elif period_A is not None:
            before: IntArray = order[:place]
            same = before[_together(across_A, first, before)]
            if len(same):
                pairs.append((first, int(same[0]), period_A))
    return pairs


def _together(across_A: FloatArray, first: int, others: IntArray) -> BoolArray:
    apart = np.linalg.norm(across_A[others] - across_A[first], axis=1)
    return np.asarray(apart < CHANNEL_A)
