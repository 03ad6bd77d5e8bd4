"""Acquisition functions against closed forms and simulation; the stop rule."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.errors import InputError
from ionsieve.screening.acquisition.scores import (
    ACQUISITIONS,
    AcquisitionSettings,
    Beliefs,
    acquisition_score,
    expected_improvement,
    probability_of_exceeding,
    stop_decision,
)


def beliefs(mean, sd, distance=None) -> Beliefs:
    return Beliefs(
        np.array(mean), np.array(sd), np.zeros(len(mean)) if distance is None else distance
    )


def score(function: str, known: Beliefs, best: float = -3.0, seed: int = 0, **settings):
    chosen = AcquisitionSettings(function=function, **settings)
    return acquisition_score(known, chosen, best, np.random.default_rng(seed))


def test_expected_improvement_of_a_standard_normal_at_its_mean() -> None:
    # φ(0) = 1/√(2π) = 0.398942280401…
    gain = expected_improvement(np.array([0.0]), np.array([1.0]), 0.0)
    assert gain[0] == pytest.approx(0.3989422804014327, rel=1e-14)


@given(st.floats(-4, 4), st.floats(0.1, 3), st.floats(-4, 4))
def test_expected_improvement_is_the_mean_of_the_gain(mean: float, sd: float, best: float) -> None:
    # Quadrature over quantiles is an independent way to the same integral.
    u = (np.arange(20_000) + 0.5) / 20_000
    from scipy.stats import norm

    direct = np.maximum(norm.ppf(u, mean, sd) - best, 0.0).mean()
    closed = expected_improvement(np.array([mean]), np.array([sd]), best)[0]
    assert closed == pytest.approx(direct, rel=5e-3, abs=1e-5)


def test_probability_is_a_half_at_the_threshold() -> None:
    assert probability_of_exceeding(np.array([-3.0]), np.array([0.7]), -3.0)[0] == 0.5


def test_functions_prefer_what_they_say() -> None:
    # 0: best mean; 1: unsure, mean just below; 2: hopeless but very unsure.
    known = beliefs([-2.0, -2.5, -6.0], [0.1, 1.5, 2.0])
    assert int(np.argmax(score("greedy", known))) == 0
    assert int(np.argmax(score("ucb", known, kappa=1.0))) == 1
    assert int(np.argmax(score("ei", known, best=-2.0))) == 1
    assert int(np.argmax(score("poe", known, threshold_log10=-3.0))) == 0
    assert int(np.argmax(score("max_variance", known))) == 2


def test_upper_confidence_bound_without_confidence_is_greedy() -> None:
    known = beliefs([-2.0, -5.0], [0.3, 0.9])
    np.testing.assert_array_equal(score("ucb", known, kappa=0.0), score("greedy", known))


def test_thompson_draws_follow_the_beliefs() -> None:
    known = beliefs(np.full(40_000, -3.0), np.full(40_000, 0.8))
    draws = score("thompson", known)
    assert draws.mean() == pytest.approx(-3.0, abs=0.02)
    assert draws.std() == pytest.approx(0.8, rel=0.02)


@pytest.mark.parametrize("function", ACQUISITIONS)
def test_scores_are_finite_and_repeat_under_a_seed(function: str) -> None:
    known = beliefs([-30.0, -2.0, 3.0], [0.01, 1.0, 0.01])
    first, again = score(function, known, seed=4), score(function, known, seed=4)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)


def test_beliefs_from_the_calibrated_interval() -> None:
    table = pd.DataFrame(
        {"prediction": [-4.0], "low": [-5.6448536], "high": [-2.3551464], "domain_distance": [0.5]}
    )
    # 1.6448536 is the 95 % quantile of the standard normal: a 90 % interval of sd 1.
    assert Beliefs.from_predictions(table, coverage=0.9).sd[0] == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("mean", "sd", "words"),
    [([-1.0], [0.0], "not positive"), ([np.nan], [1.0], "mean"), ([-1.0, 0.0], [1.0], "shape")],
)
def test_beliefs_that_are_none_are_refused(mean, sd, words) -> None:
    with pytest.raises(InputError, match=words):
        Beliefs(np.array(mean), np.array(sd), np.zeros(len(mean)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"function": "best"},
        {"out_of_domain_quota": 1.2},
        {"kappa": -1.0},
        {"max_per_system": 0},
    ],
)
def test_settings_are_checked(wrong) -> None:
    with pytest.raises(InputError):
        AcquisitionSettings(**wrong)


def test_stops_only_when_neither_gain_nor_hits_are_expected() -> None:
    poor = beliefs([-7.0, -8.0], [0.2, 0.2])
    assert stop_decision(poor, -2.0, -3.0, 5, 0.05, 0.2).stop
    assert not stop_decision(beliefs([-2.5], [0.2]), -1.0, -3.0, 5, 0.05, 0.2).stop
    assert not stop_decision(beliefs([-5.0], [3.0]), -2.0, 0.0, 5, 0.05, 10.0).stop


def test_stops_when_nothing_is_left() -> None:
    nobody = beliefs([], [])
    assert stop_decision(nobody, -2.0, -3.0, 5, 0.0, 0.0).reason == "no candidate is left"


def test_stops_when_the_fast_ones_are_bought_and_not_before() -> None:
    """Forty candidates, six of them promising, bought best first: it stops after the sixth."""
    rng = np.random.default_rng(2)
    mean = np.r_[np.linspace(-1.5, -2.5, 6), rng.uniform(-8.0, -6.5, 34)]
    known, bought = beliefs(mean, np.full(40, 0.4)), 0
    while not stop_decision(known, -2.0, -3.0, 1, 0.05, 0.2).stop:
        best = int(np.argmax(known.mean))
        known = beliefs(np.delete(known.mean, best), np.delete(known.sd, best))
        bought += 1
    assert bought == 6


def test_stop_decision_says_its_numbers() -> None:
    decision = stop_decision(beliefs([-5.0, -6.0], [0.5, 0.5]), -2.0, -3.0, 2, 0.05, 0.2)
    # (μ − f) Φ(−6) + σ φ(−6) by hand: 0.5 · φ(6) − 3 · Φ(−6).
    from scipy.stats import norm

    gain = 0.5 * norm.pdf(6.0) - 3.0 * norm.sf(6.0)
    assert decision.largest_gain_decades == pytest.approx(gain, rel=1e-6)
    assert decision.expected_hits == pytest.approx(norm.sf(4.0) + norm.sf(6.0), rel=1e-6)
    assert f"{decision.largest_gain_decades:.3g} decades" in decision.reason
    assert "limits (0.05 decades, 0.2 conductors)" in decision.reason
