"""The benchmark on the embedded tables: what is asked, what is held out together, what is known.

Rows and folds are fixed files with a hash: two methods scored a year apart saw the same folds.
Papers that share a composition (experiment), and families that share a formula (AIMD), lie in one
fold: a prediction counts only if nothing of its fold was trained on.
"""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Final, Literal

from ..errors import InputError
from .aimd import load_aimd_labels
from .experiment import load_experiment_compositions, load_experiment_labels
from .registry import load_registry, read_table

if TYPE_CHECKING:
    import pandas as pd

Table = Literal["experiment", "aimd"]
TABLES: Final[tuple[Table, ...]] = ("experiment", "aimd")
ROW_TABLE: Final[str] = "benchmark_rows.csv"
BASELINE_TABLE: Final[str] = "benchmark_baselines.csv"
N_FOLDS: Final[int] = 5


def checked_table(name: str) -> Table:
    """The name of a table of the benchmark.

    Raises
    ------
    InputError
        If it is none.
    """
    for one in TABLES:
        if name == one:
            return one
    raise InputError(f"--on {name}: choose {' or '.join(TABLES)}")


def benchmark_rows(on: Table) -> pd.DataFrame:
    """What is asked: one row per material and temperature.

    Returns
    -------
    DataFrame
        ``id``; ``temperature_K``; ``group``, number of the joined group; ``fold``, 0 to 4;
        ``landmark``: ``fast``, ``slow`` or empty.
    """
    table = _table(ROW_TABLE, on)
    for name in ("group", "fold"):
        table[name] = table[name].astype("int64")
    table["temperature_K"] = table["temperature_K"].astype("float64")
    return table.drop(columns="on").reset_index(drop=True)


def benchmark_labels(on: Table) -> pd.DataFrame:
    """Labels that predictions are scored against, in the schema of the label table."""
    return load_experiment_labels() if on == "experiment" else load_aimd_labels()


def benchmark_baselines(on: Table) -> pd.DataFrame:
    """Held-out predictions of plain methods and of trees on all descriptors, on the fixed folds.

    Returns
    -------
    DataFrame
        ``method``, ``id``, ``temperature_K``, ``log10_sigma_S_cm``, ``low``, ``high`` (NaN where a
        method gives no interval).
    """
    table = _table(BASELINE_TABLE, on)
    numbers = ["temperature_K", "log10_sigma_S_cm", "low", "high"]
    table[numbers] = table[numbers].replace("", "nan").astype("float64")
    return table.drop(columns="on").reset_index(drop=True)


def benchmark_template(on: Table) -> pd.DataFrame:
    """What a method is given and what it fills in: no label is in it."""
    import pandas as pd

    rows = benchmark_rows(on)
    if on == "experiment":
        known = load_experiment_compositions().drop(columns=["group", "doi"])
        rows = rows.merge(known, on="id")
    else:
        labels = benchmark_labels(on).drop_duplicates("structure_id")
        formula = labels[["structure_id", "formula"]].set_axis(["id", "formula"], axis="columns")
        rows = rows.merge(formula, on="id")
    answer = pd.DataFrame("", rows.index, ["log10_sigma_S_cm", "low", "high"])
    return pd.concat([rows.drop(columns=["group", "landmark"]), answer], axis="columns")


def folds_hash() -> str:
    """First 16 hex digits of the hash of the folds, as the registry has it."""
    return load_registry()[ROW_TABLE].sha256[:16]


def _table(name: str, on: Table) -> pd.DataFrame:
    import pandas as pd

    table = pd.read_csv(StringIO(read_table(name)), dtype=str, keep_default_na=False)
    return table[table["on"] == on].copy()
