"""Evidence: feature columns that say which material is the faster, and in which direction.

A column is evidence when its direction is known before the labels are seen: a higher barrier never
makes an ion faster. Its size is learned (:mod:`..trust.trust`), its sign is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.errors import ModelError
from ..labels.censoring import FloatArray

IMMOBILE_EV: Final = 1.2
"""At a barrier of 1.2 eV an ion of attempt frequency 10¹³/s hops once in 0.1 µs at 1000 K: no
simulation sees it, and higher barriers say nothing more."""


@dataclass(frozen=True, kw_only=True)
class EvidenceColumn:
    """A feature column with a known direction.

    Parameters
    ----------
    column : str
        Name in the feature table.
    direction : int
        1 where larger means faster, -1 where larger means slower.
    lower, upper : float
        Beyond these, in the unit of the column, a value says nothing more.
    weight : float
        Expected before any label is seen: spreads of the population for one spread of the column.
    """

    column: str
    direction: int
    lower: float = -np.inf
    upper: float = np.inf
    weight: float = 0.2

    def __post_init__(self) -> None:
        if self.direction not in (-1, 1):
            raise ModelError(f"evidence {self.column}: direction must be 1 or -1")
        if not self.lower < self.upper:
            raise ModelError(f"evidence {self.column}: lower must be below upper")

    def oriented(self, values: FloatArray) -> FloatArray:
        """Values of the column such that larger means faster; NaN where not defined."""
        return self.direction * np.clip(values, self.lower, self.upper)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file; open sides are null."""
        ends = {
            name: float(v) if np.isfinite(v) else None
            for name, v in (("lower", self.lower), ("upper", self.upper))
        }
        return {
            "column": self.column,
            "direction": self.direction,
            "weight": self.weight,
            **ends,
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> EvidenceColumn:
        """The inverse of :meth:`as_dict`."""
        lower, upper = state["lower"], state["upper"]
        return cls(
            column=str(state["column"]),
            direction=int(state["direction"]),
            weight=float(state["weight"]),
            lower=-np.inf if lower is None else float(lower),
            upper=np.inf if upper is None else float(upper),
        )


PHYSICS: Final[tuple[EvidenceColumn, ...]] = (
    EvidenceColumn(column="bvse_barrier_2d_eV", direction=-1, lower=0.0, upper=IMMOBILE_EV),
    EvidenceColumn(column="void_fraction", direction=1),
)
"""The bond-valence barrier to percolation in two dimensions, and the room between the ions of the
host. Barriers in one and three dimensions beside it said more of some families of the AIMD table
and less of others: left-out families were predicted worse with them."""


def evidence_in(features: pd.DataFrame, wanted: Sequence[EvidenceColumn]) -> list[EvidenceColumn]:
    """The evidence whose column holds a value in a feature table."""
    return [e for e in wanted if e.column in features and features[e.column].notna().any()]
