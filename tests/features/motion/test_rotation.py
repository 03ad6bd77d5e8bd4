"""Polyanions that rest, librate or turn: entropy, correlation time, independence of the frame."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ionsieve.data.errors import FeatureError
from ionsieve.features.motion.groups import bonded_groups
from ionsieve.features.motion.rotation import (
    orientation_entropy,
    rotation_time,
    rotational_autocorrelation,
    spoke_directions,
    spokes_of,
)
from li2b12h12 import icosahedron

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3) * 2.05
LATTICE = np.eye(3) * 10.0


def turns_of(rng, n_frames, step):
    """Rotational diffusion in steps of that many radians; None for a body at rest."""
    out, now = [], Rotation.identity()
    for _ in range(n_frames):
        out.append(now)
        now = Rotation.from_rotvec(rng.normal(0, step, 3)) * now
    return out


def tetrahedra(turns, centre=(0.02, 0.02, 0.02)):
    """PS4 in every frame, across the corner of the cell, (n_frames, 5, 3)."""
    frac = np.empty((len(turns), 5, 3))
    frac[:, 0] = centre
    frac[:, 1:] = np.array(centre) + np.array([t.apply(TETRAHEDRON) for t in turns]) / 10.0
    return frac


def directions(frac, z):
    groups = [g for g in bonded_groups(LATTICE, frac, z) if len(g) > 1]
    spokes = spokes_of(groups, z)
    return spoke_directions(frac, LATTICE, spokes), spokes


PS4 = np.array([15, 16, 16, 16, 16])


def test_a_body_at_rest_has_no_orientation_entropy_however_it_lies():
    rng = np.random.default_rng(1)
    for _ in range(10):
        lie = Rotation.random(rng=rng)
        still = tetrahedra([Rotation.from_rotvec(rng.normal(0, 0.02, 3)) * lie for _ in range(300)])
        found, spokes = directions(still, PS4)
        assert len(spokes) == 1
        assert found.shape == (300, 4, 3)
        assert orientation_entropy(found) == (0.0, 0.0)


def test_entropy_does_not_depend_on_the_frame():
    rng = np.random.default_rng(2)
    found, _ = directions(tetrahedra(turns_of(rng, 500, 0.12)), PS4)
    base = orientation_entropy(found)
    assert 0.2 < base[1] < 0.98
    for _ in range(5):
        turn = Rotation.random(rng=rng).as_matrix()
        assert orientation_entropy(found @ turn.T) == pytest.approx(base, rel=1e-9)


def test_free_rotation_has_all_of_it():
    found, _ = directions(tetrahedra(list(Rotation.random(400, rng=np.random.default_rng(3)))), PS4)
    assert orientation_entropy(found)[1] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("step", [0.08, 0.2])
def test_correlation_time_of_rotational_diffusion(step):
    """C₁ = exp(−2 D t) with D = step²/2 a frame."""
    rng = np.random.default_rng(4)
    bodies = [directions(tetrahedra(turns_of(rng, 4000, step)), PS4)[0] for _ in range(8)]
    together = np.concatenate(bodies, axis=1)
    found = rotation_time(together, np.repeat(np.arange(8), 4), 10.0)
    true_ps = 1.0 / step**2 * 0.01
    assert found.low_ps < true_ps < found.high_ps
    assert found.time_ps == pytest.approx(true_ps, rel=0.25)
    assert found.stretching == pytest.approx(1.0, abs=0.2)


def test_two_rates_are_stretched():
    rng = np.random.default_rng(5)
    steps = [0.05, 0.05, 0.05, 0.4, 0.4, 0.4]
    bodies = [directions(tetrahedra(turns_of(rng, 4000, s)), PS4)[0] for s in steps]
    found = rotation_time(np.concatenate(bodies, axis=1), np.repeat(np.arange(6), 4), 10.0)
    assert found.stretching < 0.75


def test_libration_is_a_bound():
    rng = np.random.default_rng(6)
    still = tetrahedra([Rotation.from_rotvec(rng.normal(0, 0.1, 3)) for _ in range(900)])
    found, spokes = directions(still, PS4)
    result = rotation_time(found, spokes.body, 100.0)
    assert result.time_ps is None
    assert result.low_ps > 300.0


def test_borane_cages_turn_about_their_centroid():
    rng = np.random.default_rng(7)
    cage = icosahedron()
    z = np.array([5] * 12 + [1] * 12)
    for step, entropy in ((0.0, 0.0), (0.5, 0.9)):
        frac = (
            np.array([0.9, 0.1, 0.05])
            + np.array([t.apply(cage) for t in turns_of(rng, 500, step)]) / 10.0
        )
        found, spokes = directions(frac, z)
        assert (len(spokes), len(spokes.tip)) == (1, 24)
        np.testing.assert_allclose(np.linalg.norm(found, axis=2), 1.0, rtol=1e-9)
        assert orientation_entropy(found)[1] >= entropy
    assert orientation_entropy(directions(np.repeat(frac[:1], 50, 0), z)[0]) == (0.0, 0.0)


def test_autocorrelation_equals_the_direct_sum():
    found, _ = directions(tetrahedra(turns_of(np.random.default_rng(8), 300, 0.1)), PS4)
    memory = rotational_autocorrelation(found)
    assert memory[0] == pytest.approx(1.0, rel=1e-12)
    direct = np.mean([(found[t] * found[t + 7]).sum(-1) for t in range(293)])
    assert memory[7] == pytest.approx(direct, abs=1e-12)


def test_nothing_to_turn():
    with pytest.raises(FeatureError, match="no polyanion"):
        spoke_directions(np.zeros((3, 2, 3)), LATTICE, spokes_of([], np.array([3, 3])))
