"""How good the shipped ranking is, short, for the page: tests on labels it has not seen."""

from __future__ import annotations

from typing import Final

import pandas as pd

from ...data.embedded.model_scores import SHIPPED, load_model_scores
from ..pages.report import Quality

_METHODS: Final = (
    SHIPPED,
    "bond valence alone",
    "composition alone",
    "nearest neighbour",
    "temperature alone",
)
_STATED: Final = "is stated"
TEXT: Final = (
    "Tests of this version's own models on labels that they had not seen, beside simpler methods, "
    "with 95 % intervals; the temperature alone is the population without any ranking. "
    "How they were made: docs/accuracy.md."
)


def shipped_quality() -> Quality:
    """The shipped model beside simpler methods, one row for each score."""
    table = load_model_scores()
    table = table[table["method"].isin(_METHODS) & ~table["score"].str.endswith(_STATED)]
    rows = []
    for (name, score), part in table.groupby(["table", "score"], sort=False):
        by_method = part.set_index("method")
        cells = [_cell(by_method.loc[m]) if m in by_method.index else "–" for m in _METHODS]
        rows.append((str(name), str(score), *cells))
    return Quality(text=TEXT, columns=("labels", "score", *_METHODS), rows=tuple(rows))


def _cell(row: pd.Series) -> str:
    if pd.isna(row["value"]):
        return "–"
    if row.name != SHIPPED or pd.isna(row["low"]):
        return f"{row['value']:.2f}"
    return f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
