"""How the anions are packed: continuous distances to ideal bcc, fcc and hcp.

Each anion's surroundings, other anions only, become a rotation-invariant fingerprint: the power
spectrum of Bartók et al. 2013, 10.1103/PhysRevB.87.184115, eq. 18, of three radial channels,
lengths in units of the cube root of the volume per anion. Degrees below 3 are left out: they tell
strain, not stacking. The distance to an ideal lattice is that of unit fingerprints. Being smooth
in all positions it needs no choice of neighbours, so no tie can make it depend on site order or
orientation, as in common-neighbour analysis (its cross-check in the tests).

Yang 2025 labels some lattices otherwise (Li6NI3 fcc: its N alone; all anions are bcc), and
"bcc" for LGPS (Wang 2015, 10.1038/nmat4369) is a mapping with large distortions: here LGPS is
``other``, hcp the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ...data.records import FloatArray, IntArray
from ..core.columns import Column, Notes, Values
from ..core.neighbors import end_to_end
from ..core.prepared import ANION, CUTOFF_A, PreparedStructure, pairs_between

if TYPE_CHECKING:
    from ..core.pair_search import PairArrays
    from .harmonics import ComplexArray

_FAMILY = "anion_packing"
_SOURCE = "ionsieve; power spectrum of Bartók 2013, 10.1103/PhysRevB.87.184115"

LATTICES: Final[tuple[str, ...]] = ("fcc", "hcp", "bcc")

RECOGNISED: Final[float] = 0.30
"""An anion belongs to the nearest ideal lattice below this distance; the three ideal lattices are
0.51 to 0.55 apart."""

_MAJORITY = 0.75

# In units of the cube root of the volume per anion: first shells of fcc and hcp at 1.12, of bcc
# at 1.09 and 1.26; second shells at 1.59 (fcc, hcp) and 1.78 (bcc).
_CHANNELS: Final[tuple[float, ...]] = (1.1, 1.35, 1.6)
_WIDTH = 0.15
_FADE_FROM, _FADE_TO = 1.6, 2.08
_TOO_NEAR = 0.1
# Angular resolution, rad, and the degrees that are kept.
_ANGLE = 0.15
_MIN_DEGREE, _MAX_DEGREE = 3, 8

COLUMNS: Final[tuple[Column, ...]] = (
    *(
        Column(
            f"anion_packing_distance_{lattice}",
            "1",
            f"mean over anions of the fingerprint distance to ideal {lattice}; 0 is ideal, two "
            "different ideal lattices are about 0.5 apart",
            _SOURCE,
            _FAMILY,
            lower=0,
            upper=1,
        )
        for lattice in LATTICES
    ),
    Column(
        "anion_packing_distance_nearest",
        "1",
        "mean over anions of the distance to whichever of fcc, hcp, bcc is nearest to it",
        _SOURCE,
        _FAMILY,
        lower=0,
        upper=1,
    ),
    *(
        Column(
            f"anion_packing_share_{lattice}",
            "1",
            f"share of the anions with {lattice} as nearest ideal lattice, at a distance below "
            f"{RECOGNISED:.2f}",
            _SOURCE,
            _FAMILY,
            lower=0,
            upper=1,
        )
        for lattice in LATTICES
    ),
    Column(
        "anion_packing",
        "1",
        f"the lattice that at least {_MAJORITY:.0%} of the anions share; close_packed where only "
        "fcc and hcp together do (stacking polytypes); else other",
        _SOURCE,
        _FAMILY,
        dtype="category",
    ),
)

_NUMBERS: Final = tuple(column.name for column in COLUMNS if column.dtype == "float")


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Anion packing columns; see the catalogue for each."""
    return compute_batch([prepared], [notes])[0]


def compute_batch(prepared: Sequence[PreparedStructure], notes: Sequence[Notes]) -> list[Values]:
    """As :func:`compute` for many structures at once."""
    sublattices = [_sublattice(p) for p in prepared]
    size = np.array([len(s.weight) for s in sublattices])
    distance = _distances(sublattices)
    weight, first = np.concatenate([s.weight for s in sublattices]), np.cumsum(size) - size
    nearest, least = distance.argmin(axis=1), distance.min(axis=1)
    is_nearest = (nearest[:, None] == np.arange(3)) & (least < RECOGNISED)[:, None]
    columns = np.concatenate([distance, least[:, None], is_nearest], axis=1) * weight[:, None]
    rows = np.add.reduceat(columns, first) / np.add.reduceat(weight, first)[:, None]
    return [
        dict(zip(_NUMBERS, row, strict=True)) | {"anion_packing": _label(row[-3:])}
        for row in rows.tolist()
    ]


class _Sublattice(NamedTuple):
    """Points and their pairs, lengths in units of the cube root of the volume per anion."""

    weight: FloatArray
    start: IntArray
    neighbor: IntArray
    vector: FloatArray
    distance: FloatArray


def _sublattice(prepared: PreparedStructure) -> _Sublattice:
    """The anions of a structure."""
    atoms, is_anion = prepared.atoms, prepared.roles.is_anion
    sites, weight = atoms.site[is_anion], atoms.occupancy[is_anion]
    if not prepared.record.is_ordered:
        # One point per site: anions that share a site are the same point of the sublattice.
        sites, where = np.unique(sites, return_inverse=True)
        weight = np.bincount(where, weights=weight).astype(np.float64)
    pairs = _anion_pairs(prepared, sites)
    return _in_units(atoms.lattice, prepared.record.frac[sites], weight, pairs)


