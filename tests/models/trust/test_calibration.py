import numpy as np
import pytest

from ionsieve.data import ModelError
from ionsieve.models.trust.calibration import (
    conformal_factor,
    group_weights,
    product_limit_quantile,
    residual_scores,
)

INF = np.inf


def test_without_bounds_the_quantile_is_the_empirical_one():
    scores = np.arange(1.0, 11.0)
    everything = np.ones(10, dtype=bool)
    assert product_limit_quantile(scores, everything, np.ones(10), 0.9) == 9.0
    assert product_limit_quantile(scores, everything, np.ones(10), 1.0) == 10.0


def test_censored_scores_push_the_quantile_up():
    # Kaplan–Meier by hand: scores 1, 2+, 3, 4; S = 3/4, then 3/4·1/2, then 0.
    exact = np.array([True, False, True, True])
    scores = np.array([1.0, 2.0, 3.0, 4.0])
    assert product_limit_quantile(scores, exact, np.ones(4), 0.25) == 1.0
    assert product_limit_quantile(scores, exact, np.ones(4), 0.60) == 3.0
    assert product_limit_quantile(scores, exact, np.ones(4), 0.65) == 4.0


def test_a_respected_bound_says_nothing():
    bounds = np.array([[0.0, 0.0], [-INF, 5.0], [-INF, -2.0]])
    scores, exact = residual_scores(bounds, np.array([1.0, 0.0, 1.0]), np.ones(3))
    np.testing.assert_array_equal(scores, [1.0, 0.0, 3.0])
    np.testing.assert_array_equal(exact, [True, False, False])


def test_each_group_weighs_the_same():
    weights = group_weights(np.array([0, 0, 0, 1]))
    assert weights[:3].sum() == pytest.approx(weights[3])


def test_new_groups_are_covered_as_promised():
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(300):
        width = rng.uniform(0.5, 2.0, size=41)
        value = rng.normal(size=41) * width
        bounds = np.column_stack([value, value])
        factor = conformal_factor(
            bounds[:-1], np.zeros(40), width[:-1], np.arange(40), coverage=0.9
        )
        covered.append(abs(value[-1]) <= factor * width[-1])
    assert 0.86 <= np.mean(covered) <= 0.96


def test_bounds_alone_cannot_calibrate():
    with pytest.raises(ModelError, match="bounds"):
        product_limit_quantile(np.ones(3), np.zeros(3, dtype=bool), np.ones(3), 0.9)
