"""Environment similarity: where in the void does the host look as it does from a mobile ion?

After Yang 2025 (10.1038/s41524-025-01559-9), Fig. S1, made reproducible. Host-only G2 vectors
(:mod:`.acsf`) at all points of the void (at least 1.9 Å from every host atom), each column scaled
by its spread over the void; d = Euclidean distance to the nearest mobile-ion environment. The 10 %
of the void with the smallest d is *mobile-like*. The enrichment of an anion is the share of the
mobile-like void that is nearest to it over its share of all void.

Where this departs from counting random points:

* Points are a grid on the host's own cell and frame (:mod:`.reduction`), not random: the same
  crystal gives the same numbers, however it is described (to 1e-5).
* The three sharp edges (clearance, the 10 %, which anion is nearest) are smooth over 0.1 Å, a fifth
  of d, and 0.1 Å, because the grid sum of a smooth periodic function converges fast: within about
  0.05 of the fine-grid score (radius 0.01 Å), where 4000 random points scatter by 0.1. Smoothing
  itself moves scores near 1 by less than 0.04, extreme ones (2.7) by up to 0.2 towards 1.
* "η = 4 Å⁻² with Rs 1.5–4.5 Å" is read as 1.5, 2.5, 3.5, 4.5 Å, which together with a converged
  grid reproduces all published scores but that of Li8SiSe6 F-43m, where it finds both isolated
  anions enriched. The score is a description, never a filter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from ..core.prepared import PreparedStructure
from ..void.grid import adaptive_spacing_A, grid_shape, images_within
from ..void.host import Host, host_of
from ..void.symmetry import SymmetricGrid, symmetric_grid
from .acsf import CUTOFF_A, N_RADIAL, element_channels, environment_vectors, radial_table
from .kernels import (
    WIDTH,
    clearance_weights,
    closest_threshold,
    nearest_environment,
    shell_sums,
    void_map,
    weighted_spread,
)

CLEARANCE_A: Final[float] = 1.9
MOBILE_LIKE_SHARE: Final[float] = 0.10
EDGE_A: Final[float] = 0.1
EDGE_RELATIVE: Final[float] = 0.2
SPACING_A: Final[float] = 0.36
LEAST_POINTS: Final[int] = 12_000
MOST_POINTS: Final[int] = 60_000

_START = np.array([0.37, 0.23, 0.41])
"""First point, in steps from a host atom, where there is no symmetry to begin a grid with."""
_FLAT = 1e-4
"""A column that varies less than this over the void says nothing and would only amplify noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Similarity:
    """How the void resembles mobile-ion environments.

    Attributes
    ----------
    enrichment : array (n_host,)
        Score of each host anion; NaN for cations and anions without void of their own.
    shell_radius_A, shell_spread_A : arrays (n_host,), Å
        Mean and standard deviation of the radius of the mobile-like void nearest to each anion;
        NaN where there is none.
    mobile_like_weight : array (n_host,)
        Share of the whole mobile-like void that is nearest to each anion.
    void_fraction : float
        Share of the cell that is void.
    threshold : float
        Root-mean-square difference per column, in spreads, that bounds the mobile-like 10 %.
    distance : array (n_void,)
        Root-mean-square difference per column to the nearest mobile environment, for one void
        point of each orbit.
    weights : array (n_void,)
        Void weight of each orbit, 0 to its number of points.
    is_inside : bool array (n_void,)
        Whether the point is more in the void than not.
    orbit : array (n_void,)
        Orbit of each point in the grid.
    grid : SymmetricGrid
    environments : array (n_mobile, n_columns)
        Mobile-ion environments in units of the void's spread.
    """

    enrichment: FloatArray
    shell_radius_A: FloatArray
    shell_spread_A: FloatArray
    mobile_like_weight: FloatArray
    void_fraction: float
    threshold: float
    distance: FloatArray
    weights: FloatArray
    is_inside: np.ndarray
    orbit: IntArray
    grid: SymmetricGrid
    environments: FloatArray


def acsf_enrichment(prepared: PreparedStructure) -> FloatArray:
    """Enrichment score of each anion.

    Parameters
    ----------
    prepared : PreparedStructure

    Returns
    -------
    array (n_atoms,)
        NaN for atoms that are no anions.

    Raises
    ------
    FeatureError
        If there is no void or the host looks the same from everywhere.
    """
    host = host_of(prepared)
    return per_atom(host, compare_void(host, prepared.atoms.id).enrichment)


def per_atom(host: Host, values: FloatArray) -> FloatArray:
    """Values of host atoms given back to the atoms of the structure, NaN for mobile ions."""
    return np.where(host.host_of_atom >= 0, values[host.host_of_atom], np.nan)


@lru_cache(maxsize=1)
def _table() -> NDArray[np.float32]:
    return radial_table(WIDTH)


