"""StructureFeaturizer: structures in, a table of named columns out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from ..data.errors import FeatureError
from .catalogue import catalogue, families, feature_set_hash
from .core.prepared import StructureLike
from .matminer_contract import MatminerContract
from .rows import FeatureRow, featurize_many, featurize_one

__all__ = [
    "FeatureRow",
    "StructureFeaturizer",
    "featurize_many",
    "featurize_one",
    "numeric_columns",
    "rows_to_frame",
]


class StructureFeaturizer(MatminerContract, TransformerMixin, BaseEstimator):
    """Turn structures into a table of descriptors.

    Parameters
    ----------
    families : sequence of str, optional
        Descriptor families; all of the catalogue by default.
    mobile : str
        Mobile species: Li, Na, K, Ag or Cu.
    numeric : bool
        Leave out the columns that hold words, so that an imputer or a forest can follow.

    Attributes
    ----------
    reasons_ : Series of str
        After ``transform``, by the index of its result: why a structure has no features, or
        which are NaN and why. Structures without such a reason are left out.

    Notes
    -----
    Stateless: ``fit`` learns nothing. NaN means "not defined here" and stays NaN. A structure
    that cannot be featurized has a row of NaN and an entry in ``reasons_``.

    A scikit-learn transformer whose input are structures instead of numbers, as its tags say; and
    a matminer featurizer (:class:`~ionsieve.features.matminer_contract.MatminerContract`).
    """

    def __init__(
        self, families: Sequence[str] | None = None, mobile: str = "Li", numeric: bool = False
    ) -> None:
        self.families = families
        self.mobile = mobile
        self.numeric = numeric

    def fit(self, X: Iterable[StructureLike], y: Any = None) -> StructureFeaturizer:
        """Do nothing but check the parameters."""
        families(self.families)
        return self

    def transform(self, X: Iterable[StructureLike] | pd.Series | pd.DataFrame) -> pd.DataFrame:
        """Compute one row per structure, with columns as in the catalogue.

        Parameters
        ----------
        X : iterable of structures, Series, or DataFrame of one column
            pymatgen Structures, records or prepared structures.

        Returns
        -------
        DataFrame (n_structures, n_columns)
            Indexed like X if that is a Series or DataFrame, else by structure id.
        """
        given, index = _structures_and_index(X)
        rows = list(featurize_many(given, families(self.families), self.mobile))
        frame = rows_to_frame(rows, self.families)
        if index is not None:
            frame.index = index
        reasons = pd.Series([row.reason for row in rows], frame.index, dtype=object, name="reason")
        self.reasons_ = reasons[reasons != ""]
        return frame[self.feature_labels()]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Column names in output order."""
        return np.array(self.feature_labels(), dtype=object)

    @property
    def feature_set_hash(self) -> str:
        """Identity of the feature set: names, units and definitions."""
        return feature_set_hash(catalogue(self.families))

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _structures_and_index(X: Any) -> tuple[Iterable[StructureLike], pd.Index | None]:
    if isinstance(X, pd.DataFrame):
        if X.shape[1] != 1:
            raise FeatureError(
                f"a DataFrame of {X.shape[1]} columns was given; pass the one with the structures"
            )
        return list(X.iloc[:, 0]), X.index
    if isinstance(X, pd.Series):
        return list(X), X.index
    return X, None


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
