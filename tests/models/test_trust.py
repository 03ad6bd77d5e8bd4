import numpy as np
import pytest

from ionsieve.models.trust import HeldOut, Trust, cross_fitted, measure_trust, stacking_weights

INF = np.inf


def level(truth, skill, distance, seed, groups):
    """Two learners: one sees the truth with this skill, the other is noise."""
    rng = np.random.default_rng(seed)
    n = len(truth)
    good = skill * truth + np.sqrt(1 - skill**2) * 0.3 * rng.normal(size=n)
    means = np.column_stack([good, rng.normal(size=n)])
    spreads = np.column_stack([np.full(n, 0.2), np.full(n, np.nan)])
    near = distance * rng.uniform(0.8, 1.2, n)
    return HeldOut(means, spreads, near, np.zeros(n), groups)


@pytest.fixture
def measured():
    truth = np.random.default_rng(0).normal(size=200)
    bounds = np.column_stack([truth, truth])
    materials, families = np.arange(200), np.arange(200) // 10
    near = level(truth, 0.95, 0.5, 1, materials)
    far = level(truth, 0.0, 1.0, 2, families)
    return [near, far], bounds


def test_near_is_believed_far_falls_back_to_the_population(measured):
    trust = measure_trust(*measured, label_sd=0.1, coverage=0.9)
    one = np.array([[1.0, 1.0]])
    spread = np.array([[0.2, np.nan]])
    means = [trust.combine(one, spread, np.array([d])).mean[0] for d in (0.0, 0.5, 1.0, 5.0)]
    widths = [trust.combine(one, spread, np.array([d])).half_width[0] for d in (0.0, 0.5, 1.0, 5.0)]
    assert means[0] == pytest.approx(1.0)
    assert means[1] > 0.7
    assert means[2] < 0.4
    assert widths[0] < widths[1] < widths[2] <= widths[3]
    assert widths[3] > 1.3


def test_the_learner_that_is_right_gets_the_weight(measured):
    levels, bounds = measured
    weights = stacking_weights(bounds, levels[0].means, levels[0].groups)
    assert weights[0] > 0.8
    assert weights[1] < 0.1


def test_bounds_alone_give_nominal_intervals(measured):
    levels, bounds = measured
    one_sided = np.column_stack([np.full(len(bounds), -INF), bounds[:, 1]])
    trust = measure_trust(levels, one_sided, 0.1, 0.9)
    assert not trust.calibrated
    assert trust.factor == pytest.approx(1.6449, rel=1e-4)


def test_cross_fitted_answers_do_not_see_their_own_group(measured):
    levels, bounds = measured
    plain = cross_fitted(levels, 0, bounds, 0.1, 0.9)
    moved = bounds.copy()
    moved[:10] += 100.0  # first family: its own labels must not change its own answers
    again = cross_fitted(levels, 0, moved, 0.1, 0.9)
    np.testing.assert_allclose(again.mean[:10], plain.mean[:10], rtol=1e-12)
    inside = np.abs(plain.mean - bounds[:, 0]) <= plain.half_width
    assert 0.85 <= inside.mean() <= 0.97


def test_trust_survives_json(measured):
    trust = measure_trust(*measured, label_sd=0.1, coverage=0.9)
    again = Trust.from_dict(trust.as_dict())
    np.testing.assert_array_equal(again.weights, trust.weights)
    broken = trust.as_dict() | {"floor": [1.0]}
    with pytest.raises(ValueError, match="length"):
        Trust.from_dict(broken)
