"""A batch of simulations: gain, cost, likeness and a share for the unknown.

All are in decades: a run that costs ten times the median has to promise ``cost_weight`` decades
more, and likeness to a run already chosen takes ``log10(1 − k)`` off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...data.errors import InputError
from .embedding import Embedding
from .scores import AcquisitionSettings, Beliefs, FloatArray, IntArray, acquisition_score


@dataclass(frozen=True)
class Pick:
    """One chosen candidate."""

    index: int
    score: float
    """Decades, cost and likeness included; NaN for ``random``."""
    reason: Literal["score", "out_of_domain_quota"]


def choose_batch(
    beliefs: Beliefs,
    size: int,
    settings: AcquisitionSettings,
    best: float,
    seed: int,
    cost: FloatArray | None = None,
    embedding: FloatArray | Embedding | None = None,
    systems: Sequence[str] | IntArray | None = None,
    available: NDArray[np.bool_] | None = None,
) -> list[Pick]:
    """Choose a batch, one candidate after the other.

    The out-of-domain quota is filled first, then the rest by score. Each choice lowers the score
    of those like it by ``log10(1 − k)`` with k = exp(−d²/2) of the distance in units of
    ``diversity``: an exact duplicate is never bought twice in one batch. ``random`` ignores cost,
    likeness and quota: it is the yardstick.

    Parameters
    ----------
    beliefs : Beliefs
        n candidates.
    size : int
        How many to choose; fewer come out where fewer are available.
    settings : AcquisitionSettings
    best : float
        Best log10 σ known, S/cm.
    seed : int
    cost : array (n,), optional
        Any unit; positive.
    embedding : array (n, k) or Embedding, optional
        From :func:`diversity_embedding`, or of more candidates than memory holds.
    systems : sequence of str or array (n,), optional
        Chemical system of each, for ``max_per_system``.
    available : array (n,) of bool, optional
        Candidates that may be chosen.

    Raises
    ------
    InputError
        If ``size`` or a cost is not positive, or an array has the wrong length.
    """
    _check_batch(len(beliefs), size, cost, embedding, systems, available)
    rng = np.random.default_rng(seed)
    state = _Batch(beliefs, settings, cost, embedding, systems, available)
    if settings.function == "random":
        state.forget_preferences()
        quota = 0
    else:
        quota = int(np.ceil(settings.out_of_domain_quota * size - 1e-9))
    for _ in range(size):
        score = state.preference + acquisition_score(beliefs, settings, best, rng)
        far = state.free & (beliefs.domain_distance >= settings.out_of_domain)
        from_quota = len(state.picks) < quota and bool(far.any())
        if not state.take(score, far if from_quota else state.free, from_quota):
            break
    return state.picks


class _Batch:
    """Scores' additions and who may still be chosen, kept up to date."""

    def __init__(
        self,
        beliefs: Beliefs,
        settings: AcquisitionSettings,
        cost: FloatArray | None,
        embedding: FloatArray | Embedding | None,
        systems: Sequence[str] | IntArray | None,
        available: NDArray[np.bool_] | None,
    ) -> None:
        n = len(beliefs)
        self.free = np.ones(n, dtype=bool) if available is None else np.array(available, dtype=bool)
        self.picks: list[Pick] = []
        self.preference = np.zeros(n)
        if cost is not None and self.free.any():
            # Relative to the median, so that scores stay readable.
            relative = np.log10(cost / np.median(cost[self.free]))
            self.preference = -settings.cost_weight * relative
        self._embedding = embedding
        self._scale = settings.diversity
        self._systems = None if systems is None else np.array(systems)
        self._limit = settings.max_per_system
        self._random = False

    def forget_preferences(self) -> None:
        self.preference[:] = 0.0
        self._embedding = self._systems = None
        self._random = True

    def take(self, score: FloatArray, allowed: NDArray[np.bool_], from_quota: bool) -> bool:
        if not allowed.any():
            return False
        # −inf (a duplicate) still comes before what is not allowed at all.
        order = np.where(allowed, np.maximum(score, -1e9), -np.inf)
        index = int(np.argmax(order))
        self.free[index] = False
        reason: Literal["score", "out_of_domain_quota"]
        reason = "out_of_domain_quota" if from_quota else "score"
        value = float("nan") if self._random else float(score[index])
        self.picks.append(Pick(index, value, reason))
        self._discount_alike(index)
        self._close_system(index)
        return True

    def _discount_alike(self, index: int) -> None:
        if self._embedding is None or self._scale == 0:
            return
        where = self._embedding
        if isinstance(where, np.ndarray):
            squared = ((where - where[index]) ** 2).sum(axis=1)
        else:
            squared = where.squared_distances(index)
        likeness = np.exp(-0.5 * squared / self._scale**2)
        self.preference += np.log10(np.maximum(1.0 - likeness, 1e-300))

    def _close_system(self, index: int) -> None:
        if self._systems is None or self._limit is None:
            return
        same = self._systems == self._systems[index]
        if sum(bool(same[pick.index]) for pick in self.picks) >= self._limit:
            self.free[same] = False


def diversity_embedding(features: pd.DataFrame, fractions: pd.DataFrame) -> FloatArray:
    """Where candidates lie in structure and composition, for likeness.

    Parameters
    ----------
    features : DataFrame (n, p)
        Numeric descriptors; NaN counts as the column's mean.
    fractions : DataFrame (n, m)
        Atomic fraction of each element.

    Returns
    -------
    array (n, p + m)
        Both blocks centred and scaled to half the total variance each: the root mean square
        distance of a candidate from the centre is 1.
    """
    blocks = [_block(features.to_numpy(np.float64), True), _block(fractions.to_numpy(), False)]
    return np.hstack(blocks)


def _block(values: FloatArray, scale_columns: bool) -> FloatArray:
    values = values[:, np.isfinite(values).any(axis=0)]
    centred = values - np.nanmean(values, axis=0)
    centred = np.nan_to_num(centred)
    if scale_columns:
        spread = centred.std(axis=0)
        centred = centred[:, spread > 0] / spread[spread > 0]
    total = float((centred**2).sum(axis=1).mean())
    return centred * np.sqrt(0.5 / total) if total > 0 else centred


def _check_batch(
    n: int,
    size: int,
    cost: FloatArray | None,
    embedding: FloatArray | Embedding | None,
    systems: Sequence[str] | IntArray | None,
    available: NDArray[np.bool_] | None,
) -> None:
    if size < 1:
        raise InputError(f"a batch needs at least one run, got {size}")
    given = {"cost": cost, "embedding": embedding, "systems": systems, "available": available}
    for name, values in given.items():
        if values is not None and len(values) != n:
            raise InputError(f"{name} has {len(values)} entries for {n} candidates")
    if cost is not None and not (np.isfinite(cost).all() and (cost > 0).all()):
        wrong = int(np.argmin(np.isfinite(cost) & (cost > 0)))
        raise InputError(f"the cost of candidate {wrong} is not positive: {cost[wrong]}")


__all__ = ["Pick", "choose_batch", "diversity_embedding"]
