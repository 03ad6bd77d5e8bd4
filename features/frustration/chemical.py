"""Chemical frustration (Wood 2021, 10.1098/rsta.2019.0467): competing bonds of mobile ions."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from ...data.elements import SYMBOLS
from ...data.records import FloatArray, IntArray
from ..core.atoms import weighted_mean, weighted_spread
from ..core.columns import Notes, Values
from ..core.elements import ANION_POLARIZABILITY_A3, bond_valence_table
from ..core.neighbors import covalent_sums_A
from ..core.prepared import (
    ANION,
    MOBILE,
    PreparedStructure,
    once_per_structure,
    pair_roles,
    pairs_between,
)
from ..core.roles import pair_valence_e
from ..isolated.definition import CAGE_RATIO, framework_bonds, framework_cations
from ..isolated.site_symmetry import host_site_symmetry

IDEAL_ORDER: Final[dict[int, int]] = {3: 12, 4: 24, 5: 12, 6: 48, 8: 48, 9: 12, 12: 48}
"""Group order of the ideal polyhedron by coordination number: triangle D3h, tetrahedron Td,
trigonal bipyramid D3h, octahedron Oh, cube Oh, tricapped prism D3h, cuboctahedron Oh."""

# By pair of roles: one of the two is an anion.
_OPPOSITE: Final = ((np.arange(16) // 4 == ANION) != (np.arange(16) % 4 == ANION)).copy()


@once_per_structure
def pair_valences_e(prepared: PreparedStructure) -> FloatArray:
    """Bond valence of every cation–anion pair, 0 for other pairs; distances as they are."""
    pairs, z = prepared.neighbors, prepared.atoms.z
    valence = np.zeros(len(pairs.center))
    chosen = _OPPOSITE[pair_roles(prepared)].nonzero()[0]
    i, j = pairs.center[chosen], pairs.neighbor[chosen]
    valence[chosen] = pair_valence_e(z[i], z[j], pairs.distance_A[chosen])
    return valence


@once_per_structure
def first_shell(prepared: PreparedStructure) -> IntArray:
    """Pairs of the neighbour list of a mobile ion with an anion of its cage ratio or nearer."""
    pairs, chosen = prepared.neighbors, pairs_between(prepared, MOBILE, ANION)
    total = covalent_sums_A(prepared.atoms.z, pairs)[chosen]
    return chosen[pairs.distance_A[chosen] <= CAGE_RATIO * total]


def bond_valence_values(prepared: PreparedStructure) -> Values:
    """Bond-valence sums of the mobile ions, their spread, and the global instability index."""
    pairs, atoms, roles = prepared.neighbors, prepared.atoms, prepared.roles
    valence = pair_valences_e(prepared)
    weights = valence * atoms.occupancy[pairs.neighbor]
    total = np.bincount(pairs.center, weights=weights, minlength=len(atoms.z)).astype(np.float64)
    mobile, weight = roles.is_mobile, atoms.occupancy
    misfit = (total - np.abs(roles.oxidation)) ** 2
    values: Values = {
        "mobile_bond_valence_mean_e": weighted_mean(total[mobile], weight[mobile]),
        "mobile_bond_valence_spread_e": weighted_spread(total[mobile], weight[mobile]),
        "global_instability_index_e": weighted_mean(misfit, weight) ** 0.5,
    }
    shell = first_shell(prepared)
    shell = shell[valence[shell] > 0]
    if len(shell):
        share = atoms.occupancy[pairs.center[shell]] * atoms.occupancy[pairs.neighbor[shell]]
        mean = weighted_mean(valence[shell], share)
        values["mobile_bond_variation"] = weighted_spread(valence[shell], share) / mean
    return values


def anion_character_values(prepared: PreparedStructure, notes: Notes) -> Values:
    """Polarisability and electronegativity of the anions, and contrast to framework cations."""
    atoms, is_anion = prepared.atoms, prepared.roles.is_anion
    z, weight = atoms.z[is_anion], atoms.occupancy[is_anion]
    x = bond_valence_table().electronegativity
    values: Values = {"anion_electronegativity_spread": weighted_spread(x[z], weight)}
    framework = prepared.roles.is_framework_cation
    if framework.any():
        cation = weighted_mean(x[atoms.z[framework]], atoms.occupancy[framework])
        values["framework_electronegativity_contrast"] = weighted_mean(x[z], weight) - cation
    alpha = _polarizabilities_A3()[z]
    if np.isnan(alpha).any():
        unknown = sorted({SYMBOLS[k - 1] for k in z[np.isnan(alpha)]})
        notes.append(f"frustration: no tabulated polarisability of {', '.join(unknown)}")
        return values
    return values | {
        "anion_polarizability_mean_A3": weighted_mean(alpha, weight),
        "anion_polarizability_max_A3": float(alpha.max()),
        "anion_polarizability_spread_A3": weighted_spread(alpha, weight),
    }


@lru_cache(maxsize=1)
def _polarizabilities_A3() -> FloatArray:
    """By atomic number, NaN where there is none."""
    known = [ANION_POLARIZABILITY_A3.get(symbol, np.nan) for symbol in SYMBOLS]
    return np.array([np.nan, *known])


def symmetry_mismatch_values(prepared: PreparedStructure) -> Values:
    """How much less symmetric cation sites are than their ideal polyhedron: ln of orders."""
    framework = np.flatnonzero(framework_cations(prepared))
    symmetry = host_site_symmetry(prepared)
    if not len(framework) or symmetry.reason:
        return {}
    bonds, atoms = framework_bonds(prepared), prepared.atoms
    # Alternatives on one site count once: bonds are weighted by the occupancy of the anion.
    pairs = prepared.neighbors
    weights = atoms.occupancy[pairs.neighbor[bonds]]
    coordination = np.bincount(pairs.center[bonds], weights=weights, minlength=len(atoms.z))
    ideal = np.array([IDEAL_ORDER.get(round(c), np.nan) for c in coordination[framework]])
    mismatch = np.log(ideal / symmetry.order[atoms.site[framework]])
    known = np.isfinite(mismatch)
    if not known.any():
        return {}
    weight = atoms.occupancy[framework][known]
    return {"polyanion_symmetry_mismatch": weighted_mean(mismatch[known], weight)}
