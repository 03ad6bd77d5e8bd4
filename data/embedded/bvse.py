"""Morse parameters of the bond-valence site energy, as facts with their source."""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from typing import NamedTuple

from .registry import read_table

TABLE = "bvse_parameters.csv"


class MorseParameters(NamedTuple):
    """One mobile cation with one anion: D0 [(exp(α (r_min − r)) − 1)² − 1] / 2."""

    r_min_A: float
    d0_eV: float
    alpha_per_A: float


PairKey = tuple[str, int, str, int]
"""Mobile element, its charge (e), anion element, its charge (e)."""


@lru_cache(maxsize=1)
def bvse_parameters() -> dict[PairKey, MorseParameters]:
    """Parameters by (mobile, mobile charge, anion, anion charge).

    Source: the softBV set of Chen, Wong & Adams, Acta Crystallogr. B 75, 18 (2019), as carried by
    bvlain 0.25.1 (MIT).

    Raises
    ------
    InputError
        If the table was altered (its hash is registered).
    """
    rows = csv.DictReader(io.StringIO(read_table(TABLE)))
    return {
        (r["mobile"], int(r["mobile_charge_e"]), r["anion"], int(r["anion_charge_e"])): (
            MorseParameters(float(r["r_min_A"]), float(r["d0_eV"]), float(r["alpha_per_A"]))
        )
        for r in rows
    }
