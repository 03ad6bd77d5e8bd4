"""Wannier centres of CP2K and wannier90, and faults of such files."""

import gzip

import numpy as np
import pytest

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.trajectories.wannier import read_wannier

# As CP2K writes IONS+CENTERS: ions and centres in one frame after the other.
CP2K = """\
6
 i =        0, time =        0.000, E =       -10.5
 Li         0.0 0.0 0.0
 F          2.0 0.0 0.0
 X          2.3 0.0 0.0
 X          1.7 0.0 0.0
 X          2.0 0.3 0.0
 X          2.0 -0.3 0.1
"""
# As wannier90 3 writes seedname_centres.xyz: centres first.
WANNIER90 = """\
     3
 Wannier centres, written by Wannier90 on 1Jan2024 at 12:00:00
X          2.10000000     0.00000000     0.00000000
Li         0.00000000     0.00000000     0.00000000
F          2.00000000     0.00000000     0.00000000
"""


def test_frames_of_cp2k(tmp_path):
    path = tmp_path / "LiF-HOMO_centers_s1-1.xyz.gz"
    path.write_bytes(gzip.compress((CP2K + CP2K.replace("2.3", "2.4")).encode()))
    found = read_wannier([path])
    assert found.species == ("Li", "F")
    assert found.atoms_A.shape == (2, 2, 3)
    assert found.centres_A.shape == (2, 4, 3)
    np.testing.assert_allclose(found.centres_A[:, 0, 0], [2.3, 2.4])


def test_files_of_wannier90_are_frames(tmp_path):
    files = [tmp_path / f"{k}_centres.xyz" for k in range(3)]
    for file in files:
        file.write_text(WANNIER90)
    found = read_wannier(files)
    assert found.centres_A.shape == (3, 1, 3)
    assert found.species == ("Li", "F")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CP2K.replace(" X ", " F "), "no Wannier centre"),
        ("2\n\nX 0 0 0\nX 1 1 1\n", "without atoms"),
        (CP2K[:-20], "line 8"),
        (CP2K + CP2K.replace("6\n", "5\n", 1).rsplit(" X", 1)[0], "Wannier centres, 4 before"),
        (CP2K.replace("2.3", "nan"), "line 5"),
        ("hello\n", "no number of atoms"),
        ("999999999999\n\n", "no number of atoms"),
        ("", "no frame"),
        (CP2K.replace("Li", "Qq"), "no element"),
    ],
)
def test_faults_are_one_line(tmp_path, text, words):
    path = tmp_path / "c.xyz"
    path.write_text(text)
    with pytest.raises(TrajectoryError, match=words) as error:
        read_wannier([path])
    assert "c.xyz" in str(error.value)
    assert "\n" not in str(error.value)
