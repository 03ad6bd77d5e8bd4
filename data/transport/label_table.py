"""The label table: measured or simulated transport quantities as users bring them.

One row is one (structure, temperature, kind) → quantity, as a value or as a bound. CSV and Parquet
carry the same columns; further columns are kept untouched. An error names row and column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ..atomic import write_bytes_atomic
from ..csv_text import csv_text
from ..errors import LabelError
from ..identifiers import no_formula
from ..records import KINDS, QUANTITIES
from .plausible import temperature_problem, value_problem

if TYPE_CHECKING:
    import pandas as pd

REQUIRED_COLUMNS: Final = ("structure_id", "kind", "quantity")
NUMBER_COLUMNS: Final = ("temperature_K", "value", "lower", "upper", "error_log10")
TEXT_COLUMNS: Final = ("group", "source")
COLUMNS: Final = (
    "structure_id",
    "temperature_K",
    "kind",
    "quantity",
    "value",
    "lower",
    "upper",
    "error_log10",
    "group",
    "source",
)
"""All columns of the schema in order; ``derived`` (bool) and ``grade`` are optional additions."""

CONFLICT_DECADES: Final[float] = 0.5
"""Two AIMD papers on one phase differ by 0.1–0.5 decades; more is a conflict worth reading."""

_SAME_STATE: Final = ["structure_id", "temperature_K", "kind", "quantity"]
_POSITIVE: Final = ("sigma_S_cm", "diffusivity_cm2_s", "t_onset_K")


def read_label_table(path: str | Path) -> pd.DataFrame:
    """Read and check a label table.

    Parameters
    ----------
    path : path
        ``.csv`` or ``.parquet``.

    Returns
    -------
    DataFrame
        The columns of :data:`COLUMNS` (missing optional ones empty), ``derived``, ``grade`` and
        whatever else the file has; rows in the order of the file.

    Raises
    ------
    LabelError
        With file, row (1 = first data row) and column of the first violation and their number.
    """
    import pandas as pd

    source = Path(path)
    if not source.is_file():
        raise LabelError(f"{source}: no such label table")
    if source.suffix not in (".csv", ".parquet"):
        raise LabelError(f"{source}: a label table is .csv or .parquet")
    try:
        if source.suffix == ".csv":
            raw = pd.read_csv(source, dtype=str, keep_default_na=False, skipinitialspace=True)
        else:
            raw = pd.read_parquet(source)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise LabelError(f"{source}: not a readable table ({reason})") from error
    return check_label_table(raw, str(source))


def write_label_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a label table as CSV or Parquet, by the suffix; bounds and gaps stay empty cells."""
    target = Path(path)
    checked = check_label_table(table, "labels to write")
    if target.suffix == ".parquet":
        write_bytes_atomic(target, checked.to_parquet(index=False))
    elif target.suffix == ".csv":
        write_bytes_atomic(target, csv_text(checked).encode())
    else:
        raise LabelError(f"{target}: a label table is written as .csv or .parquet")


def check_label_table(table: pd.DataFrame, name: str = "labels") -> pd.DataFrame:
    """Bring a table to the schema or say what is wrong with it.

    Parameters
    ----------
    table : DataFrame
        Cells may be text or numbers; empty text and NaN both mean "not given".
    name : str
        What to call the table in messages.

    Raises
    ------
    LabelError
        See :func:`read_label_table`.
    """
    missing = [c for c in REQUIRED_COLUMNS if c not in table.columns]
    if missing:
        raise LabelError(
            f"{name}: column {missing[0]!r} is missing; the columns are {', '.join(COLUMNS)}"
        )
    if not {"value", "lower", "upper"} & set(table.columns):
        raise LabelError(f"{name}: give a column 'value', 'lower' or 'upper'")
    if table.empty:
        raise LabelError(f"{name}: the table has no rows")
    problems: list[tuple[int, str, str]] = []
    checked = table.reset_index(drop=True).copy()
    for column in NUMBER_COLUMNS:
        checked[column] = _numbers(checked, column, problems)
    for column in (*REQUIRED_COLUMNS, *TEXT_COLUMNS, "grade"):
        checked[column] = _texts(checked, column)
    # Structures are named so, too.
    checked["structure_id"] = checked["structure_id"].map(no_formula)
    checked["derived"] = _flags(checked, problems)
    problems += _violations(checked)
    if problems:
        row, column, text = min(problems)
        more = f" ({len(problems)} problems in all)" if len(problems) > 1 else ""
        raise LabelError(f"{name}, row {row + 1}, column {column}: {text}{more}")
    rest = [c for c in checked.columns if c not in (*COLUMNS, "derived", "grade")]
    return checked[[*COLUMNS, "derived", "grade", *rest]]


