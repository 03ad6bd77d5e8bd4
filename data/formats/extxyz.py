"""What the comment line of an extended XYZ frame announces."""

from __future__ import annotations

import re
from typing import Final

from ..errors import InputError

MAX_COLUMNS: Final[int] = 1000

_PROPERTIES = re.compile(r"""properties\s*=\s*["'{\[]?([^\s"'}\]]+)""", re.IGNORECASE)


def check_columns(comment: str) -> None:
    """Columns are made for as many as ``Properties=`` announces, so it may not announce at will.

    Parameters
    ----------
    comment : str
        Second line of a frame, as ``Properties=species:S:1:pos:R:3``.

    Raises
    ------
    InputError
        If a property has no whole number of columns, or all together more than a thousand.
    """
    for match in _PROPERTIES.finditer(comment):
        counts = match[1].split(":")[2::3]
        if any(not re.fullmatch(r"\d{1,9}", count, re.ASCII) for count in counts):
            raise InputError(f"Properties={match[1][:60]!r} announces columns that are no number")
        if (total := sum(map(int, counts))) > MAX_COLUMNS:
            raise InputError(f"{total} columns are announced, more than {MAX_COLUMNS}")
