"""A still picture of a scene as SVG: needs no script, no WebGL and nothing from outside.

Orthographic projection, painted from back to front; what is far is paler. Every text is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from ...data.records import FloatArray
from .scene import ROLE_NAMES, Role, Scene, SceneSite, Shell

COLOURS: Final[dict[Role, tuple[str, ...]]] = {
    "mobile": ("#57ab72",),
    "framework": ("#34558b", "#5b7fb8", "#1f3a63", "#7d93b5"),
    "isolated": ("#d9480f", "#f08c3a", "#a61e4d", "#e8590c"),
    "bonded": ("#e6c84f", "#f1e3a0", "#b99a2b", "#d8c68a"),
}
"""By role, one shade per element of that role; distinct in greyscale, too."""

NET_COLOUR: Final[str] = "#7c2d12"
CAGE_COLOUR: Final[str] = "#f08c3a"
POLYHEDRON_COLOUR: Final[str] = "#86a3cf"
CELL_COLOUR: Final[str] = "#64748b"

RADII_A: Final[dict[Role, float]] = {
    "mobile": 0.36,
    "framework": 0.44,
    "bonded": 0.48,
    "isolated": 0.80,
}
"""Drawn radii: isolated anions stand out."""

DENSE_NET: Final[int] = 120
"""More edges than this are drawn thin."""

_AZIMUTH, _ELEVATION = np.radians(24.0), np.radians(16.0)
_SIZE, _PAD = 420.0, 10.0
_FOG = 0.5
_SUBSCRIPTS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def scene_svg(scene: Scene, legend: bool = True, small: bool = False) -> str:
    """Draw a scene.

    Parameters
    ----------
    scene : Scene
        From :func:`.scene.build_scene`.
    legend : bool
        Name colours and lines below the picture.
    small : bool
        For a thumbnail: a third of the size, without what cannot be seen there (bonds, edges of
        polyhedra, lines in pieces that fade).

    Returns
    -------
    str
        One ``<svg>`` element, fit for a file of its own or within HTML.
    """
    canvas = _Canvas.over(scene)
    marks = sorted(_marks(scene, canvas, small), key=lambda mark: (mark.depth, mark.layer))
    lines, legend_height = _legend(scene, canvas.height + 14.0) if legend else ([], 0.0)
    height = canvas.height + legend_height
    title = escape(f"{formula_text(scene.formula)}: {describe_scene(scene)}")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE:.0f} {height:.0f}" '
            f'width="{_SIZE:.0f}" height="{height:.0f}" role="img" '
            'font-family="system-ui, sans-serif" font-size="12.5">',
            f"<title>{title}</title>",
            *(mark.svg for mark in marks),
            *lines,
            "</svg>",
        ]
    )


def formula_text(formula: str) -> str:
    """A formula with subscript digits, as plain text."""
    return formula.translate(_SUBSCRIPTS)


def describe_scene(scene: Scene) -> str:
    """What the picture shows, in one line of plain text."""
    parts = [scene.block_text]
    n_cells = round(abs(float(np.linalg.det(scene.block))))
    n_isolated = n_cells * len({scene.sites[c.center].site for c in scene.cages})
    if n_isolated:
        parts[0] += f" with {n_isolated} isolated {'anion' if n_isolated == 1 else 'anions'}"
    elif scene.isolated_class == "none":
        parts.append("no isolated anion")
    if scene.net_dimension is not None:
        dimension = scene.net_dimension
        within = f"endless in {dimension} D" if dimension else "not endless"
        parts.append(f"their net within the critical distance is {within}")
    if scene.nearest_isolated_A is not None:
        parts.append(f"nearest pair {scene.nearest_isolated_A:.2f} Å")
    return ", ".join([*parts, *scene.notes])


def view_rotation(scene: Scene) -> FloatArray:
    """Rotation into the view: columns are right, up and towards the viewer, shape (3, 3).

    a points right and c* up, then turned by 24° and tipped by 16°, so that no row of atoms hides
    behind another.
    """
    a, b, _ = scene.block_A
    up = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    right = a / np.linalg.norm(a)
    frame = np.column_stack([right, up, np.cross(right, up)])
    cos, sin = np.cos(_AZIMUTH), np.sin(_AZIMUTH)
    turn = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    cos, sin = np.cos(_ELEVATION), np.sin(_ELEVATION)
    tip = np.array([[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]])
    return np.asarray(frame @ turn @ tip)


def cell_lines(scene: Scene) -> list[tuple[FloatArray, FloatArray]]:
    """The twelve edges of the drawn block of cells, Å."""
    rows = scene.block_A
    lines = []
    for axis in range(3):
        others = [k for k in range(3) if k != axis]
        for i, j in product((0, 1), repeat=2):
            start = i * rows[others[0]] + j * rows[others[1]]
            lines.append((start, start + rows[axis]))
    return lines


def shades(scene: Scene) -> dict[tuple[Role, str], str]:
    """Colour of each element in each role, in a fixed order."""
    present = {(s.role, s.element) for site in scene.sites for s in site.species}
    found: dict[tuple[Role, str], str] = {}
    for role, colours in COLOURS.items():
        elements = sorted(element for r, element in present if r == role)
        for k, element in enumerate(elements):
            found[role, element] = colours[k % len(colours)]
    return found


@dataclass(frozen=True)
class _Mark:
    """One SVG element with its depth (larger is nearer)."""

    depth: float
    layer: int
    svg: str


@dataclass(frozen=True, eq=False, kw_only=True)
class _Canvas:
    """Projection from Å to pixels."""

    rotation: FloatArray
    low: FloatArray
    scale: float
    height: float
    depth_range: tuple[float, float]

    @classmethod
    def over(cls, scene: Scene) -> _Canvas:
        """Fit all sites, cages and the cell."""
        rotation = view_rotation(scene)
        corners = np.array([end for line in cell_lines(scene) for end in line])
        points = np.vstack([corners, scene.positions_A]) @ rotation
        room = np.ones((len(points), 1))
        for cage in scene.cages:
            if not cage.faces:
                room[len(corners) + cage.center] = cage.radius_A + 0.1
        low, high = (points - room).min(axis=0), (points + room).max(axis=0)
        scale = (_SIZE - 2 * _PAD) / float(max(high[0] - low[0], 0.85 * (high[1] - low[1])))
        # Narrow structures stand in the middle.
        low[0] -= 0.5 * ((_SIZE - 2 * _PAD) / scale - (high[0] - low[0]))
        height = scale * float(high[1] - low[1]) + 2 * _PAD
        return cls(
            rotation=rotation,
            low=low,
            scale=scale,
            height=height,
            depth_range=(float(low[2]), float(high[2])),
        )

    def place(self, points_A: Sequence[FloatArray | tuple[float, ...]]) -> FloatArray:
        """Pixels x, y and depth in Å, shape (n, 3)."""
        turned = np.atleast_2d(np.asarray(points_A, dtype=np.float64)) @ self.rotation
        x = _PAD + self.scale * (turned[:, 0] - self.low[0])
        y = self.height - _PAD - self.scale * (turned[:, 1] - self.low[1])
        return np.column_stack([x, y, turned[:, 2]])

    def faded(self, colour: str, depth: float) -> str:
        """The colour mixed with white the farther it is."""
        low, high = self.depth_range
        share = _FOG * float(np.clip((high - depth) / (high - low), 0.0, 1.0))
        channels = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
        return "#" + "".join(f"{round(c + share * (255 - c)):02x}" for c in channels)


def _marks(scene: Scene, canvas: _Canvas, small: bool) -> Iterator[_Mark]:
    positions = scene.positions_A
    for start, end in cell_lines(scene):
        yield from _line(canvas, start, end, CELL_COLOUR, 0.9, pieces=1 if small else 6)
    for polyhedron in scene.polyhedra:
        yield from _shell(canvas, positions, polyhedron, POLYHEDRON_COLOUR, 0.34, small)
        for member in () if small else polyhedron.members:
            ends = positions[polyhedron.center], positions[member]
            yield from _line(canvas, *ends, COLOURS["framework"][0], 1.8, pieces=2)
    for cage in scene.cages:
        yield from _shell(canvas, positions, cage, CAGE_COLOUR, 0.13, small)
        if not cage.faces:
            yield _sphere(canvas, positions[cage.center], cage.radius_A)
    yield from _net(scene, canvas, small)
    colours = shades(scene)
    for site in scene.sites:
        yield _atom(canvas, site, colours)


def _net(scene: Scene, canvas: _Canvas, small: bool) -> Iterator[_Mark]:
    """Edges of the net; of a dense one thin, and without those that leave the scene."""
    dense = len(scene.net) > DENSE_NET
    for edge in scene.net:
        if edge.is_whole or not dense:
            dash = "" if edge.is_whole else ' stroke-dasharray="3 3"'
            ends = np.array(edge.start_A), np.array(edge.end_A)
            width = 1.6 if dense else 3.0
            yield from _line(canvas, *ends, NET_COLOUR, width, 1 if small else 4, dash)


def _line(
    canvas: _Canvas,
    start: FloatArray,
    end: FloatArray,
    colour: str,
    width: float,
    pieces: int,
    extra: str = "",
) -> Iterator[_Mark]:
    """A line in pieces, so that each lies at its own depth."""
    points = canvas.place([start + (end - start) * k / pieces for k in range(pieces + 1)])
    for (x1, y1, z1), (x2, y2, z2) in pairwise(points):
        depth = 0.5 * (z1 + z2)
        svg = (
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke-linecap="round" '
            f'stroke="{canvas.faded(colour, depth)}" stroke-width="{width:g}"{extra}/>'
        )
        yield _Mark(round(float(depth), 3), 1, svg)


def _shell(
    canvas: _Canvas,
    positions: FloatArray,
    shell: Shell,
    colour: str,
    opacity: float,
    small: bool,
) -> Iterator[_Mark]:
    for face in shell.faces:
        points = canvas.place(positions[list(face)])  # type: ignore[arg-type]
        depth = float(points[:, 2].mean())
        digits = 0 if small else 1
        path = " ".join(f"{x:.{digits}f},{y:.{digits}f}" for x, y, _ in points)
        fill = canvas.faded(colour, depth)
        svg = f'<polygon points="{path}" fill="{fill}" fill-opacity="{opacity:g}"/>'
        yield _Mark(round(depth, 3), 0, svg)
    for i, j in () if small else shell.edges:
        yield from _line(canvas, positions[i], positions[j], colour, 0.9, pieces=1)


def _sphere(canvas: _Canvas, center_A: FloatArray, radius_A: float) -> _Mark:
    """A cage without enough mobile ions in reach to span one: a ball of the size in the net."""
    ((x, y, depth),) = canvas.place([center_A])
    svg = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{canvas.scale * radius_A:.1f}" fill="{CAGE_COLOUR}" '
        f'fill-opacity="0.1" stroke="{canvas.faded(CAGE_COLOUR, depth)}" stroke-width="0.9"/>'
    )
    return _Mark(round(float(depth), 3), 0, svg)


def _atom(canvas: _Canvas, site: SceneSite, colours: dict[tuple[Role, str], str]) -> _Mark:
    ((x, y, depth),) = canvas.place([site.position_A])
    radius = canvas.scale * RADII_A[site.role]
    stroke = canvas.faded("#1e293b", depth)
    parts = [(s.occupancy, canvas.faded(colours[s.role, s.element], depth)) for s in site.species]
    # Half a radius nearer: the ball lies before the sticks that end in it.
    order = round(float(depth) + 0.5 * RADII_A[site.role], 3)
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" stroke="{stroke}"'
    width = 1.6 if site.role == "isolated" else 0.8
    if parts[0][0] > 0.995:
        return _Mark(order, 2, f'{circle} stroke-width="{width:g}" fill="{parts[0][1]}"/>')
    ball = f'{circle} stroke-width="{width:g}" fill="#fff"/>'
    return _Mark(order, 2, ball + "".join(_sectors(x, y, radius - width / 2, parts)))


def _sectors(
    x: float, y: float, radius: float, parts: Iterable[tuple[float, str]]
) -> Iterator[str]:
    """Shares of a mixed or partly occupied site, clockwise from the top; the rest stays white."""
    done = 0.0
    for share, colour in parts:
        angles = 2 * np.pi * np.array([done, done + min(share, 0.999)])
        (x1, x2), (y1, y2) = x + radius * np.sin(angles), y - radius * np.cos(angles)
        large = int(share > 0.5)
        yield (
            f'<path d="M{x:.1f} {y:.1f}L{x1:.1f} {y1:.1f}A{radius:.1f} {radius:.1f} 0 {large} 1 '
            f'{x2:.1f} {y2:.1f}Z" fill="{colour}"/>'
        )
        done += share


def _legend(scene: Scene, top: float) -> tuple[list[str], float]:
    """Entries in two columns and their height."""
    entries: list[tuple[str, str]] = []
    for (role, element), colour in shades(scene).items():
        radius = 4.0 + 3.5 * RADII_A[role]
        mark = f'<circle cx="9" cy="-4" r="{radius:.1f}" fill="{colour}" stroke="#1e293b"/>'
        entries.append((mark, f"{element}, {ROLE_NAMES[role]}"))
    if scene.polyhedra:
        entries.append((_swatch(POLYHEDRON_COLOUR, 0.5), "framework polyhedra"))
    if scene.cages:
        entries.append((_swatch(CAGE_COLOUR, 0.3), "cage of mobile ions"))
    if scene.net:
        line = f'<line x1="0" x2="18" y1="-4" y2="-4" stroke="{NET_COLOUR}" stroke-width="3"/>'
        entries.append((line, "net within critical distance"))
    lines = []
    for k, (mark, text) in enumerate(entries):
        x, y = 8 + 205 * (k % 2), top + 14 + 21 * (k // 2)
        words = f'<text x="26" fill="#334155">{escape(text)}</text>'
        lines.append(f'<g transform="translate({x:.0f} {y:.0f})">{mark}{words}</g>')
    return lines, 21.0 * ((len(entries) + 1) // 2) + 22.0


def _swatch(colour: str, opacity: float) -> str:
    return (
        f'<rect x="1" y="-11" width="16" height="13" rx="2" fill="{colour}" '
        f'fill-opacity="{opacity:g}" stroke="{colour}"/>'
    )
