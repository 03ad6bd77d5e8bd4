"""Voronoi tessellation of a crystal by plane clipping on one neighbour list.

The cell of an atom starts as a large cube and is cut by the bisector planes to its neighbours,
nearest first, until the next plane lies beyond the farthest vertex (Rycroft 2009,
10.1063/1.3215722, has the idea; the code here keeps each face as its own polygon, so that
degenerate vertices, where four and more planes meet, cannot break any topology). Areas, solid
angles and volumes are those of pymatgen's ``VoronoiNN`` with its defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numba import int64, njit

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from ..core.neighbors import NeighborList
from ..core.pair_search import periodic_pairs
from ..core.prepared import PreparedStructure, once_per_structure

_FIRST_REACH: Final[float] = 2.4
"""First cutoff in units of the cube root of the volume per atom; enough for most cells."""

_MAX_CUTOFF_A: Final[float] = 80.0
_MAX_FACES = 160
_MAX_VERTICES = 80
_DEPTH_A = 1e-10  # a cut shallower than this is the same face seen through rounding
_SAME2 = 1e-18  # Å²
_CUBE = np.array(
    [
        np.roll([(side, u, v) for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))], axis, axis=1)
        for axis in range(3)
        for side in (-1.0, 1.0)
    ]
)
"""Vertices of the faces of a cube from −1 to 1, (6, 4, 3): where every cell begins."""

_FULL: Final[float] = 1.0 - 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class Tessellation:
    """Voronoi faces of all atoms, laid end to end by centre.

    Attributes
    ----------
    start : array (n_atoms + 1,)
        Faces of atom i are ``start[i]:start[i + 1]``.
    neighbor : array (n_faces,)
        Atom on the other side.
    image : array (n_faces, 3)
        Its lattice translation.
    direction : array (n_faces, 3)
        Unit vector from centre to neighbour.
    distance_A : array (n_faces,), Å
        From centre to neighbour: twice the distance to the face.
    area_A2 : array (n_faces,), Å²
    solid_angle : array (n_faces,), sr
    """

    start: IntArray
    neighbor: IntArray
    image: IntArray
    direction: FloatArray
    distance_A: FloatArray
    area_A2: FloatArray
    solid_angle: FloatArray

    @cached_property
    def center(self) -> IntArray:
        """Centre of each face, shape (n_faces,)."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def per_atom(self, values: FloatArray) -> FloatArray:
        """Sum of a face quantity over the faces of each atom, shape (n_atoms,)."""
        return np.add.reduceat(values, self.start[:-1])

    @property
    def cell_volume_A3(self) -> FloatArray:
        """Volume of each Voronoi cell, Å³, shape (n_atoms,)."""
        return self.per_atom(self.area_A2 * self.distance_A) / 6.0


def tessellate(
    lattice: FloatArray, frac: FloatArray, pairs: NeighborList | None = None
) -> Tessellation:
    """Voronoi cells of all points of a periodic structure.

    Parameters
    ----------
    lattice : array (3, 3), Å
        Rows are lattice vectors.
    frac : array (n_atoms, 3)
        Fractional coordinates of distinct points.
    pairs : NeighborList, optional
        All pairs of the points to some distance, where they are known: most cells need no other.

    Raises
    ------
    FeatureError
        If two points coincide, or a cell is not closed within 80 Å.
    """
    lattice = np.asarray(lattice, dtype=np.float64)
    n = len(frac)
    if pairs is None:
        cutoff_A = _FIRST_REACH * float(np.cbrt(abs(np.linalg.det(lattice)) / n))
    else:
        cutoff_A = pairs.cutoff_A
    open_atoms = np.arange(n)
    parts: list[tuple[Any, ...]] = []
    while len(open_atoms):
        if cutoff_A > _MAX_CUTOFF_A:
            raise FeatureError(f"a Voronoi cell is not closed within {_MAX_CUTOFF_A} Å")
        if pairs is None or parts:
            found = periodic_pairs(lattice, frac, cutoff_A, open_atoms)
            start, vector, distance = found[0], found[2], found[3]
            neighbor, image = found[1][:, 0], found[1][:, 1:]
        else:
            start, vector, distance = pairs.start, pairs.vector_A, pairs.distance_A
            neighbor, image = pairs.neighbor, pairs.image
        if len(distance) and distance.min() < 1e-3:
            raise FeatureError("two sites coincide; their Voronoi cells are not defined")
        face_start, pair, area, angle, reach = _clip_all(start, vector, distance, cutoff_A)
        closed = reach <= cutoff_A
        owner = np.repeat(open_atoms, np.diff(face_start))
        if not closed.all():
            kept = np.repeat(closed, np.diff(face_start))
            owner, pair, area, angle = owner[kept], pair[kept], area[kept], angle[kept]
        parts.append(
            (owner, neighbor[pair], image[pair], vector[pair], distance[pair], area, angle)
        )
        open_atoms = open_atoms[~closed]
        finite = reach[~closed & np.isfinite(reach)]
        # A cell still bounded by the starting cube tells nothing: widen by half.
        wider = float(finite.max()) * (1 + 1e-9) if len(finite) == len(open_atoms) > 0 else 0.0
        cutoff_A = max(wider, cutoff_A * 1.05) if wider else cutoff_A * 1.5
    return _assembled(n, parts)


