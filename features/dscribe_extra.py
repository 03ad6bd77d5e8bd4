"""Environments of the mobile ions by dscribe as a descriptor family: ``dscribe:ACSF``.

The project's own kernel computes the same symmetry functions also where no atom is, which dscribe
cannot; here dscribe does what it can, at the centres of atoms, for those who want its numbers.
"""

from __future__ import annotations

import math
from importlib import metadata
from typing import Final

import numpy as np

from .core.columns import DSCRIBE, Column, Family, Notes, Values
from .core.prepared import PreparedStructure
from .similarity.acsf import ETA_PER_A2, N_RADIAL, SHIFT_A, dscribe_environments

_NAN: Final[str] = "a partly occupied structure, or nothing but mobile ions"


def version() -> str:
    """Version of dscribe that values depend on."""
    return metadata.version("dscribe")


def _columns() -> tuple[Column, ...]:
    columns = []
    for statistic, words in (("mean", "mean"), ("spread", "standard deviation")):
        for k, (eta, shift) in enumerate(zip(ETA_PER_A2, SHIFT_A, strict=True), start=1):
            columns.append(
                Column(
                    f"dscribe_acsf_g2_{k}_{statistic}",
                    "1",
                    f"{words} over the mobile ions of G2 with η = {eta:g} Å⁻², Rs = {shift:g} Å "
                    "(cutoff 6 Å), summed over the elements of the host",
                    f"dscribe {version()}, ACSF; Behler 2011, 10.1063/1.3553717, eq. 6",
                    DSCRIBE,
                    lower=0,
                    nan_means=_NAN,
                    cost="high",
                )
            )
    return tuple(columns)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Statistics of the environments; NaN where dscribe takes no such structure."""
    names = [c.name for c in _columns()]
    if not prepared.record.is_ordered or prepared.roles.is_mobile.all():
        notes.append(f"{DSCRIBE}: {_NAN}")
        return dict.fromkeys(names, math.nan)
    vectors = dscribe_environments(prepared)
    summed = vectors.reshape(len(vectors), -1, N_RADIAL).sum(axis=1)
    values = np.concatenate([summed.mean(axis=0), summed.std(axis=0)])
    return dict(zip(names, map(float, values), strict=True))


def dscribe_family() -> Family:
    """The family with its columns."""
    return Family(DSCRIBE, _columns(), compute)
