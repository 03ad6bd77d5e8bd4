"""Rigid parts of a framework: cages that turn, crystals, melts."""

import numpy as np
from scipy.spatial.transform import Rotation

from ionsieve.data.trajectories.trajectory import Trajectory
from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from ionsieve.data.transport.rigid_units import rigid_units, unit_centres
from li2b12h12 import icosahedron

EDGE_A = 10.0
CENTRES = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * EDGE_A


def boranes(rng, n_frames, turning, drifting=0.0):
    """Four B12H12 that turn (radians a frame), their centres walking (Å a frame) or vibrating."""
    cage, out = icosahedron(), np.empty((n_frames, 4, 24, 3))
    turns = Rotation.random(4, rng=rng)
    places = CENTRES.copy()
    for frame in range(n_frames):
        turns = Rotation.from_rotvec(rng.normal(0, turning, (4, 3))) * turns
        places = places + rng.normal(0, drifting, (4, 3)) if drifting else places
        for k in range(4):
            out[frame, k] = places[k] + turns[k].apply(cage)
    out = out.reshape(n_frames, 96, 3)
    return out + rng.normal(0, 0.04, out.shape)


def run_of(rng, host):
    ions = rng.normal(0, 0.3, (len(host), 8, 3)) + rng.random((8, 3)) * EDGE_A
    species = ("Na",) * 8 + (("B",) * 12 + ("H",) * 12) * 4
    frac = np.concatenate([ions, host], axis=1) / EDGE_A
    return Trajectory(
        species=species,
        lattices=np.eye(3) * EDGE_A,
        frac=frac - np.floor(frac),
        frame_spacing_fs=100.0,
    )


def test_turning_cages_are_four_parts_at_rest():
    host = boranes(np.random.default_rng(1), 300, 0.3)
    unit = rigid_units(host, np.eye(3) * EDGE_A)
    assert len(set(unit.tolist())) == 4
    assert (np.bincount(unit) == 24).all()
    centres = unit_centres(host, unit)
    assert np.abs(centres - centres.mean(axis=0)).max() < 0.1


def test_a_plastic_crystal_is_not_molten_and_a_molecular_melt_is():
    settings = AnalysisSettings(mobile="Na", temperature_K=600.0)
    for turning in (0.05, 0.3):
        rng = np.random.default_rng(2)
        label = analyse(run_of(rng, boranes(rng, 500, turning)), settings)
        assert label.verdict == "confined", label.evidence.reason
        assert label.evidence.framework_msd_A2["H"] > 5.0
        assert label.evidence.unit_msd_A2["H"] < 0.1
    rng = np.random.default_rng(3)
    melt = analyse(run_of(rng, boranes(rng, 500, 0.3, drifting=0.25)), settings)
    assert melt.verdict == "molten"


def test_a_crystal_is_one_part_and_a_melt_of_atoms_none():
    rng = np.random.default_rng(4)
    grid = np.stack(np.meshgrid(*[np.arange(4) * 2.5] * 3), -1).reshape(-1, 3)
    solid = grid + rng.normal(0, 0.1, (100, 64, 3))
    assert set(rigid_units(solid, np.eye(3) * 10).tolist()) == {0}
    melt = grid + np.cumsum(rng.normal(0, 0.15, (100, 64, 3)), axis=0)
    assert len(set(rigid_units(melt, np.eye(3) * 10).tolist())) > 55
    assert rigid_units(np.zeros((5, 1, 3)), np.eye(3)).tolist() == [0]
    assert rigid_units(np.zeros((5, 0, 3)), np.eye(3)).tolist() == []
