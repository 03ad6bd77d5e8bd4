"""Moments, modes and the dip of distributions."""

import numpy as np
import pytest

from ionsieve.features.motion.shape import count_modes, dip_statistic, shape_of

# diptest 0.12.0 (R. Urlus; after the R package of M. Maechler) on the samples made below.
DIPS = [0.03372141, 0.07208266, 0.01438601, 0.02512221, 0.04791667]


def samples():
    rng = np.random.default_rng(7)
    normal = rng.normal(size=120)
    return [
        normal[:60],
        np.concatenate([normal, normal + 4.0]),
        rng.gamma(2.0, size=400),
        rng.random(300),
        np.round(np.concatenate([normal, normal + 3.0]), 1),
    ]


@pytest.mark.parametrize("number", range(5))
def test_the_dip_is_that_of_the_reference(number):
    assert dip_statistic(np.sort(samples()[number])) == pytest.approx(DIPS[number], abs=1e-7)


def test_one_and_two_modes():
    rng = np.random.default_rng(1)
    one, two = (
        rng.normal(100, 8, 5000),
        np.append(rng.normal(70, 6, 2500), rng.normal(115, 6, 2500)),
    )
    single, double = shape_of(one), shape_of(two)
    assert (single.n_modes, double.n_modes) == (1, 2)
    assert single.dip_p > 0.9
    assert double.dip_p < 0.01
    assert double.dip > 5 * single.dip
    assert single.mean == pytest.approx(100, abs=0.5)
    assert shape_of(rng.gamma(2.0, size=4000)).skewness == pytest.approx(np.sqrt(2), abs=0.2)
    assert count_modes(np.concatenate([rng.normal(m, 1, 900) for m in (0, 8, 16)])) == 3


def test_what_has_no_shape():
    assert shape_of(np.ones(50)) is None
    assert shape_of(np.arange(5.0)) is None
    assert dip_statistic(np.ones(4)) == 0.125
