"""Ranking order, its tie-break, and the flags."""

import numpy as np
import pandas as pd
import pytest

from ionsieve.screening.screen.flags import FlagRules, TrainingRange, flag_reasons
from ionsieve.screening.screen.ranking import RANKING_COLUMNS, rank_candidates

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
    frozenset({"Li6PS5Cl"}),
    frozenset({"S"}),
    pd.Series({"isolated_in_framework_fraction": 0.0, "isolated_density_A3": 0.0}),
    pd.Series({"isolated_in_framework_fraction": 0.4, "isolated_density_A3": 0.02}),
)


def ranked(**changes: list) -> pd.DataFrame:
    return rank_candidates(features(), predictions(**changes), DESCRIPTIONS, TRAINING)


def test_columns_and_order() -> None:
    table = ranked()
    assert list(table.columns) == list(RANKING_COLUMNS)
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


def test_flags_say_why() -> None:
    flags = ranked().set_index("id")["flags"]
    assert flags["a"] == ""
    assert flags["b"] == "uncertain"
    assert flags["c"] == "out_of_domain"
    # An isolated chloride in a framework was never trained on; the models differ by 1.5 decades.
    assert flags["d"] == "models_disagree;novel_mechanism"


def test_another_mobile_species_than_the_labels_is_out_of_domain() -> None:
    table = rank_candidates(features(), predictions(), DESCRIPTIONS, TRAINING, mobile="Na")
    assert all("out_of_domain" in flags.split(";") for flags in table["flags"])


def test_antistructures_are_no_novel_mechanism() -> None:
    """Every anion of an antistructure is trivially isolated: that is a class, not a discovery."""
    assert "novel" not in ranked().set_index("id")["flags"]["b"]


def test_known_formulas_are_marked() -> None:
    assert ranked().set_index("id")["known_formula"].to_dict() == {
        "a": True,
        "b": False,
        "c": False,
        "d": False,
    }


@pytest.mark.parametrize("column", ["isolated_in_framework_fraction", "isolated_density_A3"])
def test_beyond_the_training_range_is_novel(column: str) -> None:
    table = features()
    table.loc["a", column] = 0.9
    flags = rank_candidates(table, predictions(), DESCRIPTIONS, TRAINING).set_index("id")["flags"]
    assert flags["a"] == "novel_mechanism"


def test_known_structures_are_passed_on() -> None:
    table = ranked().set_index("id")
    assert table.loc["a", ["known_structure", "known_relation"]].tolist() == [
        "Li6PS5Cl_F43m",
        "same",
    ]


def frustrated_range(**upper: float) -> TrainingRange:
    return TrainingRange(
        TRAINING.formulas,
        TRAINING.isolated_elements,
        pd.concat([TRAINING.lower, pd.Series(dict.fromkeys(upper, 0.1))]),
        pd.concat([TRAINING.upper, pd.Series(upper)]),
    )


def test_more_frustration_than_in_training_is_novel_whatever_the_class() -> None:
    values = [0.3, 0.3, 0.7, np.nan]
    table = features(anion_mixing_entropy_kB=values)
    training = frustrated_range(anion_mixing_entropy_kB=0.5)
    flags = rank_candidates(table, predictions(), DESCRIPTIONS, training).set_index("id")["flags"]
    assert flags["a"] == ""
    # No isolated anion at all, but anions mixed as never before.
    assert flags["c"] == "out_of_domain;novel_mechanism"


def test_less_frustration_than_in_training_is_no_mechanism() -> None:
    table = features(anion_mixing_entropy_kB=[0.0, 0.0, 0.0, 0.0])
    training = frustrated_range(anion_mixing_entropy_kB=0.5)
    flags = rank_candidates(table, predictions(), DESCRIPTIONS, training).set_index("id")["flags"]
    assert flags["a"] == ""


def test_a_training_structure_does_not_leave_its_own_range() -> None:
    """The same structure in another cell differs in the last bits."""
    table = features(mobile_bond_variation=[0.5 * (1 + 1e-9), 0.1, 0.1, 0.1])
    training = frustrated_range(mobile_bond_variation=0.5)
    flags = rank_candidates(table, predictions(), DESCRIPTIONS, training).set_index("id")["flags"]
    assert flags["a"] == ""


def test_every_flag_has_its_reason_in_numbers() -> None:
    answer = {"p_fast": 0.5, "domain_distance": 1.9, "family_disagreement_log10": 1.25}
    row = {
        "isolated_class": "framework",
        "isolated_fraction_Cl": 0.5,
        "anion_mixing_entropy_kB": 0.7,
    }
    training = frustrated_range(anion_mixing_entropy_kB=0.5)
    assert flag_reasons(answer, row, training, FlagRules(), "Na") == {
        "uncertain": ["p_fast 0.50 lies in 0.2 to 0.8"],
        "out_of_domain": [
            "domain distance 1.90 is above 1.5",
            "mobile species Na, and every label is of Li",
        ],
        "models_disagree": ["trees and boosting differ by 1.25 decades, more than 1"],
        "novel_mechanism": [
            "isolated Cl, which no training structure has",
            "anion_mixing_entropy_kB 0.7, trained on at most 0.5",
        ],
    }
