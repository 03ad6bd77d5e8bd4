"""What the page of an explanation draws: the structure with its void, and the path's profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from markupsafe import Markup

from ...data.errors import FeatureError
from ...data.records import FloatArray
from ...features.core.prepared import PreparedStructure
from ..pages.axes import Scale, Tick
from ..pages.packed import packed_scene
from ..pages.scene import Scene
from ..pages.svg import describe_scene, scene_svg, view_rotation
from .void import MigrationPath, SimilarityMap, migration_path, similarity_map

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Energy along the path, in pixels."""

    points: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    barrier_y: float
    barrier_eV: float
    length_A: float
    highest_eV: float
    width: float = 520.0
    height: float = 250.0
    left: float = 56.0
    bottom: float = 206.0


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything that is drawn of one structure.

    Parameters
    ----------
    packed : dict
        Scene for the viewer (:func:`.pages.packed.packed_scene`), with ``points`` of the
        similarity map and the ``path``; empty where nothing can be drawn.
    svg : Markup
        The same without map and path, for pages without scripts.
    n_points : int
        Of the similarity map.
    around : list of (str, int)
        Anions with how many points lie nearest to them.
    without : dict
        Why the map or the path is not there.
    """

    packed: dict[str, Any] = field(default_factory=dict)
    svg: Markup = field(default_factory=Markup)
    caption: str = ""
    n_points: int = 0
    around: list[tuple[str, int]] = field(default_factory=list)
    profile: Profile | None = None
    without: dict[str, str] = field(default_factory=dict)


def view_of(prepared: PreparedStructure, scene: Scene) -> View:
    """Scene, similarity map and path of one structure; what cannot be made says why.

    Parameters
    ----------
    prepared : PreparedStructure
    scene : Scene
        Of the same structure.
    """
    without: dict[str, str] = {}
    cloud = _or_why("similarity", without, lambda: similarity_map(prepared, scene.block_A))
    path = _or_why("path", without, lambda: migration_path(prepared))
    if path is None and "path" not in without:
        without["path"] = "no path through the crystal below 10 eV"
    packed = packed_scene(scene)
    if cloud is not None:
        packed["points"] = _placed(scene, cloud.points_A, cloud.closeness)
    if path is not None:
        packed["path"] = _path_in_block(scene, path)
    return View(
        packed=packed,
        svg=Markup(scene_svg(scene)),
        caption=describe_scene(scene),
        n_points=0 if cloud is None else len(cloud.points_A),
        around=[] if cloud is None else _around(scene, cloud),
        profile=None if path is None else _profile(path),
        without=without,
    )


def _or_why(name: str, without: dict[str, str], make: Callable[[], Made]) -> Made | None:
    try:
        return make()
    except FeatureError as error:
        without[name] = str(error)
        return None


def _placed(scene: Scene, points_A: FloatArray, values: FloatArray) -> list[int]:
    """As in :func:`packed_scene`: hundredths, turned into the view; a value after each point."""
    centre = 0.5 * scene.block_A.sum(axis=0)
    turned = (points_A - centre) @ view_rotation(scene)
    rows = np.rint(100.0 * np.column_stack([turned, values]))
    return [int(v) for v in rows.ravel()]


def _path_in_block(scene: Scene, path: MigrationPath) -> list[int]:
    """The path laid so that it passes the middle of the block; a point outside starts anew.

    The last number of a point is 1 where no line leads to it from the one before.
    """
    middle = 0.5 * scene.block_A.sum(axis=0)
    cells = np.rint((middle - path.points_A.mean(axis=0)) @ np.linalg.inv(scene.lattice_A))
    points = path.points_A + cells @ scene.lattice_A
    return _placed(scene, points, np.zeros(len(points)))


def _around(scene: Scene, cloud: SimilarityMap) -> list[tuple[str, int]]:
    """How many points of the map are nearest to each kind of anion."""
    from scipy.spatial import cKDTree

    anions = [s for s in scene.sites if s.role in ("isolated", "bonded")]
    if not anions or not len(cloud.points_A):
        return []
    tree = cKDTree(np.array([s.position_A for s in anions]))
    nearest = tree.query(cloud.points_A)[1]
    names = [f"{s.role} {s.species[0].element}" for s in anions]
    counts = dict.fromkeys(sorted(set(names)), 0)
    for i in nearest:
        counts[names[i]] += 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _profile(path: MigrationPath) -> Profile:
    x = Scale(0.0, float(path.distance_A[-1]) or 1.0, 56.0, 506.0)
    highest = float(path.energy_eV.max())
    y = Scale(0.0, 1.12 * max(highest, path.barrier_eV, 0.05), 206.0, 14.0)
    pairs = zip(path.distance_A, path.energy_eV, strict=True)
    return Profile(
        points=" ".join(f"{x(float(d))},{y(float(e))}" for d, e in pairs),
        x_ticks=x.ticks(),
        y_ticks=y.ticks(5),
        barrier_y=y(path.barrier_eV),
        barrier_eV=path.barrier_eV,
        length_A=float(path.distance_A[-1]),
        highest_eV=highest,
    )
