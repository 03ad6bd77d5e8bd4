"""Angles between mobile ions about an anion, and how far ions lie from their sites.

Wood 2021 (10.1098/rsta.2019.0467), Fig. 5: broad or many-peaked distributions of the
cation–anion–cation angle, and shallow wells around sites, mark a frustrated structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.records import FloatArray, IntArray
from .sites import nearest_sites

ANGLE_BIN_DEG: Final[float] = 5.0
_MAX_FRAMES: Final[int] = 400


@dataclass(frozen=True, eq=False, kw_only=True)
class PairAngles:
    """Angles at anions between two mobile ions, with the mean of the two distances.

    Attributes
    ----------
    angle_deg : array (n_pairs,)
    distance_A : array (n_pairs,)
    """

    angle_deg: FloatArray
    distance_A: FloatArray


def cation_anion_cation(
    centres_frac: FloatArray, ions_frac: FloatArray, lattice: FloatArray, cutoff_A: float
) -> PairAngles:
    """All angles between mobile ions within a cutoff of the same centre.

    Parameters
    ----------
    centres_frac : array (n_frames, n_centres, 3)
        Anions, or the centres of polyanions.
    ions_frac : array (n_frames, n_ions, 3)
    lattice : array (3, 3), Å
    cutoff_A : float
        Largest distance, Å; nearest images only.

    Returns
    -------
    PairAngles
        Of at most 400 evenly spaced frames.
    """
    angles, distances = [np.empty(0)], [np.empty(0)]
    for frame in _frames(len(ions_frac)):
        apart = ions_frac[frame][None] - centres_frac[frame][:, None]
        vectors = (apart - np.rint(apart)) @ lattice
        length = np.linalg.norm(vectors, axis=2)
        centre, ion = np.nonzero(length <= cutoff_A)
        left, right = _pairs_of_equal(centre)
        a, b = vectors[centre[left], ion[left]], vectors[centre[right], ion[right]]
        da, db = length[centre[left], ion[left]], length[centre[right], ion[right]]
        cosine = (a * b).sum(axis=1) / np.maximum(da * db, 1e-12)
        angles.append(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
        distances.append((da + db) / 2.0)
    return PairAngles(angle_deg=np.concatenate(angles), distance_A=np.concatenate(distances))


def _frames(n_frames: int) -> IntArray:
    return np.unique(np.linspace(0, n_frames - 1, min(n_frames, _MAX_FRAMES)).round().astype(int))


def _pairs_of_equal(group: IntArray) -> tuple[IntArray, IntArray]:
    """Index pairs i < j with equal entries of an ascending array."""
    left, right = np.triu_indices(len(group), 1)
    same = group[left] == group[right]
    return left[same], right[same]


def angle_map(
    pairs: PairAngles, edges_A: FloatArray, bin_deg: float = ANGLE_BIN_DEG
) -> tuple[FloatArray, FloatArray]:
    """Distribution of angles in each bin of distance.

    Parameters
    ----------
    pairs : PairAngles
    edges_A : array (n_r + 1,), Å
    bin_deg : float

    Returns
    -------
    middle_deg : array (n_angles,)
    density : array (n_r, n_angles), 1/degree
        Each row integrates to 1, or is 0 where there is no pair.
    """
    edges = np.arange(0.0, 180.0 + bin_deg / 2.0, bin_deg)
    counts = np.histogram2d(pairs.distance_A, pairs.angle_deg, (edges_A, edges))[0]
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return (edges[1:] + edges[:-1]) / 2.0, np.asarray(counts / total / bin_deg)


def distance_from_sites(
    frac: FloatArray, sites_frac: FloatArray, assignment: IntArray, lattice: FloatArray
) -> FloatArray:
    """Distance of every ion from its nearest site, shape (n_frames, n_ions), Å.

    Parameters
    ----------
    frac : array (n_frames, n_ions, 3)
    sites_frac : array (n_sites, 3)
    assignment : int array (n_frames, n_ions)
        From :func:`~ionsieve.features.motion.sites.nearest_sites`.
    lattice : array (3, 3), Å
    """
    apart = frac - sites_frac[assignment]
    return np.asarray(np.linalg.norm((apart - np.rint(apart)) @ lattice, axis=2))


def well(distance_A: FloatArray, volume_A3: FloatArray, edges_A: FloatArray) -> FloatArray:
    """Free energy along the distance from a site, in k_B T, lowest value 0.

    Parameters
    ----------
    distance_A : array
        Distances of ions from their sites, Å.
    volume_A3 : array (n_bins,)
        Volume of space whose nearest site is that far away (:func:`shell_volumes`).
    edges_A : array (n_bins + 1,), Å

    Returns
    -------
    array (n_bins,)
        −ln(density), NaN where no ion was seen. Flat: the ions hardly know of the sites.
    """
    counts = np.histogram(distance_A, edges_A)[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        energy = -np.log(np.where(counts > 0, counts, np.nan) / volume_A3)
    lowest = np.nanmin(energy) if np.isfinite(energy).any() else 0.0
    return np.asarray(np.where(np.isfinite(energy), energy - lowest, np.nan))


def shell_volumes(
    sites_frac: FloatArray, lattice: FloatArray, edges_A: FloatArray, n_points: int = 40_000
) -> FloatArray:
    """Volume at each distance from the nearest site, Å³, from an even set of points.

    Shells of neighbouring sites overlap, so that 4πr² would count space twice.
    """
    from scipy.stats import qmc

    points = qmc.Sobol(3, scramble=False).random_base2(int(np.log2(n_points)))
    nearest = nearest_sites(points[None], sites_frac, lattice)
    distance = distance_from_sites(points[None], sites_frac, nearest, lattice)
    counts = np.histogram(distance, edges_A)[0]
    volume = abs(float(np.linalg.det(lattice)))
    return np.asarray(np.where(counts > 0, counts, np.nan) * volume / len(points))
