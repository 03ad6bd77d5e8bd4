"""A batch from a ranking table: new candidates only, and what it is expected to bring."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from ionsieve.data.errors import InputError
from ionsieve.screening.acquisition.scores import AcquisitionSettings, Beliefs
from ionsieve.screening.acquisition.shortlist import expectation, shortlist

FORMULAS = ["Li3PS4", "Li2S", "LiF", "Li6PS5Cl", "Li3N", "LiCl", "Li7La3Zr2O12", "Li2O"]


def ranking(n: int = 8, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    mean = np.sort(rng.normal(-4, 1, n))[::-1]
    half = rng.uniform(0.5, 2.0, n)
    return pd.DataFrame(
        {
            "id": [f"c{i}" for i in range(n)],
            "formula": [FORMULAS[i % len(FORMULAS)] for i in range(n)],
            "log10_sigma_300K_S_cm": mean,
            "log10_sigma_300K_low": mean - half,
            "log10_sigma_300K_high": mean + half,
            "domain_distance": rng.uniform(0, 3, n),
            "known_relation": ["same" if i % 4 == 0 else "" for i in range(n)],
        }
    )


def test_known_materials_are_not_bought_again() -> None:
    table = ranking()
    found = shortlist(table, size=8)
    assert found.n_known == 2
    assert set(found.table["id"]) == set(table.loc[table["known_relation"] == "", "id"])
    assert len(shortlist(table, size=8, known=True).table) == 8


def test_a_ranking_of_known_materials_alone_says_so() -> None:
    with pytest.raises(InputError, match="no candidate that is new"):
        shortlist(ranking().assign(known_relation="same"))


def test_missing_columns_are_named() -> None:
    with pytest.raises(InputError, match="domain_distance"):
        shortlist(ranking().drop(columns="domain_distance"))


def test_cost_counts_where_it_is_given() -> None:
    table = ranking().assign(log10_sigma_300K_S_cm=-3.0, log10_sigma_300K_low=-4.0,
                             log10_sigma_300K_high=-2.0, domain_distance=0.0,
                             known_relation="")  # fmt: skip
    cost = np.array([100.0, 90, 80, 70, 60, 50, 40, 1.0])
    settings = AcquisitionSettings(diversity=0.0)
    found = shortlist(table, 1, settings, core_hours=cost)
    assert list(found.table["id"]) == ["c7"]
    assert found.expected.core_hours == 1.0
    assert found.greedy.core_hours == 100.0
    assert "core_hours" not in shortlist(table, 1, settings).table


def test_an_exact_copy_is_bought_once() -> None:
    table = pd.concat([ranking(4)] * 2, ignore_index=True).assign(known_relation="")
    table["id"] = [f"c{i}" for i in range(8)]
    settings = AcquisitionSettings(max_per_system=None, out_of_domain_quota=0.0)
    assert shortlist(table, 4, settings).table["formula"].nunique() == 4


def test_descriptors_that_are_missing_are_named() -> None:
    features = pd.DataFrame({"a": [1.0]}, index=["c0"])
    with pytest.raises(InputError, match="c1: is ranked but has no descriptors"):
        shortlist(ranking(), features=features)


@given(st.integers(1, 8), st.integers(0, 1000))
def test_expected_hits_are_the_sum_of_chances(size: int, seed: int) -> None:
    table = ranking(seed=seed)
    found = shortlist(table, size, AcquisitionSettings(threshold_log10=-3.5), known=True)
    own = table.set_index("id").loc[found.table["id"]]
    sd = (own["log10_sigma_300K_high"] - own["log10_sigma_300K_low"]) / (2 * norm.ppf(0.95))
    chance = norm.sf(-3.5, own["log10_sigma_300K_S_cm"], sd)
    assert found.expected.n == size
    assert found.expected.hits == pytest.approx(chance.sum(), rel=1e-9)
    np.testing.assert_allclose(found.table["p_fast"], chance, rtol=1e-9)


def test_expectation_matches_a_simulation() -> None:
    rng = np.random.default_rng(0)
    beliefs = Beliefs(np.array([-3.0, -4.0, -2.5]), np.array([0.5, 1.0, 2.0]), np.zeros(3))
    drawn = rng.normal(beliefs.mean, beliefs.sd, (200_000, 3))
    found = expectation(beliefs, [0, 1, 2], -3.0, -2.0, np.array([1.0, 2.0, 3.0]))
    assert found.hits == pytest.approx((drawn > -3.0).sum(axis=1).mean(), rel=0.01)
    best_alone = np.maximum(drawn + 2.0, 0.0).mean(axis=0).max()
    assert found.gain_decades == pytest.approx(best_alone, rel=0.02)
    assert str(found) == f"{found.hits:.2f} fast conductors expected among 3, 6 core hours"
