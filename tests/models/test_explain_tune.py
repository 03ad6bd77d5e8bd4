import os
import signal
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from ionsieve.data import ModelError
from ionsieve.models import ConductivityModel, load_model, save_model
from ionsieve.models.evaluation import tuning
from ionsieve.models.evaluation.ablation import ablate, learning_curve
from ionsieve.models.evaluation.tuning import TunedModel, tune
from ionsieve.models.explanation.contributions import (
    contributions,
    family_contributions,
    permutation_importance,
)
from ionsieve.models.fidelity import OtherKind, learn_other_kind, other_kind_feature

QUICK = {"extra_trees": {"n_trees": 30}, "xgboost": {"n_rounds": 60}}
FAMILIES = {f"f{j:02d}": "signal" if j < 2 else "noise" for j in range(12)}


@pytest.fixture(scope="module")
def tables(population):
    return population(n_materials=40, n_groups=40, bounded=0.1)


def quick():
    return ConductivityModel(n_folds=3, parameters=QUICK)


def boosting_only():
    return ConductivityModel(n_folds=2, parameters=QUICK, members=("xgboost",))


@pytest.mark.parametrize("temperature", [300.0, 900.0])
@pytest.mark.parametrize(
    "members", [("extra_trees", "xgboost"), ("extra_trees", "xgboost", "gaussian_process")]
)
def test_contributions_add_up_to_the_prediction(tables, temperature, members):
    features, labels = tables
    model = ConductivityModel(n_folds=3, parameters=QUICK, members=members).fit(features, labels)
    shares = contributions(model, features, temperature)
    predicted = model.predict(features, temperature)["prediction"]
    np.testing.assert_allclose(shares.sum(axis=1), predicted, rtol=1e-4, atol=1e-4)
    by_family = family_contributions(shares, FAMILIES)
    np.testing.assert_allclose(by_family.sum(axis=1), predicted, rtol=1e-4, atol=1e-4)
    assert by_family["signal"].std() > by_family["noise"].std()


def test_permutation_finds_the_family_that_matters(tables):
    found = permutation_importance(*tables, quick, FAMILIES, n_folds=3, n_repeats=2)
    assert found.index[0] == "signal"
    assert found.loc["signal", "low"] > 0
    assert abs(found.loc["noise", "increase"]) < 0.3 * found.loc["signal", "increase"]


def test_ablation_says_what_pays_and_what_does_not(tables):
    found = ablate(*tables, FAMILIES, boosting_only, standard=("noise",), n_folds=3)
    gain = found.gains.loc["with signal"]
    assert gain["mae_low"] > 0
    # The other way round, noise brings nothing that an interval would confirm.
    other = ablate(*tables, FAMILIES, boosting_only, standard=("signal",), n_folds=3)
    assert other.gains.loc["with noise", "mae_low"] <= 0


def test_learning_curve_uses_the_same_folds(tables):
    found = learning_curve(*tables, boosting_only, fractions=(0.3, 1.0), n_folds=3)
    assert list(found.scores) == ["30%", "100%"]
    assert found.scores["100%"]["mae"].value < found.scores["30%"]["mae"].value


def test_tuning_resumes_after_kills_as_if_never_interrupted(tables, tmp_path):
    options = {"quantity": "sigma_S_cm", "n_trials": 8, "seed": 1, "n_folds": 3}
    storage = tmp_path / "killed.sqlite"
    for done_before_the_kill in (1, 4):
        child = os.fork()
        if child == 0:
            _tune_until_killed(tables, storage, options, done_before_the_kill)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
    resumed = tune(*tables, storage=storage, **options)
    assert resumed == tune(*tables, storage=tmp_path / "whole.sqlite", **options)
    assert sum(resumed.n_trials.values()) == 8
    for member, loss in resumed.losses.items():
        assert loss <= resumed.default_losses[member]
    with closing(sqlite3.connect(storage)) as database:
        states = [row[0] for row in database.execute("SELECT state FROM trials")]
    assert states.count("COMPLETE") == 8
    assert states.count("RUNNING") == 2, "both kills came in the middle of a trial"


