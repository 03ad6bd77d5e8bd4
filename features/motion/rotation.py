"""Polyanions that turn: directions of their bonds, orientation entropy, correlation time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import fft
from scipy.special import gamma

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from .groups import Group

WINDOW_DEGREES: Final[float] = 20.0
"""Width of the orientation windows (Wood 2021)."""
ENTROPY_FRAMES: Final[int] = 400
"""Frames that the entropy is taken of; the isotropic reference has as many."""
DECAYED: Final[float] = 0.85
"""A correlation that stays above this at the end has shown no rotation, only libration."""
FLOOR: Final[float] = 0.1
"""Below this share of its start a correlation function is noise."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Spokes:
    """Vectors that turn with a polyanion: from its centre to its outer atoms.

    Attributes
    ----------
    body : int array (n_spokes,)
        Polyanion of each spoke.
    centre : tuple of (atoms, images), length n_bodies
        Atoms whose mean is the centre: the central atom of PS4, all atoms of B12H12.
    tip : int array (n_spokes,)
        Atom at the end of each spoke.
    tip_image : int array (n_spokes, 3)
    """

    body: IntArray
    centre: tuple[tuple[IntArray, IntArray], ...]
    tip: IntArray
    tip_image: IntArray

    def __len__(self) -> int:
        return len(self.centre)


def spokes_of(groups: Sequence[Group], z: IntArray) -> Spokes:
    """Spokes of bonded groups.

    Parameters
    ----------
    groups : sequence of Group
        Finite groups of two atoms or more.
    z : int array (n_atoms,)
        Atomic numbers. A group with one atom of an element that occurs once in it (P of PS4) turns
        about that atom, any other about its centroid.
    """
    body, centres, tips, images = [], [], [], []
    for number, group in enumerate(groups):
        inner = _centre(group, z)
        centres.append((group.atoms[inner], group.image[inner]))
        outer = np.ones(len(group), dtype=bool)
        if inner.sum() == 1:
            outer = ~inner
        body += [number] * int(outer.sum())
        tips += group.atoms[outer].tolist()
        images += group.image[outer].tolist()
    return Spokes(
        body=np.array(body, dtype=np.int64),
        centre=tuple(centres),
        tip=np.array(tips, dtype=np.int64),
        tip_image=np.array(images, dtype=np.int64).reshape(-1, 3),
    )


def _centre(group: Group, z: IntArray) -> np.ndarray:
    own = z[group.atoms]
    single = [e for e in np.unique(own) if (own == e).sum() == 1]
    if len(group) > 2 and len(single) == 1:
        return np.asarray(own == single[0])
    return np.ones(len(group), dtype=bool)


def spoke_directions(frac: FloatArray, lattice: FloatArray, spokes: Spokes) -> FloatArray:
    """Unit vectors along the spokes in every frame.

    Parameters
    ----------
    frac : array (n_frames, n_atoms, 3)
        Unwrapped; images of the spokes refer to the folded first frame.
    lattice : array (3, 3), Å
    spokes : Spokes

    Returns
    -------
    array (n_frames, n_spokes, 3)

    Raises
    ------
    FeatureError
        If there is no polyanion.
    """
    if not len(spokes):
        raise FeatureError("no polyanion: nothing can turn")
    fold = np.floor(frac[0])
    centre = np.stack([(frac[:, a] - fold[a] + i).mean(axis=1) for a, i in spokes.centre], axis=1)
    tips = frac[:, spokes.tip] - fold[spokes.tip] + spokes.tip_image
    vectors = (tips - centre[:, spokes.body]) @ lattice
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-9))


def orientation_entropy(
    directions: FloatArray, window_degrees: float = WINDOW_DEGREES
) -> tuple[float, float]:
    """Shannon entropy of directions over windows that the directions themselves lay out.

    Parameters
    ----------
    directions : array (n_frames, n_spokes, 3)
        Unit vectors.
    window_degrees : float
        Full width of a window.

    Returns
    -------
    entropy, relative : float
        Mean over spokes of −Σ p ln p, in k_B, and its ratio to that of as many isotropic
        directions (1: turns freely; 0: rests within one window).

    Notes
    -----
    Wood 2021 counts windows of 20° in polar and azimuthal angle, whose number within a libration
    depends on how the crystal lies in the laboratory. Here the first window is the cap of that
    width with the most directions in it, the next the fullest cap of what is left, and so on: the
    same for a crystal turned as a whole.
    """
    frames = np.linspace(0, len(directions) - 1, min(len(directions), ENTROPY_FRAMES))
    chosen = directions[np.unique(frames.round().astype(int))]
    own = [_cap_entropy(chosen[:, k], window_degrees) for k in range(chosen.shape[1])]
    free = _cap_entropy(_isotropic(len(chosen)), window_degrees)
    return float(np.mean(own)), float(np.mean(own) / free) if free > 0 else 0.0


