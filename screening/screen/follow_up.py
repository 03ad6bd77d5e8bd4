"""What to compute next: the batch that a campaign would buy out of a ranking, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.records import FloatArray, IntArray, StructureRecord
from ...features.featurizer import numeric_columns
from ..acquisition.cost import GPAW_COST, CostModel, calibrated_cost, estimated_size
from ..acquisition.embedding import BlockEmbedding, element_fractions_of
from ..acquisition.scores import AcquisitionSettings
from ..acquisition.shortlist import SAME, Likeness, Shortlist, shortlist
from ..jobs.protocol import ProtocolSettings
from .feature_list import FeatureList

FOLLOW_UP_COLUMNS: Final[tuple[str, ...]] = ("follow_up", "follow_up_reason", "core_hours")
ENGINE: Final[str] = "gpaw"
"""Whose cost is estimated; the command that starts the batch asks for it."""
_INTERVAL: Final[float] = 0.9


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """The shortlist in numbers.

    Parameters
    ----------
    n : int
        Candidates in it; fewer than asked for where fewer are new.
    n_known : int
        Ranked candidates that the AIMD table holds: not bought again.
    expected_fast : float
        Expected number of fast conductors: the sum of ``p_fast``.
    fast_low, fast_high : int
        90 % interval of that number, if candidates succeed or fail independently of each other.
    core_hours : float
        Of a first run of each, together.
    expected_by_conductivity, core_hours_by_conductivity : float
        The same of a batch of this size taken by predicted conductivity alone.
    line_log10_S_cm : float
        The line of the shortlist: so high stands, by predicted log10 σ(300 K), the last of the
        ``n`` best new candidates; the threshold where fewer are new than asked for.
    temperature_K : float
        Of the first run.
    engine : str
        Whose cost was estimated.
    """

    n: int
    n_known: int
    expected_fast: float
    fast_low: int
    fast_high: int
    core_hours: float
    expected_by_conductivity: float
    core_hours_by_conductivity: float
    line_log10_S_cm: float
    temperature_K: float
    engine: str = ENGINE


def add_follow_up(
    ranking: pd.DataFrame,
    likeness: Likeness,
    size: int,
    threshold_log10: float,
    coverage: float,
    seed: int,
) -> tuple[pd.DataFrame, FollowUp]:
    """Add the columns of the shortlist, chosen by the acquisition function of campaigns.

    Parameters
    ----------
    ranking : DataFrame (n)
        Best first, with the ``core_hours`` of :func:`core_hours_of`.
    likeness : Likeness
        Of its rows.
    size : int
        Candidates wanted; 0 for none.
    threshold_log10 : float
        log10 σ(300 K), S/cm, that counts as fast.
    coverage : float
        Of the intervals in the ranking.
    seed : int

    Returns
    -------
    (DataFrame, FollowUp)
        ``ranking`` with :data:`FOLLOW_UP_COLUMNS`: place in the shortlist or nothing, and why.
    """
    settings = AcquisitionSettings(threshold_log10=threshold_log10)
    table = ranking.copy()
    chosen = _chosen(table, likeness, size, settings, coverage, seed)
    places = _places(chosen)
    table["follow_up"] = pd.array([places.get(i) for i in table["id"]], dtype="Int64")
    reasons = _reasons(table.set_index("id"), chosen, settings)
    table["follow_up_reason"] = [reasons.get(i, "") for i in table["id"]]
    return table, _summary(table, chosen, size, threshold_log10)


def _chosen(
    table: pd.DataFrame,
    likeness: Likeness,
    size: int,
    settings: AcquisitionSettings,
    coverage: float,
    seed: int,
) -> Shortlist | None:
    """None where nothing is wanted, or every candidate is known."""
    if size == 0 or (table["known_relation"] == SAME).all():
        return None
    return shortlist(
        table,
        size,
        settings,
        coverage=coverage,
        likeness=likeness,
        core_hours=table["core_hours"].to_numpy(),
        seed=seed,
    )


def core_hours_of(record: StructureRecord) -> float:
    """Of a first run, as a campaign of the engine estimates it before its first job."""
    protocol, cost = _first_run()
    size = estimated_size(record.composition, record.volume_A3, protocol)
    hours = cost.core_hours(size.n_electrons, size.volume_A3, size.n_steps)
    return float(f"{hours:.3g}")


@cache
def _first_run() -> tuple[ProtocolSettings, CostModel]:
    return ProtocolSettings(), calibrated_cost((), GPAW_COST)


def likeness_of(features: FeatureList, formulas: Sequence[str], order: IntArray) -> Likeness:
    """Likeness of candidates by their descriptors and formulas, read in blocks.

    Parameters
    ----------
    features : FeatureList (n)
    formulas : sequence of str, length n
        Of the same rows.
    order : array (n,)
        Row of each candidate, best first.
    """
    numbers = [c for c in numeric_columns() if c in features.columns]
    fractions, systems = element_fractions_of(formulas)
    embedding = BlockEmbedding(
        lambda rows: features.rows(rows, numbers).to_numpy(dtype=np.float64),
        fractions,
        order,
        features.block,
    )
    return Likeness(embedding, systems[order])


def _places(chosen: Shortlist | None) -> dict[str, int]:
    """By score first, then the share for the unknown, which the acquisition fills first."""
    if chosen is None:
        return {}
    rows = chosen.table.sort_values("reason", ascending=False, kind="stable")
    return {i: k for k, i in enumerate(rows["id"], start=1)}


def _reasons(
    rows: pd.DataFrame, chosen: Shortlist | None, settings: AcquisitionSettings
) -> dict[str, str]:
    """Why each was chosen, in numbers."""
    if chosen is None:
        return {}
    found = {}
    for pick in chosen.table.to_dict("records"):
        row = rows.loc[pick["id"]]
        if pick["reason"] == "out_of_domain_quota":
            why = (
                f"share for the unknown: domain distance {row['domain_distance']:.2f}, at least "
                f"{settings.out_of_domain:g}; rank {row['rank']}, p_fast {row['p_fast']:.2f}"
            )
        else:
            why = f"p_fast {row['p_fast']:.2f}, rank {row['rank']}"
        found[pick["id"]] = (
            f"{why}, {pick['core_hours']:,.0f} core hours; score {_signed(pick['score_decades'])} "
            "decades with cost and likeness to those chosen"
        )
    return found


def _signed(decades: float) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(decades, 2) + 0.0:+.2f}"


def _summary(
    table: pd.DataFrame, chosen: Shortlist | None, size: int, threshold_log10: float
) -> FollowUp:
    picked = table[table["follow_up"].notna()]
    new = table[table["known_relation"] != SAME]
    best = new.sort_values("log10_sigma_300K_S_cm", ascending=False).head(len(picked))
    low, high = number_interval(picked["p_fast"].to_numpy(dtype=np.float64))
    return FollowUp(
        n=len(picked),
        n_known=len(table) - len(new),
        expected_fast=round(float(picked["p_fast"].sum()), 4),
        fast_low=low,
        fast_high=high,
        core_hours=float(picked["core_hours"].sum()),
        expected_by_conductivity=round(float(best["p_fast"].sum()), 4),
        core_hours_by_conductivity=float(best["core_hours"].sum()),
        line_log10_S_cm=shortlist_line(new, size, threshold_log10),
        temperature_K=ProtocolSettings().start_K[0],
    )


def shortlist_line(new: pd.DataFrame, size: int, threshold_log10: float) -> float:
    """Predicted log10 σ(300 K) of the last of the best ``size`` new candidates.

    Parameters
    ----------
    new : DataFrame
        Candidates that are not known.
    size : int
    threshold_log10 : float
        Taken where no line divides them: nothing is wanted, or all of them are.
    """
    values = np.sort(new["log10_sigma_300K_S_cm"].to_numpy(dtype=np.float64))[::-1]
    return float(values[size - 1]) if 0 < size < len(values) else float(threshold_log10)


def number_interval(chances: FloatArray, coverage: float = _INTERVAL) -> tuple[int, int]:
    """Central interval of the number of successes among independent trials (Poisson binomial).

    Parameters
    ----------
    chances : array (n,)
        Of each trial.
    coverage : float
        At least so much of the distribution lies inside, both ends included.
    """
    weights = np.ones(1)
    for chance in chances:
        weights = np.convolve(weights, [1.0 - chance, chance])
    cumulative = np.cumsum(weights)
    tail = 0.5 * (1.0 - coverage)
    last = len(chances)
    low, high = np.searchsorted(cumulative, [tail, 1.0 - tail])
    return min(int(low), last), min(int(high), last)


def follow_up_commands(folder: str, facts: dict[str, Any], mobile: str = "Li") -> list[str]:
    """Commands that start the batch of a finished screen; none where it is empty.

    Parameters
    ----------
    folder : str
        Of the screen, as it is to stand in the command.
    facts : dict
        ``follow_up`` of ``run.json``.
    mobile : str
    """
    if not facts.get("n"):
        return []
    species = "" if mobile == "Li" else f" --mobile {mobile}"
    return [
        f"ionsieve campaign init STUDY --from {folder} --flag follow_up --batch {facts['n']} "
        f"--engine {facts['engine']}{species}",
        "ionsieve campaign propose STUDY",
    ]


__all__ = [
    "FOLLOW_UP_COLUMNS",
    "FollowUp",
    "add_follow_up",
    "core_hours_of",
    "follow_up_commands",
    "likeness_of",
    "number_interval",
    "shortlist_line",
]
