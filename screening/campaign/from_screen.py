"""Candidates for a campaign out of a screen: those that it flagged for AIMD, best first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ...data.disorder.policy import DisorderPolicy
from ...data.errors import InputError
from ...data.identifiers import printable
from ...data.records import StructureRecord
from ..screen.candidates import Advance, collect_candidates

ANY_FLAG: Final[str] = "any"
FOLLOW_UP: Final[str] = "follow_up"
"""Chooses as a flag does: the shortlist of the screen."""
_EMBEDDED: Final = ["embedded candidates"]


@dataclass(frozen=True)
class ScreenChoice:
    """Which rows of a screen a campaign takes.

    Parameters
    ----------
    folder : path
        Output of ``ionsieve screen``.
    flags : tuple of str
        Rows with one of these flags, or of the shortlist (``follow_up``); ``any``: with any.
    top : int
        At most so many, in the order of the ranking.
    """

    folder: Path
    flags: tuple[str, ...] = (ANY_FLAG,)
    top: int = 100


def screened_candidates(
    choice: ScreenChoice, inputs: Sequence[str | Path], mobile: str, advance: Advance
) -> list[StructureRecord]:
    """Structures of the chosen rows, in their order.

    A screen keeps no structures: they are read again from its inputs.

    Parameters
    ----------
    choice : ScreenChoice
    inputs : sequence of path
        Where the structures are; none: where the screen found them.
    mobile : str
    advance : callable

    Raises
    ------
    InputError
        If the folder holds no screen, the screen was for another mobile species, no row has such a
        flag, or a structure is not found again.
    """
    run, ranking = _screen(choice.folder)
    screened = run["settings"]["mobile"]
    if screened != mobile:
        raise InputError(
            f"{choice.folder}: was screened for {screened}; give --mobile {screened}, or screen "
            f"for {mobile}"
        )
    rows = _chosen(ranking, choice)
    wanted = [str(name) for name in rows["id"]]
    sources = list(inputs) or _inputs_of(run, choice.folder)
    policy = DisorderPolicy(run["settings"]["disorder"])
    found = collect_candidates(sources, mobile, policy, (), advance).records
    by_id = {record.id: record for record in found}
    missing = [name for name in wanted if name not in by_id]
    if missing:
        raise InputError(
            f"{choice.folder}: {len(missing)} of {len(wanted)} candidates are not in its inputs "
            f"any more, the first is {printable(missing[0])}; screen again"
        )
    return [by_id[name] for name in wanted]


def _screen(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    try:
        run = json.loads((folder / "run.json").read_text("utf-8"))
        ranking = pd.read_parquet(folder / "ranking.parquet")
        known = {"mobile", "disorder"} <= set(run["settings"]) and {"id", "flags"} <= set(ranking)
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InputError(
            f"{folder}: holds no finished screen (run.json, ranking.parquet); make one with "
            "'ionsieve screen'"
        )
    return run, ranking


def _chosen(ranking: pd.DataFrame, choice: ScreenChoice) -> pd.DataFrame:
    flags = ranking["flags"].fillna("").str.split(";").map(lambda f: {x for x in f if x})
    if FOLLOW_UP in ranking:
        in_list = ranking[FOLLOW_UP].notna()
        flags = flags.where(~in_list, flags.map(lambda own: own | {FOLLOW_UP}))
    seen = sorted(set().union(*flags)) if len(flags) else []
    unknown = sorted(set(choice.flags) - {ANY_FLAG, *seen})
    if unknown:
        raise InputError(
            f"{choice.folder}: no candidate is flagged {', '.join(unknown)}; flags in this screen: "
            f"{', '.join(seen) or 'none'}"
        )
    wanted = set(seen) if ANY_FLAG in choice.flags else set(choice.flags)
    rows = ranking[flags.map(lambda own: bool(own & wanted))]
    if rows.empty:
        raise InputError(f"{choice.folder}: no candidate is flagged: none needs AIMD")
    return rows.head(choice.top)


def _inputs_of(run: dict[str, Any], folder: Path) -> list[str | Path]:
    if run["inputs"] == _EMBEDDED:
        return []
    inputs: list[str | Path] = []
    for name in run["inputs"]:
        # A store that the screen made itself moves with its folder.
        own = folder / Path(name).name
        inputs.append(own if not Path(name).exists() and own.exists() else name)
    missing = [str(name) for name in inputs if not Path(name).exists()]
    if missing:
        raise InputError(
            f"{folder}: its input {printable(missing[0])} is not here; call from the folder where "
            "it was screened, or name the inputs before --from"
        )
    return inputs
