"""Groups of bonded atoms in a crystal: polyanions, cages and molecules, found by connectivity.

No oxidation states are needed, so B12H12, which a guess of charges does not understand, is found
as PS4 is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.records import FloatArray, IntArray
from ..core.elements import covalent_radii_A
from ..core.neighbors import neighbor_list

BOND_FACTOR: Final[float] = 1.25
"""Longest bond over the sum of covalent radii."""
_FRAMES: Final[int] = 9
_SWING_A: Final[float] = 0.6
"""A bond of the first frame may be this much longer than on the average."""


@dataclass(frozen=True, eq=False)
class Group:
    """A finite set of bonded atoms.

    Attributes
    ----------
    atoms : int array (n,)
        Indices, ascending.
    image : int array (n, 3)
        Lattice translation of each atom of the (first) frame, folded to [0, 1), that makes the
        group whole.
    """

    atoms: IntArray
    image: IntArray

    def __len__(self) -> int:
        return len(self.atoms)


def folded(frac: FloatArray) -> FloatArray:
    """Coordinates folded to [0, 1); rounding just below 1 counts as 0."""
    inside = frac - np.floor(frac)
    inside[inside > 1.0 - 1e-9] = 0.0
    return np.asarray(inside)


def bonded_groups(
    lattice: FloatArray, frac: FloatArray, z: IntArray, ratio: float = BOND_FACTOR
) -> list[Group]:
    """Find the finite groups of bonded atoms, single atoms included.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n_atoms, 3) or (n_frames, n_atoms, 3)
        A structure, or frames of a run, unwrapped; a bond holds where its median length does, so
        that a vibration breaks none.
    z : int array (n_atoms,)
        Atomic numbers.
    ratio : float
        Longest bond over the sum of covalent radii (Cordero 2008).

    Returns
    -------
    list of Group
        Networks that reach their own periodic image (an oxide framework) are left out.
    """
    frames = np.asarray(frac)[:: max(1, len(frac) // _FRAMES)] if np.ndim(frac) == 3 else frac[None]
    start = folded(frames[0])
    radii = np.nan_to_num(covalent_radii_A()[z], nan=1.5)
    pairs = neighbor_list(lattice, start, 2.0 * ratio * float(radii.max()) + _SWING_A)
    limit = ratio * (radii[pairs.center] + radii[pairs.neighbor])
    pairs, limit = (
        pairs.keep(pairs.distance_A <= limit + _SWING_A),
        limit[pairs.distance_A <= limit + _SWING_A],
    )
    moved = frames - frames[0] + start
    apart = moved[:, pairs.neighbor] + pairs.image - moved[:, pairs.center]
    length = np.median(np.linalg.norm(apart @ lattice, axis=2), axis=0)
    bonds = pairs.keep(length <= limit)
    seen = np.zeros(len(z), dtype=bool)
    groups = []
    for first in range(len(z)):
        if not seen[first]:
            group = _grow(first, bonds.start, bonds.neighbor, bonds.image, seen)
            if group is not None:
                groups.append(group)
    return groups


def _grow(
    first: int, start: IntArray, neighbor: IntArray, image: IntArray, seen: np.ndarray
) -> Group | None:
    """Follow bonds from an atom; None where the group meets its own image."""
    place = {first: (0, 0, 0)}
    queue, finite = [first], True
    seen[first] = True
    while queue:
        atom = queue.pop()
        here = place[atom]
        for k in range(int(start[atom]), int(start[atom + 1])):
            other = int(neighbor[k])
            there = (
                here[0] + int(image[k, 0]),
                here[1] + int(image[k, 1]),
                here[2] + int(image[k, 2]),
            )
            if other not in place:
                place[other] = there
                seen[other] = True
                queue.append(other)
            elif place[other] != there:
                finite = False
    if not finite:
        return None
    atoms = np.array(sorted(place), dtype=np.int64)
    return Group(atoms, np.array([place[int(a)] for a in atoms], dtype=np.int64))
