"""Rows: one structure → its values, or the reason why there are none.

Here, and only here, values are rounded to what they mean (:mod:`ionsieve.data.rounding`):
training and prediction, tables and single structures see the same numbers. Apart from the tables
of :mod:`.featurizer`, so that a worker process loads no pandas and no scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

import numpy as np

from ..data.errors import FeatureError, IonsieveError
from ..data.rounding import meaningful_array
from .core.columns import Family, Notes, Values
from .core.prepared import PreparedStructure, StructureLike, as_record, prepare
from .core.primitive import primitive

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
    return FeatureRow(prepared.record.id, _rounded([values])[0], "; ".join(notes))


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
        for p, v, n in zip(prepared, _rounded(values), notes, strict=True)
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
            return [family.empty | values for values in found]
    return [_family_values(family, p, n) for p, n in zip(prepared, notes, strict=True)]


def _family_values(family: Family, prepared: PreparedStructure, notes: Notes) -> Values:
    try:
        return family.empty | family.compute(prepared, notes)
    except _DEFECTS_OF_INPUT as error:
        # One family's failure must not take the others with it; the reason stays in the row.
        kind = "" if isinstance(error, IonsieveError) else f"{type(error).__name__}: "
        notes.append(f"{family.name}: {kind}{str(error).removeprefix(f'{prepared.record.id}: ')}")
        return dict(family.empty)


def _rounded(rows: list[Values]) -> list[Values]:
    """Every float of all rows rounded; truth values and words as they are."""
    # Few values are no numbers: put aside, so that all others need no look at each.
    others = [{k: v for k, v in row.items() if not isinstance(v, float)} for row in rows]
    numbers = chain.from_iterable(
        (row | dict.fromkeys(apart, 0.0)).values() for row, apart in zip(rows, others, strict=True)
    )
    rounded = iter(meaningful_array(list(numbers)).tolist())
    return [
        dict(zip(row, islice(rounded, len(row)), strict=True)) | apart
        for row, apart in zip(rows, others, strict=True)
    ]


def _prepared(structure: StructureLike, mobile: str) -> PreparedStructure | FeatureRow:
    """The prepared structure, or the row that says why it cannot be prepared."""
    if isinstance(structure, PreparedStructure):
        if structure.roles.mobile == mobile:
            return structure
        structure = structure.record  # prepared for another mobile species
    record_id = str(getattr(structure, "id", None) or _formula(structure))
    try:
        record = as_record(structure)
        with suppress(IonsieveError):
            return prepare(primitive(record), mobile)
        # Again as it was given, so that the message names its sites.
        return prepare(record, mobile)
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