def compare_void(host: Host, name: str = "host") -> Similarity:
    """Compare every void point with the mobile-ion environments.

    Parameters
    ----------
    host : Host
    name : str
        For messages.

    Raises
    ------
    FeatureError
        If there is no void or the host looks the same from everywhere.
    """
    grid = symmetric_grid(host, grid_shape(host.lattice, _spacing_A(host)), _START)
    index, clearance, vectors, nearest, nearest_A = _map(host, grid)
    orbit = grid.orbit[index]
    inside = clearance_weights(clearance, CLEARANCE_A, EDGE_A)
    # Each point stands for its orbit.
    weights = inside * grid.size[orbit]
    if weights.sum() < 1.0:
        raise FeatureError(f"{name}: no point is {CLEARANCE_A} Å away from every host atom")
    spread = weighted_spread(vectors, weights)
    inverse = np.where(spread > _FLAT, 1.0 / np.maximum(spread, _FLAT), 0.0)
    if not inverse.any():
        raise FeatureError(f"{name}: the host looks the same from every point of its void")
    # Dividing by √(number of columns) turns the distance into a mean difference per column.
    inverse /= np.sqrt((inverse > 0).sum())
    environments = _padded(environment_vectors(host, host.mobile_frac @ host.lattice)) * inverse
    distance = nearest_environment(
        vectors, inverse.astype(np.float32), _distinct(environments).astype(np.float32)
    )
    rank = int(MOBILE_LIKE_SHARE * len(distance))
    guess = float(np.partition(distance, rank)[rank])
    threshold = closest_threshold(distance, weights, MOBILE_LIKE_SHARE, EDGE_RELATIVE, guess)
    sums = shell_sums(
        nearest, nearest_A, weights, distance, threshold, EDGE_RELATIVE, EDGE_A, len(host.z)
    )
    enrichment, radius, width, like = _scores(_shared(sums, host), host.is_anion)
    return Similarity(
        enrichment=enrichment,
        shell_radius_A=radius,
        shell_spread_A=width,
        mobile_like_weight=like,
        void_fraction=float(weights.sum() / grid.shape.prod()),
        threshold=float(threshold),
        distance=distance,
        weights=weights,
        is_inside=inside > 0.5,
        orbit=orbit,
        grid=grid,
        environments=environments,
    )


def _shared(sums: FloatArray, host: Host) -> FloatArray:
    """Sums over one point of each orbit, as they are over all points.

    The other points of an orbit count for the anions that symmetry makes of its own, so that equal
    anions have equal shares of what all of them have.
    """
    if len(host.symmetry.rotation) == 1:
        return sums
    first = host.symmetry.first_atom
    total = np.stack([np.bincount(first, weights=column) for column in sums.T], axis=1)
    return np.asarray(total[first] / np.bincount(first)[first][:, None])


def _spacing_A(host: Host) -> float:
    return adaptive_spacing_A(host.volume_A3, SPACING_A, LEAST_POINTS, MOST_POINTS)


def _map(
    host: Host, grid: SymmetricGrid
) -> tuple[IntArray, FloatArray, NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    # The centre of a block of points may lie outside the cell by the block's own size.
    images = images_within(host, CUTOFF_A + 4 * _spacing_A(host))
    channel = element_channels(host)
    anion = np.where(host.is_anion, np.arange(len(host.z)), -1)
    return void_map(
        host.lattice,
        grid.shape,
        grid.is_first,
        images.position_A - grid.start_A,
        channel[images.atom],
        host.occupancy[images.atom],
        anion[images.atom],
        int(channel.max()) + 1,
        _table(),
        CUTOFF_A,
        CLEARANCE_A - 3 * EDGE_A,
        4 * EDGE_A,
    )


def _padded(vectors: FloatArray) -> FloatArray:
    """Vectors with each element's columns padded to the width that the kernel uses."""
    by_element = vectors.reshape(len(vectors), -1, N_RADIAL)
    padded = np.zeros((*by_element.shape[:2], WIDTH))
    padded[:, :, :N_RADIAL] = by_element
    return padded.reshape(len(vectors), -1)


def _distinct(environments: FloatArray) -> FloatArray:
    """Environments without (near) repetitions, for symmetric crystals have many."""
    rows = np.round(environments, 5) + 0.0
    number = {row.tobytes(): k for k, row in enumerate(rows)}
    return rows[list(number.values())]


def _scores(
    sums: FloatArray, is_anion: np.ndarray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    void, like, first, second = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        enrichment = (like / like.sum()) / (void / void.sum())
        radius = first / like
        width = np.sqrt(np.maximum(second / like - radius**2, 0.0))
    has_void = is_anion & (void > 1e-3 * void.sum() / len(void))
    has_shell = is_anion & (like > 1e-3 * like.sum() / len(like))
    return (
        np.where(has_void, enrichment, np.nan),
        np.where(has_shell, radius, np.nan),
        np.where(has_shell, width, np.nan),
        like / like.sum(),
    )


__all__ = ["N_RADIAL", "Similarity", "acsf_enrichment", "compare_void", "per_atom"]
