"""Dipoles of anions from Wannier centres."""

import numpy as np
import pytest
from scipy import constants

from ionsieve.data.errors import FeatureError
from ionsieve.features.motion.polarisation import DEBYE_PER_E_A, anion_dipoles

CELL = np.array([[6.0, 0, 0], [1.0, 6.0, 0], [0, 0.5, 7.0]])


def test_a_known_shift_is_a_known_dipole():
    rng = np.random.default_rng(1)
    anions = np.array([[0.1, 0.1, 0.1], [4.0, 3.0, 3.0]])
    shell = rng.normal(0, 0.4, (4, 3))
    shell -= shell.mean(axis=0)
    shift = np.array([0.05, -0.02, 0.03])
    # Across the cell: the centres of the first anion lie on the other side.
    centres = np.concatenate([anions[0] + shell + shift - CELL[0], anions[1] + shell])
    found = anion_dipoles(anions[None], centres[None], np.array([0, 1]), CELL)
    np.testing.assert_allclose(found.dipole_e_A[0, 0], -2.0 * 4 * shift, atol=1e-12)
    np.testing.assert_allclose(found.dipole_e_A[0, 1], 0.0, atol=1e-12)
    assert found.n_centres.tolist() == [[4, 4]]


def test_units_and_nothing_to_polarise():
    debye = 1e-21 / constants.c
    assert pytest.approx(constants.e * 1e-10 / debye, rel=1e-9) == DEBYE_PER_E_A
    with pytest.raises(FeatureError, match="no anion"):
        anion_dipoles(np.zeros((1, 2, 3)), np.zeros((1, 4, 3)), np.array([], dtype=int), CELL)
