"""StructureFeaturizer: structures in, a table of named columns out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from ..data.errors import FeatureError, IonsieveError
from .catalogue import Family, Notes, Values, catalogue, families, feature_set_hash
from .matminer_contract import MatminerContract
from .prepared import PreparedStructure, StructureLike, as_prepared

BLOCK: Final[int] = 256
"""Structures prepared at a time: enough for batch kernels, little enough for memory."""

_DEFECTS_OF_INPUT = (
    IonsieveError,
    ArithmeticError,
    ValueError,
    IndexError,
    np.linalg.LinAlgError,
)


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
    prepared = _prepared(structure, mobile)
    if isinstance(prepared, FeatureRow):
        return prepared
    notes: Notes = []
    values: Values = {}
    for family in chosen:
        values |= _family_values(family, prepared, notes)
    return FeatureRow(prepared.record.id, values, "; ".join(notes))


def featurize_many(
    structures: Iterable[StructureLike], chosen: Sequence[Family], mobile: str = "Li"
) -> Iterator[FeatureRow]:
    """As :func:`featurize_one` for each, with batch functions where families have them."""
    for block in _blocks(structures):
        prepared = [_prepared(structure, mobile) for structure in block]
        good = [p for p in prepared if isinstance(p, PreparedStructure)]
        rows = iter(_rows_of(good, chosen))
        for entry in prepared:
            yield entry if isinstance(entry, FeatureRow) else next(rows)


def _blocks(structures: Iterable[StructureLike]) -> Iterator[list[StructureLike]]:
    block: list[StructureLike] = []
    for structure in structures:
        block.append(structure)
        if len(block) == BLOCK:
            yield block
            block = []
    yield block


def _rows_of(prepared: list[PreparedStructure], chosen: Sequence[Family]) -> list[FeatureRow]:
    values: list[Values] = [{} for _ in prepared]
    notes: list[Notes] = [[] for _ in prepared]
    for family in chosen:
        for row, new in zip(values, _values_of_all(family, prepared, notes), strict=True):
            row |= new
    return [
        FeatureRow(p.record.id, v, "; ".join(n))
        for p, v, n in zip(prepared, values, notes, strict=True)
    ]


def _values_of_all(
    family: Family, prepared: list[PreparedStructure], notes: list[Notes]
) -> list[Values]:
    if family.compute_batch is not None and prepared:
        new_notes: list[Notes] = [[] for _ in prepared]
        try:
            found = family.compute_batch(prepared, new_notes)
        except _DEFECTS_OF_INPUT:
            # One by one below, so that only the structure at fault has NaN.
            pass
        else:
            for own, new in zip(notes, new_notes, strict=True):
                own += new
            empty = _empty(family)
            return [empty | values for values in found]
    return [_family_values(family, p, n) for p, n in zip(prepared, notes, strict=True)]


def _empty(family: Family) -> Values:
    return {c.name: "" if c.dtype == "category" else np.nan for c in family.columns}


def _family_values(family: Family, prepared: PreparedStructure, notes: Notes) -> Values:
    try:
        return _empty(family) | family.compute(prepared, notes)
    except _DEFECTS_OF_INPUT as error:
        # One family's failure must not take the others with it; the reason stays in the row.
        notes.append(f"{family.name}: {type(error).__name__}: {error}")
        return _empty(family)


def _prepared(structure: StructureLike, mobile: str) -> PreparedStructure | FeatureRow:
    """The prepared structure, or the row that says why it cannot be prepared."""
    if isinstance(structure, PreparedStructure):
        return structure
    record_id = str(getattr(structure, "id", None) or _formula(structure))
    try:
        return as_prepared(structure, mobile)
    except IonsieveError as error:
        return FeatureRow(record_id, None, str(error))


def _formula(structure: Any) -> str:
    formula = getattr(structure, "formula", None)
    if formula is None:
        raise FeatureError(
            f"cannot featurize a {type(structure).__name__}; give pymatgen Structures or "
            "StructureRecords"
        )
    return str(formula).replace(" ", "")


class StructureFeaturizer(MatminerContract, TransformerMixin, BaseEstimator):
    """Turn structures into a table of descriptors.

    Parameters
    ----------
    families : sequence of str, optional
        Descriptor families; all of the catalogue by default.
    mobile : str
        Mobile species: Li, Na, K, Ag or Cu.

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

    def __init__(self, families: Sequence[str] | None = None, mobile: str = "Li") -> None:
        self.families = families
        self.mobile = mobile

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
        return frame

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Column names in output order."""
        return np.array([c.name for c in catalogue(self.families)], dtype=object)

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
