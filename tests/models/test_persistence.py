import io
import json
import os
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.preprocessing import FunctionTransformer

from ionsieve.data import ModelError
from ionsieve.models import ConductivityModel
from ionsieve.models.learners.trees import BoundedExtraTrees
from ionsieve.models.persistence import read_learner


@pytest.fixture(scope="module")
def tables(population):
    return population(n_materials=30, n_groups=6)


@pytest.fixture(scope="module")
def model(tables):
    return ConductivityModel().fit(*tables)


@pytest.fixture
def folder(model, tmp_path):
    return model.save(tmp_path / "model")


class Malicious:
    """Leaves a file behind when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_loaded_model_predicts_bit_for_bit_the_same(model, folder, tables):
    answer = ConductivityModel.load(folder).predict(tables[0], 450.0)
    pd.testing.assert_frame_equal(answer, model.predict(tables[0], 450.0), check_exact=True)


def test_a_loaded_model_knows_its_held_out_predictions(model, folder):
    loaded = ConductivityModel.load(folder)
    assert len(loaded.held_out_) > 0
    pd.testing.assert_frame_equal(loaded.held_out_, model.held_out_, check_exact=True)


def test_equal_models_give_equal_bytes(folder, tables, tmp_path):
    ConductivityModel().fit(*tables).save(tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_the_folder_holds_no_pickle(folder):
    assert {p.name for p in folder.iterdir()} == {
        "model.json",
        "extra_trees.skops",
        "xgboost.ubj",
        "domain.parquet",
    }


@pytest.mark.parametrize("name", ["extra_trees.skops", "xgboost.ubj", "domain.parquet"])
def test_a_malicious_pickle_in_place_of_any_file_does_not_run(folder, tmp_path, name):
    mark = tmp_path / "executed"
    payload = pickle.dumps(Malicious(mark))
    (folder / name).write_bytes(payload)
    with pytest.raises(ModelError):
        ConductivityModel.load(folder)
    _refresh_hash(folder, name)  # an attacker can write hashes, too
    with pytest.raises(ModelError):
        ConductivityModel.load(folder)
    assert not mark.exists()
    pickle.loads(payload)  # noqa: S301
    assert mark.exists(), "the payload is live: refusing it is what kept the folder away"


def test_a_function_smuggled_into_the_forest_is_refused(folder):
    (folder / "extra_trees.skops").write_bytes(skops.io.dumps(FunctionTransformer(func=os.system)))
    _refresh_hash(folder, "extra_trees.skops")
    with pytest.raises(ModelError, match="not allowed"):
        ConductivityModel.load(folder)


def test_a_pickle_inside_the_skops_archive_is_not_run(folder, tmp_path):
    mark = tmp_path / "executed"
    source = zipfile.ZipFile(folder / "extra_trees.skops")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            evil = pickle.dumps(Malicious(mark))
            target.writestr(name, evil if name.endswith(".npy") else data)
    (folder / "extra_trees.skops").write_bytes(buffer.getvalue())
    _refresh_hash(folder, "extra_trees.skops")
    with pytest.raises(ModelError):
        ConductivityModel.load(folder)
    assert not mark.exists()


def test_another_estimator_is_not_a_forest():
    other = ExtraTreesRegressor(n_estimators=2).fit(np.eye(3), [1.0, 2.0, 3.0])
    with pytest.raises(ModelError, match="not a BoundedExtraTrees"):
        read_learner(skops.io.dumps(other), "extra_trees.skops", BoundedExtraTrees)


def test_a_tree_that_points_outside_itself_is_refused(model):
    forest = read_learner(
        skops.io.dumps(model.ensemble_.learners_["extra_trees"]),
        "extra_trees.skops",
        BoundedExtraTrees,
    )
    tree = forest.forest_.estimators_[0].tree_
    state = tree.__getstate__()
    state["nodes"]["left_child"][0] = 10_000_000
    tree.__setstate__(state)
    with pytest.raises(ModelError, match="point outside"):
        read_learner(skops.io.dumps(forest), "extra_trees.skops", BoundedExtraTrees)


def test_another_version_is_named(folder):
    description = json.loads((folder / "model.json").read_text())
    description["versions"]["xgboost"] = "0.90.1"
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match=r"xgboost 0\.90\.1"):
        ConductivityModel.load(folder)


def test_edited_feature_names_are_noticed(folder):
    description = json.loads((folder / "model.json").read_text())
    description["columns"][0] = "something_else"
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match="hash"):
        ConductivityModel.load(folder)


@pytest.mark.parametrize("content", ["", "[]", '{"type": "ConductivityModel"}', "{"])
def test_a_damaged_description_is_refused(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(ModelError, match=r"model\.json"):
        ConductivityModel.load(folder)


def test_an_empty_folder_is_not_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"model\.json is missing"):
        ConductivityModel.load(tmp_path)


def _refresh_hash(folder, name):
    from hashlib import sha256

    description = json.loads((folder / "model.json").read_text())
    description["files"][name] = sha256((folder / name).read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(description))
