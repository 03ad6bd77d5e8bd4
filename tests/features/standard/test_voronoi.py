"""The tessellation against scipy's Voronoi cells, closed forms, and its own closure."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, Voronoi

import pool
import structures
from ionsieve.data import FeatureError, StructureRecord
from ionsieve.features import prepare
from ionsieve.features.core.pair_search import periodic_pairs
from ionsieve.features.standard.voronoi import tessellate, tessellation

CELLS = {
    "sc": np.eye(3),
    "fcc": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2,
    "bcc": np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 2,
}


def simple_cells(lattice: np.ndarray, frac: np.ndarray, reach: int = 3) -> list[dict]:
    """Reference: neighbour vector → face area, from qhull on a block of explicit images."""
    shifts = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3), axis=-1).reshape(-1, 3)
    shifts = shifts[np.argsort(np.abs(shifts).sum(axis=1), kind="stable")]
    points = ((frac[None] + shifts[:, None]) @ lattice).reshape(-1, 3)
    diagram = Voronoi(points)
    cells: list[dict] = [{} for _ in frac]
    for (a, b), ridge in diagram.ridge_dict.items():
        for one, other in ((a, b), (b, a)):
            if one < len(frac) and -1 not in ridge:
                corners = diagram.vertices[ridge]
                normal = points[other] - points[one]
                cells[one][tuple(np.round(normal, 6) + 0.0)] = polygon_area(corners, normal)
    return cells


def polygon_area(corners: np.ndarray, normal: np.ndarray) -> float:
    """Area of a convex polygon in any order of corners, by a hull in its plane."""
    basis = np.linalg.svd(normal[None])[2][1:]
    return float(ConvexHull(corners @ basis.T, qhull_options="QJ").volume)


def assert_same_cells(lattice: np.ndarray, frac: np.ndarray) -> None:
    ours, reference = tessellate(lattice, frac), simple_cells(lattice, frac)
    vector = ours.direction * ours.distance_A[:, None]
    scale = ours.area_A2.max()
    for i, cell in enumerate(reference):
        faces = slice(ours.start[i], ours.start[i + 1])
        found = {
            tuple(np.round(v, 6) + 0.0): a
            for v, a in zip(vector[faces], ours.area_A2[faces], strict=True)
        }
        for key in set(cell) | set(found):
            assert found.get(key, 0.0) == pytest.approx(
                cell.get(key, 0.0), rel=1e-7, abs=1e-7 * scale
            )


@pytest.mark.parametrize("seed", range(6))
def test_random_crystals_have_the_cells_of_qhull(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = np.diag([4.0, 4.5, 5.0]) + rng.uniform(-1, 1, (3, 3))
    assert_same_cells(lattice, rng.random((6, 3)))


@pytest.mark.parametrize("name", ["Li2S", "Li3N_alpha", "Li6PS5Cl_F43m"])
def test_symmetric_crystals_have_the_cells_of_qhull(name: str) -> None:
    """Here many planes meet in one vertex; only faces of no area may differ."""
    record = structures.get(name)
    assert_same_cells(record.lattice, record.frac)


@pytest.mark.parametrize(
    ("name", "areas"),
    [
        ("sc", {6: 1.0}),
        ("fcc", {12: np.sqrt(2) / 8}),  # rhombic dodecahedron
        ("bcc", {8: 3 * np.sqrt(3) / 16, 6: 1 / 8}),  # truncated octahedron
    ],
)
def test_cubic_lattices_have_the_known_faces(name: str, areas: dict[int, float]) -> None:
    ours = tessellate(CELLS[name], np.zeros((1, 3)))
    expected = sorted(area for count, area in areas.items() for _ in range(count))
    np.testing.assert_allclose(np.sort(ours.area_A2), expected, rtol=1e-12)
    np.testing.assert_allclose(ours.cell_volume_A3, np.linalg.det(CELLS[name]), rtol=1e-12)


def assert_closed(lattice: np.ndarray, frac: np.ndarray) -> None:
    ours = tessellate(lattice, frac)
    surface = ours.per_atom(ours.area_A2)
    np.testing.assert_allclose(ours.cell_volume_A3.sum(), abs(np.linalg.det(lattice)), rtol=1e-8)
    np.testing.assert_allclose(ours.per_atom(ours.solid_angle), 4 * np.pi, rtol=1e-7)
    outward = np.add.reduceat(ours.area_A2[:, None] * ours.direction, ours.start[:-1])
    assert (np.abs(outward) < 1e-8 * surface[:, None]).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.floats(1.5, 40.0))
def test_cells_fill_space_whatever_the_shape(seed: int, n: int, long_edge: float) -> None:
    rng = np.random.default_rng(seed)
    lattice = np.diag([4.0, 5.0, long_edge]) @ (np.eye(3) + np.triu(rng.uniform(-1, 1, (3, 3)), 1))
    grid = rng.permutation(8**3)[:n]
    frac = np.stack(np.unravel_index(grid, (8, 8, 8)), axis=1) / 8 + rng.uniform(0, 0.02, (n, 3))
    assert_closed(lattice, frac)


def test_pool_cells_fill_space(shared_data: Path) -> None:
    for record in pool.crystals(shared_data, every=25):
        assert_closed(record.lattice, record.frac)


def test_a_slab_in_vacuum_still_closes() -> None:
    ours = tessellate(np.diag([3.0, 3.0, 60.0]), np.zeros((1, 3)))
    np.testing.assert_allclose(ours.cell_volume_A3, 540.0, rtol=1e-10)


def test_coinciding_sites_are_refused() -> None:
    with pytest.raises(FeatureError, match="coincide"):
        tessellate(np.eye(3) * 4, np.array([[0, 0, 0], [1e-6, 0, 0]]))


def test_partly_empty_sites_are_refused_with_the_site() -> None:
    record = structures.get("LGPS_exp")
    with pytest.raises(FeatureError, match=r"site \d+ is 0\.\d+ full"):
        tessellation(prepare(record))


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_those_of_pymatgen(seed: int) -> None:
    from ionsieve.data.convert import to_pymatgen

    rng = np.random.default_rng(seed)
    lattice = np.diag([3.0, 6.0, 9.0]) + rng.uniform(-1.5, 1.5, (3, 3))
    frac = rng.uniform(-1, 2, (5, 3))
    cutoff = [1.0, 4.0, 7.0, 15.0][seed]
    start, neighbor, vector, distance = periodic_pairs(lattice, frac, cutoff, np.arange(5))
    center = np.repeat(np.arange(5), np.diff(start))
    jump = (frac[neighbor[:, 0]] + neighbor[:, 1:] - frac[center]) @ lattice
    np.testing.assert_allclose(jump, vector, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(vector, axis=1), distance, rtol=1e-14)
    structure = to_pymatgen(StructureRecord.ordered("x", lattice, ["Li"] * 5, frac))
    ids, _, _, reference = structure.get_neighbor_list(cutoff, exclude_self=True)
    np.testing.assert_array_equal(np.bincount(ids, minlength=5), np.diff(start))
    np.testing.assert_allclose(np.sort(distance), np.sort(reference), rtol=1e-10)
