"""Values of a plan that end in a script or an input: numbers are numbers."""

import math
from typing import Any

import pytest

import campaigns
from ionsieve.data.errors import InputError
from ionsieve.screening.jobs.plan import relaxation_of
from ionsieve.screening.jobs.plan_checks import check_plan_fields
from ionsieve.screening.jobs.protocol import RelaxationSettings

INCAR_TAGS = {"ALGO": "Fast", "LREAL": False, "MAGMOM": [1.0, 2.0], "NCORE": 4, "cutoff_eV": 500.0}


def test_plans_of_ours_pass() -> None:
    run = campaigns.small_plan(engine_settings=INCAR_TAGS)
    check_plan_fields(run.as_dict())
    relaxation = relaxation_of(run, RelaxationSettings())
    check_plan_fields(relaxation.as_dict())
    check_plan_fields(relaxation.settings.__dict__)


@pytest.mark.parametrize("name", ["temperature_K", "time_step_fs", "equilibration_ps"])
@pytest.mark.parametrize("value", ["1", None, True, math.nan, math.inf, 1e13, [1.0]])
def test_numbers(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"{name} is .*, not a number"):
        check_plan_fields({name: value})


@pytest.mark.parametrize("name", ["n_steps", "frame_every", "max_steps"])
@pytest.mark.parametrize("value", ["1", 0, -1, 1.0, True, "$(touch x)"])
def test_positive_whole_numbers(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"{name} is .*, not a positive whole number"):
        check_plan_fields({name: value})


@pytest.mark.parametrize(
    "settings",
    [{"ALGO": "a\nb"}, {"a-b": 1}, {"cutoff_eV": "5"}, {"X": {}}, {"mixing": None}, [], "x"],
)
def test_engine_settings(settings: Any) -> None:
    with pytest.raises(InputError, match="it is damaged"):
        check_plan_fields({"engine_settings": settings})


def test_a_long_value_is_told_short() -> None:
    with pytest.raises(InputError) as error:
        check_plan_fields({"n_steps": "x" * 10_000})
    assert len(str(error.value)) < 300
