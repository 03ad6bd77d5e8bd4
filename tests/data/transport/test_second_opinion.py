"""kinisi's posterior behind guards; the guards themselves need no kinisi."""

import importlib.util

import numpy as np
import pytest

from ionsieve.data.errors import InputError
from ionsieve.data.trajectories.displacements import displacements
from ionsieve.data.transport import second_opinion as module
from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from walks import lattice_walk, run_of

SETTINGS = AnalysisSettings(mobile="Li", temperature_K=600.0)
RATE = 0.05
TRUE_CM2_S = RATE * 9.0 / 6.0 * 0.1 / 100.0
without_kinisi = pytest.mark.skipif(
    importlib.util.find_spec("kinisi") is None, reason="kinisi is not installed"
)


@pytest.fixture(scope="module")
def walk():
    rng = np.random.default_rng(1)
    run = run_of(rng, lattice_walk(rng, 600, 16, RATE, 3))
    return run, analyse(run, SETTINGS)


@without_kinisi
def test_the_posterior_holds_the_truth_and_meets_the_fit(walk):
    run, label = walk
    found = module.opinion_on(run, label)
    assert found.agrees is True, found.remark
    assert found.low_cm2_s < TRUE_CM2_S < found.high_cm2_s
    assert module.opinion_on(run, label) == found


@without_kinisi
def test_a_cage_is_not_asked_about():
    rng = np.random.default_rng(2)
    ions = rng.normal(0, 0.4, (500, 16, 3)) + rng.random((16, 3)) * 12
    run = run_of(rng, ions)
    found = module.opinion_on(run, analyse(run, SETTINGS))
    assert found.diffusivity_cm2_s is None
    assert "confined" in found.remark


def asked(monkeypatch, walk, *posteriors):
    run, label = walk
    monkeypatch.setattr(module, "_require", lambda: None)
    answers = iter(posteriors)
    monkeypatch.setattr(module, "_posterior", lambda *_: next(answers))
    return module.second_opinion(displacements(run, "Li"), label)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (1e25, 1e25, "times from the fit"),
        (np.nan, 1.0, "not finite"),
        (1.0, 1.6, "number of lags"),
    ],
)
def test_what_is_not_believed(monkeypatch, walk, first, second, words):
    fitted = walk[1].fit.diffusivity_cm2_s
    found = asked(monkeypatch, walk, np.full(50, first * fitted), np.full(50, second * fitted))
    assert found.diffusivity_cm2_s is None
    assert words in found.remark


def test_disagreement_is_said_with_both_numbers(monkeypatch, walk):
    fit = walk[1].fit
    samples = np.random.default_rng(3).normal(3.0, 0.01, 500) * fit.diffusivity_cm2_s
    found = asked(monkeypatch, walk, samples, samples)
    assert found.agrees is False
    assert f"{fit.diffusivity_cm2_s:.2e}" in found.remark
    assert f"{found.diffusivity_cm2_s:.2e}" in found.remark


def test_lags_are_few_explicit_and_reach_half_of_the_run():
    lags = module.lags_for(700, 40, 60)
    assert 50 <= len(lags) <= 100
    assert (lags[0], lags[-1]) == (1, 349)


def test_a_missing_package_is_one_line(monkeypatch, walk):
    import builtins

    real = builtins.__import__

    def refuse(name, *rest, **more):
        if name.startswith("kinisi"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(InputError, match="pip install"):
        module.opinion_on(*walk)
