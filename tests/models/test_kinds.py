"""Two kinds of labels of one population that lie decades apart, and what each tells the other."""

import numpy as np
import pandas as pd
import pytest

from ionsieve.models import kinds, load_model, save_model
from ionsieve.models.explanation.contributions import contributions
from ionsieve.models.kinds import KindTable, learn_kinds


@pytest.fixture(scope="module")
def learned():
    """Composition columns tell the position of a material; measurements are many, AIMD few."""
    rng = np.random.default_rng(0)
    n = 120
    ids = [f"m{i:03d}" for i in range(n)]
    position = rng.normal(size=n)
    features = pd.DataFrame(
        {
            "composition": position + 0.1 * rng.normal(size=n),
            "void_fraction": 0.3 + 0.05 * position + 0.05 * rng.normal(size=n),
            "noise": rng.normal(size=n),
        },
        index=ids,
    )

    def labels(rows, kind, shift, temperature_K):
        log10 = shift + 1.5 * position[rows] + 0.2 * rng.normal(size=len(rows))
        table = pd.DataFrame({"structure_id": np.array(ids)[rows], "temperature_K": temperature_K})
        table = table.assign(kind=kind, quantity="sigma_S_cm", value=10.0**log10)
        return table.assign(
            lower=np.nan, upper=np.nan, error_log10=0.1, group=np.array(ids)[rows], source="test"
        )

    systems = pd.Series(ids, index=ids)
    few, many = np.arange(0, 120, 5), np.arange(120)
    aimd = KindTable(features=features, labels=labels(few, "aimd", -2, 600.0), chemsys=systems)
    measured = KindTable(
        features=features, labels=labels(many, "experiment", -6, 300.0), chemsys=systems
    )
    patch = pytest.MonkeyPatch()
    patch.setattr(kinds, "EXPERIMENT_FOREST", {"n_trees": 40, "max_features": 1.0})
    found = learn_kinds(aimd, measured, ["composition"], ["composition"])
    patch.undo()
    return found, position


def test_each_kind_keeps_its_own_population(learned):
    found, _ = learned
    assert (found.aimd.training_["kind"], found.experiment.training_["kind"]) == (
        "aimd",
        "experiment",
    )
    aimd = found.aimd.predict(found.aimd_features, 600.0)["prediction"]
    measured = found.experiment.predict(found.experiment_features, 300.0)["prediction"]
    assert aimd.mean() > measured.mean() + 2.0


def test_measurements_are_evidence_for_materials_without_aimd(learned):
    found, position = learned
    assert "experiment_sigma_S_cm" in [e.column for e in found.aimd.evidence_]
    assert "experiment_sigma_S_cm" not in found.aimd.columns_
    strangers = found.aimd_features.iloc[1::5]
    answer = found.aimd.predict(strangers, 600.0)["prediction"]
    assert np.corrcoef(answer, position[1::5])[0, 1] > 0.8


def test_evidence_of_labelled_materials_is_out_of_fold(learned):
    found, _ = learned
    column = "experiment_sigma_S_cm"
    own = found.aimd_features[column]
    again = found.aimd.other_kind.add_to(found.aimd_features.drop(columns=column))[column]
    assert own.notna().all()
    assert not np.allclose(own, again), "a label of the same material leaked into its evidence"


def test_learners_of_aimd_learn_what_the_evidence_leaves_over(learned):
    found, _ = learned
    model = found.aimd
    assert model.remainder
    assert not found.experiment.remainder
    ensemble, features = model.ensemble_, found.aimd_features
    scaled = ensemble.scale_.transform(model.evidence_matrix(features))
    granted = scaled @ np.array([e.weight for e in model.evidence_])
    matrix = model.matrix(features)
    answers = ensemble.answers(matrix, model.evidence_matrix(features)).means
    for j, learner in enumerate(ensemble.learners_.values()):
        np.testing.assert_allclose(answers[:, j], learner.predict(matrix) + granted)


def test_contributions_hold_what_learners_take_for_granted(learned):
    found, _ = learned
    shares = contributions(found.aimd, found.aimd_features, 600.0)
    predicted = found.aimd.predict(found.aimd_features, 600.0)["prediction"]
    np.testing.assert_allclose(shares.sum(axis=1), predicted, rtol=1e-6, atol=1e-6)


def test_a_saved_model_takes_the_same_for_granted(learned, tmp_path):
    found, _ = learned
    again = load_model(save_model(found.aimd, tmp_path / "model"))
    features = found.aimd_features.drop(columns="experiment_sigma_S_cm")
    pd.testing.assert_frame_equal(again.predict(features), found.aimd.predict(features))
    assert again.unfitted().remainder


def test_a_labelled_material_is_answered_by_what_recalls_it(learned):
    """A Gaussian process smooths over labels: at distance zero the forest is asked alone."""
    found, _ = learned
    ensemble = found.aimd.ensemble_
    assert ensemble.recalls == (True, False)
    assert ensemble.trust_.weights[0].tolist() == [1.0] + [0.0] * (
        ensemble.trust_.weights.shape[1] - 1
    )
    assert ensemble.trust_.weights[1][1] > 0