@once_per_structure
def tessellation(prepared: PreparedStructure) -> Tessellation:
    """Tessellation of the sites of a structure; a mixed site is one point.

    Raises
    ------
    FeatureError
        If a site is partly empty: then no set of points is the structure.
    """
    record = prepared.record
    if not record.has_whole_sites:
        filling = [sum(s.occupancy for s in content) for content in record.species]
        site = int(np.argmin(filling))
        if filling[site] < _FULL:
            raise FeatureError(
                f"site {site} is {filling[site]:.3g} full, but Voronoi cells need full sites"
            )
    # The sites of an ordered crystal are its atoms.
    pairs = prepared.neighbors if record.is_ordered else None
    return tessellate(record.lattice, record.frac, pairs)


def _assembled(n: int, parts: list[tuple[Any, ...]]) -> Tessellation:
    """One tessellation of the parts in which its atoms were closed."""
    columns = parts[0]
    if len(parts) > 1:
        columns = tuple(np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(columns[0], kind="stable")
        columns = tuple(column[order] for column in columns)
    center, neighbor, image, vector, distance, area, angle = columns
    start = np.concatenate([[0], np.cumsum(np.bincount(center, minlength=n))]).astype(np.int64)
    return Tessellation(
        start=start,
        neighbor=neighbor,
        image=image,
        direction=vector / distance[:, None],
        distance_A=distance,
        area_A2=area,
        solid_angle=angle,
    )


_Faces = tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]


def _clip_all(start: IntArray, vector: FloatArray, distance: FloatArray, cutoff_A: float) -> _Faces:
    """Faces of every centre: start, pair index, area, solid angle; and twice the cell radius."""
    n = len(start) - 1
    face_start, reach = np.zeros(n + 1, dtype=np.int64), np.empty(n)
    # Most crystals have 14 to 16 faces a cell; clipping again is the exception.
    room, count = 0, 24 * n
    while count > room:
        room = count
        pair, area, angle = np.empty(room, dtype=np.int64), np.empty(room), np.empty(room)
        count = _clip(
            *(start, vector, distance, cutoff_A, _CUBE * cutoff_A),
            *(face_start, pair, area, angle, reach),
        )
    return face_start, pair[:count], area[:count], angle[:count], reach


@njit(cache=True)
def _clip(
    start: IntArray,
    vector: FloatArray,
    distance: FloatArray,
    cutoff_A: float,
    cube: FloatArray,
    face_start: IntArray,
    pair: IntArray,
    area: FloatArray,
    angle: FloatArray,
    reach: FloatArray,
) -> int:
    """Fill the last five arrays as far as there is room; returns how many faces there are."""
    # Made here, so that compilers know that they do not overlap.
    vertices = np.empty((_MAX_FACES, _MAX_VERTICES, 3))
    n_vertices, owner = np.empty(_MAX_FACES, np.int64), np.empty(_MAX_FACES, np.int64)
    rim, kept = np.empty((2 * _MAX_FACES, 3)), np.empty((_MAX_VERTICES + 2, 3))
    depth = np.empty(_MAX_VERTICES)
    count = 0
    for k in range(len(start) - 1):
        for f in range(6):
            n_vertices[f], owner[f] = 4, -1
            for v in range(4):
                for a in range(3):
                    vertices[f, v, a] = cube[f, v, a]
        # Typed numbers, here and below: a constant would compile what it is given to once more.
        n_faces = int64(6)
        radius2 = 3.0 * cutoff_A * cutoff_A
        for p in range(start[k], start[k + 1]):
            if distance[p] * distance[p] >= 4.0 * radius2:
                break
            before = n_faces
            n_faces, cut = _cut(
                vertices, n_vertices, owner, n_faces, rim, kept, depth, vector[p], distance[p], p
            )
            if n_faces < 0:
                radius2 = np.inf
                n_faces = before
                break
            if cut:
                radius2 = _radius2(vertices, n_vertices, n_faces)
        reach[k] = 2.0 * np.sqrt(radius2)
        for f in range(n_faces):
            if owner[f] < 0:
                reach[k] = np.inf
                continue
            if count < len(pair):
                pair[count] = owner[f]
                area[count], angle[count] = _measure(vertices[f], n_vertices[f])
            count += 1
        face_start[k + 1] = count
    return count