def _anion_pairs(prepared: PreparedStructure, sites: IntArray) -> PairArrays | None:
    """Pairs of anions from the shared list; None where sites are no atoms."""
    if not prepared.record.is_ordered:
        return None
    pairs, chosen = prepared.neighbors, pairs_between(prepared, ANION, ANION)
    number = np.cumsum(prepared.roles.is_anion) - 1
    start = np.searchsorted(chosen, pairs.start[[*sites, -1]])
    # What pair_search gives, but for translations, which nobody reads here.
    neighbor = number[pairs.neighbor[chosen]][:, None]
    return start, neighbor, pairs.vector_A[chosen], pairs.distance_A[chosen]


def _label(share: list[float]) -> str:
    by_lattice = dict(zip(LATTICES, share, strict=True))
    for lattice, part in by_lattice.items():
        if part >= _MAJORITY:
            return lattice
    return "close_packed" if by_lattice["fcc"] + by_lattice["hcp"] >= _MAJORITY else "other"


def packing_distances(
    lattice: FloatArray, frac: FloatArray, weight: FloatArray, pairs: PairArrays | None = None
) -> FloatArray:
    """Distance of the surroundings of each point to ideal fcc, hcp and bcc.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Rows are lattice vectors.
    frac : array (n_points, 3)
        Fractional coordinates of the sublattice.
    weight : array (n_points,)
        Occupancy of each point.
    pairs : tuple of arrays, optional
        Pairs of the points within the reach of the shared neighbour list, as from
        :func:`~ionsieve.features.core.pair_search.periodic_pairs`.

    Returns
    -------
    array (n_points, 3)
        Columns as in ``LATTICES``; 0 is ideal.
    """
    return _distances([_in_units(lattice, frac, weight, pairs)])


def _distances(sublattices: Sequence[_Sublattice]) -> FloatArray:
    """Distances to the ideal lattices of all points, one sublattice after the other, (n, 3)."""
    own = _fingerprints(sublattices)
    return np.linalg.norm(own[:, None, :] - _ideal_fingerprints(), axis=2) / np.sqrt(2.0)


@lru_cache(maxsize=1)
def _ideal_fingerprints() -> FloatArray:
    """Fingerprints of fcc, hcp (c/a = √(8/3)) and bcc, shape (3, n)."""
    fcc = np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    hcp = np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, np.sqrt(8 / 3)]])
    bcc = np.array([[-1.0, 1, 1], [1, -1, 1], [1, 1, -1]])
    point, two = np.zeros((1, 3)), np.array([[0, 0, 0], [2 / 3, 1 / 3, 0.5]])
    crystals = ((fcc, point), (hcp, two), (bcc, point))
    ideal = [_in_units(lattice, frac, np.ones(len(frac))) for lattice, frac in crystals]
    return np.stack([_fingerprints([one])[0] for one in ideal])


def _in_units(
    lattice: FloatArray, frac: FloatArray, weight: FloatArray, pairs: PairArrays | None = None
) -> _Sublattice:
    """Points with their pairs to where fingerprints fade; other pairs where those do not reach."""
    from ..core.pair_search import periodic_pairs

    unit_A = float(np.cbrt(abs(np.linalg.det(lattice)) / weight.sum()))
    if pairs is None or unit_A * _FADE_TO > CUTOFF_A:
        pairs = periodic_pairs(lattice, frac, unit_A * _FADE_TO, np.arange(len(frac)))
    start, neighbor, vector, distance = pairs
    return _Sublattice(weight, start, neighbor[:, 0], vector / unit_A, distance / unit_A)


def _fingerprints(sublattices: Sequence[_Sublattice]) -> FloatArray:
    """Unit power spectrum of each point, one sublattice after the other, shape (n_points, n)."""
    from .harmonics import harmonic_moments

    vector, distance = (
        np.concatenate([s.vector for s in sublattices]),
        np.concatenate([s.distance for s in sublattices]),
    )
    direction = vector / np.maximum(distance, _TOO_NEAR)[:, None]
    amount = np.concatenate([s.weight[s.neighbor] for s in sublattices]) * _fade(distance)
    shape = np.exp(-0.5 * ((distance[:, None] - np.array(_CHANNELS)) / _WIDTH) ** 2)
    start = end_to_end([s.start for s in sublattices])
    channels = harmonic_moments(start, direction, amount[:, None] * shape, _MAX_DEGREE)
    degree = np.arange(_MAX_DEGREE + 1)
    channels = channels * np.exp(-0.5 * degree * (degree + 1) * _ANGLE**2)[:, None]
    spectrum = _power_spectrum(channels[:, :, _MIN_DEGREE:])
    return spectrum / np.maximum(np.linalg.norm(spectrum, axis=1, keepdims=True), 1e-12)


def _fade(distance: FloatArray) -> FloatArray:
    """1 up to where fading begins, smoothly 0 at the cutoff; alternatives of one site count 0."""
    phase = np.clip((distance - _FADE_FROM) / (_FADE_TO - _FADE_FROM), 0.0, 1.0)
    return np.where(distance > _TOO_NEAR, 0.5 * (1.0 + np.cos(np.pi * phase)), 0.0)


def _power_spectrum(channels: ComplexArray) -> FloatArray:
    """Σ_m c_nlm c*_n'lm for channels n ≤ n', each pair once, shape (n_points, n)."""
    one, other = np.triu_indices(len(channels))
    real, imaginary = np.ascontiguousarray(channels.real), np.ascontiguousarray(channels.imag)
    product = real[one] * real[other] + imaginary[one] * imaginary[other]
    # Only m ≥ 0 is stored.
    power = 2.0 * product.sum(axis=-1) - product[..., 0]
    return power.transpose(1, 0, 2).reshape(channels.shape[1], -1)
