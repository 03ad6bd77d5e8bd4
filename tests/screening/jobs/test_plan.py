"""Plans: protocol, spin, the temperature ladder, retries and the round trip."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.errors import InputError
from ionsieve.data.records import StructureRecord
from ionsieve.screening.jobs.electrons import high_spin_moment, valence_electrons
from ionsieve.screening.jobs.plan import (
    AimdPlan,
    ProtocolSettings,
    RunOutcome,
    make_plan,
    next_step,
    retry_settings,
)

A = 5.71
LI2S = StructureRecord.ordered(
    "Li2S",
    A / 2 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    ["Li", "Li", "S"],
    [[0.25] * 3, [0.75] * 3, [0.0] * 3],
)
SETTINGS = ProtocolSettings()


def test_protocol_of_yang() -> None:
    plan = make_plan(LI2S, 1000.0, ProtocolSettings(time_step_fs=1.0))
    # 70,000 steps of 1 fs, of which 10 ps are discarded.
    assert (plan.n_steps, plan.equilibration_ps, plan.frame_every) == (70_000, 10.0, 20)
    assert plan.production_ps == pytest.approx(60.0)
    assert not plan.spin_polarised
    assert plan.record.composition["Li"] == 2 * plan.record.composition["S"]


def test_hydrogen_needs_a_quarter_of_the_step() -> None:
    hydride = StructureRecord.ordered("LiH", np.eye(3) * 2.5, ["Li", "H"], [[0] * 3, [0.5] * 3])
    assert make_plan(hydride, 600.0, SETTINGS).time_step_fs == pytest.approx(0.5)


def test_plan_survives_json() -> None:
    plan = make_plan(LI2S, 800.0, SETTINGS, engine_settings={"cutoff_eV": 300.0})
    again = AimdPlan.from_dict(json.loads(json.dumps(plan.as_dict())))
    assert again.as_dict() == plan.as_dict()
    assert again.record.content_hash == plan.record.content_hash


@pytest.mark.parametrize(
    ("element", "oxidation", "moment"),
    [("V", 2, 3), ("Cr", 3, 3), ("Ti", 4, 0), ("Ti", 3, 1), ("Fe", 3, 5), ("Fe", 2, 4),
     ("Mn", 2, 5), ("Co", 2, 3), ("Ni", 2, 2), ("Cu", 2, 1), ("Cu", 1, 0), ("Zn", 2, 0),
     ("Zr", 4, 0), ("Gd", 3, 7), ("Er", 3, 3), ("La", 3, 0), ("Lu", 3, 0), ("Eu", 2, 7),
     ("Ta", 5, 0), ("P", 5, 0), ("S", -2, 0), ("Li", 1, 0), ("In", 3, 0)],
)  # fmt: skip
def test_unpaired_electrons_of_high_spin_ions(element, oxidation, moment) -> None:
    assert high_spin_moment(element, oxidation) == moment


@pytest.mark.parametrize(
    ("element", "electrons"),
    [("Li", 3), ("Na", 7), ("K", 9), ("O", 6), ("S", 6), ("Cl", 7), ("I", 7), ("P", 5), ("Ti", 10),
     ("Fe", 8), ("Zn", 12), ("Ga", 13), ("Sn", 14), ("Sb", 5), ("Zr", 10)],
)  # fmt: skip
def test_valence_electrons(element, electrons) -> None:
    assert valence_electrons(element) == electrons


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


def test_failures_change_the_plan_or_end() -> None:
    first = retry_settings("SCF did not converge", {"cutoff_eV": 300}, 1)
    assert first == {"cutoff_eV": 300, "mixing": 0.02, "max_scf_steps": 300}
    assert retry_settings("node died", {"a": 1}, 1) == {"a": 1}
    assert retry_settings("node died", {}, 2) is None
    assert retry_settings("SCF did not converge", {}, 3) is None


@pytest.mark.parametrize(
    "wrong",
    [{"start_K": ()}, {"ladder_K": (-1.0,)}, {"time_step_fs": 0}, {"frame_spacing_fs": 1.0}],
)
def test_protocol_is_checked(wrong) -> None:
    with pytest.raises(InputError):
        ProtocolSettings(**wrong)
