"""From answers to decisions: the ranking, the shortlist and the flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ...data.records import IntArray
from ..acquisition.shortlist import SAME
from .answers import Answers
from .describe import Described
from .feature_list import FeatureList
from .flags import add_flags, flag_columns
from .follow_up import FollowUp, add_follow_up, likeness_of
from .labelled import leave_out_known
from .options import ScreenSettings
from .ranking import ISOLATED_COLUMNS, in_order, rank_candidates
from .training import TrainedModel


def decided(
    described: Described,
    lines: pd.DataFrame,
    found: Answers,
    trained: TrainedModel,
    settings: ScreenSettings,
) -> tuple[pd.DataFrame, IntArray, FollowUp]:
    """Rank candidates, choose what to compute next, and flag.

    Parameters
    ----------
    described : Described (n)
    lines : DataFrame (n)
        From :func:`.answers.descriptions`.
    found : Answers (n)
    trained : TrainedModel
    settings : ScreenSettings

    Returns
    -------
    (DataFrame, array (n,), FollowUp)
        The ranking, the place in ``described`` of each of its rows, and the shortlist in numbers.
    """
    coverage = trained.model.coverage
    ranking, order = _rank(described.features, lines, found, trained)
    table, follow_up = _with_shortlist(ranking, order, described, coverage, settings)
    table = add_flags(
        table,
        described.features.table(flag_columns(described.features.columns)),
        trained.range,
        settings.flags,
        settings.mobile,
        follow_up.line_log10_S_cm,
        coverage,
    )
    return in_order(table), order, follow_up


def _rank(
    features: FeatureList, lines: pd.DataFrame, found: Answers, trained: TrainedModel
) -> tuple[pd.DataFrame, IntArray]:
    """The ranking, with the place of each of its rows among the descriptors."""
    classes = features.table([c for c in features.columns if c in ISOLATED_COLUMNS])
    ranking = rank_candidates(classes, found.aimd, lines, trained.range, found.experiment)
    order = lines.index.get_indexer(ranking["id"])
    ranking["core_hours"] = lines["core_hours"].to_numpy()[order]
    return ranking, np.asarray(order, dtype=np.int64)


def _with_shortlist(
    ranking: pd.DataFrame,
    order: IntArray,
    described: Described,
    coverage: float,
    settings: ScreenSettings,
) -> tuple[pd.DataFrame, FollowUp]:
    """Choose a batch of which no label table holds a material: a campaign buys none of those.

    Tables are asked about what is chosen only: comparing every candidate would cost more than all
    the rest of the ranking.
    """
    formulas = ranking["formula"].to_numpy()[np.argsort(order)]
    likeness = likeness_of(described.features, formulas, order)
    held: dict[str, str] = {}
    asked: set[int] = set()
    while True:
        open_to = ranking["known_relation"].where(~ranking["id"].isin(held), SAME)
        table, follow_up = add_follow_up(
            ranking.assign(known_relation=open_to),
            likeness,
            settings.follow_up,
            float(np.log10(settings.threshold_S_cm)),
            coverage,
            settings.seed,
        )
        picked = np.flatnonzero(table["follow_up"].notna().to_numpy(dtype=bool))
        new = [int(order[row]) for row in picked if order[row] not in asked]
        _, known = leave_out_known([described.records[i] for i in new], settings.mobile)
        asked.update(new)
        if not known:
            break
        held |= {one.id: one.reason for one in known}
    notes = [
        "; ".join(filter(None, [note, f"not proposed: {held[i]}" if i in held else ""]))
        for i, note in zip(table["id"], table["note"], strict=True)
    ]
    table = table.assign(note=notes, known_relation=ranking["known_relation"])
    return table, replace(follow_up, n_known=int((ranking["known_relation"] == SAME).sum()))
