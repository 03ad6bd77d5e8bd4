"""One periodic neighbour list per structure, serving every descriptor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...data.records import FloatArray, IntArray
from .elements import covalent_radii_A

_SPARE_A = 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class NeighborList:
    """All pairs closer than ``cutoff_A``, sorted by centre, then distance.

    Attributes
    ----------
    center, neighbor : array (n_pairs,)
        Atom indices. Each pair appears twice, once from each side.
    image : array (n_pairs, 3)
        Lattice translation of the neighbour.
    vector_A : array (n_pairs, 3), Å
        From centre to neighbour.
    distance_A : array (n_pairs,), Å
    start : array (n_atoms + 1,)
        Pairs of atom i are ``start[i]:start[i + 1]``.
    memo : dict
        What several callers ask of all pairs (:func:`covalent_sums_A`).
    """

    cutoff_A: float
    center: IntArray
    neighbor: IntArray
    image: IntArray
    vector_A: FloatArray
    distance_A: FloatArray
    start: IntArray
    memo: dict[str, FloatArray] = field(default_factory=dict, repr=False)

    def of(self, atom: int) -> slice:
        """Slice of the pairs whose centre is ``atom``, nearest first."""
        return slice(int(self.start[atom]), int(self.start[atom + 1]))

    def keep(self, mask: np.ndarray) -> NeighborList:
        """The same list without the pairs where ``mask`` is False."""
        if mask.all():
            return self
        center = self.center[mask]
        return NeighborList(
            cutoff_A=self.cutoff_A,
            center=center,
            neighbor=self.neighbor[mask],
            image=self.image[mask],
            vector_A=self.vector_A[mask],
            distance_A=self.distance_A[mask],
            start=_starts(center, len(self.start) - 1),
        )


def covalent_sums_A(z: IntArray, pairs: NeighborList) -> FloatArray:
    """Sum of the covalent radii of each pair, shape (n_pairs,), Å; NaN where Cordero gives none.

    Parameters
    ----------
    z : array (n_atoms,)
        Atomic numbers of the atoms that the list is of.
    pairs : NeighborList
        Remembers the sums.
    """
    if "covalent_sums_A" not in pairs.memo:
        radius = covalent_radii_A()[z]
        pairs.memo["covalent_sums_A"] = radius[pairs.center] + radius[pairs.neighbor]
    return pairs.memo["covalent_sums_A"]


def end_to_end(starts: Sequence[IntArray]) -> IntArray:
    """Where the pairs of each centre begin when lists are laid end to end.

    Parameters
    ----------
    starts : sequence of arrays (n_centers + 1,)
        From 0 to the number of pairs of each list.

    Returns
    -------
    array (total of n_centers + 1,)
    """
    before = np.cumsum([0, *(int(start[-1]) for start in starts)])
    shifted = [start[:-1] + n for start, n in zip(starts, before.tolist(), strict=False)]
    return np.concatenate([*shifted, before[-1:]])


def _starts(center: IntArray, n_atoms: int) -> IntArray:
    counts = np.bincount(center, minlength=n_atoms)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def neighbor_list(
    lattice: FloatArray, frac: FloatArray, cutoff_A: float, centers: IntArray | None = None
) -> NeighborList:
    """Find all periodic pairs within a cutoff.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Rows are lattice vectors.
    frac : array (n_atoms, 3)
        Fractional coordinates.
    cutoff_A : float
        Largest distance, Å.
    centers : array of int, optional
        Only pairs from these atoms; default all.

    Returns
    -------
    NeighborList
        Self-images included, the pair of an atom with itself at distance zero excluded. Distinct
        atoms on the same point (mixed occupancy) appear with distance zero.

    Notes
    -----
    The cutoff is met with 1e-8 Å to spare, so that rounding in a rotated cell cannot drop pairs of
    a symmetric crystal that lie on it.
    """
    # Late, so that listing the catalogue needs no compiler.
    from .pair_search import periodic_pairs

    chosen = np.arange(len(frac)) if centers is None else np.sort(centers)
    start, neighbor, vector, distance = periodic_pairs(lattice, frac, cutoff_A + _SPARE_A, chosen)
    center = np.repeat(chosen, np.diff(start))
    return NeighborList(
        cutoff_A=float(cutoff_A),
        center=center,
        neighbor=np.ascontiguousarray(neighbor[:, 0]),
        image=neighbor[:, 1:],
        vector_A=vector,
        distance_A=distance,
        start=start if centers is None else _starts(center, len(frac)),
    )
