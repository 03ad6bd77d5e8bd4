"""Forests whose numbers lead nowhere: compiled code is never asked to follow them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ionsieve.data import ModelError
from ionsieve.models.learners.forest import Forest
from ionsieve.models.learners.forest_checks import check_forest
from ionsieve.models.learners.trees import BoundedExtraTrees


def grown() -> BoundedExtraTrees:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 4))
    features[:5, 2] = np.nan
    return BoundedExtraTrees(n_trees=3).fit(features, rng.normal(size=30))


def at(array: np.ndarray, place: int, value: float) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


def test_what_was_grown_passes() -> None:
    check_forest(grown(), "f")


@pytest.mark.parametrize(
    "change",
    [
        lambda f: replace(f, left=at(f.left, 0, 10_000_000)),
        lambda f: replace(f, left=at(f.left, 0, -1)),
        lambda f: replace(f, left=at(f.left, 0, 0)),  # a loop
        lambda f: replace(f, left=at(f.left, 0, f.first[1] - 1)),  # the right child leads out
        lambda f: replace(f, left=f.left.astype(np.int64)),
        lambda f: replace(f, feature=at(f.feature, 0, f.n_features)),
        lambda f: replace(f, feature=at(f.feature, 0, -1)),
        lambda f: replace(f, threshold=at(f.threshold, 0, np.nan)),
        lambda f: replace(f, threshold=at(f.threshold, 0, np.inf)),
        lambda f: replace(f, value=at(f.value, 3, np.nan)),
        lambda f: replace(f, value=f.value[:-1]),
        lambda f: replace(f, cover=at(f.cover, 0, 0.0)),
        lambda f: replace(f, first=f.first[:1]),
        lambda f: replace(f, first=at(f.first, 1, 0)),
        lambda f: replace(f, first=at(f.first, -1, 10_000_000)),
        lambda f: replace(f, first=f.first[None]),
    ],
)
def test_nodes_that_lead_nowhere(change: Callable[[Forest], Forest]) -> None:
    learner = grown()
    learner.forest_ = change(learner.forest_)
    with pytest.raises(ModelError, match=r"nodes point outside it|is damaged"):
        check_forest(learner, "f")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", np.array([0, 1, 2, 3, 4])),
        ("source", np.array([0, 1, 2, 3, -1])),
        ("source", np.array([0.0, 1.0, 2.0, 3.0, 2.0])),
        ("median", np.full(5, np.nan)),
        ("median", np.zeros(4)),
        ("gap", np.zeros(5)),
    ],
)
def test_columns_that_do_not_exist(name: str, value: np.ndarray) -> None:
    learner = grown()
    assert len(learner.filling_.source) == 5
    learner.filling_ = replace(learner.filling_, **{name: value})
    with pytest.raises(ModelError, match="features that it does not have"):
        check_forest(learner, "f")


def test_fewer_columns_than_the_trees_ask_for() -> None:
    learner = grown()
    learner.filling_ = learner.filling_.take(slice(0, 3))
    with pytest.raises(ModelError, match="fills other columns than it uses"):
        check_forest(learner, "f")


def test_no_forest_at_all() -> None:
    with pytest.raises(ModelError, match="is damaged"):
        check_forest(BoundedExtraTrees(), "f")
