"""Structural frustration (Wood 2021 §3, 10.1098/rsta.2019.0467) and static proxies of dynamics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import entr

from ...data.records import FloatArray, IntArray
from ..core.atoms import Atoms, weighted_mean, weighted_spread
from ..core.columns import Values
from ..core.neighbors import NeighborList
from ..core.periodic import component_ranks
from ..core.prepared import PreparedStructure, n_primitive_cells
from ..core.roles import covalent_contact
from ..isolated.definition import find_isolated_anions, framework_bonds, framework_cations
from .chemical import first_shell, pair_valences_e


def site_occupancy_entropy_kB(
    occupancy: Sequence[float] | FloatArray, n_sites: Sequence[float] | FloatArray | None = None
) -> float:
    """Configurational entropy per site, Wood 2021 eq. 3.1.

    S = −k_B Σ f_i [P_i ln P_i + (1 − P_i) ln(1 − P_i)], f_i the share of sites of type i.

    Parameters
    ----------
    occupancy : array (n_types,)
        Occupation probability P_i of each type of site, 0 to 1.
    n_sites : array (n_types,), optional
        Sites of each type; one of each by default.

    Returns
    -------
    float
        Entropy per site in units of k_B, 0 to ln 2.

    Examples
    --------
    Li2B12H12 with 3, 22 and 3 % on its 2 tetrahedral, 8 trigonal and 6 linear sites per anion:

    >>> round(site_occupancy_entropy_kB([0.03, 0.22, 0.03], [2, 8, 6]), 4)
    0.3308
    """
    p = np.asarray(occupancy, dtype=np.float64)
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"occupancies must lie between 0 and 1, got {p.tolist()}")
    share = np.ones_like(p) if n_sites is None else np.asarray(n_sites, dtype=np.float64)
    return weighted_mean(entr(p) + entr(1 - p), share)


def occupancy_values(prepared: PreparedStructure) -> Values:
    """Eq. 3.1 over the mobile sites, share of partial ones, and mixing entropies."""
    atoms, roles = prepared.atoms, prepared.roles
    mobile = atoms.occupancy[roles.is_mobile]
    partial = mobile < 0.999
    host, anion = ~roles.is_mobile, roles.is_anion
    by_element = np.bincount(atoms.z[anion], weights=atoms.occupancy[anion])
    share = by_element / by_element.sum()
    return {
        # Occupancies printed as 0.999 mean 1: no entropy from rounding.
        "occupancy_entropy_kB": site_occupancy_entropy_kB(np.where(partial, mobile, 1.0)),
        "mobile_partial_fraction": float(mobile[partial].sum() / mobile.sum()),
        "anion_mixing_entropy_kB": float(entr(share).sum()),
        "host_site_mixing_entropy_kB": _site_mixing_entropy_kB(atoms, host),
        "anion_site_mixing_entropy_kB": _site_mixing_entropy_kB(atoms, anion),
    }


def _site_mixing_entropy_kB(atoms: Atoms, chosen: np.ndarray) -> float:
    """Mean over the sites of −Σ P ln P of the chosen species and of what is left empty."""
    # Full atoms have no entropy.
    if not chosen.any() or (atoms.occupancy == 1.0).all():
        return 0.0
    sites = atoms.site[chosen]
    p = atoms.occupancy[chosen]
    entropy = np.bincount(sites, weights=entr(p))
    taken = np.bincount(atoms.site, weights=atoms.occupancy, minlength=len(entropy))
    rest = np.clip(1.0 - taken[: len(entropy)], 0.0, 1.0)
    entropy += entr(np.where(rest > 1e-3, rest, 0.0))
    return float(entropy[np.unique(sites)].mean())


def coordination_values(prepared: PreparedStructure) -> Values:
    """Breadth of coordination numbers and distortion of the polyhedra of mobile ions."""
    atoms, roles, pairs = prepared.atoms, prepared.roles, prepared.neighbors
    around = find_isolated_anions(prepared).mobile_coordination[roles.is_anion]
    values: Values = {
        "anion_coordination_breadth": weighted_spread(around, atoms.occupancy[roles.is_anion])
    }
    shell = first_shell(prepared)
    if not len(shell):
        return values
    center, share = pairs.center[shell], atoms.occupancy[pairs.neighbor[shell]]
    mobile, n = roles.is_mobile, len(atoms.z)
    count = np.bincount(center, weights=share, minlength=n).astype(np.float64)
    values["mobile_coordination_mean"] = float(
        weighted_mean(count[mobile], atoms.occupancy[mobile])
    )
    values["mobile_coordination_breadth"] = weighted_spread(count[mobile], atoms.occupancy[mobile])
    return values | _polyhedron_values(prepared, shell, count)


def _polyhedron_values(prepared: PreparedStructure, shell: IntArray, count: FloatArray) -> Values:
    atoms, pairs = prepared.atoms, prepared.neighbors
    center, neighbor, n = pairs.center[shell], pairs.neighbor[shell], len(count)
    share, distance = atoms.occupancy[neighbor], pairs.distance_A[shell]
    filled = count > 0
    mean = np.bincount(center, weights=share * distance, minlength=n)[filled] / count[filled]
    length = np.zeros(n)
    length[filled] = mean
    spread = np.bincount(center, weights=share * np.abs(distance - length[center]), minlength=n)
    vector = (atoms.frac[neighbor] + pairs.image[shell] - atoms.frac[center]) @ atoms.lattice
    offset = [np.bincount(center, weights=share * vector[:, k], minlength=n) for k in range(3)]
    weight = atoms.occupancy[filled]
    return {
        "mobile_polyhedron_distortion": float(
            weighted_mean(spread[filled] / count[filled] / mean, weight)
        ),
        "mobile_off_center_A": float(
            weighted_mean(np.linalg.norm(offset, axis=0)[filled] / count[filled], weight)
        ),
    }


class HostUnits(NamedTuple):
    """Bonded units of the host: framework cations, their anions, and polyanions."""

    unit: IntArray
    """Unit of each site of the record; −1 where it is no host site."""
    dimension: IntArray
    """In how many dimensions the unit of each site is endless: 0 is a finite one."""
    sharing: IntArray
    """Framework cation sites bonded to the anion on each site."""


def host_units(prepared: PreparedStructure) -> HostUnits:
    """Units that hold together by bonds: M–X bonds, polyanion bonds X–X, and M–M contacts."""
    pairs, atoms = prepared.neighbors, prepared.atoms
    n_sites = prepared.record.n_sites
    bonds = framework_bonds(prepared)
    chosen = np.concatenate([bonds, _contacts(prepared, pairs)])
    edges = np.column_stack(
        [atoms.site[pairs.center[chosen]], atoms.site[pairs.neighbor[chosen]], pairs.image[chosen]]
    )
    unit, dimension = component_ranks(n_sites, np.ascontiguousarray(edges))
    # One cation site counts once for an anion, whatever it is mixed from and however often bonded.
    shared = np.column_stack(
        [atoms.site[pairs.neighbor[bonds]], atoms.site[pairs.center[bonds]], -pairs.image[bonds]]
    )
    distinct = set(map(tuple, shared.tolist()))
    sharing = np.bincount(np.array([row[0] for row in distinct], dtype=np.int64), minlength=n_sites)
    is_host = np.zeros(n_sites, dtype=bool)
    is_host[atoms.site[framework_cations(prepared) | prepared.roles.is_anion]] = True
    return HostUnits(np.where(is_host, unit, -1), dimension, sharing)


def _contacts(prepared: PreparedStructure, pairs: NeighborList) -> IntArray:
    """Covalent contacts between two anions or between two framework cations."""
    cation, anion = framework_cations(prepared), prepared.roles.is_anion
    contact = covalent_contact(prepared.atoms, pairs).nonzero()[0]
    i, j = pairs.center[contact], pairs.neighbor[contact]
    return contact[(cation[i] & cation[j]) | (anion[i] & anion[j])]


def rotation_values(prepared: PreparedStructure) -> Values:
    """Polyanions free to rotate, dimension of the framework, and how stiffly it is bonded."""
    atoms, units = prepared.atoms, host_units(prepared)
    is_host = units.unit >= 0
    size = np.bincount(units.unit[is_host], minlength=prepared.record.n_sites)
    tied = np.bincount(units.unit[is_host], weights=units.sharing[is_host] > 1, minlength=len(size))
    # Rotatable: finite, of more than one site, no anion shared between two framework cations.
    free = is_host & (units.dimension == 0) & (size[units.unit] > 1) & (tied[units.unit] == 0)
    cation = np.bincount(
        atoms.site,
        weights=atoms.occupancy * framework_cations(prepared),
        minlength=prepared.record.n_sites,
    )
    values: Values = {
        "rotatable_polyanion_count": _unit_count(units.unit[free], cation[free])
        / n_primitive_cells(prepared),
        "framework_dimension": float(units.dimension[is_host].max()),
    }
    if cation.any():
        values["rotatable_cation_fraction"] = float(cation[free].sum() / cation.sum())
    return values | _stiffness_values(prepared)


def _unit_count(unit: IntArray, cation: FloatArray) -> float:
    """Number of units, each weighted by the mean occupancy of its framework cations."""
    count = 0.0
    for one in np.unique(unit):
        occupied = cation[(unit == one) & (cation > 0)]
        count += float(occupied.mean()) if len(occupied) else 1.0
    return count


def _stiffness_values(prepared: PreparedStructure) -> Values:
    bonds, atoms, pairs = framework_bonds(prepared), prepared.atoms, prepared.neighbors
    if not len(bonds):
        return {}
    share = atoms.occupancy[pairs.center[bonds]] * atoms.occupancy[pairs.neighbor[bonds]]
    valence = pair_valences_e(prepared)[bonds]
    return {
        "framework_bond_valence_mean_e": weighted_mean(valence, share),
        "framework_bond_valence_density_e_A3": float((share * valence).sum()) / atoms.volume_A3,
    }
