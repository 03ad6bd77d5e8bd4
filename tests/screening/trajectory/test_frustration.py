"""Frustration measures: exact cases, references, published numbers, real runs."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.errors import FeatureError
from ionsieve.data.trajectories.displacements import displacements
from ionsieve.data.trajectories.readers import read_trajectory
from ionsieve.features.motion.cages import cage_motion, cage_of_sites
from ionsieve.features.motion.density import (
    chgcar_text,
    cube_text,
    density_sites,
    probability_density,
)
from ionsieve.features.motion.displacements import (
    distinct_van_hove,
    gini,
    ion_msd,
    non_gaussian_parameter,
    self_van_hove,
)
from ionsieve.features.motion.jumps import (
    find_jumps,
    jump_space_time_correlation,
    neighbouring_jump_cosine,
    settled_sites,
    successive_jump_cosine,
)
from ionsieve.features.motion.sites import (
    coordination_numbers,
    nearest_sites,
    occupation_by_type,
    occupied_fraction,
    site_entropy,
)

TRICLINIC = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [-1.5, 1.0, 10.0]])


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


def test_gaussian_motion_has_no_non_gaussian_parameter_and_its_own_van_hove():
    rng = np.random.default_rng(1)
    positions = np.cumsum(rng.normal(0, 0.5, (4000, 20, 3)), axis=0)
    assert abs(non_gaussian_parameter(positions, 10)) < 0.05
    edges = np.linspace(0, 12, 25)
    middle = (edges[1:] + edges[:-1]) / 2
    variance = 0.25 * 10
    exact = (
        4 * np.pi * middle**2 * (2 * np.pi * variance) ** -1.5
        * np.exp(-(middle**2) / (2 * variance))
    )  # fmt: skip
    np.testing.assert_allclose(self_van_hove(positions, 10, edges), exact, atol=0.02)
    assert np.sum(self_van_hove(positions, 10, edges) * np.diff(edges)) == pytest.approx(
        1.0, abs=1e-3
    )


def test_one_runner_among_rattlers_is_non_gaussian_and_unequal():
    rng = np.random.default_rng(2)
    positions = rng.normal(0, 0.1, (500, 20, 3))
    positions[:, 0] += np.arange(500)[:, None] * 0.1
    assert non_gaussian_parameter(positions, 50) > 5
    assert gini(ion_msd(positions, 50)) > 0.9
    assert np.isnan(non_gaussian_parameter(np.zeros((10, 2, 3)), 3))
    with pytest.raises(FeatureError, match="does not fit"):
        ion_msd(positions, 500)


def test_distinct_van_hove_is_one_for_an_ideal_gas_and_fills_the_place_left():
    rng = np.random.default_rng(3)
    gas = rng.random((400, 60, 3))
    edges = np.linspace(1.0, 4.0, 7)
    np.testing.assert_allclose(
        distinct_van_hove(gas, np.eye(3) * 9, 5, edges), np.ones(6), atol=0.05
    )
    # Two ions that swap places every frame: at lag 1 each finds the other at r = 0.
    pair = np.array([[[0.0, 0, 0], [0.4, 0, 0]], [[0.4, 0, 0], [0.0, 0, 0]]] * 20)
    edges = np.array([0.0, 0.5])
    assert distinct_van_hove(pair, np.eye(3) * 9, 1, edges)[0] > 100
    assert distinct_van_hove(pair, np.eye(3) * 9, 0, edges)[0] == 0


def test_recrossings_are_no_jumps():
    assignment = np.array([[0], [0], [1], [0], [0], [1], [1], [1]])
    assert settled_sites(assignment, 2)[:, 0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    sites = np.array([[0.95, 0, 0], [0.05, 0, 0]])
    assert len(find_jumps(assignment, sites, np.eye(3) * 10, 1)) == 3
    jumps = find_jumps(assignment, sites, np.eye(3) * 10, 2)
    assert (jumps.frame.tolist(), jumps.origin.tolist(), jumps.target.tolist()) == ([6], [0], [1])
    np.testing.assert_allclose(jumps.vector_A, [[1.0, 0, 0]], atol=1e-12)


def test_directions_of_jumps():
    lattice, sites = np.eye(3) * 12.0, np.array([[k / 4, 0, 0] for k in range(4)])
    back = find_jumps(np.array([[0], [1], [0], [1]]), sites, lattice, 1)
    np.testing.assert_allclose(successive_jump_cosine(back), [-1, -1])
    onward = find_jumps(np.array([[0], [1], [2], [3], [0]]), sites, lattice, 1)
    np.testing.assert_allclose(successive_jump_cosine(onward), [1, 1, 1])
    string = find_jumps(np.array([[0, 1], [1, 2], [1, 2]]), sites, lattice, 1)
    np.testing.assert_allclose(neighbouring_jump_cosine(string, lattice, 4.0, 2), [1.0])
    assert len(neighbouring_jump_cosine(string, lattice, 2.0, 2)) == 0


def random_hopping(rng, n_frames, n_ions, sites, rate):
    """Each ion hops between its own two sites at random."""
    state = np.cumsum(rng.random((n_frames, n_ions)) < rate, axis=0) % 2
    return state + 2 * np.arange(n_ions)


def test_independent_jumps_do_not_know_of_each_other_and_cascades_do():
    rng = np.random.default_rng(4)
    lattice, sites = np.eye(3) * 20.0, rng.random((80, 3))
    free = random_hopping(rng, 3000, 40, sites, 0.02)
    bins_A, bins_t = np.array([0.0, 6.0, 12.0]), np.array([0, 1, 10, 20])
    jumps = find_jumps(free, sites, lattice, 1)
    table = jump_space_time_correlation(jumps, lattice, bins_A, bins_t)
    assert table.shape == (3, 2)
    np.testing.assert_allclose(table[:, 1], 1.0, atol=0.15)
    # Ion 2k + 1 does what ion 2k did three frames before, one ångström away.
    sites[2::4] = sites[0::4] + 0.05
    sites[3::4] = sites[1::4] + 0.05
    led = free.copy()
    for ion in range(0, 40, 2):
        led[3:, ion + 1] = led[:-3, ion] + 2
        led[:3, ion + 1] = led[0, ion] + 2
    jumps = find_jumps(led, sites, lattice, 1)
    table = jump_space_time_correlation(jumps, lattice, np.array([0.0, 2.0]), bins_t)
    assert table[1, 0] > 3
    with pytest.raises(FeatureError, match="long-time limit"):
        jump_space_time_correlation(jumps, lattice, bins_A, np.array([0, 1500]))


def test_cages_tell_inner_from_outer_jumps():
    lattice = np.eye(3) * 20.0
    centres = np.array([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    sites = np.array([[0.2, 0.5, 0.5], [0.3, 0.5, 0.5], [0.7, 0.5, 0.5], [0.8, 0.5, 0.5]])
    cages = cage_of_sites(sites, centres, lattice)
    assert cages.tolist() == [0, 0, 1, 1]
    assignment = np.array([[0], [1], [0], [1], [2], [3], [3], [3], [3], [3], [3]])
    jumps = find_jumps(assignment, sites, lattice, 1)
    motion = cage_motion(settled_sites(assignment, 1), jumps, cages, 1000.0)
    assert (motion.n_exits, motion.residence_ps) == (1, 10.0)
    assert motion.intra_rate_per_ps == pytest.approx(0.4)
    assert motion.inter_rate_per_ps == pytest.approx(0.1)
    assert motion.residence_lower_ps == pytest.approx(10 / 4.7439, rel=1e-3)
    with pytest.raises(FeatureError, match="two cages"):
        cage_of_sites(sites, centres[:1], lattice)


def test_density_counts_ions_and_finds_their_sites():
    rng = np.random.default_rng(6)
    sites = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.98, 0.5, 0.2]])
    noise = rng.normal(0, 0.2, (800, 3, 3)) @ np.linalg.inv(TRICLINIC)
    density = probability_density(sites + noise, TRICLINIC, 0.35, smear_A=0.3)
    volume = abs(np.linalg.det(TRICLINIC))
    assert density.mean() * volume == pytest.approx(3.0, rel=1e-9)
    found = density_sites(density, TRICLINIC, separation_A=1.5)
    assert len(found) == 3
    apart = found[nearest_sites(sites[None], found, TRICLINIC)[0]] - sites
    assert np.linalg.norm((apart - np.rint(apart)) @ TRICLINIC, axis=1).max() < 0.35


def test_cube_and_chgcar_are_read_back_by_other_programs(tmp_path):
    from ase.io.cube import read_cube
    from pymatgen.io.vasp.outputs import Chgcar

    rng = np.random.default_rng(7)
    density = rng.random((4, 5, 6))
    frac = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5], [0.7, 0.1, 0.0]])
    species = ["P", "S", "P"]
    cube = read_cube(io.StringIO(cube_text(density, TRICLINIC, species, frac)))
    np.testing.assert_allclose(cube["atoms"].cell.array, TRICLINIC, atol=1e-4)
    np.testing.assert_allclose(cube["atoms"].positions, frac @ TRICLINIC, atol=1e-5)
    assert cube["atoms"].get_chemical_symbols() == species
    bohr = 0.529177210903
    np.testing.assert_allclose(cube["data"], density * bohr**3, rtol=1e-5)
    (tmp_path / "CHGCAR").write_text(chgcar_text(density, TRICLINIC, species, frac))
    poscar, data, _ = Chgcar.parse_file(str(tmp_path / "CHGCAR"))
    np.testing.assert_allclose(data["total"], density * abs(np.linalg.det(TRICLINIC)), rtol=1e-9)
    assert [s.specie.symbol for s in poscar.structure] == ["P", "P", "S"]


ARGYRODITES = {
    # Mean end-to-end MSD of the runs (Å²) with spread, coordination of free sulphur, its breadth.
    "Li6PS5I/0p": (3.1, 0.8, 6.00, 0.00),
    "Li6PS5Cl/0p": (8.6, 0.3, 6.00, 0.026),
    "Li6PS5Cl/50p": (10.1, 2.6, 6.745, 0.568),
}


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
