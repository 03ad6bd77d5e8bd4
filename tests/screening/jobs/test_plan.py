"""Plans: what a run and a relaxation do, and the round trip."""

import json

import numpy as np
import pytest

from ionsieve.data.records import StructureRecord
from ionsieve.screening.jobs.plan import (
    AimdPlan,
    make_plan,
)
from ionsieve.screening.jobs.protocol import ProtocolSettings

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
