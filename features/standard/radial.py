"""Radial distribution of all atoms, and partial ones by role, in coarse bins.

The total is matminer's ``RadialDistributionFunction`` divided by the number of atoms (matminer's
own grows with the cell); the partial ones are its ``PartialRadialDistributionFunction`` with
roles in the place of elements, so that they mean the same in every compound. Pairs are weighted
with both occupancies; alternatives of one disordered position do not count.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.records import FloatArray
from ..core.columns import Column, Notes, Values
from ..core.prepared import PreparedStructure

_FAMILY = "radial"
_SOURCE = "matminer RadialDistributionFunction over the number of atoms"
_PARTIAL_SOURCE = "matminer PartialRadialDistributionFunction, roles in the place of elements"

EDGES_A: Final[FloatArray] = np.linspace(0.5, 6.0, 12)
PARTIAL_EDGES_A: Final[FloatArray] = np.linspace(1.0, 6.0, 6)
ROLE_PAIRS: Final[tuple[tuple[str, str], ...]] = (
    ("mobile", "mobile"),
    ("mobile", "anion"),
    ("mobile", "framework"),
    ("anion", "anion"),
)

_DIGITS = 7  # distances of symmetric crystals fall on bin edges: rounding must not decide


def _bins(edges_A: FloatArray) -> list[tuple[float, float]]:
    return list(zip(edges_A[:-1].tolist(), edges_A[1:].tolist(), strict=True))


COLUMNS: Final[tuple[Column, ...]] = (
    *(
        Column(
            f"rdf_{low:.1f}_{high:.1f}_A",
            "1",
            f"atoms between {low:.1f} and {high:.1f} Å of an atom, over those of a uniform "
            "distribution at the same density",
            _SOURCE,
            _FAMILY,
            lower=0,
        )
        for low, high in _bins(EDGES_A)
    ),
    *(
        Column(
            f"rdf_{one}_{other}_{low:.0f}_{high:.0f}_A",
            "1/Å³",
            f"number density of {other} sites between {low:.0f} and {high:.0f} Å of a {one} site"
            " (framework: framework cations)",
            _PARTIAL_SOURCE,
            _FAMILY,
            lower=0,
        )
        for one, other in ROLE_PAIRS
        for low, high in _bins(PARTIAL_EDGES_A)
    ),
)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Radial distribution columns; see the catalogue for each."""
    atoms, roles = prepared.atoms, prepared.roles
    weight, everyone = atoms.occupancy, np.ones(len(atoms.z), dtype=bool)
    members = {
        "mobile": roles.is_mobile,
        "anion": roles.is_anion,
        "framework": roles.is_framework_cation,
    }
    density = float(weight.sum()) / atoms.volume_A3
    total = _shell_density(prepared, everyone, everyone, EDGES_A) / density
    partial = [
        _shell_density(prepared, members[one], members[other], PARTIAL_EDGES_A)
        for one, other in ROLE_PAIRS
    ]
    row = np.concatenate([total, *partial])
    return {c.name: float(value) for c, value in zip(COLUMNS, row, strict=True)}


def _shell_density(
    prepared: PreparedStructure, one: np.ndarray, other: np.ndarray, edges_A: FloatArray
) -> FloatArray:
    """Mean number density of ``other`` in each shell around ``one``, 1/Å³; 0 without members."""
    pairs, weight = prepared.neighbors, prepared.atoms.occupancy
    count = float(weight[one].sum())
    if count == 0:
        return np.zeros(len(edges_A) - 1)
    chosen = one[pairs.center] & other[pairs.neighbor]
    both = weight[pairs.center[chosen]] * weight[pairs.neighbor[chosen]]
    distance = np.round(pairs.distance_A[chosen], _DIGITS)
    slot = np.floor((distance - edges_A[0]) / (edges_A[1] - edges_A[0])).astype(np.int64)
    # As numpy and matminer: the last edge belongs to the last bin. Slot 0 takes what is nearer.
    slot = np.clip(slot + 1, 0, len(edges_A) - 1)
    histogram = np.bincount(slot, weights=both, minlength=len(edges_A))[1:]
    return histogram / (4.0 / 3.0 * np.pi * np.diff(edges_A**3)) / count