def _isotropic(n: int) -> FloatArray:
    vectors = np.random.default_rng(0).normal(size=(n, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _cap_entropy(directions: FloatArray, window_degrees: float) -> float:
    """Entropy of one set of directions, (n, 3), over its caps."""
    # Rounded, so that a direction on the rim of a cap falls on one side in every orientation.
    cosine = np.round(directions @ directions.T, 9)
    near = cosine >= math.cos(math.radians(window_degrees / 2.0))
    left = np.ones(len(directions), dtype=bool)
    members = near.sum(axis=1)
    sizes = []
    while left.any():
        first = int(np.argmax(np.where(left, members, -1)))
        cap = near[first] & left
        sizes.append(int(cap.sum()))
        left &= ~cap
        members = members - near[:, cap].sum(axis=1)
    p = np.array(sizes) / len(directions)
    return abs(float((p * np.log(p)).sum()))


def rotational_autocorrelation(directions: FloatArray) -> FloatArray:
    """C₁(τ) = ⟨u(t) · u(t + τ)⟩ over all spokes and origins, by FFT.

    Parameters
    ----------
    directions : array (n_frames, n_spokes, 3)
        Unit vectors.

    Returns
    -------
    array (n_frames,)
        Starts at 1; decays to 0 for free rotation, to a plateau for libration.
    """
    n = len(directions)
    n_fft = fft.next_fast_len(2 * n - 1, real=True)
    spectrum = np.zeros(n_fft // 2 + 1)
    for bond in range(directions.shape[1]):
        transform = fft.rfft(directions[:, bond].T, n_fft)
        spectrum += np.square(np.abs(transform)).sum(axis=0)
    total = fft.irfft(spectrum, n_fft)[:n]
    return np.asarray(total / (directions.shape[1] * np.arange(n, 0, -1)))


@dataclass(frozen=True, kw_only=True)
class RotationTime:
    """How long polyanions remember their orientation.

    Attributes
    ----------
    time_ps : float or None
        Integral of the fitted correlation function; None where none is seen to turn.
    low_ps, high_ps : float or None
        95 % interval from the spread over polyanions; ``low_ps`` alone is a bound.
    stretching : float or None
        β of exp(−(τ/τ₀)^β); 1 for a single rate, less where rates differ.
    """

    time_ps: float | None
    low_ps: float | None
    high_ps: float | None
    stretching: float | None


def rotation_time(directions: FloatArray, body: IntArray, frame_spacing_fs: float) -> RotationTime:
    """Correlation time of the rotation with its interval.

    Parameters
    ----------
    directions : array (n_frames, n_spokes, 3)
        Unit vectors.
    body : int array (n_spokes,)
        Polyanion of each.
    frame_spacing_fs : float
        fs.

    Returns
    -------
    RotationTime
        A stretched exponential is fitted to the mean over polyanions, from the second frame (the
        first step is libration) to a third of the run or where it has fallen to a tenth; the
        interval comes from leaving out one polyanion at a time.
    """
    curves = np.array(
        [rotational_autocorrelation(directions[:, body == b]) for b in np.unique(body)]
    )
    step_ps = frame_spacing_fs / 1000.0
    last = max((curves.shape[1] - 1) // 3, 2)
    whole = curves.mean(axis=0)
    if whole[last] > DECAYED:
        # No faster than what would just have shown: the spread over bodies says how sure.
        error = (
            float(curves[:, last].std(ddof=1) / math.sqrt(len(curves))) if len(curves) > 1 else 0.0
        )
        least = max(min(float(whole[last]) - 1.96 * error, 0.999), 0.05)
        bound = -last * step_ps / math.log(least)
        return RotationTime(time_ps=None, low_ps=bound, high_ps=None, stretching=None)
    time, beta = _fit(whole, last, step_ps)
    if not math.isfinite(time) or len(curves) < 3:
        value = time if math.isfinite(time) else None
        return RotationTime(time_ps=value, low_ps=None, high_ps=None, stretching=beta)
    rest = (curves.sum(axis=0) - curves) / (len(curves) - 1)
    logs = np.log([max(_fit(curve, last, step_ps)[0], 1e-9) for curve in rest])
    n = len(logs)
    error = math.sqrt((n - 1) / n * float(np.square(logs - logs.mean()).sum()))
    return RotationTime(
        time_ps=time,
        low_ps=time * math.exp(-1.96 * error),
        high_ps=time * math.exp(1.96 * error),
        stretching=beta,
    )


def _fit(curve: FloatArray, last: int, step_ps: float) -> tuple[float, float]:
    """Correlation time, ps, and β: ln(−ln(C/A)) is a straight line in ln τ.

    The amplitude A left by libration is that of the second frame where rotation is slow.
    """
    from scipy.optimize import curve_fit

    below = np.flatnonzero(curve[: last + 1] < FLOOR * curve[0])
    stop = int(below[0]) if len(below) else last
    lags = np.unique(np.geomspace(1, max(stop, 4), 40).round().astype(int))
    t, c = lags * step_ps, curve[lags]
    guess = max(float(np.interp(-1 / math.e, -c, t)), step_ps)

    def model(x: FloatArray, amplitude: float, tau: float, beta: float) -> FloatArray:
        return np.asarray(amplitude * np.exp(-((x / tau) ** beta)))

    try:
        found = curve_fit(
            model, t, c, (min(max(float(c[0]), 0.3), 1.0), guess, 0.9),
            bounds=((0.2, step_ps * 1e-2, 0.2), (1.0, 1e3 * float(t[-1]), 1.5)),
        )[0]  # fmt: skip
    except RuntimeError:
        return math.nan, math.nan
    _, tau, beta = (float(v) for v in found)
    return float(tau / beta * gamma(1.0 / beta)), beta