@njit(cache=True)
def _radius2(vertices: FloatArray, n_vertices: IntArray, n_faces: int) -> float:
    largest = 0.0
    for f in range(n_faces):
        for v in range(n_vertices[f]):
            x, y, z = vertices[f, v, 0], vertices[f, v, 1], vertices[f, v, 2]
            largest = max(largest, x * x + y * y + z * z)
    return largest


@njit(cache=True)
def _cut(
    vertices: FloatArray,
    n_vertices: IntArray,
    owner: IntArray,
    n_faces: int,
    rim: FloatArray,
    kept: FloatArray,
    depth: FloatArray,
    vector: FloatArray,
    distance: float,
    p: int,
) -> tuple[int, bool]:
    """Cut the cell by one bisector plane; returns the number of faces (-1: too many) and if cut."""
    nx, ny, nz = vector[0] / distance, vector[1] / distance, vector[2] / distance
    n_rim = int64(0)
    cut = False
    f = 0
    while f < n_faces:
        n = n_vertices[f]
        outside = 0
        for v in range(n):
            x, y, z = vertices[f, v, 0], vertices[f, v, 1], vertices[f, v, 2]
            depth[v] = nx * x + ny * y + nz * z - 0.5 * distance
            outside += depth[v] > _DEPTH_A
        if outside == 0:
            f += 1
            continue
        cut = True
        if outside == n:
            n = 0
        else:
            n, n_rim = _cut_polygon(vertices[f], n, depth, rim, n_rim, kept)
        if n > _MAX_VERTICES - 4:
            return -1, True
        n_vertices[f] = n
        if n >= 3:
            f += 1
            continue
        # Gone: the last face, not looked at yet, takes its place.
        n_faces -= 1
        n_vertices[f], owner[f] = n_vertices[n_faces], owner[n_faces]
        for v in range(n_vertices[f]):
            for a in range(3):
                vertices[f, v, a] = vertices[n_faces, v, a]
    if n_rim < 3:
        return n_faces, cut
    if n_faces == _MAX_FACES or n_rim > _MAX_VERTICES:
        return -1, True
    n = _lid(rim, n_rim, nx, ny, nz, vertices[n_faces], depth)
    n_vertices[n_faces], owner[n_faces] = n, p
    return n_faces + (n >= 3), cut


@njit(cache=True)
def _cut_polygon(
    polygon: FloatArray, n: int, depth: FloatArray, rim: FloatArray, n_rim: int, kept: FloatArray
) -> tuple[int, int]:
    """Keep the part of a polygon below the plane (Sutherland–Hodgman); note where it is cut."""
    m = int64(0)
    for v in range(n):
        w = v + 1 if v + 1 < n else 0
        if depth[v] <= _DEPTH_A:
            m = _append(kept, m, polygon[v, 0], polygon[v, 1], polygon[v, 2])
        if (depth[v] <= _DEPTH_A) == (depth[w] <= _DEPTH_A):
            continue
        inner, outer = (v, w) if depth[v] <= _DEPTH_A else (w, v)
        t = max(-depth[inner], 0.0) / (depth[outer] - min(depth[inner], 0.0))
        for a in range(3):
            rim[n_rim, a] = polygon[inner, a] + t * (polygon[outer, a] - polygon[inner, a])
        m = _append(kept, m, rim[n_rim, 0], rim[n_rim, 1], rim[n_rim, 2])
        n_rim += 1
    m = _closed(kept, m)
    for v in range(m):
        for a in range(3):
            polygon[v, a] = kept[v, a]
    return m, n_rim


