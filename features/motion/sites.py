"""Where mobile ions sit: nearest-site assignment, site entropy, coordination breadth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import xlogy

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray

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
    It does not rank conductors: over six argyrodites at 500 K its Spearman correlation with the
    mean squared displacement is 0.09.

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
    return float(-(f / f.sum() * (xlogy(p, p) + xlogy(1 - p, 1 - p))).sum())


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


def occupation_by_type(
    assignment: IntArray, site_types: Sequence[object]
) -> tuple[list[object], FloatArray, FloatArray]:
    """Mean number of ions on a site of each type, and how many sites each type has.

    Parameters
    ----------
    assignment : int array (n_frames, n_ions)
        From :func:`nearest_sites`.
    site_types : sequence, length n_sites
        Type of each site.

    Returns
    -------
    types : list
    occupation, n_sites : arrays (n_types,)
    """
    labels = np.array([str(t) for t in site_types])
    counts = np.bincount(assignment.ravel(), minlength=len(labels)) / len(assignment)
    types = sorted(set(labels.tolist()))
    number = np.array([float((labels == t).sum()) for t in types])
    total = np.array([float(counts[labels == t].sum()) for t in types])
    return list(types), total / number, number


def occupied_fraction(assignment: IntArray, n_sites: int) -> FloatArray:
    """Share of frames in which each site holds at least one ion, shape (n_sites,).

    Parameters
    ----------
    assignment : int array (n_frames, n_ions)
    n_sites : int
    """
    occupied = np.zeros(n_sites)
    for frame in assignment:
        occupied[np.unique(frame)] += 1.0
    return occupied / len(assignment)


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
