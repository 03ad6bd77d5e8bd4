"""A population of Arrhenius lines whose parameters depend on two of the features."""

import numpy as np
import pandas as pd
import pytest


def make_population(
    n_materials: int = 60, n_groups: int = 12, seed: int = 0, bounded: float = 0.2
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Feature table (with NaN and noise columns) and label table (values and upper bounds)."""
    rng = np.random.default_rng(seed)
    ids = [f"m{i:03d}" for i in range(n_materials)]
    x = rng.normal(size=(n_materials, 12))
    features = pd.DataFrame(x, index=ids, columns=[f"f{j:02d}" for j in range(12)])
    activation_eV = np.clip(0.35 - 0.1 * x[:, 0] + 0.05 * x[:, 1], 0.1, 0.9)
    features["f05"] = features["f05"].where(rng.random(n_materials) > 0.3)
    rows = []
    for i, structure in enumerate(ids):
        for temperature in (1000.0,) if i % 3 else (600.0, 800.0, 1000.0):
            true = 4.7 - activation_eV[i] / (1.9841e-4 * temperature) - np.log10(temperature)
            sigma = 10 ** (true + 0.1 * rng.normal())
            row = {
                "structure_id": structure,
                "temperature_K": temperature,
                "kind": "aimd",
                "quantity": "sigma_S_cm",
                "value": sigma,
                "lower": np.nan,
                "upper": np.nan,
                "error_log10": 0.1,
                "group": f"g{i % n_groups}",
                "source": "made for this test",
            }
            if rng.random() < bounded:
                row |= {"value": np.nan, "upper": sigma * 10 ** rng.uniform(0.0, 1.0)}
            rows.append(row)
    return features, pd.DataFrame(rows)


@pytest.fixture(scope="session")
def population():
    """The function that makes the tables."""
    return make_population
