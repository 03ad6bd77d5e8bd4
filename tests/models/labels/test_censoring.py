import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import truncnorm

from ionsieve.data import ModelError
from ionsieve.models.labels.censoring import as_bounds, is_exact, middle, truncated_moments

INF = np.inf


@given(
    low=st.floats(-6, 6),
    width=st.floats(0.05, 5),
    mean=st.floats(-3, 3),
    sd=st.floats(0.3, 3),
    side=st.sampled_from(["both", "left", "right"]),
)
def test_moments_equal_those_of_scipys_truncated_normal(low, width, mean, sd, side):
    a = -INF if side == "left" else low
    b = INF if side == "right" else low + width
    found, variance = truncated_moments(np.array([[a, b]]), mean, sd)
    expected = truncnorm((a - mean) / sd, (b - mean) / sd, loc=mean, scale=sd)
    assert found[0] == pytest.approx(expected.mean(), rel=1e-5, abs=1e-5 * sd)
    assert variance[0] == pytest.approx(expected.var(), rel=2e-3, abs=1e-4 * sd**2)


@given(bound=st.floats(-60, 60), mean=st.floats(-5, 5))
def test_the_mean_within_a_bound_stays_within_it(bound, mean):
    bounds = np.array([[-INF, bound], [bound, INF]])
    found, variance = truncated_moments(bounds, mean, 1.0)
    assert found[0] <= bound <= found[1]
    assert ((variance >= 0) & (variance <= 1.0)).all()


def test_values_are_left_as_they_are():
    bounds = as_bounds([1.5, -2.0])
    found, variance = truncated_moments(bounds, 0.0, 1.0)
    assert is_exact(bounds).all()
    np.testing.assert_array_equal(found, [1.5, -2.0])
    np.testing.assert_array_equal(variance, 0.0)


def test_the_middle_of_a_bound_is_the_bound():
    bounds = np.array([[-INF, 2.0], [3.0, INF], [1.0, 2.0], [4.0, 4.0]])
    np.testing.assert_array_equal(middle(bounds), [2.0, 3.0, 1.5, 4.0])


@pytest.mark.parametrize(
    "target",
    [[[1.0, 0.0]], [[-INF, INF]], [[np.nan, 1.0]], [np.nan], [[1.0, 2.0, 3.0]], [[INF, INF]]],
)
def test_what_is_no_interval_is_refused(target):
    with pytest.raises(ModelError):
        as_bounds(target)
