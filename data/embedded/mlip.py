"""The embedded table of dynamics with a machine-learning potential, made by this project."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Final

import pandas as pd

from .registry import read_table

TABLE: Final[str] = "mlip_labels.csv"


@lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    return pd.read_csv(io.StringIO(read_table(TABLE)))


def load_mlip_labels() -> pd.DataFrame:
    """Diffusivities of the AIMD table's lithium materials with the potential NEP89 at 800 K.

    Kind ``mlip_md``: never mixed with AIMD. They order materials as AIMD does with a Spearman
    correlation of 0.56 [0.31, 0.75] (molten left out; ``engine_check.rank_against_aimd`` on this
    table); their values are not those of AIMD.

    Returns
    -------
    DataFrame
        Columns of a label table (``structure_id``, ``temperature_K``, ``kind``, ``quantity``,
        ``value``, ``lower``, ``upper``, ``error_log10``, ``group``, ``source``), then ``verdict``,
        ``engine``, ``engine_version``, ``n_atoms``, ``production_ps``, ``equilibration_ps``,
        ``time_step_fs`` and ``core_seconds``. A molten crystal has a row without value or bound.
    """
    return _table().copy()
