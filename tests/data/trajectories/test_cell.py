"""Cells that vary: fluctuations, drift, and displacements at constant pressure."""

import json

import numpy as np
import pytest

from ionsieve.data.trajectories.cell import cell_fluctuations
from ionsieve.data.trajectories.displacements import displacements
from ionsieve.data.trajectories.msd import mean_squared_displacement
from ionsieve.data.trajectories.trajectory import Trajectory
from ionsieve.data.transport.analysis import AnalysisSettings, analyse

CELL = np.array([[9.0, 0.0, 0.0], [1.5, 8.5, 0.0], [-0.8, 1.1, 10.0]])


def barostat(rng, n_frames, share=0.01):
    """Cells whose edges fluctuate independently, with memory."""
    noise = np.zeros((n_frames, 3))
    for frame in range(1, n_frames):
        noise[frame] = 0.95 * noise[frame - 1] + rng.normal(0, share * 0.31, 3)
    return (1.0 + noise)[:, :, None] * CELL


def nojump(frac):
    """Unwrapping as GROMACS ``-pbc nojump`` and MDAnalysis ``NoJump`` do it: in fractions."""
    out = np.array(frac)
    for frame in range(1, len(out)):
        out[frame] -= np.rint(out[frame] - out[frame - 1])
    return out


def test_unwrapping_is_that_of_other_programs_in_the_mean_cell():
    rng = np.random.default_rng(1)
    cells = barostat(rng, 300)
    true = np.cumsum(rng.normal(0, 0.03, (300, 8, 3)), axis=0) + rng.random((8, 3))
    rest = np.broadcast_to(rng.random((1, 5, 3)), (300, 5, 3))
    frac = np.concatenate([true, rest], axis=1)
    frac = frac - np.floor(frac)
    moves = displacements(
        Trajectory(
            species=("Li",) * 8 + ("S",) * 5, lattices=cells, frac=frac, frame_spacing_fs=1.0
        ),
        "Li",
    )
    expected = nojump(frac)[:, :8] @ cells.mean(axis=0)
    moved = moves.positions_A - moves.positions_A[0]
    np.testing.assert_allclose(moved, expected - expected[0], rtol=0, atol=1e-9)


def test_vibration_in_a_breathing_cell_stays_where_it_is():
    """Steps in the cell of each frame, summed, would drift away from the site."""
    rng = np.random.default_rng(2)
    n = 20_000
    cells = barostat(rng, n, share=0.03)
    centre = rng.random((10, 3))
    frac = centre + rng.normal(0, 0.03, (n, 10, 3))
    moves = displacements(
        Trajectory(
            species=("Na",) * 5 + ("Cl",) * 5, lattices=cells, frac=frac, frame_spacing_fs=1.0
        ),
        "Na",
    )
    msd = mean_squared_displacement(moves.positions_A)
    assert msd[n // 2] == pytest.approx(msd[50], rel=0.05)
    steps = np.diff(frac[:, :5], axis=0) @ cells[1:]
    drifting = mean_squared_displacement(np.cumsum(steps, axis=0))
    assert drifting[n // 2] > 1.1 * drifting[50]


def test_a_diffusivity_at_constant_pressure_is_that_at_constant_volume():
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(0, 0.02, (3000, 30, 3)), axis=0) + rng.random((30, 3))
    rest = np.broadcast_to(rng.random((1, 5, 3)), (3000, 5, 3))
    frac = np.concatenate([walk, rest], axis=1) % 1.0
    species = ("Li",) * 30 + ("O",) * 5
    cells = barostat(rng, 3000)
    varying = displacements(
        Trajectory(species=species, lattices=cells, frac=frac, frame_spacing_fs=1.0), "Li"
    )
    fixed = displacements(
        Trajectory(species=species, lattices=cells.mean(axis=0), frac=frac, frame_spacing_fs=1.0),
        "Li",
    )
    np.testing.assert_allclose(
        mean_squared_displacement(varying.positions_A)[1:],
        mean_squared_displacement(fixed.positions_A)[1:],
        rtol=1e-9,
    )


def test_a_run_at_constant_pressure_gives_a_label_as_json():
    rng = np.random.default_rng(5)
    frac = np.concatenate([rng.random((1, 6, 3)), rng.random((1, 6, 3))], axis=1)
    frac = frac + rng.normal(0, 0.01, (400, 12, 3))
    run = Trajectory(
        species=("Na",) * 6 + ("Cl",) * 6,
        lattices=barostat(rng, 400),
        frac=frac % 1.0,
        frame_spacing_fs=50.0,
    )
    result = analyse(run, AnalysisSettings(mobile="Na", temperature_K=500.0)).as_dict()
    cell = json.loads(json.dumps(result, allow_nan=False))["cell"]
    assert cell["drifts"] is False
    assert len(cell["lengths_A"]) == len(cell["angles_spread_deg"]) == 3


def test_fluctuations_and_drift_are_reported():
    rng = np.random.default_rng(4)
    cells = barostat(rng, 4000)
    frac = np.zeros((4000, 2, 3))
    found = cell_fluctuations(
        Trajectory(species=("Li", "S"), lattices=cells, frac=frac, frame_spacing_fs=1.0)
    )
    assert found is not None
    assert not found.drifts
    assert found.lengths_A == pytest.approx(np.linalg.norm(CELL, axis=1), rel=0.02)
    assert found.volume_spread_A3 / found.volume_A3 == pytest.approx(0.017, abs=0.006)
    grown = cells * (1 + 0.02 * np.arange(4000) / 4000)[:, None, None]
    found = cell_fluctuations(
        Trajectory(species=("Li", "S"), lattices=grown, frac=frac, frame_spacing_fs=1.0)
    )
    assert found is not None
    assert found.drifts
    assert found.volume_drift == pytest.approx(0.03, abs=0.01)
    assert (
        cell_fluctuations(
            Trajectory(species=("Li", "S"), lattices=CELL, frac=frac, frame_spacing_fs=1.0)
        )
        is None
    )
