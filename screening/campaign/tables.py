"""Tables that lie beside a campaign's database: read whole, or refused with one line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ...data.errors import InputError
from .rows import inside


def campaign_table(
    folder: Path, name: str, ids: Iterable[str] = (), columns: Iterable[str] = ()
) -> pd.DataFrame:
    """Read a Parquet table of a campaign.

    Parameters
    ----------
    folder : path
        Campaign folder.
    name : str
        File in it.
    ids, columns : iterable of str
        Rows and columns that must be there; others may be.

    Raises
    ------
    InputError
        If the file is absent or damaged, or a row or column is missing.
    """
    path = inside(folder, name)
    remedy = "it is damaged, take it from a copy of the folder"
    try:
        table = pd.read_parquet(path)
    except Exception as error:
        # Readers of a damaged file raise whatever they come across.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"{path}: not a readable table ({reason}); {remedy}") from None
    missing = [
        *(f"row {i!r}" for i in ids if i not in table.index),
        *(f"column {c!r}" for c in columns if c not in table.columns),
    ]
    if missing:
        raise InputError(f"{path}: {missing[0]} is missing ({len(missing)} in all); {remedy}")
    return table


__all__ = ["campaign_table"]
