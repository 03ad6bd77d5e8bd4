"""A grid over the host cell and the host atoms that its points can see.

Grids start on a host atom and tile the host's reduced cell, so a supercell or another choice of
origin leads to the same points. Points are visited in small blocks: one list of atoms in reach
serves a whole block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.records import FloatArray, IntArray
from ..core.periodic import heights_A
from .host import Host
from .reduction import periodic_images

BLOCK: Final[int] = 4
"""Grid points per block edge."""


@dataclass(frozen=True, eq=False)
class Images:
    """Host atoms with the periodic copies that reach the cell.

    Attributes
    ----------
    position_A : array (n_images, 3), Å
    atom : array (n_images,)
        Host atom of each copy.
    """

    position_A: FloatArray
    atom: IntArray


def images_within(host: Host, cutoff_A: float, chosen: np.ndarray | None = None) -> Images:
    """All copies of host atoms within ``cutoff_A`` of some point of the cell.

    Parameters
    ----------
    host : Host
    cutoff_A : float
        Å.
    chosen : bool array (n_host,), optional
        Atoms to take; default all.
    """
    atoms = np.arange(len(host.frac)) if chosen is None else np.flatnonzero(chosen)
    reach = cutoff_A / heights_A(host.lattice) + 1e-9
    frac, index = periodic_images(host.frac[atoms], reach)
    return Images(np.ascontiguousarray(frac @ host.lattice), atoms[index].astype(np.int64))


def grid_shape(lattice: FloatArray, spacing_A: float) -> tuple[int, int, int]:
    """Points along each axis for a spacing of at most ``spacing_A`` (Å)."""
    # By hand: a library call costs more than the arithmetic at this size.
    edges = [math.sqrt(x * x + y * y + z * z) for x, y, z in lattice.tolist()]
    a, b, c = (math.ceil(edge / spacing_A - 1e-6) for edge in edges)
    return a, b, c


def adaptive_spacing_A(
    volume_A3: float, spacing_A: float, least_points: int, most_points: int
) -> float:
    """Spacing with at least and at most so many points in the cell, ``spacing_A`` in between.

    Parameters
    ----------
    volume_A3 : float
        Volume of the cell, Å³.
    spacing_A : float
        Wanted spacing, Å.
    least_points, most_points : int
        A small cell gets a finer grid for statistics, a huge one a coarser grid for time.
    """
    finest = (volume_A3 / most_points) ** (1 / 3)
    coarsest = (volume_A3 / least_points) ** (1 / 3)
    return float(max(finest, min(spacing_A, coarsest)))
