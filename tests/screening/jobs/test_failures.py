"""Retries hang on causes, not on words."""

import pytest

from ionsieve.screening.jobs.failures import MAX_ATTEMPTS, Cause, retry_settings


def test_failures_change_the_plan_or_end() -> None:
    first = retry_settings(Cause.NOT_CONVERGED, {"cutoff_eV": 300}, 1)
    assert first == {"cutoff_eV": 300, "mixing": 0.02, "max_scf_steps": 300}
    assert retry_settings(Cause.DRIFT, {}, 2) == {"convergence_factor": pytest.approx(0.01)}
    assert retry_settings(Cause.CRASH, {"a": 1}, 1) == {"a": 1}
    assert retry_settings(Cause.CRASH, {}, 2) is None


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_ends(cause: Cause) -> None:
    assert retry_settings(cause, {}, MAX_ATTEMPTS) is None
    # What blocks or interrupts leaves the job open; nothing does both.
    assert not (cause.blocks and cause.interrupts)
