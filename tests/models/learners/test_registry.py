"""Every learner, and one written here, passes through the whole house by its value object."""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from ionsieve.models import ConductivityModel, load_model, save_model
from ionsieve.models.evaluation.tuning import tune
from ionsieve.models.explanation.contributions import contributions
from ionsieve.models.labels.censoring import middle
from ionsieve.models.learners.bounded import BoundedRegressor
from ionsieve.models.learners.learner import Learner, SavedLearner
from ionsieve.models.learners.registry import LEARNERS


class Line(BoundedRegressor):
    """A shrunken line in the first column that is everywhere known."""

    def __init__(self, shrink: float = 1.0, random_state: int = 0) -> None:
        self.shrink = shrink
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        features, bounds, _ = self._checked_training(X, y, sample_weight)
        self.column_ = int(np.flatnonzero(np.isfinite(features).all(axis=0))[0])
        x, t = features[:, self.column_], middle(bounds)
        self.offset_ = float(t.mean())
        self.slope_ = float((x - x.mean()) @ t / ((x - x.mean()) @ (x - x.mean()) + self.shrink))
        return self

    def predict(self, X):
        column = np.nan_to_num(self._checked_features(X)[:, self.column_])
        return self.offset_ + self.slope_ * column


def write(learner: Line) -> bytes:
    return json.dumps([learner.column_, learner.offset_, learner.slope_]).encode()


def read(saved: SavedLearner) -> Line:
    line = Line(random_state=saved.seed, **saved.settings)
    line.column_, line.offset_, line.slope_ = json.loads(saved.content)
    line.n_features_in_ = saved.n_features
    return line


def shares(learner: Line, matrix: np.ndarray) -> np.ndarray:
    table = np.zeros((len(matrix), matrix.shape[1] + 1))
    table[:, learner.column_] = learner.slope_ * matrix[:, learner.column_]
    table[:, -1] = learner.offset_
    return table


LINE = Learner(
    name="line",
    make=Line,
    suffix=".json",
    write=write,
    read=read,
    space=lambda trial: {"shrink": trial.suggest_float("shrink", 0.1, 10.0, log=True)},
    tuning_share=0.1,
    shares=shares,
)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(LEARNERS, "line", LINE)


@pytest.fixture(scope="module")
def tables(population):
    return population(n_materials=24, n_groups=6)


@pytest.mark.usefixtures("line")
@pytest.mark.parametrize("name", [*LEARNERS, "line"])
def test_a_learner_is_fitted_saved_read_and_explained(name, tables, tmp_path):
    features, labels = tables
    model = ConductivityModel(members=(name,), n_folds=3).fit(features, labels)
    answer = model.predict(features, 500.0)
    save_model(model, tmp_path / "model")
    assert (tmp_path / "model" / LEARNERS[name].file).is_file()
    again = load_model(tmp_path / "model")
    pd.testing.assert_frame_equal(again.predict(features, 500.0), answer)
    total = contributions(again, features, 500.0).sum(axis=1)
    np.testing.assert_allclose(total, answer["prediction"], rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("line")
def test_a_learner_is_tuned_by_its_own_space(tables):
    found = tune(*tables, "sigma_S_cm", n_trials=3, members=("line",), n_folds=3)
    assert list(found.parameters["line"]) == ["shrink"]
    assert found.losses["line"] <= found.default_losses["line"]


def test_names_and_files_are_unique():
    assert all(name == learner.name for name, learner in LEARNERS.items())
    assert len({learner.file for learner in LEARNERS.values()}) == len(LEARNERS)
