"""What a picture of one structure shows: atoms by role, polyhedra, isolated anions, net, cages.

A scene is plain geometry in Å, made once and drawn by :mod:`.scene_svg` (still, no script needed)
and by the viewer of the report. It holds a block of cells (the conventional cell of a primitive
one, short edges repeated) and what completes it: anions of the polyhedra and mobile ions of the
cages that stick out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import Final, Literal

import numpy as np

from ...data.elements import SYMBOLS
from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray, StructureRecord, reduced_formula
from ...features.core.periodic import heights_A
from ...features.core.prepared import PreparedStructure, StructureLike, as_prepared
from ...features.isolated.definition import (
    IsolatedClass,
    cage_contacts,
    find_isolated_anions,
    framework_bonds,
)
from ...features.isolated.net import AnionNet, CriticalNet, critical_net, isolated_nets
from ...features.standard.symmetry import conventional_rows
from .polyhedra import Edge, Face, Hull, hull_of

Role = Literal["mobile", "framework", "isolated", "bonded"]
ROLE_NAMES: Final[dict[Role, str]] = {
    "mobile": "mobile ion",
    "framework": "framework cation",
    "isolated": "isolated anion",
    "bonded": "bonded anion",
}

SHORT_EDGE_A: Final[float] = 5.0
"""Shorter edges of the cell are repeated until they reach this."""

MOST_SITES: Final[int] = 1500
"""Larger scenes would be neither readable nor quick to turn."""

_ON_FACE_A: Final[float] = 0.1

Point = tuple[float, float, float]


@dataclass(frozen=True)
class SceneSpecies:
    """One species on a site."""

    element: str
    occupancy: float
    role: Role


@dataclass(frozen=True)
class SceneSite:
    """One drawn position: a site of the structure or one of its periodic images.

    Attributes
    ----------
    site : int
        Index in the structure.
    position_A : (float, float, float), Å
    species : tuple of SceneSpecies
        Most abundant first; what is missing to 1 is vacant.
    """

    site: int
    position_A: Point
    species: tuple[SceneSpecies, ...]

    @property
    def role(self) -> Role:
        """Role of the most abundant species."""
        return self.species[0].role

    @property
    def occupancy(self) -> float:
        """Of all species together."""
        return sum(s.occupancy for s in self.species)


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A polyhedron of sites around a centre: framework cation and anions, or a cage.

    Attributes
    ----------
    center : int
        Index in ``Scene.sites``, as are all others.
    members : tuple of int
    faces, edges : tuples of index tuples
        Convex hull; empty where the members do not span a volume.
    radius_A : float, Å
        Of a cage: r_mobile + r_anion (Slater), so that cages touch at the critical distance. Of a
        polyhedron: largest distance to a member.
    """

    center: int
    members: tuple[int, ...]
    faces: tuple[Face, ...]
    edges: tuple[Edge, ...]
    radius_A: float


@dataclass(frozen=True)
class NetEdge:
    """Two isolated anions within the critical distance.

    ``is_whole`` is False where the partner lies outside the scene; the edge then ends half way.
    """

    start_A: Point
    end_A: Point
    distance_A: float
    is_whole: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Scene:
    """Geometry of one structure.

    Attributes
    ----------
    id, formula, mobile : str
    lattice_A : array (3, 3), Å
        Rows of the cell given.
    block : int array (3, 3)
        Rows of the block of cells drawn, in rows of the cell.
    block_text : str
        What the block is, in words.
    sites : tuple of SceneSite
    polyhedra, cages : tuple of Shell
    net : tuple of NetEdge
    isolated_class : {'framework', 'antistructure', 'none'}
    net_dimension : int or None
        In how many dimensions the net of all isolated anions is endless at the critical distance.
    nearest_isolated_A : float or None, Å
    notes : tuple of str
        What could not be drawn, and why.
    """

    id: str
    formula: str
    mobile: str
    lattice_A: FloatArray
    block: IntArray
    block_text: str
    sites: tuple[SceneSite, ...]
    polyhedra: tuple[Shell, ...]
    cages: tuple[Shell, ...]
    net: tuple[NetEdge, ...]
    isolated_class: IsolatedClass
    net_dimension: int | None
    nearest_isolated_A: float | None
    notes: tuple[str, ...] = ()

    @property
    def block_A(self) -> FloatArray:
        """Edges of the block as rows, Å."""
        return np.asarray(self.block @ self.lattice_A)

    @property
    def positions_A(self) -> FloatArray:
        """Of all sites, shape (n_sites, 3), Å."""
        return np.array([s.position_A for s in self.sites], dtype=np.float64).reshape(-1, 3)


