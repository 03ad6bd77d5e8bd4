"""train, evaluate and predict on a dozen antifluorites and rock salts with made-up labels."""

import json
import os
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from ionsieve.cli.main import app
from ionsieve.data import InputError, LabelError, ModelError

runner = CliRunner()


def arguments(verb, folder, *rest, labels="labels.csv"):
    """The verb with the labels and structures of the folder."""
    given = ["--labels", str(folder / labels), "--structures", str(folder / "cifs")]
    return [verb, *given, *map(str, rest)]


ROCK_SALTS = {"F": 4.03, "Cl": 5.14, "Br": 5.50, "I": 6.00, "H": 4.08}
ANTIFLUORITES = {"O": 4.62, "S": 5.71, "Se": 6.00, "Te": 6.52}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("models")
    (path / "cifs").mkdir()
    rows = []
    for x, a in ROCK_SALTS.items():
        s = Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(a), ["Li", x], [[0, 0, 0], [0.5, 0.5, 0.5]]
        )
        _add(path, rows, f"Li{x}", s, a, "rock salt")
    for x, a in ANTIFLUORITES.items():
        s = Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(a), ["Li", x], [[0.25, 0.25, 0.25], [0, 0, 0]]
        )
        _add(path, rows, f"Li2{x}", s, a, "antifluorite")
    (path / "cifs" / "broken.cif").write_text("data_broken\n_cell_length_a 3\n")
    pd.DataFrame(rows).to_csv(path / "labels.csv", index=False)
    return path


def _add(path, rows, name, structure, a, family):
    structure.to(filename=str(path / "cifs" / f"{name}.cif"))
    bound = name == "LiF"
    for temperature in (600.0, 1000.0):
        sigma = 10 ** (a - 5.0 - 1200.0 / temperature)
        rows.append(
            {
                "structure_id": name,
                "temperature_K": temperature,
                "kind": "aimd",
                "quantity": "sigma_S_cm",
                "value": np.nan if bound else sigma,
                "upper": sigma if bound else np.nan,
                "group": family,
                "source": f"paper {len(rows) // 2 % 3}",
            }
        )


@pytest.fixture(scope="module")
def trained(folder):
    out = folder / "model"
    result = runner.invoke(
        app,
        arguments(
            "train", folder, "--target", "sigma_S_cm", "--out", out, "--groups", "formula", "--json"
        ),
        catch_exceptions=False,
    )
    return out, json.loads(result.stdout)


def test_train_writes_model_card_and_quarantine(trained):
    out, result = trained
    assert result["training"]["n_structures"] == 9
    assert result["training"]["n_bounds"] == 2
    card = (out / "card.md").read_text()
    assert "AIMD conductivities are optimistic" in card
    assert "Leave group out" in card
    quarantine = pd.read_csv(out / "quarantine.csv")
    assert quarantine["id"].tolist() == ["broken"]


