"""Cation–anion–cation angles and wells around sites."""

import numpy as np
import pytest

from ionsieve.features.motion.angles import (
    angle_map,
    cation_anion_cation,
    distance_from_sites,
    shell_volumes,
    well,
)
from ionsieve.features.motion.shape import shape_of

CELL = np.diag([10.0, 11.0, 12.0])


def test_angles_of_a_known_environment():
    centre = np.array([[[0.02, 0.5, 0.5]]])
    ions = centre + np.array([[2.4, 0, 0], [0, 2.6, 0], [-2.4, 0, 0], [0, 0, 5.0]]) / np.diag(CELL)
    pairs = cation_anion_cation(centre, ions, CELL, 3.0)
    assert sorted(pairs.angle_deg) == pytest.approx([90.0, 90.0, 180.0])
    assert sorted(pairs.distance_A) == pytest.approx([2.4, 2.5, 2.5])
    middle, density = angle_map(pairs, np.array([2.0, 2.45, 3.0]))
    assert density.shape == (2, 36)
    assert density.sum(axis=1) * 5.0 == pytest.approx([1.0, 1.0])
    assert middle[np.argmax(density[1])] == 92.5


def test_octahedral_and_tetrahedral_environments_are_told_apart():
    rng = np.random.default_rng(1)
    octahedron = np.concatenate([np.eye(3), -np.eye(3)]) * 2.5
    shaken = octahedron + rng.normal(0, 0.1, (300, 6, 3))
    centre = np.full((300, 1, 3), 0.5)
    pairs = cation_anion_cation(centre, 0.5 + shaken / np.diag(CELL), CELL, 3.5)
    shape = shape_of(pairs.angle_deg)
    assert shape.n_modes == 2
    assert shape.dip_p < 0.01


def test_a_harmonic_well_is_recovered():
    rng = np.random.default_rng(2)
    site = np.array([[0.3, 0.4, 0.5]])
    spread = 0.3
    places = site + rng.normal(0, spread, (4000, 10, 3)) / np.diag(CELL)
    nearest = np.zeros((4000, 10), dtype=np.int64)
    distance = distance_from_sites(places, site, nearest, CELL)
    edges = np.arange(0.0, 1.01, 0.1)
    volumes = shell_volumes(site, CELL, edges, 1 << 20)
    middle = (edges[1:] + edges[:-1]) / 2
    exact = middle**2 / (2 * spread**2)
    found = well(distance, volumes, edges)
    np.testing.assert_allclose((found - found[2])[2:8], (exact - exact[2])[2:8], atol=0.25)


def test_shells_fill_the_cell_once():
    sites = np.random.default_rng(3).random((6, 3))
    volumes = shell_volumes(sites, CELL, np.array([0.0, 2.0, 20.0]), 1 << 15)
    assert volumes.sum() == pytest.approx(10 * 11 * 12)
