"""Where mobile ions sit: nearest-site assignment, site entropy, coordination breadth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree
from scipy.special import xlogy

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from ..core.neighbors import neighbor_list

ENVIRONMENT_A: Final[float] = 0.35
"""Sites whose distances to the framework differ by less are of one type: mean places of a run
scatter by 0.1–0.2 Å, distinct sites of a crystal differ by half an ångström and more."""
_ENVIRONMENT_REACH_A: Final[float] = 6.0
_ENVIRONMENT_COUNT: Final[int] = 6

_CHUNK_FRAMES: Final[int] = 256
_IMAGE_MARGIN: Final[float] = 0.6


def site_entropy(occupation: FloatArray, weights: FloatArray) -> float:
    """Configurational entropy of partially occupied sites, Wood 2021 eq. 3.1, in k_B a site.

    S = −Σ f_i [P_i ln P_i + (1 − P_i) ln(1 − P_i)]

    Parameters
    ----------
    occupation : array (n_types,)
        Probability P_i that a site of type i is occupied, 0 to 1.
    weights : array (n_types,)
        Number of sites of each type (or any multiple); normalised to f_i here.

    Returns
    -------
    float
        Between 0 and ln 2.

    Raises
    ------
    FeatureError
        If a probability lies outside of 0 to 1.

    Notes
    -----
    The sum runs over site *types* (crystallographic orbits), not over single sites: a site that
    one ion never leaves has P = 1 and no entropy of its own, while its type may be half full. What
    a run that is too short to visit all sites tells about single sites is
    :func:`per_site_entropy`.

    Examples
    --------
    Li2B12H12, tetrahedral, trigonal and linear sites 2, 8 and 6 an anion (Wood 2021, section 3a):

    >>> round(site_entropy(np.array([0.14, 0.14, 0.10]), np.array([2.0, 8.0, 6.0])), 3)
    0.375
    """
    p, f = np.asarray(occupation, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if p.shape != f.shape or (p < 0).any() or (p > 1.0 + 1e-9).any() or f.sum() <= 0:
        raise FeatureError(
            f"site occupations must lie in 0…1 with one weight each, got {p} and {f}; "
            "a site that holds more than one ion stands for several sites"
        )
    p = np.minimum(p, 1.0)
    return abs(float((f / f.sum() * (xlogy(p, p) + xlogy(1 - p, 1 - p))).sum()))


def nearest_sites(frac: FloatArray, sites_frac: FloatArray, lattice: FloatArray) -> IntArray:
    """Index of the nearest site of every ion in every frame.

    Parameters
    ----------
    frac : array (n_frames, n_ions, 3)
        Fractional coordinates, framework at rest.
    sites_frac : array (n_sites, 3)
        Site positions, fractional.
    lattice : array (3, 3), Å
        Mean cell, rows are the vectors.

    Returns
    -------
    int array (n_frames, n_ions)
    """
    tree, owner = _periodic_tree(sites_frac, lattice)
    out = np.empty(frac.shape[:2], dtype=np.int64)
    for start in range(0, len(frac), _CHUNK_FRAMES):
        block = np.asarray(frac[start : start + _CHUNK_FRAMES])
        found = tree.query((block - np.floor(block)) @ lattice)[1]
        out[start : start + _CHUNK_FRAMES] = owner[found]
    return out


def _periodic_tree(sites_frac: FloatArray, lattice: FloatArray) -> tuple[cKDTree, IntArray]:
    sites = np.asarray(sites_frac, dtype=np.float64)
    if sites.ndim != 2 or sites.shape[1] != 3 or not len(sites):
        raise FeatureError(f"sites must be (n_sites, 3) with at least one, got {sites.shape}")
    sites = sites - np.floor(sites)
    shifts = np.array(list(np.ndindex(3, 3, 3))) - 1
    images = (sites[None] + shifts[:, None]).reshape(-1, 3)
    near = ((images > -_IMAGE_MARGIN) & (images < 1.0 + _IMAGE_MARGIN)).all(axis=1)
    owner = np.tile(np.arange(len(sites)), len(shifts))[near]
    return cKDTree(images[near] @ lattice), owner


@dataclass(frozen=True, eq=False, kw_only=True)
class TypeOccupation:
    """How full the sites of each type are.

    Attributes
    ----------
    kind : tuple of str
    n_sites : array (n_types,)
    mean : array (n_types,)
        Mean number of ions on a site, P_i. Σ P_i n_i is the number of ions.
    multiply : array (n_types,)
        Mean number of ions on a site beyond the first: not 0 where one site stands for several.
    """

    kind: tuple[str, ...]
    n_sites: FloatArray
    mean: FloatArray
    multiply: FloatArray


def occupation_by_type(assignment: IntArray, site_types: Sequence[str]) -> TypeOccupation:
    """Occupation of the sites of each type.

    Parameters
    ----------
    assignment : int array (n_frames, n_ions)
        From :func:`nearest_sites`.
    site_types : sequence, length n_sites
        Type of each site.
    """
    kinds = tuple(sorted(set(site_types), key=_natural))
    number = np.array([kinds.index(t) for t in site_types])
    ions = np.bincount(assignment.ravel(), minlength=len(number)) / len(assignment)
    extra = ions - occupied_fraction(assignment, len(number))
    n_sites = np.bincount(number).astype(np.float64)
    return TypeOccupation(
        kind=kinds,
        n_sites=n_sites,
        mean=np.bincount(number, ions) / n_sites,
        multiply=np.bincount(number, extra) / n_sites,
    )


def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Order in which Li2 comes before Li10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((p.isdigit(), int(p) if p.isdigit() else 0, p) for p in parts)


def per_site_entropy(assignment: IntArray, n_sites: int) -> float:
    """Mean entropy of single sites by the share of frames in which each is occupied, k_B a site.

    Unlike eq. 3.1 it falls to 0 where ions stay, so it depends on how long the run is against the
    residence time: a measure of mixing within the run, not of the crystal.
    """
    return site_entropy(occupied_fraction(assignment, n_sites), np.ones(n_sites))


def types_by_environment(
    sites_frac: FloatArray,
    host_frac: FloatArray,
    host_species: Sequence[str],
    lattice: FloatArray,
    tolerance_A: float = ENVIRONMENT_A,
) -> IntArray:
    """Group sites whose distances to the framework agree.

    Parameters
    ----------
    sites_frac : array (n_sites, 3)
    host_frac : array (n_host, 3)
        Mean places of the framework atoms.
    host_species : sequence of str, length n_host
    lattice : array (3, 3), Å
    tolerance_A : float
        Root-mean-square difference of the six shortest distances to each element, Å, within a type
        (average linkage).

    Returns
    -------
    int array (n_sites,)
        Number of the type, in order of first appearance; all 0 without a framework.
    """
    elements = sorted(set(host_species))
    if not elements or len(sites_frac) < 2:
        return np.zeros(len(sites_frac), dtype=np.int64)
    vectors = np.hstack(
        [_shortest(sites_frac, host_frac[np.array(host_species) == e], lattice) for e in elements]
    )
    tree = linkage(vectors / np.sqrt(vectors.shape[1]), "average")
    label = fcluster(tree, tolerance_A, "distance")
    order = {old: new for new, old in enumerate(dict.fromkeys(label.tolist()))}
    return np.array([order[k] for k in label.tolist()], dtype=np.int64)


def _shortest(sites: FloatArray, hosts: FloatArray, lattice: FloatArray) -> FloatArray:
    """The shortest distances from each site, ascending, up to a cutoff that fills what is left."""
    points = np.concatenate([sites, hosts])
    pairs = neighbor_list(
        lattice, points - np.floor(points), _ENVIRONMENT_REACH_A, np.arange(len(sites))
    )
    out = np.full((len(sites), _ENVIRONMENT_COUNT), _ENVIRONMENT_REACH_A)
    for site in range(len(sites)):
        own = pairs.of(site)
        distance = pairs.distance_A[own][pairs.neighbor[own] >= len(sites)]
        distance = distance[:_ENVIRONMENT_COUNT]
        out[site, : len(distance)] = distance
    return out


def occupied_fraction(assignment: IntArray, n_sites: int) -> FloatArray:
    """Share of frames in which each site holds at least one ion, shape (n_sites,).

    Parameters
    ----------
    assignment : int array (n_frames, n_ions)
    n_sites : int
    """
    ordered = np.sort(assignment, axis=1)
    first = np.ones(ordered.shape, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return np.bincount(ordered[first], minlength=n_sites) / len(assignment)


def coordination_numbers(
    frac: FloatArray,
    lattice: FloatArray,
    centres: IntArray,
    neighbours: IntArray,
    cutoff_A: float,
) -> IntArray:
    """Number of neighbours within a cutoff of each centre, frame by frame.

    Parameters
    ----------
    frac : array (n_frames, n_atoms, 3)
    lattice : array (3, 3), Å
    centres, neighbours : int arrays
        Atom indices.
    cutoff_A : float
        Å; must be below half of the smallest cell height (nearest images only).

    Returns
    -------
    int array (n_frames, n_centres)
        Its mean and standard deviation are the coordination number and its breadth.

    Raises
    ------
    FeatureError
        If the cutoff exceeds half of the cell.
    """
    heights = abs(np.linalg.det(lattice)) / np.linalg.norm(
        np.cross(lattice[[1, 2, 0]], lattice[[2, 0, 1]]), axis=1
    )
    if cutoff_A > 0.5 * heights.min():
        raise FeatureError(
            f"cutoff {cutoff_A} Å exceeds half of the cell height {heights.min():.2f} Å"
        )
    out = np.empty((len(frac), len(centres)), dtype=np.int64)
    for number, frame in enumerate(frac):
        apart = frame[centres][:, None] - frame[neighbours][None]
        apart -= np.rint(apart)
        out[number] = (np.linalg.norm(apart @ lattice, axis=2) < cutoff_A).sum(axis=1)
    return out
