"""Unwrapping, drift and MSD: exact cases, a plain reference, invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.trajectories.displacements import displacements, equilibration_frames
from ionsieve.data.trajectories.msd import (
    collective_msd,
    mean_squared_displacement,
    msd_of_each_ion,
)
from ionsieve.data.trajectories.trajectory import Segment, Trajectory

TRICLINIC = np.array([[6.0, 0.0, 0.0], [1.7, 5.5, 0.0], [-0.8, 1.1, 7.0]])


def plain_msd(positions):
    """Direct double loop over lags and origins."""
    n = len(positions)
    return np.array(
        [
            np.mean([np.sum((positions[t + k] - positions[t]) ** 2, -1) for t in range(n - k)])
            for k in range(n)
        ]
    )


def wrapped(positions, lattice, species, spacing=1.0, segments=()):
    frac = np.asarray(positions) @ np.linalg.inv(lattice)
    return Trajectory(
        species=tuple(species),
        lattices=lattice,
        frac=frac - np.floor(frac),
        frame_spacing_fs=spacing,
        unwrapped=False,
        segments=segments,
    )


def walk(rng, n_frames=60, n_ions=4, step=0.4):
    return np.cumsum(rng.normal(0, step, (n_frames, n_ions, 3)), axis=0)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 10**6))
def test_fft_equals_double_loop(n_frames, n_ions, seed):
    positions = walk(np.random.default_rng(seed), n_frames, n_ions) + 1e3
    expected = plain_msd(positions)
    np.testing.assert_allclose(
        mean_squared_displacement(positions), expected, rtol=1e-9, atol=1e-9 * expected.max()
    )
    total = plain_msd(positions.sum(axis=1, keepdims=True)) / n_ions
    np.testing.assert_allclose(collective_msd(positions), total, rtol=1e-9, atol=1e-9 * total.max())


def test_msd_of_each_ion_averages_to_the_msd():
    positions = walk(np.random.default_rng(4))
    lags = np.array([1, 7, 30])
    np.testing.assert_allclose(
        msd_of_each_ion(positions, lags).mean(axis=1),
        mean_squared_displacement(positions)[lags],
        rtol=1e-10,
    )


def test_constant_velocity_is_exact():
    velocity = np.array([0.3, -0.2, 0.1])
    positions = np.arange(50)[:, None, None] * velocity + np.zeros((1, 3, 1))
    exact = np.arange(50) ** 2 * (velocity @ velocity)
    np.testing.assert_allclose(mean_squared_displacement(positions), exact, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(collective_msd(positions), 3 * exact, rtol=1e-9, atol=1e-9)


def test_random_walk_grows_as_its_diffusivity():
    positions = walk(np.random.default_rng(5), 3000, 40, 0.5)
    lags = np.arange(1, 100)
    expected = 3 * 0.25 * lags
    np.testing.assert_allclose(mean_squared_displacement(positions)[lags], expected, rtol=0.05)
    np.testing.assert_allclose(collective_msd(positions)[lags[:20]], expected[:20], rtol=0.3)


@pytest.mark.parametrize("lattice", [np.eye(3) * 6, TRICLINIC])
def test_unwrapping_recovers_the_walk_across_seams(lattice):
    rng = np.random.default_rng(6)
    ions = walk(rng, 200, 4, 0.3)
    # Atoms on the seam: the framework rattles about fractional 0, so it wraps at every frame.
    rest = rng.normal(0, 0.05, (200, 3, 3))
    rest -= rest.mean(axis=1, keepdims=True)
    moves = displacements(
        wrapped(np.concatenate([ions, rest], axis=1), lattice, ["Li"] * 4 + ["S"] * 3),
        "Li",
    )
    np.testing.assert_allclose(
        moves.positions_A - moves.positions_A[0], ions - ions[0], rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(
        moves.framework_A - moves.framework_A[0], rest - rest[0], rtol=0, atol=1e-9
    )
    assert moves.restart_jumps == ()
    assert moves.risky_steps == 0


def test_drift_of_the_framework_is_taken_out_not_that_of_the_cell():
    rng = np.random.default_rng(7)
    ions, rest = walk(rng, 100, 3), np.zeros((100, 5, 3))
    drift = np.arange(100)[:, None, None] * np.array([0.02, -0.03, 0.01])
    species = ["Li"] * 3 + ["S"] * 5
    with_drift = displacements(
        wrapped(np.concatenate([ions, rest], 1) + drift, TRICLINIC, species), "Li"
    )
    np.testing.assert_allclose(
        with_drift.positions_A - with_drift.positions_A[0], ions - ions[0], rtol=0, atol=1e-9
    )
    assert with_drift.max_drift_A == pytest.approx(np.linalg.norm(drift[-1, 0]), rel=1e-9)


def test_all_mobile_cell_keeps_its_motion():
    ions = walk(np.random.default_rng(8), 100, 5, 0.3)
    moves = displacements(wrapped(ions, TRICLINIC, ["Li"] * 5), "Li")
    np.testing.assert_allclose(
        mean_squared_displacement(moves.positions_A),
        mean_squared_displacement(ions),
        rtol=1e-9,
        atol=1e-9,
    )
    assert moves.framework_species == ()


def test_breathing_cell_at_rest_displaces_nothing():
    rng = np.random.default_rng(9)
    frac = np.broadcast_to(rng.random((1, 6, 3)), (80, 6, 3))
    scale = 1.0 + 0.03 * np.sin(np.arange(80) / 3)
    lattices = scale[:, None, None] * TRICLINIC
    moves = displacements(
        Trajectory(
            species=("Li",) * 3 + ("S",) * 3, lattices=lattices, frac=frac, frame_spacing_fs=1.0
        ),
        "Li",
    )
    assert mean_squared_displacement(moves.positions_A).max() < 1e-20


def test_breathing_cell_keeps_a_walk_through_its_faces():
    rng = np.random.default_rng(10)
    walk_frac = np.cumsum(rng.normal(0, 0.05, (400, 8, 3)), axis=0)
    rest = np.broadcast_to(rng.random((1, 4, 3)), (400, 4, 3))
    scale = 1.0 + 0.02 * np.sin(np.arange(400) / 5)
    frac = np.concatenate([walk_frac, rest], axis=1)
    lattices = scale[:, None, None] * np.eye(3) * 8.0
    run = Trajectory(
        species=("Li",) * 8 + ("S",) * 4,
        lattices=lattices,
        frac=frac - np.floor(frac),
        frame_spacing_fs=1.0,
    )
    moves = displacements(run, "Li")
    expected = mean_squared_displacement(walk_frac * 8.0)
    np.testing.assert_allclose(
        mean_squared_displacement(moves.positions_A)[1:200], expected[1:200], rtol=0.05
    )


def test_restart_jump_is_found_at_its_frame_and_ordinary_restart_is_not():
    rng = np.random.default_rng(11)
    positions = rng.normal(0, 0.2, (90, 12, 3)) + rng.random((12, 3)) * 20
    lattice = np.eye(3) * 20.0
    parts = (
        Segment(file="a", first_frame=0, n_frames=40),
        Segment(file="b", first_frame=40, n_frames=50),
    )
    species = ["Li"] * 6 + ["S"] * 6
    smooth = displacements(wrapped(positions, lattice, species, segments=parts), "Li")
    assert smooth.restart_jumps == ()
    positions[40:] += rng.normal(0, 1.5, (12, 3))
    jumped = displacements(wrapped(positions, lattice, species, segments=parts), "Li")
    assert jumped.restart_jumps == (40,)


def test_hops_in_a_crystal_at_rest_are_no_jumps_and_a_glitch_within_a_segment_is_one():
    rng = np.random.default_rng(12)
    hops = rng.choice([-3.0, 0.0, 3.0], (300, 6, 3), p=[0.01, 0.98, 0.01])
    positions = np.concatenate([np.cumsum(hops, axis=0), np.zeros((300, 8, 3))], axis=1)
    parts = (
        Segment(file="a", first_frame=0, n_frames=100),
        Segment(file="b", first_frame=100, n_frames=200),
    )
    species = ["Li"] * 6 + ["S"] * 8
    run = wrapped(positions + 1.0, np.eye(3) * 9, species, segments=parts)
    assert displacements(run, "Li").restart_jumps == ()
    positions[57:] += rng.normal(0, 1.0, (14, 3))
    run = wrapped(positions + 1.0, np.eye(3) * 9, species, segments=parts)
    assert displacements(run, "Li").restart_jumps == (57,)


def test_one_ion_that_teleports_at_a_restart_is_noticed():
    rng = np.random.default_rng(13)
    positions = rng.normal(0, 0.2, (90, 60, 3)) + rng.random((60, 3)) * 20
    positions[40:, 3] += [6.0, 2.0, 0.0]
    parts = (
        Segment(file="a", first_frame=0, n_frames=40),
        Segment(file="b", first_frame=40, n_frames=50),
    )
    run = wrapped(positions, np.eye(3) * 20, ["Li"] * 30 + ["S"] * 30, segments=parts)
    assert displacements(run, "Li").restart_jumps == (40,)


def test_steps_near_half_a_cell_are_counted():
    positions = np.zeros((20, 4, 3))
    positions[10:, 0, 0] = 2.9
    moves = displacements(wrapped(positions, np.eye(3) * 6.0, ["Li"] * 2 + ["S"] * 2), "Li")
    assert (moves.risky_steps, moves.first_risky_frame) == (1, 10)


def test_heating_is_discarded_and_a_stationary_run_is_not():
    rng = np.random.default_rng(12)
    rest = rng.normal(0, 0.2, (800, 30, 3)) + rng.random((30, 3)) * 12
    ions = walk(rng, 800, 10, 0.1)
    species = ["Li"] * 10 + ["S"] * 30
    lattice = np.eye(3) * 12.0
    calm = displacements(wrapped(np.concatenate([ions, rest], 1), lattice, species), "Li")
    assert equilibration_frames(calm) == 0
    centre = rest.mean(axis=0)
    rest[:200] = centre + (rest[:200] - centre) * np.linspace(0.2, 1.0, 200)[:, None, None]
    hot = displacements(wrapped(np.concatenate([ions, rest], 1), lattice, species), "Li")
    assert 100 <= equilibration_frames(hot) <= 220


def test_faults():
    run = wrapped(np.zeros((3, 2, 3)), np.eye(3) * 5, ["Li", "S"])
    with pytest.raises(TrajectoryError, match="no Na among Li, S"):
        displacements(run, "Na")
    with pytest.raises(TrajectoryError, match="one frame"):
        displacements(run.between(0, 1), "Li")
    with pytest.raises(TrajectoryError, match="NaN"):
        wrapped(np.full((3, 2, 3), np.nan), np.eye(3) * 5, ["Li", "S"])
    with pytest.raises(TrajectoryError, match="2 species for 3 atoms"):
        Trajectory(
            species=("Li", "S"), lattices=np.eye(3), frac=np.zeros((4, 3, 3)), frame_spacing_fs=1.0
        )
