"""Convex hulls as triangles and visible edges, for polyhedra and cages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from ...data.records import FloatArray

Edge = tuple[int, int]
Face = tuple[int, int, int]

_COPLANAR: Final[float] = 1e-3


@dataclass(frozen=True)
class Hull:
    """Triangles, counter-clockwise from outside, and edges, as indices of the points."""

    faces: tuple[Face, ...] = ()
    edges: tuple[Edge, ...] = ()

    def named(self, labels: Sequence[int]) -> tuple[tuple[Face, ...], tuple[Edge, ...]]:
        """Faces and edges in terms of labels, sorted, the smallest label of a face first."""
        faces = [_rotated(labels[a], labels[b], labels[c]) for a, b, c in self.faces]
        ends = [(labels[i], labels[j]) for i, j in self.edges]
        edges = [(i, j) if i < j else (j, i) for i, j in ends]
        return tuple(sorted(faces)), tuple(sorted(set(edges)))


def hull_of(points: FloatArray) -> Hull:
    """Convex hull of points; empty where they do not span a volume.

    Parameters
    ----------
    points : array (n, 3), Å
    """
    if len(points) < 4:
        return Hull()
    try:
        found = ConvexHull(points)
    except QhullError:
        return Hull()
    normals, simplices = found.equations[:, :3], found.simplices
    corners = points[simplices]
    turn = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    is_clockwise = (turn * normals).sum(axis=1) < 0
    faces = np.where(is_clockwise[:, None], simplices[:, [0, 2, 1]], simplices)
    bends = (normals[:, None, :] * normals[found.neighbors]).sum(axis=2) < 1.0 - _COPLANAR
    # The neighbour of a corner lies behind the edge of the other two.
    edges = simplices[:, [[1, 2], [0, 2], [0, 1]]][bends]
    return Hull(tuple(map(tuple, faces.tolist())), tuple(map(tuple, edges.tolist())))


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
    return hull_of(points).named(labels)


def _rotated(a: int, b: int, c: int) -> Face:
    return min((a, b, c), (b, c, a), (c, a, b))
