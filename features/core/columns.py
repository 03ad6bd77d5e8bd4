"""What a descriptor family is: its columns and its two functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Final, Literal

from .prepared import PreparedStructure

EXTRA: Final[str] = "matminer:"
"""First part of the name of a family that is a featurizer of matminer."""

DSCRIBE: Final[str] = "dscribe:ACSF"
"""Name of the family that dscribe computes at the mobile ions."""

Value = float | str | bool


Values = dict[str, Value]


Notes = list[str]
"""Reasons for NaN, appended by a family as ``"family: reason"``."""


Compute = Callable[[PreparedStructure, Notes], Values]


ComputeBatch = Callable[[Sequence[PreparedStructure], Sequence[Notes]], list[Values]]
"""Optional ``compute_batch``: the same values for many structures at once, one ``Notes`` each."""


DType = Literal["float", "bool", "category"]


Cost = Literal["low", "medium", "high"]


@dataclass(frozen=True)
class Column:
    """One output column.

    Parameters
    ----------
    name : str
        Column name; carries its unit where it has one.
    unit : str
        Unit, or ``1`` for pure numbers.
    definition : str
        One sentence that lets a reader recompute it.
    source : str
        Paper and equation, library, or ``ionsieve``.
    family : str
        Family it belongs to.
    lower, upper : float or None
        Range it cannot leave; None where unbounded.
    nan_means : str
        What NaN says; empty where it never is NaN.
    cost : {'low', 'medium', 'high'}
        Below 0.5 ms, below 5 ms, above.
    dtype : {'float', 'bool', 'category'}
        ``category`` columns describe; models do not read them.
    """

    name: str
    unit: str
    definition: str
    source: str
    family: str
    _: KW_ONLY
    lower: float | None = None
    upper: float | None = None
    nan_means: str = ""
    cost: Cost = "low"
    dtype: DType = "float"


@dataclass(frozen=True)
class Family:
    """A descriptor family: its columns and the functions that compute them."""

    name: str
    columns: tuple[Column, ...]
    compute: Compute
    compute_batch: ComputeBatch | None = None

    @cached_property
    def empty(self) -> Values:
        """What the columns hold where nothing is computed; copy before changing it."""
        return {c.name: "" if c.dtype == "category" else math.nan for c in self.columns}
