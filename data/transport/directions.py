"""The tensor of the diffusivity, and what each of its principal directions shows on its own.

A conductor along channels or in layers has one or two large eigenvalues; the average over
directions, which a conductivity of a powder needs, hides that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from ..trajectories.trajectory import FloatArray, IntArray
from .bounds import CM2_S_PER_A2_FS, hop_bound
from .diffusion import gamma_interval

DirectionVerdict = Literal["diffusive", "confined", "too_short"]

RISE_SHARE: Final[float] = 0.5
"""The MSD along a direction must rise by this times a²/3 in the window to count as motion."""
STILL_SHARE: Final[float] = 0.1
"""A direction that has less than this share of the growth of the largest one, and a plateau, is
confined."""
PLATEAU_EXPONENT: Final[float] = 0.25
"""log–log slope along one direction below which nothing goes on: vibration leaks in from others."""
GROWING_EXPONENT: Final[float] = 0.5


@dataclass(frozen=True, eq=False, kw_only=True)
class Direction:
    """Diffusion along one principal axis.

    Attributes
    ----------
    axis : tuple of float
        Unit vector, Cartesian.
    axis_cell : tuple of float
        The same along a, b, c of the mean cell, largest component 1.
    verdict : {'diffusive', 'confined', 'too_short'}
    diffusivity_cm2_s, low_cm2_s, high_cm2_s : float or None
        Eigenvalue with its 95 % interval; None unless diffusive (interval: and several ions).
    upper_cm2_s : float or None
        95 % bound where there is no value.
    msd_exponent : float or None
    """

    axis: tuple[float, float, float]
    axis_cell: tuple[float, float, float]
    verdict: DirectionVerdict
    diffusivity_cm2_s: float | None
    low_cm2_s: float | None
    high_cm2_s: float | None
    upper_cm2_s: float | None
    msd_exponent: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class DiffusionTensor:
    """Tensor of the tracer diffusivity and its principal directions, largest first."""

    tensor_cm2_s: FloatArray
    """(3, 3), Cartesian; a third of its trace is the diffusivity."""
    directions: tuple[Direction, ...]

    @property
    def differs(self) -> bool:
        """Whether some direction has another verdict than the rest."""
        return len({d.verdict for d in self.directions}) > 1


def diffusion_tensor(
    positions_A: FloatArray, lattice: FloatArray, frame_spacing_fs: float, site_distance_A: float
) -> DiffusionTensor:
    """Tensor of D and a verdict for each principal direction.

    Parameters
    ----------
    positions_A : array (n_frames, n_ions, 3), Å
        Unwrapped, framework at rest.
    lattice : array (3, 3), Å
        Mean cell.
    frame_spacing_fs : float
    site_distance_A : float
        Mean site distance a, Å.

    Returns
    -------
    DiffusionTensor
        The tensor is the growth of ⟨Δr Δrᵀ⟩ from a tenth to half of the run over twice the time;
        intervals come from the spread over ions. Directions are those of the tensor: where two
        eigenvalues agree within their intervals, any direction between is as good.
    """
    lags = _lags(len(positions_A))
    moments = np.array([_moment(positions_A, int(lag)) for lag in lags])
    centred = (lags - lags.mean()) / np.square(lags - lags.mean()).sum()
    to_cm2_s = CM2_S_PER_A2_FS / (2.0 * frame_spacing_fs)
    growth = np.einsum("l,lij->ij", centred, moments)
    axes = np.linalg.eigh(growth)[1].T[::-1]
    msd = np.einsum("ki,lij,kj->kl", axes, moments, axes)
    slopes = msd @ centred
    found = [
        _direction(
            axes[k], positions_A, msd[k], slopes[k], slopes[0], lags, lattice, site_distance_A
        )
        for k in range(3)
    ]
    return DiffusionTensor(
        tensor_cm2_s=growth * to_cm2_s,
        directions=tuple(
            _in_units(direction, to_cm2_s, 3.0 * CM2_S_PER_A2_FS / frame_spacing_fs)
            for direction in found
        ),
    )


def _lags(n_frames: int) -> IntArray:
    half = max((n_frames - 1) // 2, 2)
    return np.unique(np.linspace(max(half // 5, 1), half, 12).astype(int))


def _moment(positions_A: FloatArray, lag: int) -> FloatArray:
    """⟨Δr Δrᵀ⟩ at a lag, (3, 3), Å²; origins closer than an eighth of it add cost only."""
    step = max(1, lag // 8)
    moved = (positions_A[lag::step] - positions_A[:-lag:step]).reshape(-1, 3)
    return np.asarray(moved.T @ moved / len(moved))


def _direction(
    axis: FloatArray,
    positions_A: FloatArray,
    msd_A2: FloatArray,
    slope: float,
    largest: float,
    lags: IntArray,
    lattice: FloatArray,
    site_distance_A: float,
) -> Direction:
    """Judge one axis by its MSD at the lags; diffusivities are still slopes in Å² a frame."""
    exponent = _exponent(msd_A2, lags)
    rise = float(msd_A2[-1] - msd_A2[0])
    verdict: DirectionVerdict = "too_short"
    if rise > RISE_SHARE * site_distance_A**2 / 3.0 and (exponent or 0.0) > GROWING_EXPONENT:
        verdict = "diffusive"
    elif slope < STILL_SHARE * largest and (exponent or 0.0) < PLATEAU_EXPONENT:
        verdict = "confined"
    low = high = upper = None
    if verdict == "diffusive":
        error = _ion_error(positions_A, axis, lags, slope)
        if math.isfinite(error):
            low, high = gamma_interval(slope, error, positions_A.shape[1])
    else:
        # Over six for three dimensions; one dimension has a third of the MSD and half its slope.
        half, n_ions = int(lags[-1]), positions_A.shape[1]
        upper = hop_bound(float(msd_A2[-1]), half, n_ions, site_distance_A, 1.0)
    return Direction(
        axis=_rounded(axis * np.sign(axis[np.argmax(np.abs(axis))])),
        axis_cell=_in_cell(axis, lattice),
        verdict=verdict,
        diffusivity_cm2_s=slope if verdict == "diffusive" else None,
        low_cm2_s=low,
        high_cm2_s=high,
        upper_cm2_s=upper,
        msd_exponent=exponent,
    )


def _in_units(direction: Direction, slope_unit: float, bound_unit: float) -> Direction:
    def times(value: float | None, unit: float) -> float | None:
        return None if value is None else value * unit

    return replace(
        direction,
        diffusivity_cm2_s=times(direction.diffusivity_cm2_s, slope_unit),
        low_cm2_s=times(direction.low_cm2_s, slope_unit),
        high_cm2_s=times(direction.high_cm2_s, slope_unit),
        upper_cm2_s=times(direction.upper_cm2_s, bound_unit),
    )


def _exponent(msd_A2: FloatArray, lags: IntArray) -> float | None:
    if len(lags) < 3 or (msd_A2 <= 0).any():
        return None
    return float(np.polyfit(np.log(lags), np.log(msd_A2), 1)[0])


def _ion_error(positions_A: FloatArray, axis: FloatArray, lags: IntArray, slope: float) -> float:
    """Relative standard error of the mean slope, from its spread over ions."""
    if positions_A.shape[1] < 2 or slope <= 0:
        return math.inf
    ends = []
    for lag in (int(lags[0]), int(lags[-1])):
        step = max(1, lag // 8)
        moved = (positions_A[lag::step] - positions_A[:-lag:step]) @ axis
        ends.append(np.square(moved).mean(axis=0))
    each = (ends[1] - ends[0]) / (lags[-1] - lags[0])
    return float(each.std(ddof=1) / math.sqrt(len(each)) / slope)


def _in_cell(axis: FloatArray, lattice: FloatArray) -> tuple[float, float, float]:
    """Direction along a, b, c, largest component 1."""
    cell = axis @ np.linalg.inv(lattice / np.linalg.norm(lattice, axis=1, keepdims=True))
    return _rounded(cell / cell[np.argmax(np.abs(cell))])


def _rounded(vector: FloatArray) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 4) + 0.0 for v in vector)
    return x, y, z
