"""The isolated-anion net: published distances and dimensions, and a plain reference."""

import itertools

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structures
from ionsieve.features import prepare
from ionsieve.features.catalogue import families
from ionsieve.features.core.periodic import half_pairs, heights_A, percolation_edges
from ionsieve.features.featurizer import featurize_one
from ionsieve.features.isolated.net import isolated_nets

CELL = np.array([[4.1, 0.0, 0.0], [1.2, 5.3, 0.0], [-0.7, 0.9, 6.2]])


def columns(name: str) -> dict:
    row = featurize_one(structures.get(name), families(["isolated_net"]))
    assert row.values is not None, row.reason
    return row.values


@pytest.mark.parametrize(
    ("name", "column", "expected", "tolerance"),
    [
        # Yang 2025 (10.1038/s41524-025-01559-9), table 2 and text; PBE there, PBEsol here.
        ("Li8TiS6_hcp", "isolated_nearest_A", 3.97, 0.06),
        ("Li8TiS6_hcp", "isolated_percolation_3d_A", 6.69, 0.08),
        ("Li8SiSe6_hcp", "isolated_percolation_3d_A", 6.93, 0.08),
        ("Li7N2I_R3m", "isolated_percolation_3d_N_A", 3.85, 0.08),
        ("Li5SbS3I2", "isolated_nearest_A", 4.02, 0.13),
        ("Li5SbS3I2", "isolated_percolation_3d_A", 4.36, 0.13),
        # Regression on structures made to match the paper, and on this implementation.
        ("Li5CrCl8_PBEscaled", "isolated_nearest_A", 3.66, 0.02),
        ("Li5CrCl8", "isolated_percolation_2d_A", 5.06, 0.03),
        ("Li6VCl8", "isolated_nearest_A", 5.16, 0.01),
        ("Li8SiSe6_F43m", "isolated_nearest_A", 4.82, 0.01),
        ("Li8SiSe6_hcp", "isolated_nearest_A", 4.07, 0.05),
        ("Li6PS5Cl_F43m", "isolated_nearest_S_A", 7.18, 0.01),
        ("Li6PS5Cl_F43m", "isolated_nearest_A", 4.40, 0.01),
        ("Li8SiSe6_Pna21", "isolated_nearest_A", 4.09, 0.01),
        ("Li8SiSe6_Pna21", "isolated_percolation_1d_A", 4.55, 0.01),
        ("Li8SiSe6_Pna21", "isolated_percolation_2d_A", 4.91, 0.01),
        ("Li8SiSe6_Pna21", "isolated_percolation_3d_A", 4.93, 0.01),
    ],
)
def test_published_distances(name: str, column: str, expected: float, tolerance: float) -> None:
    assert columns(name)[column] == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "element", "dimension"),
    [
        ("Li8SiSe6_F43m", "Se", 3),
        ("Li8SiSe6_Pna21", "Se", 3),
        ("Li8SiSe6_hcp", "Se", 2),
        ("Li8TiS6_hcp", "S", 2),
        ("Li6VCl8", "Cl", 0),
        ("Li5CrCl8", "Cl", 1),
        ("Li5SbS3I2", "I", 3),
        ("Li7N2I_R3m", "N", 3),
        ("Li6NI3_I4m", "N", 0),
        ("Li6PS5Cl_F43m", "S", 0),
        ("Li2S", "S", 3),
    ],
)
def test_dimension_at_the_critical_distance(name: str, element: str, dimension: int) -> None:
    values = columns(name)
    assert values["isolated_net_dimension"] == dimension
    assert values[f"isolated_net_dimension_{element}"] == dimension


def test_mixed_nets_connect_where_single_elements_do_not() -> None:
    values = columns("Li6PS5Cl_F43m")
    assert values["isolated_net_dimension_all"] == 3
    assert values["isolated_cage_score"] == pytest.approx(4.9 / values["isolated_nearest_A"])
    assert values["isolated_cage_score_leading"] < 1 < values["isolated_cage_score"]


