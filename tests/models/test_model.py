import numpy as np
import pandas as pd
import pytest

from ionsieve.data import LabelError, ModelError
from ionsieve.models import ConductivityModel, evaluate_grouped
from ionsieve.models.model import PREDICTION_COLUMNS
from ionsieve.models.selfcheck import HELD_OUT_COLUMNS
from ionsieve.models.trust.domain import composition_distance


@pytest.fixture(scope="module")
def tables(population):
    return population()


@pytest.fixture(scope="module")
def model(tables):
    return ConductivityModel(seed=3).fit(*tables)


def test_columns_order_and_ranges(model, tables):
    answer = model.predict(tables[0], 300.0)
    assert tuple(answer.columns) == PREDICTION_COLUMNS
    assert list(answer.index) == list(tables[0].index)
    assert ((answer.low < answer.prediction) & (answer.prediction < answer.high)).all()
    assert answer.p_exceeds.between(0, 1).all()
    assert np.isfinite(answer.to_numpy()).all()


def test_same_seed_same_bits_other_seed_other_bits(model, tables):
    again = ConductivityModel(seed=3).fit(*tables).predict(tables[0])
    pd.testing.assert_frame_equal(model.predict(tables[0]), again, check_exact=True)
    other = ConductivityModel(seed=4).fit(*tables).predict(tables[0])
    assert not other.equals(again)


def test_order_of_columns_and_labels_does_not_matter(model, tables):
    features, _ = tables
    mixed = features[features.columns[::-1]].sample(frac=1.0, random_state=0)
    answer = model.predict(mixed).loc[features.index]
    # Batches of another order round distances differently in the last float32 digit.
    pd.testing.assert_frame_equal(answer, model.predict(features), rtol=1e-5)


def test_conductivity_rises_and_intervals_narrow_with_temperature(model, tables):
    cold, hot = model.predict(tables[0], 300.0), model.predict(tables[0], 1000.0)
    assert (hot.prediction > cold.prediction).all()
    assert ((hot.high - hot.low) < (cold.high - cold.low)).all()


def test_one_temperature_for_each_row(model, tables):
    features = tables[0].iloc[:2]
    both = model.predict(features, np.array([300.0, 900.0]))
    assert both.prediction.iloc[0] == model.predict(features, 300.0).prediction.iloc[0]
    assert both.prediction.iloc[1] == model.predict(features, 900.0).prediction.iloc[1]


def test_training_materials_are_near_strangers_are_far(model, tables):
    features = tables[0]
    np.testing.assert_allclose(model.predict(features).domain_distance, 0.0, atol=1e-2)
    assert (model.predict(features + 10.0).domain_distance > 2.0).all()


def test_held_out_families_are_predicted_better_than_by_the_baselines(tables):
    found = evaluate_grouped(*tables, n_folds=4)
    mae = {name: scores["mae"].value for name, scores in found.scores.items()}
    assert mae["model"] < mae["temperature only"]
    assert mae["model"] < mae["nearest neighbour"]
    assert found.scores["model"]["coverage"].value > 0.8
    assert "temperature only" in str(found)


def test_probability_agrees_with_the_interval(tables):
    model = ConductivityModel(threshold_S_cm=1e-3, coverage=0.9).fit(*tables)
    answer = model.predict(tables[0], 500.0)
    assert ((answer.p_exceeds > 0.95) == (answer.low > -3.0)).all()
    assert ((answer.p_exceeds > 0.5) == (answer.prediction > -3.0)).all()


def test_mixed_kinds_are_refused(tables):
    features, labels = tables
    labels = labels.assign(kind=["experiment"] + ["aimd"] * (len(labels) - 1))
    with pytest.raises(ModelError, match="aimd, experiment"):
        ConductivityModel().fit(features, labels)


def test_labels_without_features_are_named(tables):
    features, labels = tables
    with pytest.raises(ModelError, match="m000"):
        ConductivityModel().fit(features.drop(index="m000"), labels)


def test_missing_feature_columns_are_named(model, tables):
    with pytest.raises(ModelError, match="f07"):
        model.predict(tables[0].drop(columns="f07"))


def test_zero_conductivity_is_a_bound_not_a_value(tables):
    features, labels = tables
    labels = labels.assign(value=labels["value"].where(labels.index != 0, 0.0))
    with pytest.raises(LabelError, match="upper bound"):
        ConductivityModel().fit(features, labels)


def test_one_group_cannot_be_calibrated(tables):
    features, labels = tables
    with pytest.raises(ModelError, match="two groups"):
        ConductivityModel().fit(features, labels.assign(group="all"))


def test_a_model_knows_how_well_it_does(model):
    for left_out in ("leave_material_out", "leave_group_out"):
        scores = model.evaluation_[left_out]
        assert scores["model"]["mae"][0] < scores["temperature only"]["mae"][0]
        assert 0.8 <= scores["model"]["coverage"][0] <= 1.0
        value, low, high = scores["model"]["mae"]
        assert low <= value <= high
    assert "group mean" in model.evaluation_["leave_material_out"]
    assert "group mean" not in model.evaluation_["leave_group_out"]


def test_held_out_predictions_are_those_behind_the_scores(model, tables):
    labels = tables[1]
    assert list(model.held_out_.columns) == list(HELD_OUT_COLUMNS)
    for left_out, rows in model.held_out_.groupby("left_out"):
        assert sorted(rows["structure_id"]) == sorted(labels["structure_id"])
        closed = rows[rows[["label_lower", "label_upper"]].notna().all(axis=1)]
        assert 0 < len(closed) < len(rows)
        value = closed[["label_lower", "label_upper"]].mean(axis=1)
        scores = model.evaluation_[left_out]["model"]
        assert (closed["prediction"] - value).abs().mean() == pytest.approx(scores["mae"][0])
        inside = value.between(closed["low"], closed["high"]).mean()
        assert inside == pytest.approx(scores["coverage"][0])


def test_near_a_label_the_prediction_is_near_it(population):
    features, labels = population(n_materials=60, n_groups=12, bounded=0.0)
    model = ConductivityModel().fit(features, labels)
    one = labels[labels["temperature_K"] == 1000.0]
    at = features.loc[one["structure_id"]]
    error = np.abs(model.predict(at, 1000.0)["prediction"].to_numpy() - np.log10(one["value"]))
    population_error = np.abs(model.target.line(1000.0)[0] - np.log10(one["value"]))
    assert error.mean() < 0.5 * population_error.mean()


def test_an_unfitted_model_says_so(tables):
    with pytest.raises(ModelError, match="not fitted"):
        ConductivityModel().predict(tables[0])


def test_composition_distance_is_the_share_of_atoms_to_exchange():
    found = composition_distance(["LiCl", "Li2S", "Na3N", "Li4F4"], ["LiF", "LiBr"])
    np.testing.assert_allclose(found, [0.5, 0.5, 1.0, 0.0], rtol=1e-12, atol=1e-15)
    with pytest.raises(ModelError, match="not a formula"):
        composition_distance(["Xx3?"], ["LiF"])
    with pytest.raises(ModelError, match="does not know"):
        composition_distance(["LiF"], [])


@pytest.mark.parametrize("size", [1, 7, 50])
def test_blocks_leave_no_trace_in_predictions(model, tables, monkeypatch, size):
    features = tables[0]
    temperature = np.linspace(300.0, 900.0, len(features))
    one = model.predict(features, temperature)
    monkeypatch.setattr("ionsieve.models.model.PREDICTION_BLOCK", size)
    pd.testing.assert_frame_equal(model.predict(features, temperature), one, check_exact=True)
