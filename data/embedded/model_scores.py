"""How good the shipped ranking is on labels that it has not seen: numbers for docs and reports.

Written by ``python benchmarks/external.py --data FOLDER``; one row is one score of one method on
one table of labels, with its 95 % interval and what the shipped model gains over the method.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final

from .registry import read_table

if TYPE_CHECKING:
    import pandas as pd

SCORE_TABLE: Final[str] = "model_scores.csv"
SHIPPED: Final[str] = "shipped model"


def load_model_scores() -> pd.DataFrame:
    """Scores of the shipped model and of baselines.

    Returns
    -------
    pandas.DataFrame
        ``table``, the labels; ``score``, with its unit; ``method``; ``value``, ``low``, ``high``;
        ``model_minus``, ``model_minus_low``, ``model_minus_high``, the shipped model minus the
        method in the same draws; ``n``, labels or crystals.
    """
    import pandas as pd

    return pd.read_csv(StringIO(read_table(SCORE_TABLE)))
