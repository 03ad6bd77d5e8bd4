import numpy as np
import pytest

from ionsieve.models.trust.trust import (
    HeldOut,
    Trust,
    cross_fitted,
    measure_trust,
    stacking_weights,
)

INF = np.inf


def level(truth, skill, distance, seed, groups):
    """Two learners: one sees the truth with this skill, the other is noise."""
    rng = np.random.default_rng(seed)
    n = len(truth)
    good = skill * truth + np.sqrt(1 - skill**2) * 0.3 * rng.normal(size=n)
    means = np.column_stack([good, rng.normal(size=n)])
    spreads = np.column_stack([np.full(n, 0.2), np.full(n, np.nan)])
    near = distance * rng.uniform(0.8, 1.2, n)
    return held_out(means, spreads, near, groups)


def held_out(means, spreads, distance, groups=None, evidence=None):
    n = len(means)
    return HeldOut(
        means=means,
        spreads=spreads,
        distance=distance,
        neighbour=np.zeros(n),
        evidence=np.empty((n, 0)) if evidence is None else evidence,
        groups=np.arange(n) if groups is None else groups,
    )


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
    answers = [trust.combine(held_out(one, spread, np.array([d]))) for d in (0.0, 0.5, 1.0, 5.0)]
    means, widths = ([getattr(a, k)[0] for a in answers] for k in ("mean", "half_width"))
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


@pytest.fixture
def worse_at_the_top():
    """One learner whose error grows with its prediction, to three times as large."""
    rng = np.random.default_rng(3)
    n = 3000
    mean = rng.uniform(-1.0, 1.0, n)
    truth = mean + (0.2 + 0.5 * np.maximum(mean, 0.0)) * rng.normal(size=n)
    level = held_out(mean[:, None], np.full((n, 1), np.nan), np.ones(n), np.arange(n) // 2)
    return level, np.column_stack([truth, truth])


def test_the_top_of_the_list_has_an_interval_of_its_own(worse_at_the_top):
    level, bounds = worse_at_the_top
    fit, new = np.arange(0, 2000), np.arange(2000, 3000)
    trust = measure_trust([level.take(fit)], bounds[fit], label_sd=0.05, coverage=0.9)
    part = level.take(new)
    answer = trust.combine(part)
    inside = np.abs(answer.mean - bounds[new, 0]) <= answer.half_width
    top = part.means[:, 0] > 0.6
    assert inside[top].mean() >= 0.8
    assert 0.85 <= inside.mean() <= 0.97
    assert answer.half_width[top].mean() > 1.5 * answer.half_width[~top].mean()


def test_evidence_is_believed_far_away_and_by_as_much_as_it_is_right():
    rng = np.random.default_rng(5)
    n = 1800
    truth, groups = rng.normal(size=n), np.arange(n) // 6
    good = truth + 0.5 * rng.normal(size=n)
    evidence = np.column_stack([good / good.std(), rng.normal(size=n), -good])
    far = held_out(rng.normal(size=(n, 1)), np.full((n, 1), np.nan), np.ones(n), groups, evidence)
    bounds = np.column_stack([truth, truth])
    trust = measure_trust([far], bounds, 0.1, 0.9, expected=np.full(3, 0.15))
    learner, right, noise, wrong_way = trust.weights_at(np.array([5.0]))[0]
    assert right > 0.4
    assert max(learner, noise, wrong_way) < 0.5 * right
    np.testing.assert_array_equal(trust.weights_at(np.array([0.0]))[0], [1.0, 0.0, 0.0, 0.0])


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
    assert 0.85 <= inside.mean() <= 0.99


def test_trust_survives_json(measured):
    trust = measure_trust(*measured, label_sd=0.1, coverage=0.9)
    again = Trust.from_dict(trust.as_dict())
    np.testing.assert_array_equal(again.weights, trust.weights)
    np.testing.assert_array_equal(again.factor, trust.factor)
    for broken in ({"variance": [1.0]}, {"n_learners": 9}, {"factor": [1.0]}):
        with pytest.raises(ValueError, match="length"):
            Trust.from_dict(trust.as_dict() | broken)


def test_few_materials_do_not_tell_widths_apart():
    """Half of the materials are known three times worse, and say so: only many of them count."""
    variances = {}
    for n in (100, 1000):
        rng = np.random.default_rng(n)
        spread = np.where(rng.random(n) < 0.5, 1.5, 0.5)
        truth, groups = rng.normal(size=n), np.arange(n)
        answer = truth + spread * rng.normal(size=n)
        one = held_out(answer[:, None], spread[:, None], np.ones(n), groups)
        trust = measure_trust([one], np.column_stack([truth, truth]), 0.1, 0.9)
        variances[n] = trust.variance
    assert np.count_nonzero(variances[100]) == 1
    assert variances[100][0] > 0
    assert variances[1000][1] > 0
