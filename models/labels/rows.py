"""Arrays that share their rows, as one value."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self


class Rows:
    """A dataclass whose fields are arrays with one entry for each row, along the first axis."""

    def take(self, rows: Any) -> Self:
        """The same for a selection of rows.

        Parameters
        ----------
        rows : array of int or of bool
            As in ``array[rows]``.
        """
        # mypy knows of dataclasses only where the decorator stands.
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})  # type: ignore[arg-type]
