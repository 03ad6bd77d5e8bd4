"""Training and evaluation from Python, on a table of descriptors."""

import numpy as np
import pandas as pd
import pytest

import ionsieve as ion

N = 16


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    columns = {"density_g_cm3": rng.random(N), "mobile_fraction": rng.random(N)}
    return pd.DataFrame(columns, index=pd.Index([f"m{i}" for i in range(N)], name="id"))


@pytest.fixture(scope="module")
def labels(features: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "structure_id": features.index,
            "temperature_K": 300.0,
            "kind": "aimd",
            "quantity": "sigma_S_cm",
            "value": 10.0 ** (-6.0 + 4.0 * features["mobile_fraction"].to_numpy()),
            "lower": np.nan,
            "upper": np.nan,
            "error_log10": np.nan,
            "group": [f"g{i % 4}" for i in range(N)],
            "source": "made",
        }
    )


def test_a_model_is_held_against_naive_ones(features: pd.DataFrame, labels: pd.DataFrame) -> None:
    found = ion.evaluate(features, labels, n_folds=2, members=("extra_trees",))
    assert list(found.scores) == ["model", "temperature only", "nearest neighbour"]
    assert len(found.predictions) == 3 * N


def test_labels_without_structures_are_refused(
    features: pd.DataFrame, labels: pd.DataFrame
) -> None:
    strangers = labels.assign(structure_id="elsewhere")
    for learn in (ion.train, ion.evaluate):
        with pytest.raises(ion.LabelError, match="none of the 16 labels"):
            learn(features, strangers)
