"""What a source is: a lazy stream of structures that can be taken up again behind any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import InputError
from ..formats.entry import Entry


class SourceError(InputError):
    """A source cannot be read to its end; what was read is kept, the remedy is named."""


@dataclass(frozen=True)
class Item:
    """One entry of a source, and the position right behind it (plain JSON values)."""

    entry: Entry
    cursor: Any


class Source(Protocol):
    """A stream of structures.

    Every input comes out once, as a record or as a quarantine entry. ``items(cursor)`` continues
    behind the item that carried this cursor and yields what an uninterrupted pass would have.
    """

    name: str
    """As the user gave it."""

    def identity(self) -> dict[str, Any]:
        """What must be equal for an ingest to be continued: contents' hashes, queries."""

    def items(self, after: Any = None) -> Iterator[Item]:
        """Entries behind a cursor; from the start if it is None."""

    def notices(self) -> list[str]:
        """Remarks for the user after a pass, such as that a query had no hit."""