def _numbers(table: pd.DataFrame, column: str, problems: list[tuple[int, str, str]]) -> pd.Series:
    import pandas as pd

    if column not in table:
        return pd.Series(np.nan, index=table.index, dtype=np.float64)
    cells = table[column]
    text = cells.where(cells.notna(), "").astype(str).str.strip()
    numbers = pd.to_numeric(text.where(text != "", None), errors="coerce").astype(np.float64)
    given = (text != "") & (text.str.lower() != "nan")
    for row in np.flatnonzero(given & ~np.isfinite(numbers)):
        cell = text.iloc[row]
        remedy = "a finite number or an empty cell"
        if cell[:1] in "<>≤≥":
            remedy = f"for {cell!r} leave value empty and fill upper (<) or lower (>)"
        problems.append((int(row), column, f"{cell!r} is not a number; give {remedy}"))
    return numbers


def _texts(table: pd.DataFrame, column: str) -> pd.Series:
    import pandas as pd

    if column not in table:
        return pd.Series("", index=table.index, dtype=object)
    cells = table[column]
    return cells.where(cells.notna(), "").astype(str).str.strip().astype(object)


def _flags(table: pd.DataFrame, problems: list[tuple[int, str, str]]) -> pd.Series:
    known = {"": False, "false": False, "0": False, "true": True, "1": True}
    text = _texts(table, "derived").str.lower()
    for row in np.flatnonzero(~text.isin(list(known))):
        problems.append((int(row), "derived", f"{text.iloc[row]!r} is neither true nor false"))
    return text.map(known).fillna(False).astype(bool)


def _violations(table: pd.DataFrame) -> list[tuple[int, str, str]]:
    """Every broken rule as row, column and what is wrong."""
    value, lower, upper = (table[c] for c in ("value", "lower", "upper"))
    diffuses = table["quantity"] == "diffuses"
    positive = table["quantity"].isin(_POSITIVE)
    onset = table["quantity"] == "t_onset_K"
    any_bound = lower.notna() | upper.notna()
    rules = [
        (table["structure_id"] == "", "structure_id", "is empty"),
        (~table["kind"].isin(KINDS), "kind", f"is not one of {', '.join(KINDS)}"),
        (~table["quantity"].isin(QUANTITIES), "quantity", f"is not one of {', '.join(QUANTITIES)}"),
        (~(table["temperature_K"] > 0) & ~onset, "temperature_K", "must be a positive number"),
        (value.isna() & ~any_bound, "value", "is empty; give value, lower or upper"),
        (value.notna() & any_bound, "value", "stands beside a bound; give a value or bounds"),
        (positive & (value <= 0), "value", "must be positive; 'none seen' is an upper bound"),
        (positive & (lower <= 0), "lower", "must be positive; leave it empty instead"),
        (positive & (upper <= 0), "upper", "must be positive"),
        (lower > upper, "upper", "is below lower"),
        (diffuses & ~value.isin([0.0, 1.0]), "value", "of 'diffuses' must be 0 or 1"),
        (table["error_log10"] < 0, "error_log10", "must not be negative"),
    ]
    return [
        (int(row), column, f"{_shown(table[column].iloc[row])} {text}")
        for broken, column, text in rules
        for row in np.flatnonzero(broken)
    ] + list(_implausible(table))


