"""Isolated anions: anions with no bond to any framework cation (Yang 2025).

Definition (PHYSICS of Yang 2025, npj Comput. Mater., 10.1038/s41524-025-01559-9, made
reproducible): an anion X is bonded to a framework cation M when

* d(M–X) ≤ 1.25 (r_cov,M + r_cov,X), Cordero radii, or
* X lies within 1.30 × the nearest-anion distance of M,

and X is isolated when no M is bonded to it and it is not part of a polyanion. The margin is
the smallest d / (r_cov,M + r_cov,X) over all M; 1.15 to 1.40 is flagged as ambiguous.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ...data.elements import SYMBOLS
from ...data.records import FloatArray, IntArray
from ..core.neighbors import NeighborList, covalent_sums_A, neighbor_list
from ..core.prepared import (
    ANION,
    FRAMEWORK,
    MOBILE,
    PreparedStructure,
    once_per_structure,
    pairs_between,
)

BOND_RATIO: Final[float] = 1.25
"""Distance over covalent radius sum up to which a framework cation bonds an anion."""
CAGE_RATIO: Final[float] = 1.25
"""The same for a mobile ion in the shell around an anion: no bond, the reach of its cage."""
SHELL_RATIO: Final[float] = 1.30
AMBIGUOUS: Final[tuple[float, float]] = (1.15, 1.40)
FRAMEWORK_OCCUPANCY: Final[float] = 0.10
"""A framework cation on fewer than one in ten of its sites does not bond an anion in general."""

ANION_ELEMENTS: Final[tuple[str, ...]] = ("N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I")
"""Anions with columns of their own."""

ZINTL_ANIONS: Final[tuple[str, ...]] = (
    *("Al", "Si", "Zn", "Ga", "Ge", "As", "Pd", "Ag", "Cd", "In", "Sn"),
    *("Sb", "Pt", "Au", "Hg", "Tl", "Pb", "Bi"),
)  # fmt: skip
"""Metals and metalloids. As anions (Li3Sb, Li3As, Li2Sn) they make Zintl phases, whose small or
missing gap lets electrons through: no electrolytes, whatever their ions do."""

IsolatedClass = Literal["framework", "antistructure", "zintl", "none"]

_FAR_A = 14.0


@dataclass(frozen=True, eq=False, kw_only=True)
class IsolatedAnions:
    """Per-atom result; arrays have one entry per atom, NaN or False where it is no anion.

    Attributes
    ----------
    is_isolated : bool array (n_atoms,)
    margin : array (n_atoms,)
        Smallest d(M–X) / covalent sum; infinity without framework cations.
    nearest_framework_cation_A : array (n_atoms,), Å
    clearance_A : array (n_atoms,), Å
        Smallest d(M–X) − ``BOND_RATIO`` × covalent sum: the room beyond the longest bond.
    is_ambiguous : bool array (n_atoms,)
        Margin within ``AMBIGUOUS``.
    mobile_coordination : array (n_atoms,)
        Mobile ions within ``CAGE_RATIO`` × the covalent sum, weighted by occupancy.
    isolated_class : {'framework', 'antistructure', 'zintl', 'none'}
        ``antistructure``: no framework cation at all, every anion is trivially isolated.
        ``zintl``: the same, but every anion is a metal or metalloid: an electronic conductor.
    """

    is_isolated: np.ndarray
    margin: FloatArray
    nearest_framework_cation_A: FloatArray
    clearance_A: FloatArray
    is_ambiguous: np.ndarray
    mobile_coordination: FloatArray
    isolated_class: IsolatedClass


@once_per_structure
def find_isolated_anions(prepared: PreparedStructure) -> IsolatedAnions:
    """Apply the definition above to a prepared structure."""
    roles, framework = prepared.roles, framework_cations(prepared)
    bonded = np.zeros(len(framework), dtype=bool)
    bonded[prepared.neighbors.neighbor[framework_bonds(prepared)]] = True
    isolated = roles.is_anion & ~bonded & ~roles.in_polyanion
    margin, nearest, clearance = _margins(prepared, framework)
    ambiguous = roles.is_anion & (margin >= AMBIGUOUS[0]) & (margin <= AMBIGUOUS[1])
    return IsolatedAnions(
        is_isolated=isolated,
        margin=margin,
        nearest_framework_cation_A=nearest,
        clearance_A=clearance,
        is_ambiguous=ambiguous,
        mobile_coordination=_mobile_coordination(prepared),
        isolated_class=_class_of(framework, isolated, prepared.atoms.z[roles.is_anion]),
    )


def leading_element(prepared: PreparedStructure) -> str:
    """Element of the isolated anions that hold mobile ions most strongly; empty if there are none.

    The strongest formal charge decides, then abundance, then the lower atomic number. Yang 2025
    labels structures with several isolated anions by this one (N in Li6NI3 and Li7N2I).
    """
    atoms, roles = prepared.atoms, prepared.roles
    isolated = find_isolated_anions(prepared).is_isolated & (atoms.occupancy >= FRAMEWORK_OCCUPANCY)
    candidates = []
    for z in np.bincount(atoms.z[isolated]).nonzero()[0]:
        members = isolated & (atoms.z == z)
        amount = round(float(atoms.occupancy[members].sum()) / atoms.volume_A3, 9)
        charge = round(float(roles.oxidation[members].mean()), 6)
        candidates.append((charge, -amount, int(z)))
    return SYMBOLS[min(candidates)[2] - 1] if candidates else ""


def _class_of(framework: np.ndarray, isolated: np.ndarray, anions_z: IntArray) -> IsolatedClass:
    if not isolated.any():
        return "none"
    if framework.any():
        return "framework"
    return "zintl" if all(SYMBOLS[z - 1] in ZINTL_ANIONS for z in anions_z) else "antistructure"


def covalent_ratios(prepared: PreparedStructure, chosen: IntArray) -> FloatArray:
    """Distance over covalent radius sum of the chosen pairs of the neighbour list."""
    pairs = prepared.neighbors
    ratio = pairs.distance_A[chosen] / covalent_sums_A(prepared.atoms.z, pairs)[chosen]
    return np.asarray(ratio)


def framework_cations(prepared: PreparedStructure) -> np.ndarray:
    """Framework cations on at least one in ten of their sites, bool array (n_atoms,)."""
    occupied = prepared.atoms.occupancy >= FRAMEWORK_OCCUPANCY
    return np.asarray(prepared.roles.is_framework_cation & occupied)


@once_per_structure
def framework_bonds(prepared: PreparedStructure) -> IntArray:
    """Pairs of the neighbour list that bond a framework cation (centre) to an anion (neighbour)."""
    pairs, n_atoms = prepared.neighbors, len(prepared.atoms.z)
    # Pairs seen from the cation, so that its nearest anion is known.
    m_to_x = pairs_between(prepared, FRAMEWORK, ANION)
    m_to_x = m_to_x[framework_cations(prepared)[pairs.center[m_to_x]]]
    m, distance = pairs.center[m_to_x], pairs.distance_A[m_to_x]
    # The nearest of each cation comes first, so that going backwards it stays.
    nearest = np.full(n_atoms, np.inf)
    nearest[m[::-1]] = distance[::-1]
    is_bond = covalent_ratios(prepared, m_to_x) <= BOND_RATIO
    return m_to_x[is_bond | (distance <= SHELL_RATIO * nearest[m])]


def _margins(
    prepared: PreparedStructure, framework: np.ndarray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Smallest covalent ratio, distance and clearance to a framework cation, for every anion."""
    atoms, is_anion = prepared.atoms, prepared.roles.is_anion
    smallest = [np.where(is_anion, np.inf, np.nan) for _ in range(3)]
    if not framework.any():
        return smallest[0], smallest[1], smallest[2]
    _lower(smallest, prepared, prepared.neighbors, pairs_between(prepared, ANION, FRAMEWORK))
    # Beyond the shared list: only anions without any framework cation within its reach.
    remote = np.flatnonzero(is_anion & ~np.isfinite(smallest[1]))
    if len(remote):
        far = neighbor_list(atoms.lattice, atoms.frac, _FAR_A, remote)
        _lower(smallest, prepared, far, np.arange(len(far.center)))
    return smallest[0], smallest[1], smallest[2]


