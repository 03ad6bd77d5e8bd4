"""Scenes of many structures in one page: packed small, unpacked by the page one group at a time.

A scene is written as whole hundredths of an ångström and small numbers, some structures share one
zlib stream (their labels and coordinates repeat), and streams stand in the page as base64. The
browser unpacks the group of the structure that is chosen, and no other.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .scene import Role, Scene, SceneSite
from .svg import RADII_A, cell_lines, shades, view_rotation
from .view import site_label

GROUP: Final[int] = 8
"""Structures in one stream: more compress better, fewer open faster."""
MOST_BYTES: Final[int] = 3_600_000
"""Base64 characters of all streams; what is beyond is left out, the best are kept."""
_UNIT_A: Final[float] = 0.01
_FULL: Final[float] = 0.995


@dataclass(frozen=True)
class PackedScenes:
    """Streams for the page, and where each structure lies in them.

    Parameters
    ----------
    streams : list of str
        Base64 of zlib of a JSON list of scenes.
    places : dict of id to [stream, index within it]
    left_out : list of str
        Ids for which there was no room.
    """

    streams: list[str] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def pack_scenes(scenes: Iterable[Scene], most_bytes: int = MOST_BYTES) -> PackedScenes:
    """Pack scenes in the order given until the room is used up.

    Parameters
    ----------
    scenes : iterable of Scene
    most_bytes : int
        Base64 characters of all streams together.
    """
    packed = PackedScenes()
    room, group = most_bytes, list[Scene]()
    for scene in scenes:
        group.append(scene)
        if len(group) == GROUP:
            room = _add_group(packed, group, room)
            group = []
    _add_group(packed, group, room)
    return packed


def _add_group(packed: PackedScenes, group: list[Scene], room: int) -> int:
    if not group:
        return room
    text = json.dumps([packed_scene(s) for s in group], sort_keys=True, separators=(",", ":"))
    stream = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    if len(stream) > room:
        packed.left_out.extend(scene.id for scene in group)
        # Later, worse structures do not take the room of better ones.
        return 0
    number = len(packed.streams)
    packed.streams.append(stream)
    packed.places.update({scene.id: [number, k] for k, scene in enumerate(group)})
    return room - len(stream)


def packed_scene(scene: Scene) -> dict[str, Any]:
    """A scene as small numbers: right, up, towards the reader; hundredths of Å, centred.

    ``kinds`` are looks of sites: radius (Å), colour, opacity, label, role. ``at`` holds x, y, z,
    kind and number of each site in a row; indices of polyhedra, cages and bonds count sites; a net
    edge has a last number that is 0 where it ends half way to a partner outside.
    """
    rotation = view_rotation(scene)
    centre = 0.5 * scene.block_A.sum(axis=0)

    def placed(points: Any) -> list[int]:
        turned = (np.asarray(points, dtype=np.float64).reshape(-1, 3) - centre) @ rotation
        found: list[int] = np.rint(turned / _UNIT_A).astype(np.int64).ravel().tolist()
        return found

    colours = shades(scene)
    kinds: dict[tuple[Any, ...], int] = {}
    sites: list[int] = []
    positions = placed([site.position_A for site in scene.sites])
    for k, site in enumerate(scene.sites):
        look = _look(site, colours)
        kind = kinds.setdefault(look, len(kinds))
        sites += [*positions[3 * k : 3 * k + 3], kind, site.site]
    ends = placed([(e.start_A, e.end_A) for e in scene.net])
    return {
        "kinds": [list(look) for look in kinds],
        "at": sites,
        "bonds": _flat((p.center, m) for p in scene.polyhedra for m in p.members),
        "faces": _flat(f for p in scene.polyhedra for f in p.faces),
        "edges": _flat(e for p in scene.polyhedra for e in p.edges),
        "cageFaces": _flat(f for c in scene.cages for f in c.faces),
        "cageEdges": _flat(e for c in scene.cages for e in c.edges),
        "bare": _flat((c.center, round(c.radius_A / _UNIT_A)) for c in scene.cages if not c.faces),
        "net": _flat((*ends[6 * k : 6 * k + 6], int(e.is_whole)) for k, e in enumerate(scene.net)),
        "cell": placed(list(cell_lines(scene))),
    }


def _look(site: SceneSite, colours: dict[tuple[Role, str], str]) -> tuple[Any, ...]:
    opacity = 1.0 if site.occupancy > _FULL else 0.6
    label = site_label(site).rsplit(" (site", 1)[0]
    colour = colours[site.role, site.species[0].element]
    return (RADII_A[site.role], colour, opacity, label, site.role)


def _flat(rows: Iterable[Iterable[int]]) -> list[int]:
    return [int(value) for row in rows for value in row]
