"""Flags: beyond a limit, among the most extreme of the screen, each with its reason in numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.models.ensemble import half_width_ratio
from ionsieve.screening.screen.flag_rules import FLAGS, FlagRules
from ionsieve.screening.screen.flags import (
    TrainingRange,
    add_flags,
    crossing_chance,
    flags_of,
)

LINE = -3.0
TRAINING = TrainingRange(
    formulas=frozenset({"Li6PS5Cl"}),
    isolated_elements=frozenset({"S"}),
    lower=pd.Series({"isolated_in_framework_fraction": 0.0, "anion_mixing_entropy_kB": 0.0}),
    upper=pd.Series({"isolated_in_framework_fraction": 0.4, "anion_mixing_entropy_kB": 0.5}),
)


def screen(n: int, **changes: object) -> pd.DataFrame:
    """Candidates far below the line and in the domain: nothing to flag unless changed."""
    table = pd.DataFrame(
        {
            "id": [f"c{i}" for i in range(n)],
            "log10_sigma_300K_S_cm": -8.0,
            "log10_sigma_300K_low": -9.0,
            "log10_sigma_300K_high": -7.0,
            "p_fast": 0.001,
            "domain_distance": 0.5,
            "family_disagreement_log10": 0.1,
            "known_relation": "",
        }
    )
    return table.assign(**changes)


def features(n: int, **changes: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "isolated_class": "framework",
            "isolated_in_framework_fraction": 0.2,
            "anion_mixing_entropy_kB": 0.1,
            "isolated_fraction_S": 0.3,
            "isolated_fraction_Cl": 0.0,
        },
        index=[f"c{i}" for i in range(n)],
    )
    return table.assign(**changes)


def flagged(
    rows: pd.DataFrame, own: pd.DataFrame | None = None, mobile: str = "Li"
) -> dict[str, dict[str, list[str]]]:
    table = features(len(rows)) if own is None else own
    found = add_flags(rows, table, TRAINING, FlagRules(), mobile, LINE, 0.9)
    return {row["id"]: flags_of(row) for row in found.to_dict("records")}


def first(n: int, special: float, rest: float) -> np.ndarray:
    return np.array([special] + [rest] * (n - 1))


def test_nothing_to_say_no_flag() -> None:
    assert set(map(len, flagged(screen(3)).values())) == {0}


def test_uncertain_is_the_chance_of_crossing_the_line() -> None:
    rows = screen(
        2,
        log10_sigma_300K_S_cm=[-3.4, -6.0],
        log10_sigma_300K_low=[-5.4, -7.0],
        log10_sigma_300K_high=[-1.4, -5.0],
    )
    found = flagged(rows)
    assert list(found["c0"]) == ["uncertain"]
    assert "predicted -3.40, the shortlist ends at -3.00" in found["c0"]["uncertain"][0]
    assert found["c1"] == {}


def test_the_chance_agrees_with_the_interval() -> None:
    """At the edge of a central 80 % interval one tenth lies beyond, on either side."""
    ratio = half_width_ratio(0.8, 0.9)
    rows = screen(
        2,
        log10_sigma_300K_S_cm=[LINE - ratio, LINE + ratio],
        log10_sigma_300K_low=[LINE - ratio - 1, LINE + ratio - 1],
        log10_sigma_300K_high=[LINE - ratio + 1, LINE + ratio + 1],
    )
    np.testing.assert_allclose(crossing_chance(rows, LINE, 0.9), 0.1, rtol=1e-9)


def test_far_from_training_and_in_disagreement() -> None:
    rows = screen(40, domain_distance=first(40, 1.9, 0.5))
    rows["family_disagreement_log10"] = first(40, 1.25, 0.1)
    found = flagged(rows)["c0"]
    assert found == {
        "out_of_domain": [
            "domain distance 1.90 is above 1.5",
            "2.5% of this screen lie as far out",
        ],
        "models_disagree": ["the two learners differ by 1.25 decades, more than 1"],
    }


def test_a_mechanism_is_novel_beyond_training_and_by_its_rarity() -> None:
    own = features(40, isolated_fraction_Cl=first(40, 0.5, 0.0))
    own["anion_mixing_entropy_kB"] = first(40, 0.7, 0.6)
    found = flagged(screen(40), own)
    assert found["c0"]["novel_mechanism"] == [
        "isolated Cl, which no training structure has (2.5% of this screen)",
        "anion_mixing_entropy_kB 0.7, trained on at most 0.5 (100.0% of this screen)",
    ]
    # What all of a screen share is no discovery of one of them: at most so many are marked.
    assert sum("novel_mechanism" in flags for flags in found.values()) == FlagRules().most(
        "novel_mechanism", 40
    )


def test_antistructures_are_no_novel_mechanism() -> None:
    """Every anion of an antistructure is trivially isolated: that is a class, not a discovery."""
    own = features(1, isolated_class="antistructure", isolated_fraction_Cl=1.0)
    assert flagged(screen(1), own.assign(isolated_in_framework_fraction=0.9))["c0"] == {}


def test_less_frustration_and_rounding_are_no_mechanism() -> None:
    assert flagged(screen(1), features(1, anion_mixing_entropy_kB=0.5 * (1 + 1e-9)))["c0"] == {}
    assert flagged(screen(1), features(1, anion_mixing_entropy_kB=np.nan))["c0"] == {}


def test_another_mobile_species_than_the_labels_is_out_of_domain() -> None:
    found = flagged(screen(40), mobile="Na")
    reason = "mobile species Na, and every label is of Li"
    assert all(flags == {"out_of_domain": [reason]} for flags in found.values())


def test_known_conductors_carry_none() -> None:
    rows = screen(2, domain_distance=9.0, known_relation=["same", "isostructural"])
    found = flagged(rows)
    assert found["c0"] == {}
    assert list(found["c1"]) == ["out_of_domain"]


@settings(deadline=None, max_examples=40)
@given(st.integers(250, 600), st.integers(0, 10**6))
def test_at_most_a_fifth_of_a_large_screen_carries_a_flag(n: int, seed: int) -> None:
    """Even where every candidate is beyond every limit."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(LINE, 0.3, n)
    rows = screen(
        n,
        log10_sigma_300K_S_cm=mean,
        log10_sigma_300K_low=mean - 3,
        log10_sigma_300K_high=mean + 3,
        domain_distance=rng.uniform(2, 9, n),
        family_disagreement_log10=rng.uniform(1.1, 5, n),
    )
    own = features(n, isolated_fraction_Cl=0.5, anion_mixing_entropy_kB=rng.uniform(0.6, 2, n))
    found = flagged(rows, own)
    assert sum(bool(flags) for flags in found.values()) <= 0.2 * n
    for name in FLAGS:
        assert sum(name in flags for flags in found.values()) == FlagRules().most(name, n)


@pytest.mark.parametrize("n", [1, 3])
def test_a_small_screen_is_flagged_by_the_limits_alone(n: int) -> None:
    found = flagged(screen(n, domain_distance=2.0))
    assert all(list(flags) == ["out_of_domain"] for flags in found.values())