def _tune_until_killed(tables, storage, options, wanted):
    """Kill this process with SIGKILL inside the trial after ``wanted`` finished ones."""
    calls = {"loss": 0}
    plain = tuning._Problem.loss

    def lethal(problem, member, settings):
        calls["loss"] += 1
        if calls["loss"] > wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(problem, member, settings)

    try:
        tuning._Problem.loss = lethal
        tune(*tables, storage=storage, **options)
    finally:
        os._exit(1)


def test_tuning_never_sees_the_held_out_labels(tables):
    features, labels = tables
    train = labels[labels["structure_id"] < "m030"]
    model = TunedModel("sigma_S_cm", 2, n_folds=3).fit(features, train)
    changed = features.copy()
    changed.loc["m030":] = 1e6
    again = TunedModel("sigma_S_cm", 2, n_folds=3).fit(changed, train)
    assert model.tuning_ == again.tuning_
    seen = features.loc[:"m029"]
    pd.testing.assert_frame_equal(model.predict(seen, 500.0), again.predict(seen, 500.0))


def test_a_budget_below_one_trial_each_is_refused(tables):
    with pytest.raises(ModelError, match="at least as many trials"):
        tune(*tables, "sigma_S_cm", n_trials=1)


def test_another_kind_is_predicted_out_of_its_own_groups(tables):
    features, labels = tables
    groups = pd.Series(features.index, index=features.index)
    other = OtherKind(quick().fit(features, labels), 1000.0)
    found = other_kind_feature(features, features, labels, other, groups, groups, n_folds=4)
    inside = other.model.predict(features, 1000.0)["prediction"]
    label = labels[labels["temperature_K"] == 1000.0].set_index("structure_id")["value"].dropna()
    truth = np.log10(label)
    error = np.abs(found[truth.index] - truth).mean()
    assert error > 1.2 * np.abs(inside[truth.index] - truth).mean(), "in-sample answers leaked"
    assert np.isfinite(found).all()


def test_evidence_of_a_group_does_not_see_its_labels(tables):
    features, labels = tables
    groups = pd.Series(features.index, index=features.index)
    other = OtherKind(quick().fit(features, labels), 1000.0)
    changed, own = labels.copy(), labels["structure_id"] == labels["structure_id"].iloc[0]
    changed.loc[own, ["value", "lower", "upper"]] *= 1e4
    first, second = (
        other_kind_feature(features, features, table, other, groups, groups, n_folds=4)
        for table in (labels, changed)
    )
    name = labels["structure_id"].iloc[0]
    assert first[name] == second[name]
    assert (first != second).mean() > 0.5, "other groups learn from them"


def test_trust_measured_elsewhere_is_taken_over(tables):
    features, labels = tables
    whole = quick().fit(features, labels)
    some = labels[labels["structure_id"] < "m030"]
    again = whole.unfitted().fit(features, some, trust=whole.ensemble_.trust_)
    assert again.ensemble_.levels_ == []
    assert again.ensemble_.trust_ is whole.ensemble_.trust_
    assert again.training_["n_structures"] < whole.training_["n_structures"]
    # With another number of columns of evidence it is measured anew.
    rich = features.assign(void_fraction=np.linspace(0.2, 0.4, len(features)))
    assert quick().fit(rich, some, trust=whole.ensemble_.trust_).ensemble_.levels_


def test_a_model_carries_the_other_kind_along(tables, tmp_path):
    features, labels = tables
    groups = pd.Series(features.index, index=features.index)
    more, other = learn_other_kind(features, groups, features, groups, labels, boosting_only)
    assert other.column == "aimd_sigma_S_cm"
    assert more[other.column].notna().all()
    model = boosting_only()
    model.other_kind = other
    model.fit(more, labels)
    assert other.column not in model.columns_
    assert other.column in [e.column for e in model.evidence_]
    answer = model.predict(features, 600.0)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model").predict(features, 600.0)
    pd.testing.assert_frame_equal(again, answer)
    # What is given out of fold is not predicted again.
    assert not np.array_equal(model.evidence_matrix(more), model.evidence_matrix(features))
    few = labels[labels["structure_id"] < "m003"]
    with pytest.raises(ModelError, match="one for each fold"):
        learn_other_kind(features, groups, features, groups, few, boosting_only)
