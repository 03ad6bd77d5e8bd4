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

from ..data.records import FloatArray
from .elements import covalent_radii_A
from .neighbors import neighbor_list
from .prepared import PreparedStructure

COVALENT_RATIO: Final[float] = 1.25
SHELL_RATIO: Final[float] = 1.30
AMBIGUOUS: Final[tuple[float, float]] = (1.15, 1.40)
FRAMEWORK_OCCUPANCY: Final[float] = 0.10
"""A framework cation on fewer than one in ten of its sites does not bond an anion in general."""

IsolatedClass = Literal["framework", "antistructure", "none"]

_FAR_A = 14.0


@dataclass(frozen=True, eq=False)
class IsolatedAnions:
    """Per-atom result; arrays have one entry per atom, NaN or False where it is no anion.

    Attributes
    ----------
    is_isolated : bool array (n_atoms,)
    margin : array (n_atoms,)
        Smallest d(M–X) / covalent sum; infinity without framework cations.
    nearest_framework_cation_A : array (n_atoms,), Å
    is_ambiguous : bool array (n_atoms,)
        Margin between 1.15 and 1.40.
    mobile_coordination : array (n_atoms,)
        Mobile ions within 1.25 × the covalent sum, weighted by occupancy.
    isolated_class : {'framework', 'antistructure', 'none'}
        ``antistructure``: no framework cation at all, every anion is trivially isolated.
    """

    is_isolated: np.ndarray
    margin: FloatArray
    nearest_framework_cation_A: FloatArray
    is_ambiguous: np.ndarray
    mobile_coordination: FloatArray
    isolated_class: IsolatedClass


def find_isolated_anions(prepared: PreparedStructure) -> IsolatedAnions:
    """Apply the definition above to a prepared structure."""
    roles = prepared.roles
    framework = roles.is_framework_cation & (prepared.atoms.occupancy >= FRAMEWORK_OCCUPANCY)
    bonded = _bonded_to_framework(prepared, framework)
    isolated = roles.is_anion & ~bonded & ~roles.in_polyanion
    margin, nearest = _margins(prepared, framework)
    ambiguous = roles.is_anion & (margin >= AMBIGUOUS[0]) & (margin <= AMBIGUOUS[1])
    return IsolatedAnions(
        isolated,
        margin,
        nearest,
        ambiguous,
        _mobile_coordination(prepared),
        _class_of(framework, isolated),
    )


def _class_of(framework: np.ndarray, isolated: np.ndarray) -> IsolatedClass:
    if not isolated.any():
        return "none"
    return "framework" if framework.any() else "antistructure"


def _ratios(prepared: PreparedStructure) -> FloatArray:
    """Distance over covalent radius sum for every pair."""
    radii, pairs, z = covalent_radii_A(), prepared.neighbors, prepared.atoms.z
    return pairs.distance_A / (radii[z[pairs.center]] + radii[z[pairs.neighbor]])


def _bonded_to_framework(prepared: PreparedStructure, framework: np.ndarray) -> np.ndarray:
    pairs, is_anion = prepared.neighbors, prepared.roles.is_anion
    # Pairs seen from the cation, so that its nearest anion is known.
    m_to_x = framework[pairs.center] & is_anion[pairs.neighbor]
    m, x, distance = pairs.center[m_to_x], pairs.neighbor[m_to_x], pairs.distance_A[m_to_x]
    nearest = np.full(len(is_anion), np.inf)
    np.minimum.at(nearest, m, distance)
    bond = (_ratios(prepared)[m_to_x] <= COVALENT_RATIO) | (distance <= SHELL_RATIO * nearest[m])
    bonded = np.zeros(len(is_anion), dtype=bool)
    bonded[x[bond]] = True
    return bonded


def _margins(prepared: PreparedStructure, framework: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Smallest covalent ratio and distance to a framework cation, for every anion."""
    pairs, is_anion = prepared.neighbors, prepared.roles.is_anion
    x_to_m = is_anion[pairs.center] & framework[pairs.neighbor]
    margin = np.where(is_anion, np.inf, np.nan)
    nearest = margin.copy()
    np.minimum.at(margin, pairs.center[x_to_m], _ratios(prepared)[x_to_m])
    np.minimum.at(nearest, pairs.center[x_to_m], pairs.distance_A[x_to_m])
    # Beyond the shared list: only anions without any framework cation within its reach.
    remote = np.flatnonzero(is_anion & ~np.isfinite(nearest))
    if framework.any() and len(remote):
        _fill_remote(prepared, framework, remote, margin, nearest)
    return margin, nearest


def _fill_remote(
    prepared: PreparedStructure,
    framework: np.ndarray,
    remote: np.ndarray,
    margin: FloatArray,
    nearest: FloatArray,
) -> None:
    atoms, radii = prepared.atoms, covalent_radii_A()
    far = neighbor_list(atoms.lattice, atoms.frac, _FAR_A, remote)
    to_m = framework[far.neighbor]
    center, neighbor, distance = far.center[to_m], far.neighbor[to_m], far.distance_A[to_m]
    total = radii[atoms.z[center]] + radii[atoms.z[neighbor]]
    np.minimum.at(margin, center, distance / total)
    np.minimum.at(nearest, center, distance)


def _mobile_coordination(prepared: PreparedStructure) -> FloatArray:
    pairs, roles = prepared.neighbors, prepared.roles
    near = roles.is_anion[pairs.center] & roles.is_mobile[pairs.neighbor]
    near &= _ratios(prepared) <= COVALENT_RATIO
    weights = prepared.atoms.occupancy[pairs.neighbor[near]]
    count = np.bincount(pairs.center[near], weights=weights, minlength=len(roles.is_anion))
    return np.where(roles.is_anion, count, np.nan)
