"""From label and feature tables to the arrays that learners take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from ...data.errors import LabelError, ModelError
from .censoring import FloatArray
from .folds import IntArray, joined_groups

_REQUIRED = ("structure_id", "temperature_K", "kind", "quantity", "value", "lower", "upper")


@dataclass(frozen=True, kw_only=True)
class LabelArrays:
    """Labels of one kind and quantity as arrays over n labels."""

    kind: str
    row: IntArray
    """Row of the feature table, shape (n,)."""
    temperature_K: FloatArray
    bounds: FloatArray
    """Lower and upper bound of log10 of the quantity, shape (n, 2); equal for values."""
    error_log10: FloatArray
    """Standard error, decades; 0 where none is given."""
    group: IntArray


def label_arrays(
    labels: pd.DataFrame, structure_ids: pd.Index, quantity: str = "sigma_S_cm"
) -> LabelArrays:
    """Read labels of one positive quantity against the structures of a feature table.

    Parameters
    ----------
    labels : DataFrame
        Label table; rows of other quantities are left out.
    structure_ids : Index
        Index of the feature table.
    quantity : str
        As in the label table.

    Raises
    ------
    LabelError
        If a column is missing, a number is not positive or no row gives the quantity.
    ModelError
        If kinds are mixed or a labelled structure has no features.
    """
    table = _rows_of(labels, quantity)
    row = _feature_rows(table["structure_id"], structure_ids)
    column = {name: _optional(table, name) for name in ("value", "lower", "upper", "error_log10")}
    groups = table["group"].fillna("").astype(str) if "group" in table else [""] * len(table)
    return LabelArrays(
        kind=_single_kind(table),
        row=row,
        temperature_K=table["temperature_K"].to_numpy(dtype=np.float64),
        bounds=_log10_bounds(table, column),
        error_log10=np.nan_to_num(column["error_log10"], nan=0.0),
        group=joined_groups(list(table["structure_id"].astype(str)), list(groups)),
    )


def usable_columns(features: pd.DataFrame) -> tuple[str, ...]:
    """Names of numeric columns that hold at least one value among the labelled structures.

    Raises
    ------
    ModelError
        If a column name is repeated, or no column can be used.
    """
    if not features.columns.is_unique:
        repeated = features.columns[features.columns.duplicated()][0]
        raise ModelError(f"feature column {repeated!r} appears twice")
    numeric = features.select_dtypes(include=["number", "bool"])
    columns = tuple(str(name) for name in numeric.columns[numeric.notna().any(axis=0)])
    if not columns:
        raise ModelError("the feature table has no numeric column with values")
    return columns


def feature_matrix(features: pd.DataFrame, columns: Sequence[str]) -> FloatArray:
    """Columns of a feature table in the order of training, shape (n, p), NaN kept.

    Raises
    ------
    ModelError
        If a column is missing or holds infinity.
    """
    missing = [name for name in columns if name not in features.columns]
    if missing:
        raise ModelError(
            f"{len(missing)} of the {len(columns)} feature columns of the model are not in the "
            f"table, first {missing[0]!r}: it was made with other descriptor families or another "
            "version of ionsieve. Compute all families; where there is no structure, a row still "
            "has every column, empty where not defined (ionsieve predict --compositions)"
        )
    matrix = features[list(columns)].to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(matrix).any():
        i, j = np.argwhere(np.isinf(matrix))[0]
        raise ModelError(f"feature {columns[j]!r} of {features.index[i]} is infinite")
    return matrix


def feature_set_hash(columns: Sequence[str]) -> str:
    """SHA-256 over the names in order, 16 hex digits."""
    return sha256("\n".join(columns).encode()).hexdigest()[:16]


def _rows_of(labels: pd.DataFrame, quantity: str) -> pd.DataFrame:
    absent = [name for name in _REQUIRED if name not in labels.columns]
    if absent:
        raise LabelError(f"the label table lacks the column {absent[0]!r}")
    table = labels[labels["quantity"] == quantity]
    if table.empty:
        raise LabelError(f"the label table has no row with quantity {quantity!r}")
    return table


def _single_kind(table: pd.DataFrame) -> str:
    kinds = sorted(set(table["kind"]))
    if len(kinds) > 1:
        raise ModelError(
            f"labels mix the kinds {', '.join(kinds)}; select one, or train one model for each"
        )
    return str(kinds[0])


def _feature_rows(structure_ids: pd.Series, known: pd.Index) -> IntArray:
    if not known.is_unique:
        raise ModelError(f"structure {known[known.duplicated()][0]} appears twice in the features")
    row = known.get_indexer(structure_ids)
    if (row < 0).any():
        lost = structure_ids[row < 0]
        raise ModelError(
            f"{lost.nunique()} labelled structures have no features, first {lost.iloc[0]}; "
            "drop their labels or compute their features"
        )
    return np.asarray(row, dtype=np.int64)


def _optional(table: pd.DataFrame, name: str) -> FloatArray:
    if name not in table:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table[name]).to_numpy(dtype=np.float64, na_value=np.nan)


def _log10_bounds(table: pd.DataFrame, column: dict[str, FloatArray]) -> FloatArray:
    value = column["value"]
    lower = np.where(np.isnan(value), column["lower"], value)
    upper = np.where(np.isnan(value), column["upper"], value)
    wrong = (upper <= 0) | (lower < 0) | ((lower == 0) & np.isnan(upper))
    wrong |= np.isnan(lower) & np.isnan(upper)
    if wrong.any():
        at = table.index[int(np.flatnonzero(wrong)[0])]
        raise LabelError(
            f"label row {at}: {table['quantity'].iloc[0]} needs a positive value or bound; "
            "state 'none seen' as an upper bound at the detection limit"
        )
    with np.errstate(divide="ignore"):
        low = np.where(np.isnan(lower), -np.inf, np.log10(lower))
    high = np.where(np.isnan(upper), np.inf, np.log10(upper))
    return np.column_stack([low, high])
