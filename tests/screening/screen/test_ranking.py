"""Ranking order and its tie-break."""

import numpy as np
import pandas as pd

from ionsieve.screening.screen.flags import TrainingRange
from ionsieve.screening.screen.ranking import (
    MEASURED_COLUMNS,
    RANKING_COLUMNS,
    rank_candidates,
)

IDS = ["a", "b", "c", "d"]


def features(**changes: list) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "isolated_class": ["framework", "antistructure", "none", "framework"],
            "isolated_fraction": [0.3, 1.0, 0.0, 0.2],
            "isolated_count": [2.0, 4.0, 0.0, 1.0],
            "isolated_margin": [1.8, np.nan, np.nan, 1.3],
            "isolated_in_framework_fraction": [0.3, 0.0, 0.0, 0.2],
            "isolated_density_A3": [0.005, 0.02, 0.0, 0.004],
            "isolated_mobile_coordination": [6.0, 8.0, np.nan, 6.0],
            "isolated_fraction_S": [0.3, np.nan, 0.0, np.nan],
            "isolated_fraction_Cl": [np.nan, 1.0, np.nan, 0.2],
        },
        index=IDS,
    )
    return table.assign(**changes)


def predictions(**changes: list) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "prediction": [-2.0, -3.0, -4.0, -5.0],
            "low": [-3.0, -4.0, -5.0, -6.0],
            "high": [-1.0, -2.0, -3.0, -4.0],
            "p_exceeds": [0.95, 0.5, 0.1, 0.05],
            "domain_distance": [0.5, 1.0, 2.0, 0.9],
            "spread": [0.1, 0.2, 0.3, 0.4],
            "family_disagreement": [0.1, 0.2, 0.3, 1.5],
        },
        index=IDS,
    )
    return table.assign(**changes)


DESCRIPTIONS = pd.DataFrame(
    {
        "formula": ["Li6PS5Cl", "Li2S", "Li3PS4", "Li6FeCl8"],
        "n_sites": 4,
        "source": "test",
        "known_structure": ["Li6PS5Cl_F43m", "", "", ""],
        "known_relation": ["same", "", "", ""],
    },
    index=IDS,
)
TRAINING = TrainingRange(
    formulas=frozenset({"Li6PS5Cl"}),
    isolated_elements=frozenset({"S"}),
    lower=pd.Series({"isolated_in_framework_fraction": 0.0, "isolated_density_A3": 0.0}),
    upper=pd.Series({"isolated_in_framework_fraction": 0.4, "isolated_density_A3": 0.02}),
)


def ranked(**changes: list) -> pd.DataFrame:
    return rank_candidates(features(), predictions(**changes), DESCRIPTIONS, TRAINING)


def test_columns_and_order() -> None:
    table = ranked()
    assert list(table.columns) == [c for c in RANKING_COLUMNS if c in table]
    later = {"flags", "flag_reasons", "follow_up", "follow_up_reason", "core_hours"}
    assert later.isdisjoint(table.columns)
    assert list(table["id"]) == IDS
    assert list(table["rank"]) == [1, 2, 3, 4]


def test_ties_go_to_prediction_then_domain_then_id() -> None:
    same = [0.5, 0.5, 0.5, 0.5]
    assert list(ranked(p_exceeds=same, prediction=[-4, -3, -3, -3])["id"]) == ["d", "b", "c", "a"]
    level = {"p_exceeds": same, "prediction": [-3.0] * 4, "domain_distance": [1.0] * 4}
    assert list(ranked(**level)["id"]) == IDS


def test_order_ignores_the_last_bit() -> None:
    nudged = 0.5 + 1e-12 * np.arange(4)
    assert list(ranked(p_exceeds=nudged.tolist())["id"]) == IDS


def test_known_formulas_are_marked() -> None:
    assert ranked().set_index("id")["known_formula"].to_dict() == {
        "a": True,
        "b": False,
        "c": False,
        "d": False,
    }


def test_known_structures_are_passed_on() -> None:
    table = ranked().set_index("id")
    assert table.loc["a", ["known_structure", "known_relation"]].tolist() == [
        "Li6PS5Cl_F43m",
        "same",
    ]


def test_cells_of_one_formula_that_lie_far_apart_are_remarked_upon() -> None:
    known = DESCRIPTIONS.assign(formula=["Li6PS5Cl", "Li2S", "Li6PS5Cl", "Li2S"], note="")
    known.loc["a", "note"] = "ordered"
    ranked = rank_candidates(features(), predictions(), known, TRAINING).set_index("id")
    remark = "other cells of Li6PS5Cl are predicted from -4.0 to -2.0"
    assert ranked.loc["a", "note"].startswith(f"ordered; {remark}")
    assert ranked.loc["c", "note"].startswith(remark)
    near = predictions(prediction=[-2.0, -3.0, -2.9, -3.9])
    assert (rank_candidates(features(), near, DESCRIPTIONS, TRAINING)["note"] == "").all()


def test_measurements_have_columns_of_their_own() -> None:
    measured = predictions(prediction=[-4.0, -5.0, -6.0, -7.0], p_exceeds=[0.4, 0.3, 0.2, 0.1])
    ranked = rank_candidates(features(), predictions(), DESCRIPTIONS, TRAINING, measured)
    assert ranked["log10_sigma_300K_experiment_S_cm"].tolist() == [-4.0, -5.0, -6.0, -7.0]
    assert ranked["p_fast_experiment"].tolist() == [0.4, 0.3, 0.2, 0.1]
    assert ranked["p_fast"].tolist() == [0.95, 0.5, 0.1, 0.05], "the order is that of AIMD"
    alone = rank_candidates(features(), predictions(), DESCRIPTIONS, TRAINING)
    assert alone[list(MEASURED_COLUMNS)].isna().all(axis=None)
