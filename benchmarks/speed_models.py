"""CPU time of training, prediction and tuning, one thread.

    python benchmarks/speed_models.py [--rows 100000] [--tune 50 --data FOLDER]

Training takes the embedded AIMD table with all descriptor families. Prediction takes random rows
with the columns of that model, intervals and domain distance included. With ``--tune`` the
settings of an onset model are searched on the M3GNet set, as ``ionsieve train --tune`` does.
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

from ionsieve.models import ConductivityModel, make_model, make_splitter
from ionsieve.models.evaluation.tuning import tune


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Do it and print the CPU time of this process."""
    start = time.process_time()
    result = work()
    print(f"{what}: {time.process_time() - start:.1f} s CPU", flush=True)
    return result


def train_and_predict(args: argparse.Namespace) -> None:
    features, _, labels = dataset("aimd", args.data, args.cache)
    n_columns = features.shape[1]
    model = timed(
        f"train and calibrate on {len(features)} materials, {n_columns} columns",
        lambda: ConductivityModel().fit(features, labels),
    )
    values = np.random.default_rng(1).normal(size=(args.rows, n_columns))
    # Around the training table, so that every tree is walked to its leaves.
    centre, spread = features.median().fillna(0.0), features.std().fillna(1.0)
    rows = centre.to_numpy() + values * spread.to_numpy()
    many = pd.DataFrame(rows, columns=features.columns)
    timed(f"predict {args.rows} rows", lambda: model.predict(many, 300.0))


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
