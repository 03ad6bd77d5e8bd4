"""Electron counts against the periodic table."""

import pytest

from ionsieve.screening.jobs.electrons import high_spin_moment, valence_electrons


@pytest.mark.parametrize(
    ("element", "oxidation", "moment"),
    [("V", 2, 3), ("Cr", 3, 3), ("Ti", 4, 0), ("Ti", 3, 1), ("Fe", 3, 5), ("Fe", 2, 4),
     ("Mn", 2, 5), ("Co", 2, 3), ("Ni", 2, 2), ("Cu", 2, 1), ("Cu", 1, 0), ("Zn", 2, 0),
     ("Zr", 4, 0), ("Gd", 3, 7), ("Er", 3, 3), ("La", 3, 0), ("Lu", 3, 0), ("Eu", 2, 7),
     ("Ta", 5, 0), ("P", 5, 0), ("S", -2, 0), ("Li", 1, 0), ("In", 3, 0)],
)  # fmt: skip
def test_unpaired_electrons_of_high_spin_ions(element, oxidation, moment) -> None:
    assert high_spin_moment(element, oxidation) == moment


@pytest.mark.parametrize(
    ("element", "electrons"),
    [("Li", 3), ("Na", 7), ("K", 9), ("O", 6), ("S", 6), ("Cl", 7), ("I", 7), ("P", 5), ("Ti", 10),
     ("Fe", 8), ("Zn", 12), ("Ga", 13), ("Sn", 14), ("Sb", 5), ("Zr", 10)],
)  # fmt: skip
def test_valence_electrons(element, electrons) -> None:
    assert valence_electrons(element) == electrons
