"""Evidence on one scale: how far a material lies from the labelled ones, in their spreads.

Evidence that is not defined for a material is put at the centre: it then says nothing. How much a
spread of each column moves the answer is measured on held-out groups, beside the learners
(:func:`..trust.trust.stacking_weights`). The same information as one more of 500 columns of a
forest did nothing: a forest of a few hundred labels rarely asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.errors import ModelError
from ..labels.censoring import FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class EvidenceScale:
    """Centre and spread of s columns of evidence over labelled materials, unit of the evidence."""

    centre: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, evidence: FloatArray, weight: FloatArray) -> EvidenceScale:
        """Measure both over rows (n, s) with weights (n,); NaN cells are left out."""
        known = np.isfinite(evidence)
        share = np.where(known, weight[:, None], 0.0)
        total = np.maximum(share.sum(axis=0), 1e-12)
        filled = np.where(known, evidence, 0.0)
        centre = (share * filled).sum(axis=0) / total
        spread = np.sqrt((share * (filled - centre) ** 2).sum(axis=0) / total)
        return cls(centre=centre, spread=np.where(spread > 0, spread, 1.0))

    def transform(self, evidence: FloatArray) -> FloatArray:
        """Spreads from the centre, shape (n, s); 0 where not defined."""
        if evidence.shape[1] != len(self.centre):
            raise ModelError(
                f"the model has {len(self.centre)} columns of evidence, got {evidence.shape[1]}"
            )
        return np.nan_to_num((evidence - self.centre) / self.spread, nan=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Plain lists for a JSON file."""
        return {"centre": self.centre.tolist(), "spread": self.spread.tolist()}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> EvidenceScale:
        """The inverse of :meth:`as_dict`.

        Raises
        ------
        ValueError
            If the lists differ in length or a number cannot be a scale.
        """
        centre, spread = (np.array(state[k], dtype=np.float64) for k in ("centre", "spread"))
        if centre.ndim != 1 or centre.shape != spread.shape:
            raise ValueError("evidence: lists differ in length")
        if not np.isfinite([centre, spread]).all() or not (spread > 0).all():
            raise ValueError("evidence: numbers must be finite, spreads positive")
        return cls(centre=centre, spread=spread)
