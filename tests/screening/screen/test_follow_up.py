"""The shortlist: new candidates, reasons in numbers, an honest expectation and the cost."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.data.records import StructureRecord
from ionsieve.screening.acquisition.cost import calibrated_cost, estimated_size
from ionsieve.screening.acquisition.embedding import BlockEmbedding, element_fractions_of
from ionsieve.screening.acquisition.shortlist import Likeness
from ionsieve.screening.jobs.plan import ProtocolSettings
from ionsieve.screening.screen.follow_up import (
    add_follow_up,
    core_hours_of,
    follow_up_commands,
    number_interval,
    shortlist_line,
)

ANIONS = ["S", "Se", "Te", "O", "F", "Cl", "Br", "I"]


def records() -> list[StructureRecord]:
    frac = [[0, 0, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.75]]
    lattices = [(4.0 + 0.2 * k) * np.eye(3) for k in range(len(ANIONS))]
    return [
        StructureRecord.ordered(f"Li2{a}", lattice, [a, "Li", "Li"], frac)
        for a, lattice in zip(ANIONS, lattices, strict=True)
    ]


def ranking() -> pd.DataFrame:
    n = len(ANIONS)
    mean = np.linspace(-2.0, -6.0, n)
    return pd.DataFrame(
        {
            "rank": np.arange(1, n + 1),
            "id": [f"Li2{a}" for a in ANIONS],
            "formula": [f"Li2{a}" for a in ANIONS],
            "log10_sigma_300K_S_cm": mean,
            "log10_sigma_300K_low": mean - 2,
            "log10_sigma_300K_high": mean + 2,
            "p_fast": np.linspace(0.8, 0.1, n),
            "domain_distance": [0.0, 0.5, 0.7, 0.9, 1.0, 1.1, 2.5, 1.2],
            "known_relation": ["same", *[""] * (n - 1)],
            "core_hours": [core_hours_of(record) for record in records()],
        }
    )


def likeness() -> Likeness:
    """Of one descriptor that differs evenly, read in blocks of three."""
    fractions, systems = element_fractions_of(ranking()["formula"].tolist())
    values = np.arange(len(ANIONS), dtype=float)[:, None]
    return Likeness(
        BlockEmbedding(lambda rows: values[rows.start : rows.stop], fractions, block=3), systems
    )


@pytest.fixture
def made() -> tuple[pd.DataFrame, object]:
    return add_follow_up(ranking(), likeness(), 4, -3.0, 0.9, 0)


def test_known_conductors_are_not_bought_again(made: tuple) -> None:
    table, facts = made
    rows = table.set_index("id")
    assert pd.isna(rows.loc["Li2S", "follow_up"])
    assert sorted(rows["follow_up"].dropna()) == [1, 2, 3, 4]
    assert (facts.n, facts.n_known) == (4, 1)


def test_reasons_are_numbers_and_one_place_goes_to_the_unknown(made: tuple) -> None:
    table, _ = made
    chosen = table[table["follow_up"].notna()].set_index("id")
    assert chosen["follow_up_reason"].str.contains("core hours").all()
    unknown = chosen.loc[chosen["follow_up_reason"].str.startswith("share for the unknown")]
    assert list(unknown.index) == ["Li2Br"]
    assert "domain distance 2.50, at least 1.5" in unknown["follow_up_reason"].iloc[0]
    # It comes last: the first place is for what is expected to be fast.
    assert list(unknown["follow_up"]) == [4]
    assert (table.loc[table["follow_up"].isna(), "follow_up_reason"] == "").all()


def test_cost_is_that_of_a_campaign_and_stands_at_every_row(made: tuple) -> None:
    table, facts = made
    protocol, model = ProtocolSettings(), calibrated_cost(())
    for record, hours in zip(records(), table["core_hours"], strict=True):
        size = estimated_size(record.composition, record.volume_A3, protocol)
        expected = model.core_hours(size.n_electrons, size.volume_A3, size.n_steps)
        assert hours == pytest.approx(expected, rel=5e-3)
    total = table.loc[table["follow_up"].notna(), "core_hours"].sum()
    assert facts.core_hours == pytest.approx(total, rel=1e-9)


def test_expected_number_is_the_sum_of_chances(made: tuple) -> None:
    table, facts = made
    chances = table.loc[table["follow_up"].notna(), "p_fast"]
    assert facts.expected_fast == pytest.approx(chances.sum(), rel=1e-3)
    assert facts.fast_low <= facts.expected_fast <= facts.fast_high
    # The line: the fourth best of the new candidates by predicted conductivity.
    assert facts.line_log10_S_cm == pytest.approx(ranking()["log10_sigma_300K_S_cm"][4])


def test_nothing_new_and_nothing_wanted_are_no_errors() -> None:
    for table, size in ((ranking().assign(known_relation="same"), 4), (ranking(), 0)):
        found, facts = add_follow_up(table, likeness(), size, -3.0, 0.9, 0)
        assert found["follow_up"].isna().all()
        assert (facts.n, facts.expected_fast, facts.core_hours) == (0, 0.0, 0.0)
        assert facts.line_log10_S_cm == -3.0
        assert follow_up_commands("DIR", {"n": facts.n, "engine": facts.engine}) == []


def test_the_command_is_that_of_a_campaign() -> None:
    lines = follow_up_commands("out", {"n": 7, "engine": "gpaw"}, "Na")
    assert lines[0] == (
        "ionsieve campaign init STUDY --from out --flag follow_up --batch 7 --engine gpaw "
        "--mobile Na"
    )


def test_the_line_is_the_threshold_where_all_are_wanted() -> None:
    assert shortlist_line(ranking(), 99, -3.0) == -3.0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0.0, 1.0), max_size=8))
def test_interval_of_the_number_against_all_outcomes(chances: list[float]) -> None:
    weights = np.zeros(len(chances) + 1)
    for outcome in itertools.product((0, 1), repeat=len(chances)):
        pairs = zip(outcome, chances, strict=True)
        weights[sum(outcome)] += np.prod([p if hit else 1 - p for hit, p in pairs])
    low, high = number_interval(np.array(chances))
    assert weights[low : high + 1].sum() >= 0.9 - 1e-9
    assert weights[:low].sum() <= 0.05 + 1e-9
    assert weights[high + 1 :].sum() <= 0.05 + 1e-9
