"""Cost: the measured runs, calibration on finished jobs, and the steps that a plan has."""

from dataclasses import replace

import numpy as np
import pytest

from ionsieve.data.records import StructureRecord
from ionsieve.screening.acquisition.cost import (
    CP2K_COST,
    GPAW_COST,
    MEASURED,
    CostLine,
    CostModel,
    calibrated_cost,
    estimated_size,
)
from ionsieve.screening.jobs.plan import make_plan
from ionsieve.screening.jobs.protocol import ProtocolSettings

SETTINGS = ProtocolSettings()


def test_cost_follows_the_measured_runs() -> None:
    # GPAW, 300 eV, one core: electrons, volume, seconds a step.
    measured = [(40, 65, 0.6), (48, 186, 2.0), (112, 350, 6.6), (240, 960, 37.0)]
    for electrons, volume, seconds in measured:
        assert CostModel().core_hours(electrons, volume, 3600) == pytest.approx(seconds, rel=0.15)


def test_cost_is_calibrated_on_finished_jobs() -> None:
    assert calibrated_cost([]) == CostModel()
    ten_times_slower = [
        (n, v, 10 * CostModel().core_hours(n, v, 3600))
        for n, v in [(50, 200), (100, 400), (300, 900)]
    ]
    model = calibrated_cost(ten_times_slower)
    assert model.core_hours(100, 400, 3600) == pytest.approx(ten_times_slower[1][2], rel=0.05)
    assert model.n_jobs == 3


def _line(rows) -> np.ndarray:
    sizes = np.log10([n * v for _, n, v, _ in rows])
    return np.polyfit(sizes, np.log10([seconds for *_, seconds in rows]), 1)


@pytest.mark.parametrize(("engine", "line"), [("gpaw", GPAW_COST), ("cp2k", CP2K_COST)])
def test_cost_lines_follow_from_the_measured_runs(engine: str, line: CostLine) -> None:
    exponent, prefactor = _line(MEASURED[engine])
    given = [line.log10_prefactor, line.exponent]
    np.testing.assert_allclose(given, [prefactor, exponent], rtol=0, atol=6e-4)
    assert calibrated_cost([], line).exponent == line.exponent


def test_each_cell_is_predicted_from_the_others_as_stated() -> None:
    rows = MEASURED["gpaw"]
    errors = []
    for name in {row[0].split(",")[0] for row in rows}:
        exponent, prefactor = _line([row for row in rows if not row[0].startswith(name)])
        for label, n, v, seconds in rows:
            if label.startswith(name):
                errors.append(abs(10 ** (prefactor + exponent * np.log10(n * v)) / seconds - 1))
    assert 0.10 < max(errors) < 0.175


def test_a_campaign_prices_the_steps_that_its_plan_has() -> None:
    hydride = StructureRecord.ordered("LiH", np.eye(3) * 4.08, ["Li", "H"], [[0] * 3, [0.5] * 3])
    plan = make_plan(hydride, 1000.0, SETTINGS)
    assert plan.n_steps == SETTINGS.n_steps(hydride.elements) == 140_000
    assert estimated_size(hydride.composition, hydride.volume_A3, SETTINGS).n_steps == 140_000
    two = replace(SETTINGS, start_K=(800.0, 1000.0))
    assert estimated_size({"Li": 4, "F": 4}, 65.5, two).n_steps == 70_000
