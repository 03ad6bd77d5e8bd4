"""A table of transport labels that only grows: a re-analysis is a new version of the same run.

One JSON object a line. A run is known by the contents of its files, so that renaming or moving them
changes nothing; a line is never changed or removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ..atomic import file_lock, write_text_atomic
from ..errors import LabelError
from ..records import Label
from .analysis import TransportLabel
from .label_table import COLUMNS

SCHEMA: Final[str] = "ionsieve transport label 1"
_LABEL_FIELDS: Final[tuple[str, ...]] = (*COLUMNS, "derived", "grade", "note")


def run_identity(result: TransportLabel) -> str:
    """Identity of a run: its files' contents in order, mobile species and temperature.

    Parameters
    ----------
    result : TransportLabel

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    LabelError
        If the run did not come from files, so that it cannot be known again.
    """
    hashes = [source["sha256"] for source in result.sources]
    if not hashes or None in hashes:
        raise LabelError("a run that was not read from files has no identity in a label table")
    key = [*hashes, result.settings.mobile, f"{result.settings.temperature_K:.6g}"]
    return hashlib.sha256("\n".join(map(str, key)).encode()).hexdigest()[:16]


def append_label(
    path: str | Path, result: TransportLabel, source: str = "", group: str = ""
) -> int:
    """Append one label to a table; nothing that stands there changes.

    Parameters
    ----------
    path : path
        Table, ``.jsonl``; made where it does not exist.
    result : TransportLabel
    source, group : str
        Source (DOI, campaign round) and chemical group of the label.

    Returns
    -------
    int
        Version of this analysis of the run, from 1. An analysis equal to the last one of the same
        run adds nothing and gives its version again.

    Raises
    ------
    LabelError
        If the table holds a line that is not of it.
    """
    path = Path(path)
    identity, label = run_identity(result), result.label(source, group)
    content: dict[str, Any] = {
        "label": None if label is None else {n: getattr(label, n) for n in _LABEL_FIELDS},
        "analysis": result.as_dict(),
    }
    with _locked(path):
        rows = read_history(path)
        mine = [row for row in rows if row["run"] == identity]
        if mine and {k: mine[-1][k] for k in content} == json.loads(json.dumps(content)):
            return int(mine[-1]["version"])
        version = 1 + max((int(row["version"]) for row in mine), default=0)
        rows.append({"schema": SCHEMA, "run": identity, "version": version, **content})
        lines = [json.dumps(row, sort_keys=True, allow_nan=False) for row in rows]
        write_text_atomic(path, "\n".join(lines) + "\n")
    return version


def read_history(path: str | Path) -> list[dict[str, Any]]:
    """All lines of a table, all versions, oldest first; empty where there is no table yet."""
    path = Path(path)
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise LabelError(f"{path}: line {number} is not JSON ({error.msg})") from None
        if not isinstance(row, dict) or row.get("schema") != SCHEMA or "run" not in row:
            raise LabelError(f"{path}: line {number} is not an {SCHEMA!r} line")
        rows.append(row)
    return rows


def current_labels(path: str | Path) -> list[Label]:
    """Labels that models read: the newest version of each run; molten runs have none.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of Label
        In the order in which runs first entered the table.
    """
    newest: dict[str, dict[str, Any]] = {}
    for row in read_history(path):
        newest[row["run"]] = row
    return [Label(**row["label"]) for row in newest.values() if row["label"] is not None]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold off other writers of the same table; the lock goes with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(path.with_name(f".{path.name}.lock"), wait=True):
        yield
