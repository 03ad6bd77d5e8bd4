"""Tables as CSV text that a spreadsheet does not run.

Spreadsheets take a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and names of
files and reasons come from strangers: such a text gets a ``_`` before it, as identifiers do
(:func:`.identifiers.no_formula`). Numbers stay numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .identifiers import no_formula

if TYPE_CHECKING:
    import pandas as pd


def safe_cell(value: Any) -> Any:
    """The value as it may stand in a cell; anything but a text that looks like a formula stays.

    Examples
    --------
    >>> safe_cell("=cmd|x"), safe_cell("-1.5"), safe_cell(-1.5), safe_cell("Li3N")
    ('_=cmd|x', '-1.5', -1.5, 'Li3N')
    """
    if not isinstance(value, str) or value[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return value
    try:
        float(value)
    except ValueError:
        return f"_{value}" if value[0] in "\t\r" else no_formula(value)
    return value


def csv_text(table: pd.DataFrame, index: bool = False) -> str:
    """A table as CSV with Unix line ends.

    Parameters
    ----------
    table : DataFrame
    index : bool
        With the index as the first column.
    """
    import pandas as pd

    columns = {
        safe_cell(name): column if pd.api.types.is_numeric_dtype(column) else column.map(safe_cell)
        for name, column in table.items()
    }
    safe = pd.DataFrame(columns, index=table.index)
    if index and not pd.api.types.is_numeric_dtype(safe.index):
        safe.index = safe.index.map(safe_cell)
    return str(safe.to_csv(index=index, lineterminator="\n"))