def test_critical_distance_uses_the_mobile_species() -> None:
    # 2 (1.60 + 1.00) Å for Ag and S against 2 (1.45 + 1.00) Å for Li and S.
    net = isolated_nets(prepare(structures.get("Ag8GeS6_Pna21"), "Ag"))["S"]
    assert net.cage_score == pytest.approx(5.2 / net.percolation_3d_A)


def test_a_mixed_site_is_one_point_of_the_net() -> None:
    nets = isolated_nets(prepare(structures.get("Li6PS5Cl_exp48h")))
    assert [nets[e].n_nodes for e in ("", "S", "Cl")] == [2, 2, 2]
    assert nets[""].nearest_A == pytest.approx(9.898 * np.sqrt(3) / 4, rel=1e-6)


def test_no_isolated_anion_leaves_nan() -> None:
    values = columns("Li3PS4_gamma")
    assert all(np.isnan(v) for v in values.values())


def reference_rank(n_nodes: int, edges: np.ndarray) -> int:
    """Largest rank of cycle translations: spanning trees by networkx, rank by numpy."""
    graph = networkx.Graph()
    graph.add_nodes_from(range(n_nodes))
    graph.add_edges_from((int(i), int(j)) for i, j in edges[:, :2] if i != j)
    step = {}
    for i, j, *image in edges:
        step.setdefault((int(i), int(j)), np.array(image))
        step.setdefault((int(j), int(i)), -np.array(image))
    ranks = [0]
    for members in networkx.connected_components(graph):
        root = min(members)
        place = {root: np.zeros(3)}
        for a, b in networkx.bfs_edges(graph, root):
            place[b] = place[a] + step[a, b]
        windings = [place[i] + image - place[j] for i, j, *image in edges if i in members]
        ranks.append(np.linalg.matrix_rank(windings) if windings else 0)
    return max(ranks)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10_000))
def test_same_thresholds_as_the_reference(n: int, seed: int) -> None:
    frac = np.random.default_rng(seed).random((n, 3))
    edges, distance = half_pairs(CELL, heights_A(CELL), frac, 8.0)
    order = np.argsort(distance)
    edges = edges[order]
    reached = percolation_edges(n, edges)
    for dimension in (1, 2, 3):
        at = reached[dimension - 1]
        assert at >= 0  # CELL is shorter than 8 Å in every direction
        assert reference_rank(n, edges[: at + 1]) >= dimension
        assert at == 0 or reference_rank(n, edges[:at]) < dimension


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(0, 10_000), st.floats(1.0, 7.0))
def test_half_pairs_equal_brute_force(n: int, seed: int, cutoff: float) -> None:
    frac = np.random.default_rng(seed).random((n, 3))
    edges, distance = half_pairs(CELL, heights_A(CELL), frac, cutoff)
    seen = {(*map(int, e),) for e in edges}
    assert len(seen) == len(edges)
    count = 0
    for i, j in itertools.product(range(n), repeat=2):
        for image in itertools.product(range(-4, 5), repeat=3):
            length = np.linalg.norm((frac[j] + image - frac[i]) @ CELL)
            if length <= cutoff and (i != j or any(image)):
                count += 1
                back = (j, i, *(-k for k in image))
                assert ((i, j, *image) in seen) != (back in seen)
    assert count == 2 * len(edges)
    vectors = (frac[edges[:, 1]] + edges[:, 2:] - frac[edges[:, 0]]) @ CELL
    assert distance == pytest.approx(np.linalg.norm(vectors, axis=1), rel=1e-12)


def test_chains_and_layers() -> None:
    """One point in a cell of 3 × 4 × 5 Å: a chain at 3, a layer at 4, a net at 5 Å."""
    cell = np.diag([3.0, 4.0, 5.0])
    edges, distance = half_pairs(cell, heights_A(cell), np.zeros((1, 3)), 5.5)
    order = np.argsort(distance)
    reached = percolation_edges(1, edges[order])
    assert distance[order][reached] == pytest.approx([3.0, 4.0, 5.0])