def test_a_campaign_starts_from_ones_own_model(trained, folder, tmp_path):
    study = tmp_path / "study"
    given = ["campaign", "init", str(study), str(folder / "cifs"), "--model", str(trained[0])]
    made = runner.invoke(app, [*given, "--engine", "vasp", "--known"], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    runner.invoke(app, ["campaign", "propose", str(study)], catch_exceptions=False)
    told = runner.invoke(app, ["campaign", "status", str(study)], catch_exceptions=False).output
    assert "model 0 on 18 labels" in told
    own = json.loads((trained[0] / "model.json").read_text())["settings"]
    (start,) = (study / "models").glob("*/model.json")
    assert json.loads(start.read_text())["settings"] == own


def test_predict_writes_the_promised_columns(trained, folder):
    out = folder / "predictions.csv"
    result = runner.invoke(
        app,
        [
            "predict",
            str(trained[0]),
            str(folder / "cifs"),
            "--temperature",
            "1000",
            "--out",
            str(out),
            "--explain",
            "--json",
        ],
        catch_exceptions=False,
    )
    assert json.loads(result.stdout)["n_predicted"] == 9
    table = pd.read_csv(out, index_col="id")
    for column in ("prediction", "low", "high", "p_exceeds", "domain_distance"):
        assert np.isfinite(table[column]).all()
    assert table.loc["LiF", "formula"] == "LiF"
    assert (table["composition_distance"] == 0.0).all(), "every candidate is a training material"
    assert ((table.low < table.prediction) & (table.prediction < table.high)).all()
    shares = pd.read_csv(folder / "predictions.families.csv", index_col="id")
    np.testing.assert_allclose(shares.sum(axis=1), table.prediction, atol=1e-3)
    assert "composition" in shares
    assert (folder / "predictions.quarantine.csv").read_text().count("broken") >= 1


def test_materials_without_a_structure_are_trained_on_and_predicted(folder, tmp_path):
    table = pd.read_csv(folder / "labels.csv")
    more = table[table["structure_id"].isin(["LiCl", "Li2S"])].assign(
        structure_id=lambda t: t["structure_id"] + "_bare",
        composition=lambda t: t["structure_id"].str.removesuffix("_bare"),
        source="paper 9",
    )
    pd.concat([table, more]).to_csv(tmp_path / "labels.csv", index=False)
    (tmp_path / "c.csv").write_text(
        "id,composition,a,b,c,alpha,beta,gamma,space_group\n"
        "LiBr,LiBr,,,,,,,\nLi3N,Li3N,3.65,3.65,3.87,90,90,120,P6/mmm\nbad,Li?,,,,,,,\n"
    )
    given = ["--labels", tmp_path / "labels.csv", "--structures", folder / "cifs"]
    given += ["--compositions", tmp_path / "c.csv", "--groups", "doi+formula"]
    result = runner.invoke(
        app,
        [*map(str, ["train", *given, "--out", tmp_path / "m", "--learners", "extra_trees"])],
        catch_exceptions=False,
    )
    assert "9 structures used, 3 materials by composition alone, 2 quarantined" in result.stdout
    assert (
        json.loads((tmp_path / "m" / "training.json").read_text())["training"]["n_structures"] == 11
    )
    out = tmp_path / "p.csv"
    runner.invoke(
        app,
        ["predict", str(tmp_path / "m"), "--compositions", str(tmp_path / "c.csv"),
         "--temperature", "300", "--out", str(out)],
        catch_exceptions=False,
    )  # fmt: skip
    found = pd.read_csv(out, index_col="id")
    assert list(found.index) == ["LiBr", "Li3N"]
    assert np.isfinite(found[["prediction", "low", "high", "domain_distance"]]).all(axis=None)
    assert found["note"].str.startswith("by composition alone").all()
    refused = pd.read_csv(tmp_path / "p.quarantine.csv")
    assert refused["reason"].str.contains("row 3: composition 'Li\\?'").all()


def test_a_composition_of_a_structures_id_gives_way(trained, folder, tmp_path):
    (tmp_path / "c.csv").write_text("id,composition\nLiCl,Li2O\n")
    out = tmp_path / "p.csv"
    runner.invoke(
        app,
        ["predict", str(trained[0]), str(folder / "cifs"), "--compositions",
         str(tmp_path / "c.csv"), "--out", str(out)],
        catch_exceptions=False,
    )  # fmt: skip
    found = pd.read_csv(out, index_col="id")
    assert found.loc["LiCl", "formula"] == "LiCl"
    assert found["note"].isna().all()


def test_descriptors_that_are_there_give_the_same_predictions(trained, folder, tmp_path):
    features = str(tmp_path / "features")
    assert runner.invoke(app, ["featurize", str(folder / "cifs"), "--out", features]).exit_code == 0
    words = ["predict", str(trained[0]), str(folder / "cifs"), "--out"]
    plain = runner.invoke(app, [*words, str(tmp_path / "plain.csv")])
    given = runner.invoke(app, [*words, str(tmp_path / "given.csv"), "--features", features])
    assert (plain.exit_code, given.exit_code) == (0, 0)
    assert f"descriptors of 9 structures from {features}" in given.output
    assert (tmp_path / "given.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    away = runner.invoke(
        app, [*words, str(tmp_path / "p.csv"), "--features", str(tmp_path / "nothing")]
    )
    assert away.exit_code == 1
    assert "run 'ionsieve featurize" in str(away.exception)
    assert not (tmp_path / "p.csv").exists()


def test_nothing_to_predict_is_said(trained, tmp_path):
    with pytest.raises(InputError, match="give structures or --compositions"):
        runner.invoke(
            app,
            ["predict", str(trained[0]), "--out", str(tmp_path / "p.csv")],
            catch_exceptions=False,
        )


def test_evaluate_writes_metrics_predictions_and_card(folder):
    out = folder / "evaluation"
    runner.invoke(
        app,
        arguments(
            "evaluate",
            folder,
            "--out",
            out,
            "--groups",
            "chemsys",
            "--folds",
            "2",
            "--json",
            "--ablation",
            "--learning-curve",
        ),
        catch_exceptions=False,
    )
    metrics = json.loads((out / "metrics.json").read_text())
    assert set(metrics["scores"]) == {"model", "temperature only", "nearest neighbour"}
    assert metrics["n_folds"] == 2
    assert metrics["context"]["grouped_by"] == "chemsys"
    predictions = pd.read_csv(out / "predictions.csv")
    assert len(predictions) == 3 * 18
    assert "temperature only" in (out / "card.md").read_text()
    card = (out / "card.md").read_text()
    for picture in ("evaluation.png", "ablation.png", "learning_curve.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
        assert f"({picture})" in card
    gains = pd.read_csv(out / "ablation.csv", index_col="variant")
    assert {"all", "with isolated_anions", "without similarity", "with frustration"} <= set(
        gains.index
    )
    assert "with isolated_net" not in gains.index, "one subject with the isolated anions"
    assert (gains["mae_low"] <= gains["mae_high"]).all()
    curve = pd.read_csv(out / "learning_curve.csv")
    assert curve["training groups"].is_monotonic_increasing


@pytest.fixture(scope="module")
def stacked(folder):
    """A stack with a Gaussian process and the predictions of a model of another kind."""
    table = pd.read_csv(folder / "labels.csv")
    other = table.assign(kind="mlip_md", quantity="diffusivity_cm2_s")
    other.assign(value=other["value"] * 1e-4, upper=other["upper"] * 1e-4).to_csv(
        folder / "other.csv", index=False
    )
    out = folder / "stacked"
    members = "gaussian_process,xgboost"
    options = ["--learners", members, "--fidelity-labels", folder / "other.csv", "--json"]
    result = runner.invoke(
        app,
        arguments("train", folder, "--out", out, "--groups", "formula", *options),
        catch_exceptions=False,
    )
    return out, json.loads(result.stdout)


def test_a_stack_with_another_kind_is_trained_and_applied(stacked, folder, tmp_path):
    out, result = stacked
    description = json.loads((out / "model.json").read_text())
    assert description["settings"]["members"] == ["gaussian_process", "xgboost"]
    assert "mlip_md_diffusivity_cm2_s" in description["evidence"]
    assert any("mlip_md_diffusivity_cm2_s" in note for note in result["notes"])
    given = ["predict", str(out), str(folder / "cifs"), "--out", str(tmp_path / "p.csv")]
    runner.invoke(app, [*given, "--temperature", "1000", "--explain"], catch_exceptions=False)
    table = pd.read_csv(tmp_path / "p.csv", index_col="id")
    assert np.isfinite(table[["prediction", "low", "high", "family_disagreement"]]).all(axis=None)
    shares = pd.read_csv(tmp_path / "p.contributions.csv", index_col="id")
    # Shares of both learners are those of columns; no learner stands for itself.
    assert "mlip_md_diffusivity_cm2_s" in shares
    assert "gaussian_process" not in shares
    np.testing.assert_allclose(shares.sum(axis=1), table["prediction"], rtol=1e-4)


def test_the_other_kind_belongs_to_its_model(stacked, folder, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(stacked[0], copy)
    inner = copy / "other_kind" / "model.json"
    inner.write_text(inner.read_text() + " ")
    given = ["predict", str(copy), str(folder / "cifs"), "--out", str(tmp_path / "p.csv")]
    with pytest.raises(ModelError, match="does not belong to this model"):
        runner.invoke(app, given, catch_exceptions=False)


def test_tuned_models_remember_their_studies(folder):
    out = folder / "tuned"
    runner.invoke(
        app,
        arguments(
            "train", folder, "--target", "sigma", "--out", out, "--tune", "2", "--groups", "doi"
        ),
        catch_exceptions=False,
    )
    assert (out / "tuning.sqlite").is_file()
    assert json.loads((out / "model.json").read_text())["settings"]["parameters"]["xgboost"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (["--target", "colour"], InputError, "sigma_S_cm"),
        (["--groups", "random"], ModelError, "formula, chemsys"),
        (["--kind", "experiment"], LabelError, "experiment"),
        (["--learners", "forest"], InputError, "gaussian_process"),
        (["--fidelity-labels", "labels.csv"], InputError, "the kind of --labels"),
    ],
)
def test_wrong_options_are_named(folder, options, error, message, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=message):
        runner.invoke(
            app,
            arguments("train", folder, "--out", folder / "no", *options),
            catch_exceptions=False,
        )


def test_labels_of_other_structures_are_noticed(folder):
    table = pd.read_csv(folder / "labels.csv")
    table.assign(structure_id="x" + table["structure_id"]).to_csv(folder / "o.csv", index=False)
    with pytest.raises(InputError, match="ids are file names without ending"):
        runner.invoke(
            app,
            arguments("train", folder, "--out", folder / "no", labels="o.csv"),
            catch_exceptions=False,
        )


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_is_not_a_model(folder, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    for name in ("model.json", "extra_trees.skops", "xgboost.ubj", "model.pkl"):
        (bad / name).write_bytes(pickle.dumps(Malicious(str(tmp_path / "executed"))))
    with pytest.raises(ModelError, match="not valid JSON"):
        runner.invoke(
            app,
            ["predict", str(bad), str(folder / "cifs"), "--out", str(tmp_path / "p.csv")],
            catch_exceptions=False,
        )
    assert not (tmp_path / "executed").exists()


def test_training_again_replaces_the_model_whole_and_keeps_notes(trained, folder, tmp_path):
    again, other = tmp_path / "model", tmp_path / "other"
    shutil.copytree(trained[0], again)
    (again / "notes.txt").write_text("mine")
    (again / "gaussian_process.skops").write_bytes(b"of an earlier model")
    other.mkdir()
    (other / "thesis.tex").write_text("precious")
    line = arguments("train", folder, "--target", "sigma_S_cm", "--groups", "formula", "--out")
    done = runner.invoke(app, [*line, str(other)])
    assert "holds other files" in str(done.exception)
    assert [path.name for path in other.iterdir()] == ["thesis.tex"]
    assert runner.invoke(app, [*line, str(again)], catch_exceptions=False).exit_code == 0
    assert (again / "notes.txt").read_text() == "mine"
    assert not (again / "gaussian_process.skops").exists()
    for name in ("model.json", "xgboost.ubj", "extra_trees.skops", "domain.parquet"):
        assert (again / name).read_bytes() == (trained[0] / name).read_bytes(), name
