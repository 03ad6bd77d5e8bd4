"""Radial distribution of all atoms, and partial ones by role, in coarse bins.

The total is matminer's ``RadialDistributionFunction`` divided by the number of atoms (matminer's
own grows with the cell); the partial ones are its ``PartialRadialDistributionFunction`` with
roles in the place of elements, so that they mean the same in every compound. Pairs are weighted
with both occupancies; alternatives of one disordered position do not count.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.records import FloatArray, IntArray
from ..core.columns import Column, Notes, Values
from ..core.prepared import (
    ANION,
    FRAMEWORK,
    MOBILE,
    PreparedStructure,
    atom_roles,
    pair_roles,
)

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

_ROLES: Final = {"mobile": MOBILE, "anion": ANION, "framework": FRAMEWORK}
_PAIR_ROWS = tuple(np.array([[_ROLES[r] for r in pair] for pair in ROLE_PAIRS]).T)
_SHELLS_A3 = 4.0 / 3.0 * np.pi * np.diff(EDGES_A**3)
_PARTIAL_SHELLS_A3 = 4.0 / 3.0 * np.pi * np.diff(PARTIAL_EDGES_A**3)


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

_NAMES: Final[tuple[str, ...]] = tuple(c.name for c in COLUMNS)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Radial distribution columns; see the catalogue for each."""
    atoms, pairs = prepared.atoms, prepared.neighbors
    weight, volume_A3 = atoms.occupancy, atoms.volume_A3
    both = weight[pairs.center] * weight[pairs.neighbor]
    distance = np.round(pairs.distance_A, _DIGITS)
    slots = _slots(distance, EDGES_A)
    histogram = np.bincount(slots, weights=both, minlength=len(EDGES_A))[1:]
    total = histogram / (_SHELLS_A3 * float(weight.sum()) ** 2 / volume_A3)
    return dict(zip(_NAMES, [*total.tolist(), *_partial(prepared, both, distance)], strict=True))


def _partial(prepared: PreparedStructure, both: FloatArray, distance_A: FloatArray) -> list[float]:
    """Mean number density of each pair of roles in each shell, 1/Å³; 0 without members."""
    role, weight = atom_roles(prepared), prepared.atoms.occupancy
    # One histogram over all pairs of roles and all shells: shell 0 takes what is nearer.
    n, n_slots = 4, len(PARTIAL_EDGES_A)
    slots = pair_roles(prepared) * n_slots + _slots(distance_A, PARTIAL_EDGES_A)
    histogram = np.bincount(slots, weights=both, minlength=n * n * n_slots)
    density = histogram.reshape(n, n, n_slots)[:, :, 1:] / _PARTIAL_SHELLS_A3
    count = np.bincount(role, weights=weight, minlength=n)
    filled = density / np.where(count > 0, count, 1.0)[:, None, None]
    found: list[float] = filled[_PAIR_ROWS].ravel().tolist()
    return found


def _slots(distance_A: FloatArray, edges_A: FloatArray) -> IntArray:
    """Shell of each distance, from 1; 0 for what is nearer than the first edge."""
    slot = np.floor((distance_A - edges_A[0]) / (edges_A[1] - edges_A[0])).astype(np.int64) + 1
    # As numpy and matminer: the last edge belongs to the last bin.
    return np.minimum(np.maximum(slot, 0), len(edges_A) - 1)
