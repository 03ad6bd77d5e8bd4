"""When a candidate is flagged: limits as data, which the settings of a screen hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

FLAGS: Final[tuple[str, ...]] = (
    "uncertain",
    "out_of_domain",
    "models_disagree",
    "novel_mechanism",
)


@dataclass(frozen=True, kw_only=True)
class FlagRules:
    """When a candidate is flagged: beyond an absolute limit, and among the first of the screen.

    A flag that marks everything decides nothing: of a large screen each of the four marks at most
    its share, a fifth together. ``uncertain`` and ``out_of_domain`` have the larger part, because
    on held-out materials they catch more wrong predictions than their share of rows, and
    ``models_disagree`` does not (docs/accuracy.md).

    Parameters
    ----------
    crossing : float
        ``uncertain``: chance that the truth moves a candidate across the line of the shortlist, at
        least this.
    out_of_domain : float
        ``out_of_domain``: domain distance above this; 1 is the distance from one training family
        to the next. So is every candidate of another mobile species than the labels'.
    disagreement_log10 : float
        ``models_disagree``: the two model families differ by more decades than this.
    shares : tuple of float
        Of the new candidates of a screen, the largest share that each flag marks, the most extreme
        first: uncertain, out_of_domain, models_disagree, novel_mechanism.
    few : int
        So many one flag may mark in any screen, however small.
    """

    crossing: float = 0.2
    out_of_domain: float = 1.5
    disagreement_log10: float = 1.0
    shares: tuple[float, float, float, float] = (0.12, 0.05, 0.01, 0.02)
    few: int = 3

    def most(self, flag: str, n: int) -> int:
        """How many of n candidates a flag may mark."""
        return max(self.few, math.floor(self.shares[FLAGS.index(flag)] * n))
