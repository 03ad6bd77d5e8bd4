"""Where mobile ions sit: assignment, occupations, entropies, coordination."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.errors import FeatureError
from ionsieve.data.trajectories.displacements import displacements
from ionsieve.data.trajectories.readers import read_trajectory
from ionsieve.features.motion.sites import (
    coordination_numbers,
    nearest_sites,
    occupation_by_type,
    occupied_fraction,
    site_entropy,
)

TRICLINIC = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [-1.5, 1.0, 10.0]])

ARGYRODITES = {
    # Mean end-to-end MSD of the runs (Å²) with spread, coordination of free sulphur, its breadth.
    "Li6PS5I/0p": (3.1, 0.8, 6.00, 0.00),
    "Li6PS5Cl/0p": (8.6, 0.3, 6.00, 0.026),
    "Li6PS5Cl/50p": (10.1, 2.6, 6.745, 0.568),
}


@pytest.mark.parametrize(
    ("occupation", "expected"),
    [((0.03, 0.22, 0.03), 0.3308), ((0.14, 0.14, 0.10), 0.375), ((0.09, 0.11, 0.15), 0.3696)],
)
def test_site_entropy_of_li2b12h12(occupation, expected):
    """Wood 2021 (10.1098/rsta.2019.0467), section 3a: 2 tet, 8 trig, 6 lin sites an anion."""
    weights = np.array([2.0, 8.0, 6.0])
    # Two lithium ions an anion, whatever the volume.
    assert np.dot(occupation, weights) == pytest.approx(2.0, abs=0.05)
    assert site_entropy(np.array(occupation), weights) == pytest.approx(expected, abs=1e-3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_site_entropy_is_bounded_and_symmetric(values):
    p = np.array(values)
    s = site_entropy(p, np.ones(len(p)))
    assert 0.0 <= s <= np.log(2) + 1e-12
    assert s == pytest.approx(site_entropy(1 - p, np.ones(len(p))), abs=1e-9)


def test_site_entropy_of_half_filled_and_impossible_sites():
    assert site_entropy(np.array([0.5]), np.array([48.0])) == pytest.approx(np.log(2), rel=1e-12)
    with pytest.raises(FeatureError, match="several sites"):
        site_entropy(np.array([1.2]), np.array([1.0]))


def test_nearest_site_equals_brute_force_in_a_skewed_cell():
    rng = np.random.default_rng(0)
    sites, ions = rng.random((12, 3)), rng.normal(0, 2, (5, 30, 3))
    found = nearest_sites(ions, sites, TRICLINIC)
    shifts = np.array(list(np.ndindex(5, 5, 5))) - 2
    for frame in range(5):
        for ion in range(30):
            place = ions[frame, ion] - np.floor(ions[frame, ion])
            apart = (sites[:, None] + shifts[None] - place) @ TRICLINIC
            distance = np.linalg.norm(apart, axis=2).min(axis=1)
            assert found[frame, ion] == np.argmin(distance)


def test_occupations_count_ions_and_frames():
    assignment = np.array([[0, 0, 2], [0, 1, 2]])
    found = occupation_by_type(assignment, ["a", "a", "b"])
    assert found.kind == ("a", "b")
    np.testing.assert_allclose(found.mean, [1.0, 1.0])
    np.testing.assert_allclose(found.multiply, [0.25, 0.0])
    np.testing.assert_allclose(found.n_sites, [2.0, 1.0])
    np.testing.assert_allclose(occupied_fraction(assignment, 3), [1.0, 0.5, 1.0])


def test_coordination_counts_nearest_images():
    frac = np.array([[[0.0, 0, 0], [0.95, 0, 0], [0.1, 0, 0], [0.5, 0.5, 0.5]]])
    lattice = np.eye(3) * 10
    numbers = coordination_numbers(frac, lattice, np.array([0]), np.array([1, 2, 3]), 2.0)
    assert numbers.tolist() == [[2]]
    with pytest.raises(FeatureError, match="half of the cell"):
        coordination_numbers(frac, lattice, np.array([0]), np.array([1]), 5.1)


@pytest.mark.parametrize("system", ARGYRODITES)
def test_coordination_and_end_to_end_displacement_of_argyrodites(shared_data: Path, system):
    folder = shared_data / "trajectories" / "argyrodites_500K" / system
    msd, spread, mean, breadth = ARGYRODITES[system]
    ends, numbers = [], []
    for file in sorted(folder.glob("*.gz")):
        run = read_trajectory([file], 100.0)
        positions = displacements(run, "Li").positions_A
        ends.append(np.square(positions[-1] - positions[0]).sum(axis=1).mean())
        phosphorus, sulphur = np.flatnonzero(run.where("P")), np.flatnonzero(run.where("S"))
        apart = run.frac[0][sulphur][:, None] - run.frac[0][phosphorus][None]
        apart = (apart - np.rint(apart)) @ run.lattice(0)
        free = sulphur[np.linalg.norm(apart, axis=2).min(axis=1) > 3.0]
        assert len(free) == 32
        numbers.append(
            coordination_numbers(
                run.frac[20:140], run.lattice(0), free, np.flatnonzero(run.where("Li")), 3.5
            ).ravel()
        )
    assert np.mean(ends) == pytest.approx(msd, abs=0.06)
    assert np.std(ends) == pytest.approx(spread, abs=0.06)
    together = np.concatenate(numbers)
    assert together.mean() == pytest.approx(mean, abs=0.005)
    assert together.std() == pytest.approx(breadth, abs=0.005)
