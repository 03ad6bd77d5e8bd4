"""Atomic fractions of the elements: what a composition is, before any property is looked up.

Magpie statistics tell a chlorine from a bromine by ten numbers that also change with everything
else; one column for each element says it once. Measured compositions are told apart best by both
(OBELiX training part, publications and compositions held out together: extra trees on Magpie and
cell 1.35 decades, with these columns 1.25).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER, SYMBOLS
from ...data.errors import FeatureError
from ...data.records import FloatArray
from ..core.columns import Column, Notes, Values
from ..core.prepared import PreparedStructure

_FAMILY = "element_fractions"
_LEFT_OUT: Final = ("He", "Ne", "Ar", "Kr", "Xe", "Pm")
"""Not found in ionic crystals."""
ELEMENTS: Final[tuple[str, ...]] = tuple(
    e for e in SYMBOLS[: SYMBOLS.index("Bi") + 1] if e not in _LEFT_OUT
)
"""Hydrogen to bismuth; heavier elements are radioactive and have no column."""

COLUMNS: Final[tuple[Column, ...]] = tuple(
    Column(
        f"fraction_{element}",
        "1",
        f"share of {element} among the atoms, occupancies counted",
        "ionsieve",
        _FAMILY,
        lower=0,
        upper=1,
    )
    for element in ELEMENTS
)
_NAMES: Final = tuple(c.name for c in COLUMNS)
_NUMBERS: Final = np.array([ATOMIC_NUMBER[e] for e in ELEMENTS], dtype=np.int64)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """One column for each element; an element without a column counts to the total only."""
    atoms = prepared.atoms
    amounts = np.bincount(atoms.z, weights=atoms.occupancy, minlength=int(_NUMBERS.max()) + 1)
    share = amounts / amounts.sum()
    return dict(zip(_NAMES, share[_NUMBERS].tolist(), strict=True))


def fraction_matrix(compositions: Sequence[Mapping[str, float]]) -> FloatArray:
    """Atomic fractions of many compositions.

    Parameters
    ----------
    compositions : sequence of mappings, length n
        Element symbol → amount (any scale, above 0).

    Returns
    -------
    array (n, len(COLUMNS))

    Raises
    ------
    FeatureError
        If a composition is empty or holds an unknown element.

    Examples
    --------
    >>> row = fraction_matrix([{"Li": 3, "N": 1}])[0]
    >>> float(row[ELEMENTS.index("Li")])
    0.75
    """
    place = {element: k for k, element in enumerate(ELEMENTS)}
    table = np.zeros((len(compositions), len(ELEMENTS)))
    for row, amounts in zip(table, compositions, strict=True):
        unknown = [e for e in amounts if e not in ATOMIC_NUMBER]
        if unknown:
            raise FeatureError(f"{unknown[0]!r} is not an element symbol")
        total = sum(amounts.values())
        if not total > 0:
            raise FeatureError("a composition is empty")
        for element, amount in amounts.items():
            if element in place:
                row[place[element]] = amount / total
    return table
