"""Scenes of structures whose geometry is known."""

from xml.etree import ElementTree

import numpy as np
import pytest

from ionsieve.data.errors import FeatureError, RoleError
from ionsieve.data.records import Provenance, SiteSpecies, StructureRecord
from ionsieve.features.core.prepared import prepare
from ionsieve.features.isolated.net import critical_net, isolated_nets
from ionsieve.screening.pages.polyhedra import convex_hull
from ionsieve.screening.pages.scene import build_scene
from ionsieve.screening.pages.svg import describe_scene, scene_svg

SVG = "{http://www.w3.org/2000/svg}"
A_LI2S = 5.71
A_ARGYRODITE = 9.86


def li2s() -> StructureRecord:
    """Antifluorite: S on fcc, Li in its tetrahedra."""
    fcc = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    li = [(x, y, z) for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75)]
    return StructureRecord.ordered(
        "Li2S", np.eye(3) * A_LI2S, ["S"] * 4 + ["Li"] * 8, np.array(fcc + li, dtype=float)
    )


def li3ps4_like(name: str = "Li3PS4") -> StructureRecord:
    """One PS4 tetrahedron (P–S 2.05 Å) and three Li in a large cell."""
    d = 2.05 / np.sqrt(3) / 8.0
    s = 0.5 + d * np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)])
    frac = np.vstack([[(0.5, 0.5, 0.5)], s, [(0.0, 0.5, 0.25), (0.5, 0.0, 0.75), (0.02, 0.5, 0.8)]])
    return StructureRecord.ordered(name, np.eye(3) * 8.0, ["P", *"SSSS", "Li", "Li", "Li"], frac)


def mixed() -> StructureRecord:
    """Li2S with half of the S replaced by Se and one Li site half empty."""
    base = li2s()
    species = [(SiteSpecies("S", 0.6), SiteSpecies("Se", 0.4))] * 4
    species += [(SiteSpecies("Li", 1.0),)] * 7 + [(SiteSpecies("Li", 0.9999),)]
    return StructureRecord(
        id="mixed",
        lattice=base.lattice,
        species=tuple(species),
        frac=base.frac,
        provenance=Provenance(source="test"),
    )


def test_every_anion_of_an_antistructure_is_isolated_in_a_cube_of_lithium() -> None:
    scene = build_scene(li2s())
    assert scene.isolated_class == "antistructure"
    assert not scene.polyhedra
    assert scene.block_text == "one unit cell"
    # Corners and faces of the cube are drawn on both sides.
    assert len(scene.cages) == 14
    for cage in scene.cages:
        assert scene.sites[cage.center].species[0].element == "S"
        assert len(cage.members) == 8
        assert len(cage.faces) == 12
        assert len(cage.edges) == 12
        assert cage.radius_A == pytest.approx(1.45 + 1.00, rel=1e-9)


def test_the_net_has_every_pair_within_the_critical_distance_once() -> None:
    scene = build_scene(li2s())
    # S–S is 4.04 Å; the next, 5.71 Å, exceeds 2 (1.45 + 1.00) = 4.90 Å.
    lengths = np.array([edge.distance_A for edge in scene.net])
    np.testing.assert_allclose(lengths, A_LI2S / np.sqrt(2), rtol=1e-9)
    whole = [edge for edge in scene.net if edge.is_whole]
    points = np.array([s.position_A for s in scene.sites if s.species[0].element == "S"])
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    assert len(whole) == int(((apart < 4.9) & np.triu(np.ones_like(apart, dtype=bool), 1)).sum())
    assert len({frozenset((e.start_A, e.end_A)) for e in whole}) == len(whole)
    for edge in scene.net:
        drawn = np.linalg.norm(np.subtract(edge.end_A, edge.start_A))
        assert drawn == pytest.approx(edge.distance_A * (1.0 if edge.is_whole else 0.5), rel=1e-9)
    # Twelve ends at every node: each whole edge has two in the scene, the others one.
    assert 2 * len(whole) + (len(scene.net) - len(whole)) == 12 * 14


def test_a_primitive_cell_is_drawn_as_the_conventional_one() -> None:
    record = li2s()
    primitive = 0.5 * A_LI2S * np.array([(0, 1, 1), (1, 0, 1), (1, 1, 0)], dtype=float)
    frac = np.array([(0, 0, 0), (0.25, 0.25, 0.25), (0.75, 0.75, 0.75)])
    small = build_scene(StructureRecord.ordered("p", primitive, ["S", "Li", "Li"], frac))
    assert small.block_text == "one conventional cell"
    assert np.linalg.det(small.block) == pytest.approx(4, rel=1e-9)
    np.testing.assert_allclose(np.linalg.norm(small.block_A, axis=1), A_LI2S, rtol=1e-9)
    large = build_scene(record)
    assert len(small.sites) == len(large.sites)
    assert (len(small.cages), len(small.net)) == (len(large.cages), len(large.net))


def test_short_edges_are_repeated() -> None:
    base = li3ps4_like()
    flat = base.lattice * np.array([[1.0], [1.0], [0.55]])
    scene = build_scene(
        StructureRecord(id="flat", lattice=flat, species=base.species, frac=base.frac)
    )
    assert scene.block_text == "1×1×2 unit cells"
    np.testing.assert_allclose(scene.block_A, flat * [[1], [1], [2]], rtol=1e-9)


