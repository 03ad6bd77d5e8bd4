"""Which candidates are worth a simulation: acquisition functions and the stop rule.

Everything is scored in decades, so that the scores of different functions, the cost of a run and
the likeness to a run already chosen (:mod:`.selection`) can be added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import norm

from ...data.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Acquisition = Literal["greedy", "ucb", "ei", "poe", "thompson", "max_variance", "random"]
ACQUISITIONS: Final[tuple[Acquisition, ...]] = get_args(Acquisition)

_FLOOR: Final[float] = 1e-12
"""Probabilities and gains below this are alike: nobody buys a run on such a chance."""


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What the model believes about n candidates.

    Parameters
    ----------
    mean : array (n,)
        Expected log10 σ at the target temperature, S/cm.
    sd : array (n,)
        One standard deviation, decades; positive.
    domain_distance : array (n,)
        1 is typical of the next family, far above is extrapolation.

    Raises
    ------
    InputError
        If lengths differ, a number is not finite or a standard deviation is not positive.
    """

    mean: FloatArray
    sd: FloatArray
    domain_distance: FloatArray

    def __post_init__(self) -> None:
        for name in ("mean", "sd", "domain_distance"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, values)
            if values.shape != np.shape(self.mean) or values.ndim != 1:
                raise InputError(f"beliefs: {name} has shape {values.shape}, not that of mean")
            if not np.isfinite(values).all():
                raise InputError(f"beliefs: {name} of candidate {_first(~np.isfinite(values))}")
        if (self.sd <= 0).any():
            raise InputError(f"beliefs: sd of candidate {_first(self.sd <= 0)} is not positive")

    @classmethod
    def from_predictions(cls, predictions: pd.DataFrame, coverage: float) -> Beliefs:
        """Read the output of ``ConductivityModel.predict``.

        The calibrated interval is taken as that of a normal distribution: its half-width over the
        quantile of ``coverage`` is the standard deviation.
        """
        half = 0.5 * (predictions["high"] - predictions["low"]).to_numpy(dtype=np.float64)
        return cls(
            predictions["prediction"].to_numpy(dtype=np.float64),
            half / float(norm.ppf(0.5 + 0.5 * coverage)),
            predictions["domain_distance"].to_numpy(dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True, kw_only=True)
class AcquisitionSettings:
    """How a batch is chosen.

    Parameters
    ----------
    function : str
        One of :data:`ACQUISITIONS`.
    kappa : float
        ``ucb``: standard deviations added to the mean.
    threshold_log10 : float
        ``poe``: log10 σ, S/cm, that counts as fast.
    cost_weight : float
        Decades of score that ten times the cost must bring; 0 ignores cost.
    diversity : float
        Distance, in units of the spread of the candidates, within which two count as alike; 0
        ignores likeness.
    max_per_system : int, optional
        At most so many of one chemical system in a batch.
    out_of_domain_quota : float
        Share of the batch that goes to candidates far from the training set, where an ensemble
        is confidently wrong.
    out_of_domain : float
        Domain distance from which a candidate is far.
    """

    function: Acquisition = "poe"
    kappa: float = 1.0
    threshold_log10: float = -3.0
    cost_weight: float = 0.5
    diversity: float = 0.5
    max_per_system: int | None = 2
    out_of_domain_quota: float = 0.2
    out_of_domain: float = 1.5

    def __post_init__(self) -> None:
        if self.function not in ACQUISITIONS:
            known = ", ".join(ACQUISITIONS)
            raise InputError(f"acquisition {self.function!r} is not one of {known}")
        if not 0.0 <= self.out_of_domain_quota <= 1.0:
            raise InputError(f"out_of_domain_quota {self.out_of_domain_quota} is not in [0, 1]")
        for name in ("kappa", "cost_weight", "diversity"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.max_per_system is not None and self.max_per_system < 1:
            raise InputError(f"max_per_system must be at least 1, got {self.max_per_system}")


def expected_improvement(mean: FloatArray, sd: FloatArray, best: float) -> FloatArray:
    """Expected gain over the best known value, decades.

    (μ − f) Φ(z) + σ φ(z) with z = (μ − f)/σ; Jones, J. Global Optim. 13, 455 (1998), eq. 15.

    Parameters
    ----------
    mean, sd : arrays (n,)
        log10 σ, S/cm, and its standard deviation, decades.
    best : float
        Best log10 σ known, S/cm.
    """
    z = (mean - best) / sd
    return np.asarray((mean - best) * ndtr(z) + sd * norm.pdf(z), dtype=np.float64)


def probability_of_exceeding(mean: FloatArray, sd: FloatArray, threshold: float) -> FloatArray:
    """Probability that log10 σ exceeds a threshold, shape (n,)."""
    return np.asarray(ndtr((mean - threshold) / sd), dtype=np.float64)


def acquisition_score(
    beliefs: Beliefs, settings: AcquisitionSettings, best: float, rng: np.random.Generator
) -> FloatArray:
    """Score every candidate, in decades; higher is better.

    Parameters
    ----------
    beliefs : Beliefs
    settings : AcquisitionSettings
    best : float
        Best log10 σ known, S/cm; used by ``ei``.
    rng : Generator
        Used by ``thompson`` and ``random``. Thompson draws are independent between candidates:
        the model gives no joint distribution.

    Returns
    -------
    array (n,)
        ``ei``, ``poe`` and ``max_variance`` as log10 of the gain (decades), of the probability and
        of the standard deviation.
    """
    mean, sd = beliefs.mean, beliefs.sd
    match settings.function:
        case "greedy":
            return mean
        case "ucb":
            return mean + settings.kappa * sd
        case "ei":
            return _log10(expected_improvement(mean, sd, best))
        case "poe":
            return _log10(probability_of_exceeding(mean, sd, settings.threshold_log10))
        case "thompson":
            return rng.normal(mean, sd)
        case "max_variance":
            return np.log10(sd)
        case "random":
            return rng.random(len(beliefs))


@dataclass(frozen=True)
class StopDecision:
    """Whether another round is worth its cost, and why."""

    stop: bool
    reason: str
    largest_gain_decades: float
    expected_hits: float
    """Expected number of fast conductors in the next batch."""


def stop_decision(
    beliefs: Beliefs,
    best: float,
    threshold_log10: float,
    batch: int,
    minimum_gain_decades: float,
    minimum_hits: float,
) -> StopDecision:
    """Stop when neither a better conductor nor another fast one is to be expected.

    Parameters
    ----------
    beliefs : Beliefs
        The candidates that are left.
    best : float
        Best log10 σ known, S/cm.
    threshold_log10 : float
        log10 σ, S/cm, that counts as fast.
    batch : int
        Size of the next batch.
    minimum_gain_decades : float
        Largest expected improvement below which no candidate is worth a run, decades.
    minimum_hits : float
        Expected fast conductors in a batch below which it is not worth its cost.
    """
    if len(beliefs) == 0:
        return StopDecision(True, "no candidate is left", 0.0, 0.0)
    gain = float(expected_improvement(beliefs.mean, beliefs.sd, best).max())
    chance = probability_of_exceeding(beliefs.mean, beliefs.sd, threshold_log10)
    hits = float(np.sort(chance)[::-1][:batch].sum())
    figures = f"largest expected gain {gain:.3g} decades, {hits:.3g} fast conductors expected"
    stop = gain < minimum_gain_decades and hits < minimum_hits
    limits = f"({minimum_gain_decades:g} decades, {minimum_hits:g} conductors)"
    verb = "both below" if stop else "not both below"
    return StopDecision(stop, f"{figures}, {verb} the limits {limits}", gain, hits)


def _log10(values: FloatArray) -> FloatArray:
    return np.asarray(np.log10(np.maximum(values, _FLOOR)), dtype=np.float64)


def _first(mask: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(mask)[0])


__all__ = [
    "ACQUISITIONS",
    "Acquisition",
    "AcquisitionSettings",
    "Beliefs",
    "StopDecision",
    "acquisition_score",
    "expected_improvement",
    "probability_of_exceeding",
    "stop_decision",
]
