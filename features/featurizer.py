"""StructureFeaturizer: structures in, a table of named columns out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from ..data.errors import IonsieveError
from .catalogue import Family, Notes, Values, catalogue, families, feature_set_hash
from .prepared import PreparedStructure, StructureLike, as_prepared


@dataclass(frozen=True)
class FeatureRow:
    """Features of one structure, or the reason why there are none."""

    id: str
    values: Values | None
    reason: str
    """Why there are none (``values`` is None), or which columns are NaN and why."""


def featurize_one(
    structure: StructureLike, chosen: Sequence[Family], mobile: str = "Li"
) -> FeatureRow:
    """Compute the chosen families for one structure; never raises on a bad structure.

    A family that cannot be computed leaves NaN in its columns and its reason in the row; a
    structure without roles has no row values at all, only the reason.
    """
    record_id = getattr(structure, "id", None) or getattr(structure, "formula", "structure")
    try:
        prepared = as_prepared(structure, mobile)
    except IonsieveError as error:
        return FeatureRow(str(record_id), None, str(error))
    notes: Notes = []
    values: Values = {}
    for family in chosen:
        values |= _family_values(family, prepared, notes)
    return FeatureRow(prepared.record.id, values, "; ".join(notes))


def _family_values(family: Family, prepared: PreparedStructure, notes: Notes) -> Values:
    empty: Values = {c.name: "" if c.dtype == "category" else np.nan for c in family.columns}
    try:
        return empty | family.compute(prepared, notes)
    except (IonsieveError, ArithmeticError, ValueError, IndexError, np.linalg.LinAlgError) as error:
        # One family's failure must not take the others with it; the reason stays in the row.
        notes.append(f"{family.name}: {type(error).__name__}: {error}")
        return empty


class StructureFeaturizer(TransformerMixin, BaseEstimator):
    """Turn structures into a table of descriptors.

    Parameters
    ----------
    families : sequence of str, optional
        Descriptor families; all of the catalogue by default.
    mobile : str
        Mobile species: Li, Na, K, Ag or Cu.

    Attributes
    ----------
    reasons_ : dict of str
        After ``transform``: per structure id, why it has no features or which are NaN.

    Notes
    -----
    Stateless: ``fit`` learns nothing. NaN means "not defined here" and stays NaN. A structure
    that cannot be featurized has a row of NaN and an entry in ``reasons_``.
    """

    def __init__(self, families: Sequence[str] | None = None, mobile: str = "Li") -> None:
        self.families = families
        self.mobile = mobile

    def fit(self, X: Iterable[StructureLike], y: Any = None) -> StructureFeaturizer:
        """Do nothing but check the parameters."""
        families(self.families)
        return self

    def transform(self, X: Iterable[StructureLike]) -> pd.DataFrame:
        """One row per structure, indexed by its id; columns as in the catalogue."""
        chosen = families(self.families)
        rows = [featurize_one(structure, chosen, self.mobile) for structure in X]
        self.reasons_ = {row.id: row.reason for row in rows if row.reason}
        return rows_to_frame(rows, self.families)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Column names in output order."""
        return np.array([c.name for c in catalogue(self.families)], dtype=object)

    @property
    def feature_set_hash(self) -> str:
        """Identity of the feature set: names, units and definitions."""
        return feature_set_hash(catalogue(self.families))

    def __sklearn_is_fitted__(self) -> bool:
        return True


def rows_to_frame(rows: Sequence[FeatureRow], names: Iterable[str] | None) -> pd.DataFrame:
    """Rows as a table with the catalogue's columns and dtypes, indexed by id."""
    columns = catalogue(names)
    data: dict[str, Any] = {}
    for c in columns:
        missing: Any = "" if c.dtype == "category" else np.nan
        cells = [missing if r.values is None else r.values[c.name] for r in rows]
        data[c.name] = cells if c.dtype == "category" else np.array(cells, dtype=np.float64)
    return pd.DataFrame(data, index=pd.Index([r.id for r in rows], name="id"))


def numeric_columns(names: Iterable[str] | None = None) -> list[str]:
    """The columns that models read: all but the categories."""
    return [c.name for c in catalogue(names) if c.dtype != "category"]
