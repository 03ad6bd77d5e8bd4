"""Convex hulls as triangles and visible edges, for polyhedra and cages."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from ...data.records import FloatArray

Edge = tuple[int, int]
Face = tuple[int, int, int]

_COPLANAR: Final[float] = 1e-3


def convex_hull(points: FloatArray, labels: list[int]) -> tuple[tuple[Face, ...], tuple[Edge, ...]]:
    """Triangles of the hull and the edges between those that are not coplanar.

    Parameters
    ----------
    points : array (n, 3), Å
    labels : list of int
        What to call each point in the result.

    Returns
    -------
    faces, edges
        Faces counter-clockwise from outside. Both empty where the points do not span a volume.
    """
    if len(points) < 4:
        return (), ()
    try:
        hull = ConvexHull(points)
    except QhullError:
        return (), ()
    faces = sorted(
        _outward([labels[i] for i in simplex], points[simplex], plane[:3])
        for simplex, plane in zip(hull.simplices, hull.equations, strict=True)
    )
    edges = set()
    for face, simplex in enumerate(hull.simplices):
        for corner, other in enumerate(hull.neighbors[face]):
            bend = hull.equations[face, :3] @ hull.equations[other, :3]
            if bend < 1.0 - _COPLANAR:
                i, j = sorted(labels[v] for k, v in enumerate(simplex) if k != corner)
                edges.add((i, j))
    return tuple(faces), tuple(sorted(edges))


def _outward(labels: list[int], corners: FloatArray, normal: FloatArray) -> Face:
    """Corners counter-clockwise as seen from outside, the smallest label first."""
    a, b, c = labels
    if np.cross(corners[1] - corners[0], corners[2] - corners[0]) @ normal < 0:
        b, c = c, b
    return min((a, b, c), (b, c, a), (c, a, b))