def _implausible(table: pd.DataFrame) -> Iterator[tuple[int, str, str]]:
    """Numbers that no label has, as row, column and what is wrong."""
    quantities, temperatures = table["quantity"].tolist(), table["temperature_K"].tolist()
    for row, temperature in enumerate(temperatures):
        if temperature > 0 and (problem := temperature_problem(temperature)):
            yield row, "temperature_K", f"{temperature:g} K {problem}"
    for column in ("value", "lower", "upper"):
        cells = zip(quantities, table[column].tolist(), temperatures, strict=True)
        for row, (quantity, value, temperature) in enumerate(cells):
            if problem := value_problem(quantity, value, temperature):
                yield row, column, f"{value:g} {problem}"


def _shown(cell: object) -> str:
    return "the cell" if cell == "" or cell != cell else repr(cell)


@dataclass(frozen=True, kw_only=True)
class LabelReport:
    """What a reader should know about a label table before training on it."""

    n_rows: int
    n_bounds: int
    n_structures: int
    kinds: dict[str, int]
    quantities: dict[str, int]
    duplicates: pd.DataFrame
    """Rows that repeat an earlier one in state, numbers and source."""
    conflicts: pd.DataFrame
    """Rows of one state that contradict each other, with the reason."""

    def lines(self) -> list[str]:
        """The report as short lines for a terminal."""
        counts = ", ".join(f"{n} {k}" for k, n in {**self.kinds, **self.quantities}.items())
        return [
            f"{self.n_rows} labels ({self.n_bounds} bounds) of {self.n_structures} structures: "
            f"{counts}",
            f"{len(self.duplicates)} duplicates, {len(self.conflicts)} rows in conflict",
        ]


def label_report(table: pd.DataFrame) -> LabelReport:
    """Count, and find duplicates and conflicts in a checked table."""
    numbers = [*_SAME_STATE, "value", "lower", "upper", "source"]
    return LabelReport(
        n_rows=len(table),
        n_bounds=int(table["value"].isna().sum()),
        n_structures=int(table["structure_id"].nunique()),
        kinds=table["kind"].value_counts().sort_index().to_dict(),
        quantities=table["quantity"].value_counts().sort_index().to_dict(),
        duplicates=table[table.duplicated(numbers)],
        conflicts=_conflicts(table.drop_duplicates(numbers)),
    )


def _conflicts(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    found = []
    for (_, _, _, quantity), rows in table.groupby(_SAME_STATE, dropna=False, sort=True):
        reason = _contradiction(rows, str(quantity)) if len(rows) > 1 else ""
        if reason:
            found.append(rows.assign(conflict=reason))
    return pd.concat(found) if found else table.iloc[:0].assign(conflict="")


def _contradiction(rows: pd.DataFrame, quantity: str) -> str:
    values = rows["value"].dropna()
    if quantity == "diffuses":
        return "both 0 and 1" if values.nunique() > 1 else ""
    if quantity == "t_onset_K":
        return "onsets differ by over 100 K" if len(values) and np.ptp(values) > 100.0 else ""
    if len(values) and np.log10(values.max() / values.min()) > CONFLICT_DECADES:
        return f"values differ by over {CONFLICT_DECADES} decades"
    if (rows["upper"].min() < values.max()) or (rows["lower"].max() > values.min()):
        return "a value violates a bound"
    return "bounds exclude each other" if rows["upper"].min() < rows["lower"].max() else ""


def select_labels(table: pd.DataFrame, quantity: str, kind: str | None = None) -> pd.DataFrame:
    """Rows of one quantity and one kind.

    Raises
    ------
    LabelError
        If nothing is left, or several kinds are present and none is named: they are never mixed
        silently.
    """
    rows = table[table["quantity"] == quantity]
    if rows.empty:
        present = ", ".join(sorted(set(table["quantity"])))
        raise LabelError(f"no label has quantity {quantity!r}; the table holds {present}")
    kinds = sorted(set(rows["kind"]))
    if kind is None and len(kinds) > 1:
        raise LabelError(f"labels of {quantity} mix the kinds {', '.join(kinds)}; choose one")
    rows = rows if kind is None else rows[rows["kind"] == kind]
    if rows.empty:
        raise LabelError(f"no label of {quantity} has kind {kind!r}; there are {', '.join(kinds)}")
    return rows.reset_index(drop=True)