def _lower(
    smallest: list[FloatArray],
    prepared: PreparedStructure,
    pairs: NeighborList,
    from_anions: IntArray,
) -> None:
    """Lower ratio, distance and clearance of each anion to those of the pairs given."""
    to_m = from_anions[framework_cations(prepared)[pairs.neighbor[from_anions]]]
    center, distance = pairs.center[to_m], pairs.distance_A[to_m]
    if not len(to_m):
        return
    total = covalent_sums_A(prepared.atoms.z, pairs)[to_m]
    # Pairs are in order of their centres.
    first = np.concatenate([[0], (center[1:] != center[:-1]).nonzero()[0] + 1])
    found = (distance / total, distance, distance - BOND_RATIO * total)
    for lowest, per_pair in zip(smallest, found, strict=True):
        # fmin: a cation without a covalent radius gives no ratio, its distance still counts.
        per_anion = np.fmin.reduceat(per_pair, first)
        lowest[center[first]] = np.fmin(lowest[center[first]], per_anion)


@once_per_structure
def cage_contacts(prepared: PreparedStructure) -> IntArray:
    """Pairs of the neighbour list from an anion (centre) to a mobile ion of its shell (neighbour).

    The shell reaches to :data:`CAGE_RATIO` × the covalent radius sum.
    """
    near = pairs_between(prepared, ANION, MOBILE)
    return near[covalent_ratios(prepared, near) <= CAGE_RATIO]


def _mobile_coordination(prepared: PreparedStructure) -> FloatArray:
    pairs, roles, near = prepared.neighbors, prepared.roles, cage_contacts(prepared)
    weights = prepared.atoms.occupancy[pairs.neighbor[near]]
    count = np.bincount(pairs.center[near], weights=weights, minlength=len(roles.is_anion))
    return np.where(roles.is_anion, count, np.nan)
