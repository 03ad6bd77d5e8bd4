"""The tensor of D: known walks, rotation, verdicts by direction."""

import numpy as np
import pytest

from ionsieve.data.trajectories.trajectory import Trajectory
from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from ionsieve.data.transport.directions import diffusion_tensor
from walks import SPACING_FS, lattice_walk, run_of

RATE = 0.05
TRUE_CM2_S = RATE * 9.0 / 6.0 * 0.1 / SPACING_FS


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_eigenvalues_of_walks(dimension):
    rng = np.random.default_rng(dimension)
    ions = lattice_walk(rng, 1500, 40, RATE, dimension)
    found = diffusion_tensor(ions, np.eye(3) * 12, SPACING_FS, 3.0)
    verdicts = [d.verdict for d in found.directions]
    assert verdicts[:dimension] == ["diffusive"] * dimension
    assert all(v != "diffusive" for v in verdicts[dimension:])
    assert found.differs == (dimension < 3)
    own = 3.0 * TRUE_CM2_S / dimension
    assert np.trace(found.tensor_cm2_s) / 3 == pytest.approx(TRUE_CM2_S, rel=0.3)
    for direction in found.directions[:dimension]:
        # Eigenvalues spread about the value that equal directions share.
        assert direction.diffusivity_cm2_s == pytest.approx(own, rel=0.5)
    for direction in found.directions[dimension:]:
        assert direction.diffusivity_cm2_s is None
        assert direction.upper_cm2_s is not None
        assert direction.upper_cm2_s < 0.1 * own
    if dimension == 1:
        assert found.directions[0].axis == pytest.approx((1, 0, 0), abs=0.02)


def test_the_tensor_turns_with_the_crystal():
    rng = np.random.default_rng(4)
    ions = lattice_walk(rng, 800, 20, RATE, 2)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    cell = np.diag([10.0, 11.0, 12.0])
    one = diffusion_tensor(ions, cell, SPACING_FS, 3.0)
    other = diffusion_tensor(ions @ turn.T, cell @ turn.T, SPACING_FS, 3.0)
    np.testing.assert_allclose(
        other.tensor_cm2_s, turn @ one.tensor_cm2_s @ turn.T, rtol=1e-9, atol=1e-12
    )
    for a, b in zip(one.directions, other.directions, strict=True):
        assert a.verdict == b.verdict
        assert np.abs(a.axis_cell) == pytest.approx(np.abs(b.axis_cell), abs=2e-3)


def test_directions_stand_in_the_answer_of_a_run():
    rng = np.random.default_rng(5)
    run = run_of(rng, lattice_walk(rng, 1000, 20, RATE, 1))
    label = analyse(run, AnalysisSettings(mobile="Li", temperature_K=600.0))
    result = label.as_dict()
    assert result["directions"][0]["verdict"] == "diffusive"
    assert label.evidence.dimension < 1.2
    short = Trajectory(
        species=run.species, lattices=run.lattices, frac=run.frac[:10], frame_spacing_fs=SPACING_FS
    )
    assert analyse(short, AnalysisSettings()).tensor is None
