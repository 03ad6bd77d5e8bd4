"""How a study goes on: longer, hotter, cooler, closed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.screening.jobs.ladder import RunOutcome, next_step
from ionsieve.screening.jobs.protocol import ProtocolSettings

SETTINGS = ProtocolSettings()


def outcomes(*entries: tuple[float, str, float]) -> list[RunOutcome]:
    return [RunOutcome(*entry) for entry in entries]


def test_a_short_run_is_extended_up_to_the_limit() -> None:
    step = next_step(outcomes((1000, "too_short", 60)), SETTINGS)
    assert (step.action, step.temperature_K, step.production_ps) == ("extend", 1000, 120)
    step = next_step(outcomes((1000, "too_short", 200)), SETTINGS)
    assert step.production_ps == 240
    step = next_step(outcomes((1000, "too_short", 240)), SETTINGS)
    assert (step.action, step.temperature_K) == ("add", 1200)


def test_a_conductor_is_followed_to_cooler_temperatures() -> None:
    step = next_step(outcomes((1000, "diffusive", 60)), SETTINGS)
    assert (step.action, step.temperature_K) == ("add", 800)
    step = next_step(outcomes((1000, "diffusive", 60), (800, "diffusive", 60)), SETTINGS)
    assert step.temperature_K == 600
    three = outcomes((1000, "diffusive", 60), (800, "diffusive", 60), (600, "diffusive", 60))
    assert next_step(three, SETTINGS).action == "close"


def test_hotter_where_cooler_does_not_diffuse() -> None:
    known = outcomes((1000, "diffusive", 60), (800, "confined", 60))
    step = next_step(known, SETTINGS)
    assert (step.action, step.temperature_K) == ("add", 1200)


def test_a_melt_is_studied_below() -> None:
    step = next_step(outcomes((1000, "molten", 60)), SETTINGS)
    assert (step.action, step.temperature_K) == ("add", 800)


def test_bounds_close_a_study() -> None:
    known = outcomes((1000, "confined", 60), (1200, "confined", 60))
    step = next_step(known, SETTINGS)
    assert step.action == "close"
    assert "bounds stand" in step.reason
    between = outcomes((1000, "confined", 60), (1200, "molten", 60))
    assert next_step(between, SETTINGS).action == "close"


@pytest.mark.parametrize("verdict", ["diffusive", "confined", "molten", "too_short"])
def test_every_study_ends(verdict: str) -> None:
    known: dict[float, RunOutcome] = {1000.0: RunOutcome(1000.0, verdict, 60.0)}
    for _ in range(40):
        step = next_step(list(known.values()), SETTINGS)
        if step.action == "close":
            break
        temperature = step.temperature_K
        known[temperature] = RunOutcome(temperature, verdict, step.production_ps or 60.0)
    assert step.action == "close"


def walk_ladder(onset_K: float, melts_K: float, long_enough_ps: float) -> tuple[list, object]:
    """Follow the ladder on a crystal whose answers are known; outcomes in order, and the end."""
    known = {1000.0: 60.0}
    order = [1000.0]

    def verdict(t: float) -> str:
        if t >= melts_K:
            return "molten"
        if known[t] < long_enough_ps:
            return "too_short"
        return "diffusive" if t >= onset_K else "confined"

    for _ in range(50):
        step = next_step([RunOutcome(t, verdict(t), known[t]) for t in order], SETTINGS)
        if step.action == "close":
            return [(t, verdict(t)) for t in order], step
        known[step.temperature_K] = step.production_ps or 60.0
        if step.action == "add":
            assert step.temperature_K not in order
            order.append(step.temperature_K)
    raise AssertionError("the ladder does not end")


@given(
    st.floats(250.0, 2000.0), st.floats(350.0, 2000.0), st.sampled_from([10.0, 60.0, 120.0, 480.0])
)
def test_ladder_ends_with_an_answer(onset_K: float, melts_K: float, enough_ps: float) -> None:
    order, step = walk_ladder(onset_K, melts_K, enough_ps)
    verdicts = [v for _, v in order]
    assert len(order) <= SETTINGS.max_temperatures
    assert {t for t, _ in order} <= set(SETTINGS.ladder_K)
    first_melt = next((n for n, v in enumerate(verdicts) if v == "molten"), len(order))
    # Where a crystal has melted, nothing hotter is tried.
    hottest = order[first_melt][0] if first_melt < len(order) else np.inf
    assert all(t < hottest for t, _ in order[first_melt + 1 :])
    assert step.reason
    if enough_ps <= 240 and onset_K <= 600 and melts_K > 1000:
        assert verdicts == ["diffusive"] * 3
    if onset_K > 1200 and melts_K > 1200:
        assert [t for t, _ in order] == [1000.0, 1200.0]
        assert "bounds stand" in step.reason


def test_a_spent_budget_closes_with_its_reason() -> None:
    known = outcomes(
        (1000, "molten", 60), (800, "molten", 60), (600, "molten", 60), (400, "diffusive", 60)
    )
    step = next_step(known, SETTINGS)
    assert (step.action, step.reason) == ("close", "4 temperatures were tried")
    assert str(step) == "close: 4 temperatures were tried"


def test_steps_say_what_they_do() -> None:
    longer = next_step(outcomes((1000, "too_short", 60)), SETTINGS)
    assert str(longer) == "extend 1000 K to 120 ps: too short after 60 ps"
    cooler = next_step(outcomes((1000, "diffusive", 60)), SETTINGS)
    assert str(cooler) == "add 800 K: 1 of 3 diffusive temperatures"
