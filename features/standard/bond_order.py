"""Bond-orientational order by Voronoi solid angles, and its spread over the sites.

Steinhardt et al. 1983, 10.1103/PhysRevB.28.784, eq. 1.3, each neighbour weighted by the solid
angle of its Voronoi face (Mickel et al. 2013, 10.1063/1.4774084), which makes the parameters
continuous; the numbers of matminer's ``BondOrientationalParameter``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..core.columns import Column, Notes, Values
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


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Bond-orientational columns; see the catalogue for each."""
    from .harmonics import bond_order
    from .voronoi import tessellation

    cells = tessellation(prepared)
    q = bond_order(cells.start, cells.direction, cells.solid_angle)
    row = np.stack([q.mean(axis=0), q.std(axis=0)], axis=1).ravel()
    return {c.name: float(value) for c, value in zip(COLUMNS, row, strict=True)}
