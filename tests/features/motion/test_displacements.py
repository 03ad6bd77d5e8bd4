"""Van Hove functions, non-Gaussian parameter, inequality between ions."""

import numpy as np
import pytest

from ionsieve.data.errors import FeatureError
from ionsieve.features.motion.displacements import (
    distinct_van_hove,
    gini,
    ion_msd,
    non_gaussian_parameter,
    self_van_hove,
)


def test_gaussian_motion_has_no_non_gaussian_parameter_and_its_own_van_hove():
    rng = np.random.default_rng(1)
    positions = np.cumsum(rng.normal(0, 0.5, (4000, 20, 3)), axis=0)
    assert abs(non_gaussian_parameter(positions, 10)) < 0.05
    edges = np.linspace(0, 12, 25)
    middle = (edges[1:] + edges[:-1]) / 2
    variance = 0.25 * 10
    exact = (
        4 * np.pi * middle**2 * (2 * np.pi * variance) ** -1.5
        * np.exp(-(middle**2) / (2 * variance))
    )  # fmt: skip
    np.testing.assert_allclose(self_van_hove(positions, 10, edges), exact, atol=0.02)
    assert np.sum(self_van_hove(positions, 10, edges) * np.diff(edges)) == pytest.approx(
        1.0, abs=1e-3
    )


def test_one_runner_among_rattlers_is_non_gaussian_and_unequal():
    rng = np.random.default_rng(2)
    positions = rng.normal(0, 0.1, (500, 20, 3))
    positions[:, 0] += np.arange(500)[:, None] * 0.1
    assert non_gaussian_parameter(positions, 50) > 5
    assert gini(ion_msd(positions, 50)) > 0.9
    assert np.isnan(non_gaussian_parameter(np.zeros((10, 2, 3)), 3))
    with pytest.raises(FeatureError, match="does not fit"):
        ion_msd(positions, 500)


def test_distinct_van_hove_is_one_for_an_ideal_gas_and_fills_the_place_left():
    rng = np.random.default_rng(3)
    gas = rng.random((400, 60, 3))
    edges = np.linspace(1.0, 4.0, 7)
    np.testing.assert_allclose(
        distinct_van_hove(gas, np.eye(3) * 9, 5, edges), np.ones(6), atol=0.05
    )
    # Two ions that swap places every frame: at lag 1 each finds the other at r = 0.
    pair = np.array([[[0.0, 0, 0], [0.4, 0, 0]], [[0.4, 0, 0], [0.0, 0, 0]]] * 20)
    edges = np.array([0.0, 0.5])
    assert distinct_van_hove(pair, np.eye(3) * 9, 1, edges)[0] > 100
    assert distinct_van_hove(pair, np.eye(3) * 9, 0, edges)[0] == 0
