"""Time of training and prediction: python benchmarks/speed_models.py [--rows 100000]."""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd

from ionsieve.models import ConductivityModel


def tables(n_materials: int, n_columns: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random features and labels of one temperature in groups of six."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_materials, n_columns))
    ids = [f"m{i}" for i in range(n_materials)]
    features = pd.DataFrame(x, index=ids, columns=[f"f{j}" for j in range(n_columns)])
    labels = pd.DataFrame(
        {
            "structure_id": ids,
            "temperature_K": 1000.0,
            "kind": "aimd",
            "quantity": "sigma_S_cm",
            "value": 10 ** (x[:, 0] - 1.0),
            "lower": np.nan,
            "upper": np.nan,
            "group": [f"g{i // 6}" for i in range(n_materials)],
        }
    )
    return features, labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--materials", type=int, default=100)
    parser.add_argument("--columns", type=int, default=270)
    args = parser.parse_args()
    warnings.simplefilter("error")
    features, labels = tables(args.materials, args.columns)
    start = time.process_time()
    model = ConductivityModel().fit(features, labels)
    spent = time.process_time() - start
    print(f"train and calibrate {args.materials} materials: {spent:.1f} s CPU")
    rows = np.random.default_rng(1).normal(size=(args.rows, args.columns))
    many = pd.DataFrame(rows, columns=features.columns)
    start = time.process_time()
    model.predict(many, 300.0)
    print(f"predict {args.rows} rows: {time.process_time() - start:.1f} s CPU")


if __name__ == "__main__":
    main()
