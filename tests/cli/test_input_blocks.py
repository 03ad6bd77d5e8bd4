"""``ionsieve predict`` in blocks: their size leaves no trace, and stores are read like files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import structures
from ionsieve.cli.input_blocks import BlockInputs
from ionsieve.cli.model_inputs import feature_inputs
from ionsieve.cli.predict import write_predictions
from ionsieve.data import InputError
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.store.write import written_store
from ionsieve.models import StructureModel, make_model

NAMES = ("LiCl", "LiF", "Li2S", "Li3N_alpha", "Li3OCl", "LiBr_rs")
FOUND = [name for name in NAMES if name in structures.names()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a few crystals, one that cannot be read, and compositions beside them."""
    path = tmp_path_factory.mktemp("inputs")
    (path / "files").mkdir()
    for name in FOUND:
        to_pymatgen(structures.get(name)).to(str(path / "files" / f"{name}.vasp"), fmt="poscar")
    (path / "files" / "broken.cif").write_text("data_broken\n_cell_length_a 3\n")
    (path / "bare.csv").write_text("id,composition\nLiCl,Li2O\nbare1,Li3N\nbare2,Li2O\nbad,Xx2\n")
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> StructureModel:
    found = feature_inputs([folder / "files"], [folder / "bare.csv"], "Li", lambda *_: None)
    names = list(found.features.index)
    labels = pd.DataFrame(
        {
            "structure_id": names,
            "temperature_K": 600.0,
            "kind": "aimd",
            "quantity": "sigma_S_cm",
            "value": 10.0 ** -np.arange(1, len(names) + 1),
            "lower": np.nan,
            "upper": np.nan,
            "error_log10": 0.1,
            "group": names,
            "source": "made up",
        }
    )
    return make_model("sigma_S_cm", members=("extra_trees",)).fit(found.features, labels)


def written(model: StructureModel, given: BlockInputs, out: Path, explain: bool = False) -> dict:
    out.mkdir()
    write_predictions(model, given, 300.0, out / "p.csv", explain)
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.mark.parametrize("size", [1, 2, 4])
def test_blocks_give_the_bytes_of_one_block(
    folder: Path, model: StructureModel, tmp_path: Path, size: int
) -> None:
    given = BlockInputs(structures=[folder / "files"], compositions=[folder / "bare.csv"])
    one = written(model, given, tmp_path / "one", explain=True)
    many = written(model, replace(given, size=size), tmp_path / "many", explain=True)
    assert sorted(one) == [
        "p.contributions.csv",
        "p.csv",
        "p.families.csv",
        "p.quarantine.csv",
    ]
    assert many == one
    table = pd.read_csv(tmp_path / "one" / "p.csv", index_col="id")
    assert list(table.index) == [*sorted(FOUND), "bare1", "bare2"]
    refused = pd.read_csv(tmp_path / "one" / "p.quarantine.csv")
    assert refused["id"].tolist()[0] == "broken"
    assert len(refused) == 2


def test_features_are_those_of_training(folder: Path) -> None:
    """One way into a feature table for training, another for predictions: the same numbers."""
    given = [folder / "files"], [folder / "bare.csv"]
    trained = feature_inputs(*given, "Li", lambda *_: None)
    blocks = list(BlockInputs(structures=given[0], compositions=given[1], size=2).blocks())
    features = pd.concat([block.features for block in blocks])
    pd.testing.assert_frame_equal(features, trained.features)
    formulas = pd.concat([block.structures["formula"] for block in blocks])
    assert formulas.to_dict() == trained.structures["formula"].to_dict()
    assert {k: v for b in blocks for k, v in b.notes.items()} == trained.notes
    assert [q for b in blocks for q in b.quarantined] == trained.quarantined


def test_a_store_is_read_like_its_files(
    folder: Path, model: StructureModel, tmp_path: Path
) -> None:
    records = [structures.get(name) for name in FOUND]
    written_store(records, tmp_path / "store", block=2)
    given = BlockInputs(structures=[tmp_path / "store", tmp_path / "store"], size=3)
    written(model, given, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "p.csv", index_col="id")
    assert list(table.index) == FOUND
    refused = pd.read_csv(tmp_path / "out" / "p.quarantine.csv")
    assert refused["stage"].tolist() == ["same_id"] * len(FOUND), "the store was given twice"


def test_nothing_usable_writes_nothing(model: StructureModel, tmp_path: Path) -> None:
    (tmp_path / "bad.cif").write_text("data_\nloop_\n")
    with pytest.raises(InputError, match="no material among 1 inputs can be used; first: "):
        write_predictions(
            model, BlockInputs(structures=[tmp_path / "bad.cif"]), 300.0, tmp_path / "p.csv", False
        )
    assert [path.name for path in tmp_path.iterdir()] == ["bad.cif"]
