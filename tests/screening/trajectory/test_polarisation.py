"""Polarisation in the product path: one and two modes, and what is missing."""

import numpy as np
import pytest

from ionsieve.data.errors import InputError
from ionsieve.data.records import StructureRecord
from ionsieve.features import prepare
from ionsieve.screening.trajectory.framed import FramedRun
from ionsieve.screening.trajectory.polarisation import NOT_GIVEN, polarisation_measures

EDGE_A = 5.2
FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


@pytest.fixture
def salt():
    """Rock-salt LiCl at rest."""
    frac = np.concatenate([FCC + 0.5, FCC])[None].repeat(2, axis=0)
    species = ("Li",) * 4 + ("Cl",) * 4
    lattice = np.eye(3) * EDGE_A
    run = FramedRun(
        species=species, frac=frac, n_mobile=4, lattice=lattice,
        positions_A=frac[:, :4] @ lattice, frame_spacing_fs=1.0,
    )  # fmt: skip
    return run, prepare(StructureRecord.ordered("x", lattice, species, frac[0] % 1.0))


def centres_file(path, shifts_A):
    """Frames of LiCl with four centres an anion, shifted along x by each of the values."""
    shell = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 0.3
    text = ""
    for shift in shifts_A:
        lines = [f"Li {x} {y} {z}" for x, y, z in (FCC + 0.5) * EDGE_A]
        lines += [f"Cl {x} {y} {z}" for x, y, z in FCC * EDGE_A]
        for place in FCC * EDGE_A:
            lines += [f"X {x} {y} {z}" for x, y, z in place + shell + [shift, 0, 0]]
        text += f"{len(lines)}\nframe\n" + "\n".join(lines) + "\n"
    path.write_text(text)
    return path


def test_modes_of_the_dipole(tmp_path, salt):
    rng = np.random.default_rng(1)
    one = rng.normal(0.05, 0.005, 400)
    two = np.concatenate([rng.normal(0.02, 0.003, 200), rng.normal(0.08, 0.003, 200)])
    results = []
    for shifts in (one, two):
        notes = []
        file = centres_file(tmp_path / "c.xyz", shifts)
        found = polarisation_measures([file], *salt, notes)
        assert notes == []
        results.append(found["Cl"])
        assert found["Cl"]["centres_per_anion"] == 4.0
        expected = 8.0 * np.abs(shifts).mean() * 4.8032
        assert found["Cl"]["dipole_mean_D"] == pytest.approx(expected, rel=1e-3)
    assert [r["dipole_n_modes"] for r in results] == [1, 2]
    assert results[1]["dipole_dip"] > 3 * results[0]["dipole_dip"]


def test_without_centres_a_note_and_other_atoms_an_error(tmp_path, salt):
    notes = []
    assert polarisation_measures([], *salt, notes) is None
    assert notes == [NOT_GIVEN]
    file = centres_file(tmp_path / "c.xyz", [0.0])
    file.write_text(file.read_text().replace("Li", "Na"))
    with pytest.raises(InputError, match="not the 8 of the run"):
        polarisation_measures([file], *salt, [])
