"""Bond-orientational order by Voronoi solid angles, and its spread over the sites.

Steinhardt et al. 1983, 10.1103/PhysRevB.28.784, eq. 1.3, each neighbour weighted by the solid
angle of its Voronoi face (Mickel et al. 2013, 10.1063/1.4774084), which makes the parameters
continuous; the numbers of matminer's ``BondOrientationalParameter``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ..core.columns import Column, Notes, Values
from ..core.neighbors import end_to_end
from ..core.prepared import PreparedStructure
from .harmonics import MAX_DEGREE

_FAMILY = "bond_order"
_STATISTICS = {"mean": "mean", "std_dev": "standard deviation"}

COLUMNS: Final[tuple[Column, ...]] = tuple(
    Column(
        f"bond_order_q{degree}_{statistic}",
        "1",
        f"{words} over the sites of Steinhardt's Q of degree {degree}, Voronoi faces weighted by "
        "solid angle",
        "Steinhardt 1983, 10.1103/PhysRevB.28.784, as matminer BondOrientationalParameter",
        _FAMILY,
        lower=0,
        upper=1,
        nan_means="a site is partly empty, so that Voronoi cells are not defined",
        cost="medium",
    )
    for degree in range(1, MAX_DEGREE + 1)
    for statistic, words in _STATISTICS.items()
)

_NAMES: Final = tuple(column.name for column in COLUMNS)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Bond-orientational columns; see the catalogue for each."""
    return compute_batch([prepared], [notes])[0]


def compute_batch(prepared: Sequence[PreparedStructure], notes: Sequence[Notes]) -> list[Values]:
    """As :func:`compute` for many structures at once."""
    from .harmonics import bond_order
    from .voronoi import tessellation

    cells = [tessellation(p) for p in prepared]
    q = bond_order(
        end_to_end([c.start for c in cells]),
        np.concatenate([c.direction for c in cells]),
        np.concatenate([c.solid_angle for c in cells]),
    )
    size = np.array([len(c.start) - 1 for c in cells])
    first, count = np.cumsum(size) - size, size[:, None]
    mean = np.add.reduceat(q, first) / count
    away = q - np.repeat(mean, size, axis=0)
    spread = np.sqrt(np.add.reduceat(away * away, first) / count)
    rows = np.stack([mean, spread], axis=2).reshape(len(cells), -1).tolist()
    return [dict(zip(_NAMES, row, strict=True)) for row in rows]
