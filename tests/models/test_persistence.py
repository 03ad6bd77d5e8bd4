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
from ionsieve.models import ConductivityModel, load_model, save_model
from ionsieve.models.learners.gaussian_process import BoundedGaussianProcess
from ionsieve.models.learners.skops_files import read_learner
from ionsieve.models.learners.trees import BoundedExtraTrees


@pytest.fixture(scope="module")
def tables(population):
    return population(n_materials=30, n_groups=6)


@pytest.fixture(scope="module")
def model(tables):
    return ConductivityModel().fit(*tables)


@pytest.fixture
def folder(model, tmp_path):
    return save_model(model, tmp_path / "model")


class Malicious:
    """Leaves a file behind when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_loaded_model_predicts_bit_for_bit_the_same(model, folder, tables):
    answer = load_model(folder).predict(tables[0], 450.0)
    pd.testing.assert_frame_equal(answer, model.predict(tables[0], 450.0), check_exact=True)


def test_a_loaded_model_knows_its_held_out_predictions(model, folder):
    loaded = load_model(folder)
    assert len(loaded.held_out_) > 0
    pd.testing.assert_frame_equal(loaded.held_out_, model.held_out_, check_exact=True)


def test_equal_models_give_equal_bytes(folder, tables, tmp_path):
    save_model(ConductivityModel().fit(*tables), tmp_path / "again")
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
        load_model(folder)
    _refresh_hash(folder, name)  # an attacker can write hashes, too
    with pytest.raises(ModelError):
        load_model(folder)
    assert not mark.exists()
    pickle.loads(payload)  # noqa: S301
    assert mark.exists(), "the payload is live: refusing it is what kept the folder away"


def test_a_function_smuggled_into_the_forest_is_refused(folder):
    (folder / "extra_trees.skops").write_bytes(skops.io.dumps(FunctionTransformer(func=os.system)))
    _refresh_hash(folder, "extra_trees.skops")
    with pytest.raises(ModelError, match="not allowed"):
        load_model(folder)


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
        load_model(folder)
    assert not mark.exists()


def test_another_estimator_is_not_a_forest():
    other = BoundedGaussianProcess().fit(np.eye(3), [1.0, 2.0, 3.0])
    with pytest.raises(ModelError, match="not a BoundedExtraTrees"):
        read_learner(skops.io.dumps(other), "extra_trees.skops", BoundedExtraTrees)


def test_a_forest_of_scikit_learn_is_not_loaded():
    other = ExtraTreesRegressor(n_estimators=2).fit(np.eye(3), [1.0, 2.0, 3.0])
    with pytest.raises(ModelError, match=r"type sklearn\.tree\._tree\.Tree, which is not allowed"):
        read_learner(skops.io.dumps(other), "extra_trees.skops", BoundedExtraTrees)


def test_a_tree_that_points_outside_itself_is_refused(model):
    forest = read_learner(
        skops.io.dumps(model.ensemble_.learners_["extra_trees"]),
        "extra_trees.skops",
        BoundedExtraTrees,
    )
    forest.forest_.left[0] = 10_000_000
    with pytest.raises(ModelError, match="point outside"):
        read_learner(skops.io.dumps(forest), "extra_trees.skops", BoundedExtraTrees)


def test_a_process_that_asks_for_features_that_it_lacks_is_refused():
    process = BoundedGaussianProcess().fit(np.random.default_rng(0).normal(size=(9, 3)), range(9))
    process.filling_.source[0] = 10_000_000
    with pytest.raises(ModelError, match="features that it does not have"):
        read_learner(skops.io.dumps(process), "process.skops", BoundedGaussianProcess)


def test_another_version_is_named(folder):
    description = json.loads((folder / "model.json").read_text())
    description["versions"]["xgboost"] = "0.90.1"
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match=r"xgboost 0\.90\.1"):
        load_model(folder)


def test_edited_feature_names_are_noticed(folder):
    description = json.loads((folder / "model.json").read_text())
    description["columns"][0] = "something_else"
    (folder / "model.json").write_text(json.dumps(description))
    with pytest.raises(ModelError, match="hash"):
        load_model(folder)


@pytest.mark.parametrize("content", ["", "[]", '{"type": "ConductivityModel"}', "{"])
def test_a_damaged_description_is_refused(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(ModelError, match=r"model\.json"):
        load_model(folder)


def test_an_empty_folder_is_not_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"model\.json is missing"):
        load_model(tmp_path)


def _refresh_hash(folder, name):
    from hashlib import sha256

    description = json.loads((folder / "model.json").read_text())
    description["files"][name] = sha256((folder / name).read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(description))


def edited(folder, change):
    path = folder / "model.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


def test_nested_beyond_reason(folder):
    (folder / "model.json").write_text("[" * 1_000_000)
    with pytest.raises(ModelError, match="not valid JSON"):
        load_model(folder)


def test_a_model_that_answers_with_no_number_is_refused(folder):
    edited(folder, lambda d: d["population"].update(slope=1e300, slope_sd=1e300))
    with pytest.raises(ModelError, match=r"no number|cannot answer"):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["domain"].update(scale_=[0.0] * len(d["columns"])),
        lambda d: d["domain"].update(scale_=[1.0]),
        lambda d: d["domain"].update(typical_=float("nan")),
        lambda d: d.update(columns=[]),
        lambda d: d["settings"].update(members=[]),
        lambda d: d["settings"].update(parameters={"xgboost": {"magic": 1}}),
        lambda d: d["learners"]["xgboost"].update(centre_=10**400),
    ],
)
def test_numbers_that_cannot_be(folder, change):
    edited(folder, change)
    with pytest.raises(ModelError):
        load_model(folder)


def test_a_leaf_that_is_no_number_is_refused(model):
    learner = model.ensemble_.learners_["extra_trees"]
    content = skops.io.dumps(learner)
    twin = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    twin.forest_.value[0] = np.nan
    with pytest.raises(ModelError, match=r"nodes point outside|not finite"):
        read_learner(skops.io.dumps(twin), "extra_trees.skops", BoundedExtraTrees)


def test_rows_announced_in_a_few_bytes_are_not_read(folder):
    names = pd.read_parquet(folder / "domain.parquet").columns
    table = pd.DataFrame(np.zeros((1_000_001, len(names)), dtype=np.float32), columns=names)
    table.to_parquet(folder / "domain.parquet", index=False)
    _refresh_hash(folder, "domain.parquet")
    with pytest.raises(ModelError, match="1,000,001 rows"):
        load_model(folder)
