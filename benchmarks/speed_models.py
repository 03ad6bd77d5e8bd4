"""CPU time of training, prediction and tuning, one thread.

    OMP_NUM_THREADS=1 python benchmarks/speed_models.py [--rows 100000] [--tune 50 --data FOLDER]

Trained are the pair of models behind a screen, once before the clock runs, and models of each of
its two tables as ``ionsieve train`` would, with all descriptor families. Prediction takes random
rows with the columns of the models, intervals and domain distance included. With ``--tune`` the
settings of an onset model are searched on the M3GNet set, as ``ionsieve train --tune`` does. To
compare with another state, let PYTHONPATH lead to its ``src``.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from model_data import dataset

from ionsieve.features.featurizer import numeric_columns
from ionsieve.features.without_structure import POSITION_FREE_COLUMNS
from ionsieve.models import ConductivityModel, StructureModel, make_model, make_splitter
from ionsieve.models.evaluation.tuning import tune
from ionsieve.models.kinds import KindTable, learn_kinds
from ionsieve.screening.screen.experiment_table import (
    LEARNED_COLUMNS,
    experiment_chemical_systems,
)
from ionsieve.screening.screen.training import (
    chemical_systems,
    embedded_kinds,
    training_features,
)


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Do it and print the CPU time of this process."""
    start = time.process_time()
    result = work()
    print(f"{what}: {time.process_time() - start:.1f} s CPU", flush=True)
    return result


def train_and_predict(args: argparse.Namespace) -> None:
    known = training_features(cache=args.cache)
    found = embedded_kinds(known, cache=args.cache)
    pair = (
        KindTable(
            features=known[numeric_columns()],
            labels=found.aimd_labels,
            chemsys=chemical_systems(known["formula"]),
        ),
        KindTable(
            features=found.experiment_features[numeric_columns()],
            labels=found.experiment_labels,
            chemsys=experiment_chemical_systems(),
        ),
    )
    timed(
        "train the pair of models behind a screen",
        lambda: learn_kinds(*pair, POSITION_FREE_COLUMNS, LEARNED_COLUMNS),
    )
    for table, model in zip(pair, (found.aimd, found.experiment), strict=True):
        size = f"{len(table.features)} materials, {table.features.shape[1]} columns"
        own = timed(
            f"train and calibrate on {size}",
            lambda table=table: ConductivityModel().fit(table.features, table.labels),
        )
        for name, one in (("that model", own), ("its model of the pair", model)):
            predict(one, table.features, args.rows, name)


def predict(model: StructureModel, features: pd.DataFrame, n_rows: int, name: str) -> None:
    """Rows around the training table, so that every tree is walked to its leaves."""
    values = np.random.default_rng(1).normal(size=(n_rows, features.shape[1]))
    centre, spread = features.median().fillna(0.0), features.std().fillna(1.0)
    rows = pd.DataFrame(centre.to_numpy() + values * spread.to_numpy(), columns=features.columns)
    model.predict(rows[:10], 300.0)
    timed(f"predict {n_rows} rows with {name}", lambda: model.predict(rows, 300.0))


def tune_onsets(args: argparse.Namespace) -> None:
    features, structures, labels = dataset("mlip_md", args.data, args.cache)
    labels = labels[labels["structure_id"].isin(features.index)].reset_index(drop=True)
    labels = make_splitter("chemsys").assign(labels, structures, features)
    found = timed(
        f"tune with {args.tune} trials on {len(labels)} materials",
        lambda: tune(features, labels, "t_onset_K", args.tune, storage=args.storage),
    )
    for member, loss in found.losses.items():
        default = found.default_losses[member]
        print(f"  {member}: loss {default:.4f} with defaults, {loss:.4f} tuned")
    settings = {"parameters": found.parameters}
    timed("train with them", lambda: make_model("t_onset_K", **settings).fit(features, labels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--tune", type=int, default=0, help="trials; 0: do not tune")
    parser.add_argument("--data", type=Path, default=os.environ.get("IONSIEVE_TEST_DATA", "."))
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/.cache"))
    parser.add_argument("--storage", type=Path, default=None, help="SQLite file of the search")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    args.data = Path(args.data)
    train_and_predict(args)
    if args.tune:
        tune_onsets(args)


if __name__ == "__main__":
    main()