def build_scene(structure: StructureLike, mobile: str = "Li") -> Scene:
    """Make the scene of a structure.

    Parameters
    ----------
    structure : pymatgen Structure, StructureRecord or PreparedStructure
    mobile : str
        Mobile species; a prepared structure keeps its own.

    Raises
    ------
    RoleError
        If the structure has no roles.
    FeatureError
        If it has too many sites to be drawn.
    """
    prepared = as_prepared(structure, mobile)
    block, block_text = _block(prepared.record)
    n_drawn = prepared.record.n_sites * round(abs(float(np.linalg.det(block))))
    if n_drawn > MOST_SITES:
        raise FeatureError(f"{prepared.record.id}: {n_drawn} sites are too many to be drawn")
    drawn = _Drawn(prepared)
    drawn.fill(block)
    inside = dict(drawn.index)
    notes: list[str] = []
    net, nets = _net_or_none(prepared, notes)
    polyhedra = _shells(drawn, inside, _bonds(prepared), {})
    cages = _shells(drawn, inside, _cage_members(prepared, net), _radii(prepared, net))
    return Scene(
        id=prepared.record.id,
        formula=reduced_formula(prepared.record.composition),
        mobile=prepared.roles.mobile,
        lattice_A=prepared.record.lattice,
        block=block,
        block_text=block_text,
        sites=tuple(drawn.sites),
        polyhedra=polyhedra,
        cages=cages,
        net=_net_edges(prepared, net, inside, drawn),
        isolated_class=find_isolated_anions(prepared).isolated_class,
        net_dimension=nets[""].dimension if nets else None,
        nearest_isolated_A=nets[""].nearest_A if nets else None,
        notes=tuple(notes),
    )


_Key = tuple[int, int, int, int]
"""A site and the cell it is in."""


@dataclass
class _Drawn:
    """Sites of the scene, each with its cell, added once."""

    prepared: PreparedStructure
    index: dict[_Key, int] = field(default_factory=dict)
    sites: list[SceneSite] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.species = _species_by_site(self.prepared)

    def add(self, key: _Key) -> int:
        if key not in self.index:
            self.index[key] = len(self.sites)
            self.sites.append(SceneSite(key[0], self.position(key), self.species[key[0]]))
        return self.index[key]

    def position(self, key: _Key) -> Point:
        record = self.prepared.record
        x, y, z = (record.frac[key[0]] + np.array(key[1:])) @ record.lattice
        return float(x), float(y), float(z)

    def fill(self, block: IntArray) -> None:
        """Every site of the block; those on a face are drawn on both faces."""
        record = self.prepared.record
        margin = _ON_FACE_A / heights_A(block @ record.lattice)
        to_block = np.linalg.inv(block)
        cells = _cells_around(block)
        for site, frac in enumerate(record.frac):
            within = (cells + frac) @ to_block
            for a, b, c in cells[((-margin <= within) & (within <= 1.0 + margin)).all(axis=1)]:
                self.add((site, int(a), int(b), int(c)))


def _block(record: StructureRecord) -> tuple[IntArray, str]:
    """The conventional cell, repeated along edges below :data:`SHORT_EDGE_A`, and its name."""
    rows = conventional_rows(record)
    lengths = np.linalg.norm(rows @ record.lattice, axis=1)
    repeats = np.maximum(np.ceil(SHORT_EDGE_A / lengths - 1e-6), 1).astype(np.int64)
    kind = "conventional cell" if abs(np.linalg.det(rows)) > 1.5 else "unit cell"
    if (repeats == 1).all():
        return rows, f"one {kind}"
    return repeats[:, None] * rows, f"{'×'.join(map(str, repeats))} {kind}s"


def _cells_around(block: IntArray) -> IntArray:
    """Cells whose sites may lie in the block or on its faces, in a fixed order, shape (n, 3)."""
    corners = np.array(list(product((0, 1), repeat=3))) @ block
    low, high = corners.min(axis=0) - 1, corners.max(axis=0)
    ranges = [range(a, b + 1) for a, b in zip(low, high, strict=True)]
    return np.array(list(product(*ranges)), dtype=np.int64)


def _species_by_site(prepared: PreparedStructure) -> list[tuple[SceneSpecies, ...]]:
    atoms, roles = prepared.atoms, prepared.roles
    isolated = find_isolated_anions(prepared).is_isolated
    found: list[list[SceneSpecies]] = [[] for _ in range(prepared.record.n_sites)]
    for atom, site in enumerate(atoms.site):
        role: Role = "framework"
        if roles.is_mobile[atom]:
            role = "mobile"
        elif roles.is_anion[atom]:
            role = "isolated" if isolated[atom] else "bonded"
        element = SYMBOLS[atoms.z[atom] - 1]
        found[site].append(SceneSpecies(element, float(atoms.occupancy[atom]), role))
    return [tuple(sorted(each, key=lambda s: (-s.occupancy, s.element))) for each in found]


