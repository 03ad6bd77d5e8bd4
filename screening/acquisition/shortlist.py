"""A ranking table → the batch that is worth simulating next, and what it is expected to bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...data.errors import InputError
from .embedding import Embedding
from .scores import (
    AcquisitionSettings,
    Beliefs,
    FloatArray,
    IntArray,
    expected_improvement,
    probability_of_exceeding,
)
from .selection import Pick, choose_batch, diversity_embedding

SAME: str = "same"
"""``known_relation`` of a candidate that a label table holds already."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a batch is expected to find and to cost.

    Parameters
    ----------
    n : int
        Candidates in it.
    hits : float
        Expected number of fast conductors: the sum of the probabilities.
    gain_decades : float
        Expected gain of the best of them alone over the best material known.
    core_hours : float or None
        None where no cost is known.
    """

    n: int
    hits: float
    gain_decades: float
    core_hours: float | None = None

    def __str__(self) -> str:
        cost = "" if self.core_hours is None else f", {self.core_hours:,.0f} core hours"
        return f"{self.hits:.2f} fast conductors expected among {self.n}{cost}"


def expectation(
    beliefs: Beliefs,
    chosen: Sequence[int],
    threshold_log10: float,
    best: float,
    core_hours: FloatArray | None = None,
) -> Expectation:
    """What the chosen candidates are expected to bring, by the beliefs that chose them.

    Parameters
    ----------
    beliefs : Beliefs
        n candidates.
    chosen : sequence of int
        Indices.
    threshold_log10 : float
        log10 σ, S/cm, that counts as fast.
    best : float
        Best log10 σ known, S/cm.
    core_hours : array (n,), optional
        Cost of each candidate.
    """
    index = np.asarray(chosen, dtype=np.int64)
    mean, sd = beliefs.mean[index], beliefs.sd[index]
    chance = probability_of_exceeding(mean, sd, threshold_log10)
    gain = expected_improvement(mean, sd, best)
    return Expectation(
        n=len(index),
        hits=float(chance.sum()),
        gain_decades=float(gain.max(initial=0.0)),
        core_hours=None if core_hours is None else float(core_hours[index].sum()),
    )


def greedy_batch(beliefs: Beliefs, size: int, available: np.ndarray) -> list[int]:
    """The best by expected conductivity alone: what a ranking without acquisition would buy."""
    order = np.argsort(-np.where(available, beliefs.mean, -np.inf), kind="stable")
    return [int(i) for i in order[: min(size, int(available.sum()))]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Shortlist:
    """A batch out of a ranking.

    Parameters
    ----------
    table : DataFrame
        One row for each pick, in the order of choice: ``id``, ``formula``, ``reason`` (``score``
        or ``out_of_domain_quota``), ``score_decades``, ``p_fast`` and, where known, ``core_hours``.
    expected, greedy : Expectation
        Of this batch, and of the same number of candidates taken by expected conductivity alone.
    n_known : int
        Candidates left out because a label table holds them.
    """

    table: pd.DataFrame
    expected: Expectation
    greedy: Expectation
    n_known: int


@dataclass(frozen=True, eq=False)
class Likeness:
    """Which candidates are alike, said once for several shortlists.

    Parameters
    ----------
    embedding : Embedding
        n candidates.
    systems : array (n,)
        Equal numbers mean equal chemical systems.
    """

    embedding: Embedding
    systems: IntArray


def shortlist(
    ranking: pd.DataFrame,
    size: int = 10,
    settings: AcquisitionSettings | None = None,
    *,
    coverage: float = 0.9,
    features: pd.DataFrame | None = None,
    core_hours: Sequence[float] | FloatArray | None = None,
    known: bool = False,
    seed: int = 0,
    likeness: Likeness | None = None,
) -> Shortlist:
    """Choose a batch from a ranking table; needs no campaign.

    Parameters
    ----------
    ranking : DataFrame
        ``id``, ``formula``, ``log10_sigma_300K_S_cm`` with ``log10_sigma_300K_low`` and
        ``log10_sigma_300K_high``, ``domain_distance`` and, if there, ``known_relation``.
    size : int
    settings : AcquisitionSettings, optional
    coverage : float
        Of the interval between low and high.
    features : DataFrame, optional
        Numeric descriptors by ``id``, for likeness; without them composition alone counts.
    core_hours : array (n,), optional
        Cost of each row; without it cost is left out.
    known : bool
        Also candidates that a label table holds.
    seed : int
    likeness : Likeness, optional
        Of the rows, instead of ``features``.

    Raises
    ------
    InputError
        If a column or a candidate's descriptors are missing, or nothing new is in the ranking.
    """
    settings = settings or AcquisitionSettings()
    _check_columns(ranking)
    if core_hours is None:
        settings = replace(settings, cost_weight=0.0)
    cost = None if core_hours is None else np.asarray(core_hours, dtype=np.float64)
    beliefs = Beliefs.from_predictions(
        pd.DataFrame(
            {
                "prediction": ranking["log10_sigma_300K_S_cm"],
                "low": ranking["log10_sigma_300K_low"],
                "high": ranking["log10_sigma_300K_high"],
                "domain_distance": ranking["domain_distance"],
            }
        ),
        coverage,
    )
    same = _same(ranking)
    available = np.ones(len(ranking), dtype=bool) if known else ~same
    if not available.any():
        raise InputError("the ranking holds no candidate that is new; ask for known ones too")
    # The incumbent is what is known; with nothing known any candidate is a gain over the others.
    best = float(beliefs.mean[same].max() if same.any() else np.median(beliefs.mean))
    picks = choose_batch(
        beliefs,
        size,
        settings,
        best,
        seed,
        cost,
        likeness.embedding if likeness else _embedding(ranking, features),
        likeness.systems if likeness else _systems(ranking),
        available,
    )
    chosen = [pick.index for pick in picks]
    rival = greedy_batch(beliefs, len(picks), available)
    threshold = settings.threshold_log10
    return Shortlist(
        table=_table(ranking, beliefs, picks, threshold, cost),
        expected=expectation(beliefs, chosen, threshold, best, cost),
        greedy=expectation(beliefs, rival, threshold, best, cost),
        n_known=0 if known else int(same.sum()),
    )


def element_fractions(compositions: Sequence[dict[str, float]]) -> pd.DataFrame:
    """Atomic fraction of each element, shape (n, elements)."""
    table = pd.DataFrame(compositions, dtype=np.float64).fillna(0.0)
    return table.div(table.sum(axis=1), axis=0)


def _check_columns(ranking: pd.DataFrame) -> None:
    needed = (
        "id",
        "formula",
        "log10_sigma_300K_S_cm",
        "log10_sigma_300K_low",
        "log10_sigma_300K_high",
        "domain_distance",
    )
    missing = [name for name in needed if name not in ranking]
    if missing:
        raise InputError(f"the ranking has no column {', '.join(missing)}")


def _same(ranking: pd.DataFrame) -> np.ndarray:
    if "known_relation" not in ranking:
        return np.zeros(len(ranking), dtype=bool)
    return (ranking["known_relation"].fillna("") == SAME).to_numpy(dtype=bool)


def _compositions(ranking: pd.DataFrame) -> list[dict[str, float]]:
    from pymatgen.core import Composition

    return [Composition(text).get_el_amt_dict() for text in ranking["formula"]]


def _systems(ranking: pd.DataFrame) -> list[str]:
    return ["-".join(sorted(amounts)) for amounts in _compositions(ranking)]


def _embedding(ranking: pd.DataFrame, features: pd.DataFrame | None) -> FloatArray:
    fractions = element_fractions(_compositions(ranking))
    if features is None:
        return diversity_embedding(pd.DataFrame(index=ranking.index), fractions)
    absent = sorted(set(ranking["id"]) - set(features.index))
    if absent:
        raise InputError(f"{absent[0]}: is ranked but has no descriptors")
    return diversity_embedding(features.loc[ranking["id"]].select_dtypes("number"), fractions)


def _table(
    ranking: pd.DataFrame,
    beliefs: Beliefs,
    picks: Sequence[Pick],
    threshold: float,
    cost: FloatArray | None,
) -> pd.DataFrame:
    index = [pick.index for pick in picks]
    rows = ranking.iloc[index][["id", "formula"]].reset_index(drop=True)
    rows["reason"] = [pick.reason for pick in picks]
    rows["score_decades"] = [pick.score for pick in picks]
    rows["p_fast"] = probability_of_exceeding(beliefs.mean[index], beliefs.sd[index], threshold)
    if cost is not None:
        rows["core_hours"] = cost[index]
    return rows


__all__ = [
    "Expectation",
    "Likeness",
    "Shortlist",
    "element_fractions",
    "expectation",
    "greedy_batch",
    "shortlist",
]
