"""Anions by class, with and without oxidation states."""

import json
from pathlib import Path

import numpy as np
import pytest

from ionsieve.data.errors import InputError
from ionsieve.data.trajectories.displacements import displacements
from ionsieve.data.trajectories.readers import read_trajectory
from ionsieve.data.trajectories.trajectory import Trajectory
from ionsieve.screening.trajectory.anions import formula_of, host_groups
from ionsieve.screening.trajectory.framed import frame_run
from ionsieve.screening.trajectory.frustration import FrustrationOptions, frustration
from li2b12h12 import icosahedron


@pytest.fixture(scope="module")
def borane():
    """Four B12H12 on fcc sites that librate, eight lithium ions in the tetrahedra."""
    rng = np.random.default_rng(1)
    edge, n = 9.577, 120
    centres = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    quarters = np.array(list(np.ndindex(2, 2, 2))) * 0.5 + 0.25
    cages = (centres[:, None] + icosahedron() / edge).reshape(-1, 3)
    frac = np.concatenate([quarters, cages])
    frac = frac + rng.normal(0, 0.03, (n, len(frac), 3)) / edge
    species = ("Li",) * 8 + (("B",) * 12 + ("H",) * 12) * 4
    run = Trajectory(
        species=species, lattices=np.eye(3) * edge, frac=frac % 1.0, frame_spacing_fs=100.0
    )
    return frame_run(run, displacements(run, "Li"))


def test_boranes_are_found_by_connectivity_without_charges(borane):
    groups = host_groups(borane)
    assert [formula_of(borane, g) for g in groups] == ["B12H12"] * 4
    found = frustration(borane).measures
    assert any("--charges" in note for note in found["notes"])
    assert found["isolated_class"] is None
    around = found["coordination_by_class"]["B12H12"]
    assert around["n_anions"] == 4
    assert around["mean"] == pytest.approx(8.0, abs=0.05)
    assert found["n_polyanions"] == 4
    assert found["orientation_entropy_kB"] == pytest.approx(0.0, abs=0.05)
    assert found["rotation_time"]["time_ps"] is None
    # Lithium on the corners of a cube about each cage.
    assert found["angles"]["B12H12"]["angle_n_modes"] == 3
    json.dumps(found, allow_nan=False)


def test_charges_make_roles(borane):
    charges = {"Li": 1.0, "B": 0.0, "H": -1.0 / 6.0}
    found = frustration(borane, FrustrationOptions(charges_e=charges)).measures
    assert found["isolated_class"] is not None
    assert not any("--charges" in note for note in found["notes"])
    assert (
        "H bonded" in found["coordination_by_class"]
        or "H isolated" in found["coordination_by_class"]
    )


def test_given_anions_are_looked_for(borane):
    assert len(host_groups(borane, ["B12H12"])) == 4
    with pytest.raises(InputError, match="found B12H12"):
        host_groups(borane, ["PS4"])
    with pytest.raises(InputError, match="not a formula"):
        host_groups(borane, ["B12H-12"])


def test_argyrodite_classes_and_hot_spots(shared_data: Path):
    """Hot spots of half-exchanged Li6PS5Cl: few jumps at the same place, more beside it."""
    folder = shared_data / "trajectories" / "argyrodites_500K" / "Li6PS5Cl" / "50p"
    run = read_trajectory(sorted(folder.glob("*.gz"))[:1], 100.0)
    found = frustration(frame_run(run, displacements(run, "Li"))).measures
    classes = found["coordination_by_class"]
    assert {k: v["n_anions"] for k, v in classes.items()} == {
        "S isolated": 32, "Cl isolated": 32, "S bonded": 128, "PS4": 32,
    }  # fmt: skip
    assert found["coordination"]["S"]["mean"] == pytest.approx(6.74, abs=0.1)
    near = found["hot_spots"]["within_2ps"]
    assert 0.2 < near["0-2 A"] < 0.7
    assert 1.0 < near["2-4 A"] < 1.4
    assert near["6-8 A"] == pytest.approx(1.0, abs=0.05)
    assert set(found["polyanions"]) == {"PS4"}
    assert found["rotation_time"]["low_ps"] > 100
    assert found["wells"]["all"]["distance_mean"] < 1.2
    assert set(found["angles"]) == set(classes)
    displaced = found["single_ion_displacement"]
    assert displaced["p10_A"] < displaced["median_A"] < displaced["p90_A"]
