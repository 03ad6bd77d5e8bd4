"""One periodic neighbour list per structure, serving every descriptor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.records import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class NeighborList:
    """All pairs closer than ``cutoff_A``, sorted by centre, then distance.

    Attributes
    ----------
    center, neighbor : array (n_pairs,)
        Atom indices. Each pair appears twice, once from each side.
    image : array (n_pairs, 3)
        Lattice translation of the neighbour.
    distance_A : array (n_pairs,), Å
    start : array (n_atoms + 1,)
        Pairs of atom i are ``start[i]:start[i + 1]``.
    """

    cutoff_A: float
    center: IntArray
    neighbor: IntArray
    image: IntArray
    distance_A: FloatArray
    start: IntArray

    def of(self, atom: int) -> slice:
        """Slice of the pairs whose centre is ``atom``, nearest first."""
        return slice(int(self.start[atom]), int(self.start[atom + 1]))

    def keep(self, mask: np.ndarray) -> NeighborList:
        """The same list without the pairs where ``mask`` is False."""
        center = self.center[mask]
        start = _starts(center, len(self.start) - 1)
        return NeighborList(
            self.cutoff_A,
            center,
            self.neighbor[mask],
            self.image[mask],
            self.distance_A[mask],
            start,
        )


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
    The search is pymatgen's compiled ``find_points_in_spheres``.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres

    cartesian = np.ascontiguousarray(frac @ lattice)
    chosen = np.arange(len(frac), dtype=np.int64) if centers is None else centers
    center, neighbor, image, distance = find_points_in_spheres(
        all_coords=cartesian,
        center_coords=np.ascontiguousarray(cartesian[chosen]),
        r=float(cutoff_A),
        pbc=np.ones(3, dtype=np.int64),
        lattice=np.ascontiguousarray(lattice, dtype=np.float64),
        tol=1e-8,
    )
    center = chosen[center]
    image = np.rint(image).astype(np.int64)
    itself = (center == neighbor) & (image == 0).all(axis=1)
    center, neighbor, image, distance = (a[~itself] for a in (center, neighbor, image, distance))
    order = np.lexsort((image[:, 2], image[:, 1], image[:, 0], neighbor, distance, center))
    center = center[order]
    return NeighborList(
        float(cutoff_A),
        center,
        neighbor[order].astype(np.int64),
        image[order],
        distance[order],
        _starts(center, len(frac)),
    )
