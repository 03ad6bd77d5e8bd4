"""Jump events: when and where ions change site, and how jumps know of each other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray

MOST_FIRST_JUMPS: Final[int] = 20_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Jumps:
    """Jumps in order of time; all arrays have length n_jumps."""

    frame: IntArray
    ion: IntArray
    origin: IntArray
    """Site left."""
    target: IntArray
    """Site reached."""
    vector_A: FloatArray
    """From origin to target through the nearest image, (n_jumps, 3), Å."""
    midpoint_frac: FloatArray
    """(n_jumps, 3)."""
    n_frames: int

    def __len__(self) -> int:
        return len(self.frame)


def settled_sites(assignment: IntArray, min_residence: int = 2) -> IntArray:
    """Site on which each ion has settled: a new site counts after ``min_residence`` frames there.

    Parameters
    ----------
    assignment : int array (n_frames, n_ions)
        Nearest site in each frame.
    min_residence : int
        Frames in a row; 1 takes every change, also recrossings.

    Returns
    -------
    int array (n_frames, n_ions)
    """
    if min_residence < 1:
        raise FeatureError(f"min_residence must be at least 1 frame, got {min_residence}")
    settled = np.empty_like(assignment)
    current = assignment[0].copy()
    candidate, since = current.copy(), np.zeros(assignment.shape[1], dtype=np.int64)
    for number, sites in enumerate(assignment):
        since = np.where(sites == candidate, since + 1, 1)
        candidate = sites
        current = np.where(since >= min_residence, sites, current)
        settled[number] = current
    return settled


def find_jumps(
    assignment: IntArray, sites_frac: FloatArray, lattice: FloatArray, min_residence: int = 2
) -> Jumps:
    """List the jumps between sites.

    Parameters
    ----------
    assignment : int array (n_frames, n_ions)
        From :func:`~ionsieve.features.trajectory_sites.nearest_sites`.
    sites_frac : array (n_sites, 3)
    lattice : array (3, 3), Å
    min_residence : int
        Frames that an ion must stay for a change of site to count.

    Returns
    -------
    Jumps
    """
    settled = settled_sites(assignment, min_residence)
    frame, ion = np.nonzero(np.diff(settled, axis=0))
    origin, target = settled[frame, ion], settled[frame + 1, ion]
    step = sites_frac[target] - sites_frac[origin]
    step = step - np.rint(step)
    return Jumps(
        frame=frame + 1,
        ion=ion,
        origin=origin,
        target=target,
        vector_A=step @ lattice,
        midpoint_frac=sites_frac[origin] + step / 2.0,
        n_frames=len(assignment),
    )


def successive_jump_cosine(jumps: Jumps) -> FloatArray:
    """Cosine between each jump of an ion and its next one: −1 is a jump straight back.

    Returns
    -------
    array (n_pairs,)
        For random directions the mean is 0; back-jumps make it negative.
    """
    order = np.lexsort((jumps.frame, jumps.ion))
    same = jumps.ion[order][1:] == jumps.ion[order][:-1]
    vectors = jumps.vector_A[order]
    return _cosine(vectors[:-1][same], vectors[1:][same])


def neighbouring_jump_cosine(
    jumps: Jumps, lattice: FloatArray, within_A: float, within_frames: int
) -> FloatArray:
    """Cosine between jumps of different ions that are close in space and time.

    Parameters
    ----------
    jumps : Jumps
    lattice : array (3, 3), Å
    within_A : float
        Largest distance of midpoints, Å.
    within_frames : int
        Largest difference of frames.

    Returns
    -------
    array (n_pairs,)
        Positive for concerted motion (a string of ions that follow each other).
    """
    cosines = [np.empty(0)]
    for first in range(len(jumps)):
        stop = int(np.searchsorted(jumps.frame, jumps.frame[first] + within_frames, "right"))
        later = np.arange(first + 1, stop)
        later = later[jumps.ion[later] != jumps.ion[first]]
        near = later[_distance(jumps, first, later, lattice) <= within_A]
        cosines.append(_cosine(jumps.vector_A[near], jumps.vector_A[first][None]))
    return np.concatenate(cosines)


def jump_space_time_correlation(
    jumps: Jumps, lattice: FloatArray, edges_A: FloatArray, edges_frames: IntArray
) -> FloatArray:
    """Number of jumps at a distance and a time from a jump, over its long-time limit.

    Parameters
    ----------
    jumps : Jumps
    lattice : array (3, 3), Å
    edges_A : array (n_r + 1,), Å
        Bins of the distance between midpoints.
    edges_frames : int array (n_t + 1,)
        Bins of the time difference, frames. The long-time limit is taken between twice and eight
        times the last edge, or the end of the run.

    Returns
    -------
    array (n_t, n_r)
        1 where jumps do not know of each other; above 1 near r = 0 and t = 0 marks "hot spots"
        and cascades. Jumps of the same ion are left out. NaN where the limit holds no pair.

    Raises
    ------
    FeatureError
        If the run is shorter than three times the last edge.
    """
    last = int(edges_frames[-1])
    if 3 * last >= jumps.n_frames:
        raise FeatureError(f"time bins to {last} frames leave no long-time limit")
    far = min(8 * last, jumps.n_frames - 1)
    lags = np.array([*edges_frames, 2 * last, far], dtype=np.int64)
    counts = np.zeros((len(lags) - 1, len(edges_A) - 1))
    # Evenly chosen first jumps say the same as all of a run with very many.
    for first in range(0, len(jumps), max(1, len(jumps) // MOST_FIRST_JUMPS)):
        stop = int(np.searchsorted(jumps.frame, jumps.frame[first] + far, "right"))
        later = np.arange(first + 1, stop)
        later = later[jumps.ion[later] != jumps.ion[first]]
        distance = _distance(jumps, first, later, lattice)
        wait = jumps.frame[later] - jumps.frame[first]
        counts += np.histogram2d(wait, distance, (lags, edges_A))[0]
    rates = counts / _origins(lags, jumps.n_frames)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = rates[: len(edges_frames) - 1] / rates[-1]
    return np.asarray(np.where(counts[-1] > 0, ratio, np.nan), dtype=np.float64)


def _origins(lags: IntArray, n_frames: int) -> FloatArray:
    """Pairs of frames in each lag bin; pairs within one frame are counted once, so as a half."""
    return np.array(
        [
            # The last bin of a histogram includes its upper edge.
            sum(
                (n_frames - t) * (0.5 if t == 0 else 1.0)
                for t in range(low, high + (high == lags[-1]))
            )
            for low, high in pairwise(lags.tolist())
        ],
        dtype=np.float64,
    )


def _distance(jumps: Jumps, first: int, others: IntArray, lattice: FloatArray) -> FloatArray:
    apart = jumps.midpoint_frac[others] - jumps.midpoint_frac[first]
    return np.asarray(np.linalg.norm((apart - np.rint(apart)) @ lattice, axis=1))


def _cosine(left: FloatArray, right: FloatArray) -> FloatArray:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    dots = (left * right).sum(axis=1)
    return np.asarray(dots[norms > 0] / norms[norms > 0])
