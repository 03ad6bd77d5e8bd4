"""The periodic net of isolated anions: how far apart, and in how many dimensions connected.

Yang 2025 (10.1038/s41524-025-01559-9) quotes one "distance between isolated anions", which is not
one quantity: for Li8SiSe6 (P6_3cm) its 6.93 Å is where the net becomes three-dimensional, while
the nearest pair is 4.07 Å apart. Here the net carries image vectors, and the distances at which
it percolates in 1, 2 and 3 dimensions come from the rank of its cycle translations. Cages around
two isolated anions X and Y touch at the critical distance 2 r_mobile + r_X + r_Y (Slater radii),
which is Yang's 2 (r_Li + r_X) where both are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER, SYMBOLS
from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from ..core.elements import covalent_radii_A, slater_radii_A
from ..core.periodic import half_pairs, heights_A, percolation_edges
from ..core.prepared import PreparedStructure, once_per_structure
from .definition import FRAMEWORK_OCCUPANCY, find_isolated_anions

_SAME_SITE_RATIO: Final[float] = 0.55
_ROUNDING: Final[float] = 1e-9


@dataclass(frozen=True, kw_only=True)
class AnionNet:
    """The net of the isolated anions of one element, or of all (``element`` empty).

    Attributes
    ----------
    element : str
    n_nodes : int
        Points of the net in the cell given.
    nearest_A, percolation_1d_A, percolation_2d_A, percolation_3d_A : float, Å
        Shortest distance, and those at which the net percolates.
    dimension : int
        In how many dimensions the net percolates at the critical distance.
    cage_score : float
        Largest scale at which cages of radius (r_mobile + r_X) / scale still connect in three
        dimensions: above 1, cages overlap throughout the crystal.
    """

    element: str
    n_nodes: int
    nearest_A: float
    percolation_1d_A: float
    percolation_2d_A: float
    percolation_3d_A: float
    dimension: int
    cage_score: float


@once_per_structure
def isolated_nets(prepared: PreparedStructure) -> dict[str, AnionNet]:
    """Nets of the isolated anions: ``""`` for all together, then one per element.

    An element's net holds the sites where it occupies at least one tenth; of several isolated
    species on one site, all together counts the site once. Empty without isolated anions.
    """
    atoms, chosen = prepared.atoms, _members(prepared)
    if not chosen.any():
        return {}
    nets = {"": _net(prepared, _one_per_site(prepared, chosen), "")}
    for z in np.unique(atoms.z[chosen]):
        symbol = SYMBOLS[z - 1]
        nets[symbol] = _net(prepared, np.flatnonzero(chosen & (atoms.z == z)), symbol)
    return nets


@dataclass(frozen=True, eq=False)
class CriticalNet:
    """Which isolated anions lie within the critical distance 2 r_mobile + r_X + r_Y of each other.

    Attributes
    ----------
    nodes : int array (n_nodes,)
        Atoms, one per site.
    edges : int array (n_edges, 5)
        Positions i and j in ``nodes`` and the lattice translation of j, each pair once.
    distance_A : array (n_edges,), Å
    cage_radius_A : array (n_nodes,), Å
        r_mobile + r_X: cages of this radius touch at the critical distance.
    """

    nodes: IntArray
    edges: IntArray
    distance_A: FloatArray
    cage_radius_A: FloatArray


def critical_net(prepared: PreparedStructure) -> CriticalNet:
    """The net of all isolated anions at the critical distance, edge by edge.

    Raises
    ------
    FeatureError
        If an isolated anion has no Slater radius.
    """
    atoms = prepared.atoms
    nodes = _one_per_site(prepared, _members(prepared))
    if not len(nodes):
        return CriticalNet(nodes, np.empty((0, 5), np.int64), np.empty(0), np.empty(0))
    reach = _reach_A(prepared, nodes)
    edges, distance = half_pairs(
        atoms.lattice, heights_A(atoms.lattice), atoms.frac[nodes], float(2 * reach.max()) + 1e-6
    )
    critical = reach[edges[:, 0]] + reach[edges[:, 1]]
    near = (distance <= critical * (1.0 + _ROUNDING)) & _apart(prepared, nodes, edges, distance)
    return CriticalNet(nodes, edges[near], distance[near], reach)


def _members(prepared: PreparedStructure) -> np.ndarray:
    """Isolated anions on at least one in ten of their sites, bool array (n_atoms,)."""
    occupied = prepared.atoms.occupancy >= FRAMEWORK_OCCUPANCY
    return np.asarray(find_isolated_anions(prepared).is_isolated & occupied)


def _reach_A(prepared: PreparedStructure, nodes: IntArray) -> FloatArray:
    """r_mobile + r_X of each node, Å."""
    atoms, radii = prepared.atoms, slater_radii_A()
    reach = radii[atoms.z[nodes]] + radii[ATOMIC_NUMBER[prepared.roles.mobile]]
    if not np.isfinite(reach).all():
        raise FeatureError(f"{atoms.id}: no Slater radius is known for an isolated anion")
    return np.asarray(reach)


def _apart(
    prepared: PreparedStructure, nodes: IntArray, edges: IntArray, distance: FloatArray
) -> np.ndarray:
    """False for alternatives of one split site: one node in space, no pair."""
    smallest = _SAME_SITE_RATIO * covalent_radii_A()[prepared.atoms.z[nodes]]
    return np.asarray(distance > smallest[edges[:, 0]] + smallest[edges[:, 1]])


def _one_per_site(prepared: PreparedStructure, chosen: np.ndarray) -> IntArray:
    """The most abundant chosen atom of each site (the lower atomic number where equal)."""
    atoms = prepared.atoms
    members = np.flatnonzero(chosen)
    order = np.lexsort((atoms.z[members], -atoms.occupancy[members], atoms.site[members]))
    _, first = np.unique(atoms.site[members][order], return_index=True)
    return np.asarray(members[order[first]], dtype=np.int64)


def _net(prepared: PreparedStructure, nodes: IntArray, element: str) -> AnionNet:
    atoms, reach = prepared.atoms, _reach_A(prepared, nodes)
    cutoff = 2.0 * (atoms.volume_A3 / len(nodes)) ** (1 / 3)
    # Any periodic net is three-dimensional at some distance, so the search ends.
    while True:
        edges, distance = half_pairs(
            atoms.lattice, heights_A(atoms.lattice), atoms.frac[nodes], cutoff
        )
        # Alternatives of one split site are joined, but are no "nearest pair".
        apart = _apart(prepared, nodes, edges, distance)
        scale = distance / (reach[edges[:, 0]] + reach[edges[:, 1]])
        by_distance = _thresholds(len(nodes), edges, distance)
        by_scale = _thresholds(len(nodes), edges, scale)
        # Ordered by scale, the list is complete only up to the largest pair of radii.
        if apart.any() and by_scale[2] <= cutoff / (2 * reach.max()):
            break
        cutoff *= 1.5
    return AnionNet(
        element=element,
        n_nodes=len(nodes),
        nearest_A=float(distance[apart].min()),
        percolation_1d_A=float(by_distance[0]),
        percolation_2d_A=float(by_distance[1]),
        percolation_3d_A=float(by_distance[2]),
        dimension=int((by_scale <= 1.0 + _ROUNDING).sum()),
        cage_score=float(1.0 / by_scale[2]),
    )


def _thresholds(n_nodes: int, edges: IntArray, length: FloatArray) -> FloatArray:
    """Length at which the net percolates in 1, 2, 3 dimensions; infinite where it does not."""
    order = np.argsort(length, kind="stable")
    reached = percolation_edges(n_nodes, edges[order])
    return np.where(reached >= 0, np.append(length[order], np.inf)[reached], np.inf)
