"""Rows of a campaign's database, checked before anything is made of them.

A database may have been damaged, or written by a stranger to lead a command out of its folder.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ...data.errors import InputError

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=,~-]{0,199}")
_JOB_NUMBERS: Final[Mapping[str, tuple[float, float]]] = {
    "round": (0, 1e6),
    "attempt": (1, 1e6),
    "temperature_K": (0, 1e5),
}


def _damaged(what: str, reason: str) -> InputError:
    return InputError(
        f"{what}: {reason}; the database is damaged, take it from a copy of the folder"
    )


def decoded(text: Any, what: str, kind: type | None = dict) -> Any:
    """The JSON value of a cell.

    Parameters
    ----------
    text : object
        The cell.
    what : str
        Table and row, for messages.
    kind : type, optional
        What it must be; None: anything.

    Raises
    ------
    InputError
        If it is no JSON, or of another kind.
    """
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise _damaged(what, f"a cell that is no JSON ({reason})") from None
    if kind is not None and not isinstance(value, kind):
        raise _damaged(what, f"a cell with a {type(value).__name__}, not a {kind.__name__}")
    return value


def checked_job(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table of jobs; its id is the name of a folder.

    Raises
    ------
    InputError
        If its id leads anywhere else than into one folder, or a number or text is none.
    """
    what = f"job {_told(row['id'])}"
    if not isinstance(row["id"], str) or not _NAME.fullmatch(row["id"]) or ".." in row["id"]:
        raise _damaged(what, "its id is no name of a folder")
    for name, (low, high) in _JOB_NUMBERS.items():
        value = row[name]
        is_number = isinstance(value, int | float) and math.isfinite(value)
        if not is_number or not low <= value <= high:
            raise _damaged(what, f"{name} is {_told(value)}")
    for name in ("candidate_id", "reason"):
        if not isinstance(row[name], str):
            raise _damaged(what, f"{name} is no text")
    if not isinstance(row["submission"], str | None):
        raise _damaged(what, "submission is no text")
    return {**row, "plan": decoded(row["plan"], what)}


def checked_candidate(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table of candidates.

    Raises
    ------
    InputError
        If a number or text is none.
    """
    what = f"candidate {_told(row['id'])}"
    for name in ("id", "formula", "system", "record"):
        if not isinstance(row[name], str):
            raise _damaged(what, f"{name} is no text")
    for name in ("n_electrons", "volume_A3"):
        if not isinstance(row[name], int | float) or not math.isfinite(row[name]):
            raise _damaged(what, f"{name} is {_told(row[name])}")
    for name in ("excluded", "closed"):
        if not isinstance(row[name], str | None):
            raise _damaged(what, f"{name} is no text")
    return row


def inside(folder: Path, relative: Any) -> Path:
    """A place in the campaign's folder, and not anywhere else by ``..`` or a link.

    Raises
    ------
    InputError
        If it is outside.
    """
    place = folder / str(relative)
    try:
        leads_out = not place.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        leads_out = True
    if leads_out:
        raise InputError(f"{_told(relative)}: leads out of the campaign {folder}; not touched")
    return place


def _told(value: Any) -> str:
    return repr(value)[:80]
