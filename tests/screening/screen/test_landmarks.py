"""Known conductors by the shipped model of measurements, none of them with its own label."""

import pandas as pd
import pytest

from ionsieve.cli.cache import model_cache
from ionsieve.data import ModelError
from ionsieve.models import ConductivityModel
from ionsieve.screening.screen.landmarks import landmarks
from ionsieve.screening.screen.training import embedded_model


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    trained = embedded_model(cache=model_cache())
    assert trained.experiment is not None
    return landmarks(trained.experiment).set_index("name")


def test_fast_conductors_lie_above_slow_ones(table: pd.DataFrame) -> None:
    fast = table.loc[table["known"] == "fast", "prediction"]
    slow = table.loc[table["known"] == "slow", "prediction"]
    assert (len(fast), len(slow)) == (8, 6)
    right = sum(one > other for one in fast for other in slow) / (len(fast) * len(slow))
    assert right >= 0.75
    assert fast.median() > slow.median() + 1.0


def test_the_surest_are_right(table: pd.DataFrame) -> None:
    assert table.loc["LGPS", "prediction"] > -3.0
    assert table.loc["argyrodites Li6PS5X", "prediction"] > -4.0
    for salt in ("LiF", "Li2CO3", "Li3PO4"):
        assert table.loc[salt, "prediction"] < -6.0


def test_a_cubic_garnet_lies_above_a_tetragonal_one(table: pd.DataFrame) -> None:
    assert table.loc["LLZO, cubic", "prediction"] > table.loc["LLZO, tetragonal", "prediction"]


def test_labels_lie_within_most_intervals(table: pd.DataFrame) -> None:
    known = table.dropna(subset=["label"])
    inside = (known["low"] <= known["label"]) & (known["label"] <= known["high"])
    assert inside.mean() >= 0.7


def test_a_model_without_held_out_predictions_has_no_landmarks() -> None:
    model = ConductivityModel()
    model._held_out = pd.DataFrame({"left_out": [], "structure_id": []})
    model.ensemble_ = None  # type: ignore[assignment]
    with pytest.raises(ModelError, match="held-out"):
        landmarks(model)
