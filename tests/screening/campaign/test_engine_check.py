"""A potential's order beside AIMD's: the embedded runs, and made ones of known order."""

import numpy as np
import pandas as pd
import pytest

from ionsieve.data import load_mlip_labels
from ionsieve.screening.campaign.engine_check import aimd_positions, rank_against_aimd


def _runs(labels: pd.DataFrame) -> pd.DataFrame:
    return labels.rename(columns={"value": "diffusivity_cm2_s", "upper": "upper_cm2_s"})


def test_the_embedded_runs_rank_as_the_documentation_says() -> None:
    found = rank_against_aimd(_runs(load_mlip_labels()))
    assert (found.n_materials, found.n_molten, found.n_failed) == (60, 9, 0)
    assert found.spearman == pytest.approx(0.56, rel=0.02, abs=0)
    assert 0.2 < found.low < found.spearman < found.high < 0.9


def _made(seed: int | None) -> pd.DataFrame:
    positions = aimd_positions()
    order = positions.to_numpy()
    if seed is not None:
        order = np.random.default_rng(seed).permutation(order)
    return pd.DataFrame(
        {
            "structure_id": positions.index,
            "verdict": "diffusive",
            "diffusivity_cm2_s": 10.0 ** (-5 + 0.3 * order),
            "upper_cm2_s": np.nan,
            "core_seconds": 3600.0,
        }
    )


def test_the_order_of_aimd_is_found_and_a_shuffled_one_is_not() -> None:
    same, none = rank_against_aimd(_made(None)), rank_against_aimd(_made(1))
    assert same.spearman == pytest.approx(1.0, rel=1e-9, abs=0)
    assert none.low < 0 < none.high
    assert same.core_hours == pytest.approx(same.n_materials, rel=1e-9, abs=0)


def test_molten_and_failed_are_counted_and_left_out() -> None:
    runs = _made(None)
    runs.loc[0, "verdict"], runs.loc[1, "verdict"] = "molten", "failed"
    found = rank_against_aimd(runs)
    assert (found.n_molten, found.n_failed) == (1, 1)
    assert found.n_materials == len(runs) - 1
