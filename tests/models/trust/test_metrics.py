import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from ionsieve.models.trust.metrics import (
    Outcome,
    auc,
    average_precision,
    concordance,
    coverage,
    decide_event,
    enrichment_at,
    mean_absolute_error,
    mean_bound_violation,
    precision_at,
    spearman,
    with_interval,
)

INF = np.inf


def outcome(bounds, prediction, event=None, score=None, stratum=None, group=None, interval=None):
    n = len(prediction)
    nothing = np.full(n, np.nan)
    bounds = np.asarray(bounds, dtype=float)
    return Outcome(
        bounds=np.column_stack([bounds, bounds]) if bounds.ndim == 1 else bounds,
        prediction=np.asarray(prediction, dtype=float),
        interval=np.full((n, 2), np.nan) if interval is None else np.asarray(interval, dtype=float),
        group=np.arange(n) if group is None else np.asarray(group),
        stratum=np.zeros(n) if stratum is None else np.asarray(stratum, dtype=float),
        event=nothing if event is None else np.asarray(event, dtype=float),
        event_score=nothing if score is None else np.asarray(score, dtype=float),
    )


@given(seed=st.integers(0, 10_000), n=st.integers(5, 60))
def test_event_scores_and_rank_correlation_equal_the_libraries(seed, n):
    rng = np.random.default_rng(seed)
    event = rng.integers(0, 2, n)
    event[:2] = 0, 1
    score = rng.normal(size=n)
    found = outcome(score, rng.normal(size=n), event, score)
    assert auc(found) == pytest.approx(roc_auc_score(event, score), rel=1e-12)
    assert average_precision(found) == pytest.approx(average_precision_score(event, score))
    assert spearman(found) == pytest.approx(
        spearmanr(found.bounds[:, 0], found.prediction).statistic
    )


def test_concordance_by_hand():
    # At one temperature: 2 > 1 and 3 > 1 right, 3 > 2 wrong; "below 1.5" < 2 and < 3 right.
    bounds = [[1, 1], [2, 2], [3, 3], [-INF, 1.5]]
    assert concordance(outcome(bounds, [0.0, 5.0, 4.0, -1.0])) == pytest.approx(4 / 5)
    # At different temperatures nothing can be compared.
    assert np.isnan(concordance(outcome([1.0, 2.0], [0, 1], stratum=[300, 1000])))


def test_bounds_count_by_their_violation_only():
    found = outcome([[-INF, -2.0], [-INF, -2.0], [1.0, 1.0]], [-5.0, 1.0, 1.5])
    assert mean_bound_violation(found) == pytest.approx(1.5)
    assert mean_absolute_error(found) == pytest.approx(0.5)


def test_coverage_leaves_out_one_sided_bounds():
    bounds = [[0, 0], [5, 5], [-INF, 0], [1, 2]]
    found = outcome(bounds, [0] * 4, interval=[[-1, 1], [-1, 1], [-1, 1], [1.4, 3]])
    assert coverage(found) == pytest.approx(2 / 3)


def test_precision_and_enrichment_at_the_top():
    found = outcome([0.0] * 4, [0.0] * 4, [1, 0, 1, 0], [0.9, 0.8, 0.1, 0.2])
    assert precision_at(2)(found) == pytest.approx(0.5)
    assert enrichment_at(1)(found) == pytest.approx(2.0)


def test_events_are_decided_by_bounds_where_they_can():
    bounds = np.array([[2, 2], [0, 0], [1, INF], [-INF, 1], [-INF, 3], [0, 2]], dtype=float)
    threshold = np.full(6, 1.0)
    np.testing.assert_array_equal(
        decide_event(bounds, threshold, above=True), [1, 0, 1, 0, np.nan, np.nan]
    )
    np.testing.assert_array_equal(
        decide_event(bounds, threshold, above=False), [0, 1, 0, 1, np.nan, np.nan]
    )


def test_few_groups_give_wide_intervals():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    shift = np.repeat(rng.normal(size=4), 15)
    many = with_interval(mean_absolute_error, outcome(truth, truth + shift))
    few = with_interval(
        mean_absolute_error, outcome(truth, truth + shift, group=np.repeat(range(4), 15))
    )
    assert few.value == many.value
    assert few.high - few.low > 2 * (many.high - many.low)