_Members = dict[int, list[_Key]]
"""Members of the shell around each site in the cell at the origin."""


def _grouped(prepared: PreparedStructure, pairs: Iterable[int]) -> _Members:
    list_, site = prepared.neighbors, prepared.atoms.site
    groups: defaultdict[int, dict[_Key, None]] = defaultdict(dict)
    for pair in pairs:
        a, b, c = (int(n) for n in list_.image[pair])
        groups[int(site[list_.center[pair]])][int(site[list_.neighbor[pair]]), a, b, c] = None
    return {center: list(members) for center, members in groups.items()}


def _bonds(prepared: PreparedStructure) -> _Members:
    return _grouped(prepared, framework_bonds(prepared))


def _cage_members(prepared: PreparedStructure, net: CriticalNet | None) -> _Members:
    """Mobile ions around each node of the net."""
    if net is None:
        return {}
    pairs = cage_contacts(prepared)
    of_node = np.isin(prepared.neighbors.center[pairs], net.nodes)
    found = _grouped(prepared, pairs[of_node])
    # An isolated anion without an ion in reach is a cage all the same: its sphere is drawn.
    return {int(site): found.get(int(site), []) for site in prepared.atoms.site[net.nodes]}


def _radii(prepared: PreparedStructure, net: CriticalNet | None) -> dict[int, float]:
    if net is None:
        return {}
    sites = prepared.atoms.site[net.nodes]
    return {int(s): float(r) for s, r in zip(sites, net.cage_radius_A, strict=True)}


def _shells(
    drawn: _Drawn, inside: dict[_Key, int], members: _Members, radii: dict[int, float]
) -> tuple[Shell, ...]:
    """Shells around every centre in the cell; members that stick out are added."""
    shells = []
    # Images of a centre have one hull: most stand on the faces of the cell, and are drawn twice.
    hulls: dict[int, Hull] = {}
    for (site, *cell), center in inside.items():
        if site not in members:
            continue
        keys = [(s, *(int(x) for x in np.add(image, cell))) for s, *image in members[site]]
        around = [drawn.add((s, a, b, c)) for s, a, b, c in keys]
        points = np.array([drawn.sites[i].position_A for i in around]).reshape(-1, 3)
        reach = np.linalg.norm(points - np.array(drawn.sites[center].position_A), axis=1)
        if site not in hulls:
            hulls[site] = hull_of(points)
        faces, edges = hulls[site].named(around)
        radius = radii.get(site, float(reach.max(initial=0.0)))
        shells.append(
            Shell(center=center, members=tuple(around), faces=faces, edges=edges, radius_A=radius)
        )
    return tuple(shells)


def _net_or_none(
    prepared: PreparedStructure, notes: list[str]
) -> tuple[CriticalNet | None, dict[str, AnionNet]]:
    try:
        return critical_net(prepared), isolated_nets(prepared)
    except FeatureError as error:
        notes.append(f"net and cages are not drawn: {error}")
        return None, {}


def _net_edges(
    prepared: PreparedStructure, net: CriticalNet | None, inside: dict[_Key, int], drawn: _Drawn
) -> tuple[NetEdge, ...]:
    """Edges from every node in the cell, whole ones once, the others up to half way."""
    if net is None:
        return ()
    neighbors = _both_ways(net, prepared.atoms.site[net.nodes])
    found = []
    for (site, *cell), start in inside.items():
        for other, image, distance in neighbors.get(site, []):
            a, b, c = (int(x) for x in np.add(image, cell))
            end = inside.get((other, a, b, c))
            if end is not None and end < start:
                continue
            p, q = drawn.sites[start].position_A, drawn.position((other, a, b, c))
            if end is None:
                q = (0.5 * (p[0] + q[0]), 0.5 * (p[1] + q[1]), 0.5 * (p[2] + q[2]))
            found.append(NetEdge(p, q, distance, end is not None))
    return tuple(found)


def _both_ways(
    net: CriticalNet, site: IntArray
) -> dict[int, list[tuple[int, tuple[int, ...], float]]]:
    """Site → (site, cell, distance) of every partner."""
    partners: defaultdict[int, list[tuple[int, tuple[int, ...], float]]] = defaultdict(list)
    for (i, j, *image), distance in zip(net.edges.tolist(), net.distance_A.tolist(), strict=True):
        a, b = int(site[i]), int(site[j])
        partners[a].append((b, tuple(image), distance))
        partners[b].append((a, tuple(-x for x in image), distance))
    return dict(partners)
