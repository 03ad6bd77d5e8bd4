"""Warm-up: compile the kernels that training, prediction and explanation need."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from .explanation.contributions import contributions
from .model import ConductivityModel

_MATERIALS: Final = 12


def warm_up_models() -> None:
    """Train a small model of made numbers, ask it and explain an answer.

    Every kernel sees the types that real tables have: finite numbers, gaps, values and bounds.
    """
    random = np.random.RandomState(0)
    names = [f"made-{i}" for i in range(_MATERIALS)]
    table = pd.DataFrame(random.normal(size=(_MATERIALS, 4)), index=names).add_prefix("column_")
    table.iloc[::5, 1] = np.nan
    value = 10.0 ** (table["column_0"].to_numpy() - 3.0)
    bounded = np.arange(_MATERIALS) % 4 == 0
    labels = pd.DataFrame(
        {
            "structure_id": names,
            "temperature_K": 300.0,
            "kind": "aimd",
            "quantity": "sigma_S_cm",
            "value": np.where(bounded, np.nan, value),
            "lower": np.nan,
            "upper": np.where(bounded, value, np.nan),
            "error_log10": 0.1,
            "group": [f"group-{i // 2}" for i in range(_MATERIALS)],
            "source": "made for the warm-up",
        }
    )
    model = ConductivityModel(n_folds=2, members=("extra_trees",)).fit(table, labels)
    model.predict(table)
    contributions(model, table.iloc[:1])
