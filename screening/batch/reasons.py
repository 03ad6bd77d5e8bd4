"""Reasons without what belongs to one structure, so that equal causes are counted once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from .shards import Row

_NUMBER = re.compile(r"(?<![A-Za-z0-9_])[-+]?\d+(\.\d+)?(e[-+]?\d+)?")


def general_reason(reason: str, record_id: str = "") -> str:
    """The reason without the id and the numbers in it."""
    return _NUMBER.sub("#", reason.replace(f"{record_id}: ", "") if record_id else reason)


def general_reasons(rows: Iterable[Row]) -> Counter[str]:
    """How many rows have each reason; what is not failed may have several."""
    found: Counter[str] = Counter()
    for row in rows:
        pieces = [row.reason] if row.status == "failed" else row.reason.split("; ")
        found.update(general_reason(piece, row.id) for piece in pieces if piece)
    return found
