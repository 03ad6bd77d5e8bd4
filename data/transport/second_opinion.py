"""A second opinion on a diffusivity: the posterior of kinisi, behind guards.

kinisi (McCluskey, Squires & Morgan 2025, 10.1021/acs.jctc.4c01249) samples the posterior of D under
an analytical covariance of the MSD. It is asked only where this project finds diffusion: of a cage
it made 1e25 cm²/s. What it says counts if it is finite, near the fit, and the same for two choices
of lags; a disagreement beyond both intervals is a warning with both numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..errors import InputError
from ..trajectories.displacements import Displacements, displacements
from ..trajectories.trajectory import IntArray, Trajectory
from .analysis import TransportLabel

N_LAGS: Final[tuple[int, int]] = (60, 90)
"""Two grids of lags; more make the covariance singular, fewer lose information."""
WITHIN_FACTOR: Final[float] = 5.0
"""A posterior this far from the fit is a failure of the sampling, not an opinion."""
STABLE: Final[float] = 0.3
"""Largest difference between the two grids, over their mean."""


@dataclass(frozen=True, kw_only=True)
class SecondOpinion:
    """What kinisi says of a run.

    Attributes
    ----------
    diffusivity_cm2_s, low_cm2_s, high_cm2_s : float or None
        Median and 95 % interval of the posterior; None where it was not asked or not believed.
    agrees : bool or None
        Whether the two intervals overlap.
    remark : str
        Why there is none, or the disagreement.
    """

    diffusivity_cm2_s: float | None = None
    low_cm2_s: float | None = None
    high_cm2_s: float | None = None
    agrees: bool | None = None
    remark: str = ""


def second_opinion(moves: Displacements, label: TransportLabel, seed: int = 0) -> SecondOpinion:
    """Ask kinisi for the diffusivity of a run.

    Parameters
    ----------
    moves : Displacements
        Production part of the run, of the label's ions.
    label : TransportLabel
    seed : int
        Of the sampling.

    Raises
    ------
    InputError
        If kinisi is not installed.
    """
    _require()
    fit = label.fit
    if fit is None:
        return SecondOpinion(remark=f"not asked: the run is {label.verdict.replace('_', ' ')}")
    start = round(fit.window_ps[0] * 1000.0 / moves.frame_spacing_fs)
    found = [_posterior(moves, start, number, seed) for number in N_LAGS]
    medians = [float(np.median(samples)) for samples in found]
    fault = _fault(found, medians, fit.diffusivity_cm2_s)
    if fault:
        return SecondOpinion(remark=f"not believed: {fault}")
    low, high = (float(q) for q in np.quantile(found[-1], (0.025, 0.975)))
    agrees = low <= fit.high_cm2_s and high >= fit.low_cm2_s
    remark = (
        ""
        if agrees
        else (
            f"kinisi gives {medians[-1]:.2e} cm²/s ({low:.2e} to {high:.2e}), this analysis "
            f"{fit.diffusivity_cm2_s:.2e} ({fit.low_cm2_s:.2e} to {fit.high_cm2_s:.2e}): the 95 % "
            "intervals do not meet"
        )
    )
    return SecondOpinion(
        diffusivity_cm2_s=medians[-1],
        low_cm2_s=low,
        high_cm2_s=high,
        agrees=agrees,
        remark=remark,
    )


def opinion_on(run: Trajectory, label: TransportLabel) -> SecondOpinion:
    """The same for a run that was read and analysed."""
    _require()
    moves = displacements(run, [label.settings.mobile, *label.settings.also_mobile])
    own = moves.of(label.settings.mobile).after(label.n_equilibration_frames)
    return second_opinion(own, label)


def _fault(found: list[Any], medians: list[float], fitted: float) -> str:
    if not all(np.isfinite(samples).all() and len(samples) for samples in found):
        return "its posterior is not finite"
    if any(m <= 0 or abs(math.log(m / fitted)) > math.log(WITHIN_FACTOR) for m in medians):
        shown = " and ".join(f"{m:.2e}" for m in medians)
        return f"{shown} cm²/s are more than {WITHIN_FACTOR:g} times from the fit"
    if abs(medians[0] - medians[1]) > STABLE * sum(medians) / 2.0:
        shown = f"{medians[0]:.2e} and {medians[1]:.2e} cm²/s"
        return f"it depends on the number of lags ({shown})"
    return ""


def _require() -> None:
    try:
        import kinisi.diffusion  # noqa: F401
    except ImportError:
        raise InputError("--kinisi: kinisi is not installed; pip install 'kinisi>=2'") from None


def lags_for(n_frames: int, start: int, number: int) -> IntArray:
    """About ``number`` lags, half of them in the fit window, which ends at half of the run."""
    last = max((n_frames - 1) // 2, 2)
    before = np.linspace(1, max(start, 2), number // 4)
    inside = np.linspace(max(start, 2), last, number - number // 4)
    return np.unique(np.concatenate([before, inside]).round().astype(np.int64))


def _posterior(moves: Displacements, start: int, number: int, seed: int) -> Any:
    """Samples of D, cm²/s."""
    import warnings

    import scipp as sc
    from kinisi.diffusion import Diffusion
    from kinisi.displacement import calculate_msd

    lags = lags_for(moves.n_frames, start, number)
    moved = np.ascontiguousarray(moves.positions_A[1:] - moves.positions_A[:1])

    class Parsed:
        """What kinisi reads of a parser."""

        displacements = sc.array(
            dims=["obs", "particle", "dimension"], values=moved, unit="angstrom"
        )
        dt = sc.array(dims=["time interval"], values=lags * moves.frame_spacing_fs, unit="fs")
        dt_index = sc.array(dims=["time interval"], values=lags)
        dimensionality = sc.scalar(3)

    with warnings.catch_warnings():
        # scipp and emcee warn of units and of acceptance; the guards judge the outcome.
        warnings.simplefilter("ignore")
        diffusion = Diffusion(calculate_msd(Parsed, progress=False))
        diffusion._diffusion(
            start_dt=sc.scalar(max(start, 1) * moves.frame_spacing_fs, unit="fs"),
            progress=False,
            random_state=np.random.RandomState(seed),
        )
    return np.asarray(diffusion.D.values, dtype=np.float64)
