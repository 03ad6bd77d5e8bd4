import numpy as np
import pandas as pd
import pytest

from ionsieve.data import ModelError
from ionsieve.models import OnsetModel, StructureModel, make_model
from ionsieve.models.labels.targets import make_target, onset_bounds

QUICK = {"extra_trees": {"n_trees": 40}, "xgboost": {"n_rounds": 60}}


@pytest.fixture(scope="module")
def onsets():
    """Onset = 800 K · 10^(0.15 x), seen on a grid of 100 K, molten above 1500 K."""
    rng = np.random.default_rng(0)
    ids = [f"s{i}" for i in range(80)]
    features = pd.DataFrame(rng.normal(size=(80, 4)), index=ids, columns=list("abcd"))
    onset = 800.0 * 10 ** (0.15 * features["a"])
    seen = np.ceil(onset / 100.0) * 100.0
    labels = pd.DataFrame(
        {
            "structure_id": ids,
            "temperature_K": np.nan,
            "kind": "mlip_md",
            "quantity": "t_onset_K",
            "value": np.nan,
            "lower": np.minimum(seen - 100.0, 1500.0).to_numpy(),
            "upper": seen.where(seen <= 1500.0).to_numpy(),
            "group": "",
            "source": "made for this test",
        }
    )
    return features, labels, onset


def test_onsets_are_learned_from_intervals_and_bounds(onsets):
    features, labels, onset = onsets
    model = OnsetModel(n_folds=4, parameters=QUICK).fit(features, labels)
    answer = model.predict(features, 800.0)
    assert np.corrcoef(np.log(answer.prediction), np.log(onset))[0, 1] > 0.9
    assert ((answer.low < answer.prediction) & (answer.prediction < answer.high)).all()
    likely = answer.p_exceeds > 0.5
    assert (likely == (answer.prediction < 800.0)).all()


def test_diffuses_labels_are_bounds_on_the_onset():
    labels = pd.DataFrame(
        {
            "structure_id": ["a", "a", "a", "b", "c", "c"],
            "temperature_K": [600.0, 800.0, 1000.0, 900.0, 500.0, 700.0],
            "kind": "mlip_md",
            "quantity": "diffuses",
            "value": [0, 1, 0, 0, 1, 1],
        }
    )
    found = onset_bounds(labels).set_index("structure_id")
    assert found.loc["a", ["lower", "upper"]].tolist() == [600.0, 800.0]
    assert found.loc["b", "lower"] == 900.0
    assert np.isnan(found.loc["b", "upper"])
    assert found.loc["c", "upper"] == 500.0
    assert np.isnan(found.loc["c", "lower"])


def test_a_model_of_diffuses_gives_probabilities(onsets):
    features, labels, onset = onsets
    seen = labels.assign(
        quantity="diffuses",
        temperature_K=800.0,
        value=(onset <= 800.0).astype(float).to_numpy(),
        lower=np.nan,
        upper=np.nan,
    )
    model = OnsetModel("diffuses", n_folds=4, parameters=QUICK).fit(features, seen)
    assert not model.ensemble_.trust_.calibrated
    probability = model.predict(features, 800.0)["p_exceeds"]
    assert probability[onset <= 800.0].mean() > probability[onset > 800.0].mean() + 0.2


def test_diffusivity_follows_its_own_line(population):
    features, labels = population(n_materials=30, n_groups=6)
    # σT ∝ D: the prefactor of the lines becomes that of hopping, a²ν/6.
    carriers = labels["temperature_K"] * 10**-7.5
    rows = labels.assign(
        quantity="diffusivity_cm2_s",
        value=labels["value"] * carriers,
        upper=labels["upper"] * carriers,
    )
    model = make_model("diffusivity_cm2_s", n_folds=3, parameters=QUICK).fit(features, rows)
    assert isinstance(model, StructureModel)
    assert model.target.unit == "log10 cm2/s"
    assert model.target.population_.times_temperature == 0.0
    assert model.target.population_.activation_energy_eV == pytest.approx(0.35, abs=0.1)


def test_unknown_targets_are_refused():
    with pytest.raises(ModelError, match="sigma_S_cm, diffusivity_cm2_s, t_onset_K, diffuses"):
        make_target("band_gap")
    with pytest.raises(ModelError, match="onset model"):
        OnsetModel("sigma_S_cm")