def test_the_critical_net_agrees_with_the_dimension_of_the_descriptor() -> None:
    prepared = prepare(li2s())
    net = critical_net(prepared)
    assert isolated_nets(prepared)[""].dimension == 3
    assert len(net.edges) == 4 * 12 / 2
    assert net.distance_A.min() == pytest.approx(isolated_nets(prepared)[""].nearest_A, rel=1e-9)


def test_polyhedra_are_complete_and_nothing_is_isolated_in_an_ortho_thiophosphate() -> None:
    scene = build_scene(li3ps4_like())
    assert scene.isolated_class == "none"
    assert (scene.cages, scene.net, scene.net_dimension) == ((), (), None)
    (tetrahedron,) = scene.polyhedra
    assert len(tetrahedron.members) == len(tetrahedron.faces) == 4
    assert len(tetrahedron.edges) == 6
    assert {scene.sites[i].role for i in tetrahedron.members} == {"bonded"}
    assert tetrahedron.radius_A == pytest.approx(2.05, rel=1e-9)
    # A site on a face of the cell is drawn on the opposite face, too.
    on_face = [s.position_A[0] for s in scene.sites if s.site == 5]
    np.testing.assert_allclose(sorted(on_face), [0.0, 8.0], rtol=0, atol=1e-9)


def test_mixed_sites_are_one_position_with_shares() -> None:
    scene = build_scene(mixed())
    species = next(s.species for s in scene.sites if s.site == 0)
    assert [(s.element, s.occupancy, s.role) for s in species] == [
        ("S", 0.6, "isolated"),
        ("Se", 0.4, "isolated"),
    ]
    svg = ElementTree.fromstring(scene_svg(scene))
    n_shared = sum(len(s.species) == 2 for s in scene.sites)
    assert len(svg.findall(f"{SVG}path")) == 2 * n_shared


def test_the_picture_holds_every_site_and_stays_within_its_frame() -> None:
    scene = build_scene(li3ps4_like())
    svg = ElementTree.fromstring(scene_svg(scene))
    circles = svg.findall(f"{SVG}circle")
    assert len(circles) == len(scene.sites)
    width, height = float(svg.get("width", 0)), float(svg.get("height", 0))
    for circle in circles:
        x, y, r = (float(circle.get(k, "nan")) for k in ("cx", "cy", "r"))
        assert r <= x <= width - r
        assert r <= y <= height - r
    assert describe_scene(scene) == "one unit cell, no isolated anion"


def test_a_cage_without_ions_in_reach_is_a_ball_within_the_frame() -> None:
    base = li3ps4_like()
    frac = np.vstack([base.frac, [(0.0, 0.0, 0.0), (0.25, 0.5, 0.02)]])
    elements = ["P", *"SSSS", "Li", "Li", "Li", "Cl", "Li"]
    scene = build_scene(StructureRecord.ordered("bare", np.eye(3) * 9.0, elements, frac))
    bare = [cage for cage in scene.cages if not cage.faces]
    assert len(bare) == len(scene.cages) == 8
    svg = ElementTree.fromstring(scene_svg(scene))
    circles = svg.findall(f"{SVG}circle")
    assert len(circles) == len(scene.sites) + len(bare)
    for circle in circles:
        x, y, r = (float(circle.get(k, "nan")) for k in ("cx", "cy", "r"))
        assert r <= x <= float(svg.get("width", 0)) - r
        assert r <= y <= float(svg.get("height", 0)) - r


def test_a_hostile_id_cannot_leave_the_text() -> None:
    scene = build_scene(li3ps4_like('"/><script>alert(1)</script>'))
    root = ElementTree.fromstring(scene_svg(scene))
    assert not [e for e in root.iter() if e.tag.endswith("script")]


def test_the_picture_turns_with_the_crystal() -> None:
    """A crystal given in another orientation is the same picture."""
    record = li3ps4_like()
    quarter = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = StructureRecord(
        id="turned", lattice=record.lattice @ quarter, species=record.species, frac=record.frac
    )
    assert scene_svg(build_scene(turned)) == scene_svg(build_scene(record))


def test_same_bytes_each_time() -> None:
    assert scene_svg(build_scene(mixed())) == scene_svg(build_scene(mixed()))


def test_planar_or_few_points_have_no_hull() -> None:
    square = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)], dtype=float)
    assert convex_hull(square, [0, 1, 2, 3]) == ((), ())
    assert convex_hull(square[:3], [0, 1, 2]) == ((), ())


def test_faces_of_a_cube_look_outward_and_its_diagonals_are_no_edges() -> None:
    cube = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    faces, edges = convex_hull(cube, list(range(8)))
    assert (len(faces), len(edges)) == (12, 12)
    assert all(np.abs(cube[i] - cube[j]).sum() == 1 for i, j in edges)
    for a, b, c in faces:
        normal = np.cross(cube[b] - cube[a], cube[c] - cube[a])
        assert normal @ (cube[[a, b, c]].mean(axis=0) - 0.5) > 0


def test_what_cannot_be_drawn_says_why() -> None:
    grid = np.array([(x, y, z) for x in range(12) for y in range(12) for z in range(12)]) / 12
    symbols = ["Li" if i % 2 else "F" for i in range(len(grid))]
    huge = StructureRecord.ordered("huge", np.eye(3) * 24.0, symbols, grid)
    with pytest.raises(FeatureError, match="huge: 1728 sites are too many to be drawn"):
        build_scene(huge)
    with pytest.raises(RoleError, match="holds no Na"):
        build_scene(li2s(), mobile="Na")