@njit(cache=True)
def _lid(
    rim: FloatArray,
    n_rim: int,
    nx: float,
    ny: float,
    nz: float,
    polygon: FloatArray,
    turn: FloatArray,
) -> int:
    """Order the rim of a cut around its middle: the new face. Every point comes twice."""
    # Two axes in the plane, from the coordinate axis that is most nearly in it.
    if abs(nx) <= abs(ny) and abs(nx) <= abs(nz):
        ux, uy, uz = 0.0, nz, -ny
    elif abs(ny) <= abs(nz):
        ux, uy, uz = -nz, 0.0, nx
    else:
        ux, uy, uz = ny, -nx, 0.0
    wx, wy, wz = ny * uz - nz * uy, nz * ux - nx * uz, nx * uy - ny * ux
    cx = cy = cz = 0.0
    for v in range(n_rim):
        cx, cy, cz = cx + rim[v, 0] / n_rim, cy + rim[v, 1] / n_rim, cz + rim[v, 2] / n_rim
    # Insertion sort by a number that grows with the angle, from −2 to 2.
    for v in range(n_rim):
        x, y, z = rim[v, 0], rim[v, 1], rim[v, 2]
        along = (x - cx) * ux + (y - cy) * uy + (z - cz) * uz
        across = (x - cx) * wx + (y - cy) * wy + (z - cz) * wz
        size = abs(along) + abs(across)
        part = across / size if size > 0.0 else 0.0
        if along < 0.0:
            part = 2.0 - part if across >= 0.0 else -2.0 - part
        at = v
        while at > 0 and turn[at - 1] > part:
            turn[at] = turn[at - 1]
            for a in range(3):
                rim[at, a] = rim[at - 1, a]
            at -= 1
        turn[at] = part
        rim[at, 0], rim[at, 1], rim[at, 2] = x, y, z
    m = int64(0)
    for v in range(n_rim):
        m = _append(polygon, m, rim[v, 0], rim[v, 1], rim[v, 2])
    return _closed(polygon, m)


@njit(cache=True)
def _append(polygon: FloatArray, m: int, x: float, y: float, z: float) -> int:
    """Add a vertex unless it is the previous one again."""
    if m > 0:
        dx, dy, dz = x - polygon[m - 1, 0], y - polygon[m - 1, 1], z - polygon[m - 1, 2]
        if dx * dx + dy * dy + dz * dz < _SAME2:
            return m
    polygon[m, 0], polygon[m, 1], polygon[m, 2] = x, y, z
    return m + 1


@njit(cache=True)
def _closed(polygon: FloatArray, m: int) -> int:
    """Drop the last vertex where it is the first one again."""
    while m > 1:
        dx, dy = polygon[m - 1, 0] - polygon[0, 0], polygon[m - 1, 1] - polygon[0, 1]
        dz = polygon[m - 1, 2] - polygon[0, 2]
        if dx * dx + dy * dy + dz * dz >= _SAME2:
            break
        m -= 1
    return m


@njit(cache=True)
def _measure(polygon: FloatArray, n: int) -> tuple[float, float]:
    """Area and solid angle seen from the origin (van Oosterom & Strackee 1983) of a polygon."""
    area, angle = 0.0, 0.0
    ax, ay, az = polygon[0, 0], polygon[0, 1], polygon[0, 2]
    a = np.sqrt(ax * ax + ay * ay + az * az)
    for v in range(1, n - 1):
        bx, by, bz = polygon[v, 0], polygon[v, 1], polygon[v, 2]
        cx, cy, cz = polygon[v + 1, 0], polygon[v + 1, 1], polygon[v + 1, 2]
        b, c = np.sqrt(bx * bx + by * by + bz * bz), np.sqrt(cx * cx + cy * cy + cz * cz)
        px = (by - ay) * (cz - az) - (bz - az) * (cy - ay)
        py = (bz - az) * (cx - ax) - (bx - ax) * (cz - az)
        pz = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        area += 0.5 * np.sqrt(px * px + py * py + pz * pz)
        ab, bc = ax * bx + ay * by + az * bz, bx * cx + by * cy + bz * cz
        ca = cx * ax + cy * ay + cz * az
        triple = abs(ax * px + ay * py + az * pz)
        angle += 2.0 * np.arctan2(triple, a * b * c + ab * c + bc * a + ca * b)
    return area, angle
