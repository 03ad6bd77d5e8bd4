"""The page of a campaign: failures first, cost against estimate."""

import pandas as pd
import pytest

from ionsieve.screening.campaign.page import FAILED_NAMES, failures_by_reason, spending


def jobs(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "job": [f"r001-c{k}-1000K" for k in range(n)],
            "state": ["failed" if k % 2 else "done" for k in range(n)],
            "reason": [
                f"r001-c{k}-1000K: SCF does not converge after {60 + k} steps" if k != 3 else ""
                for k in range(n)
            ],
            "core_hours": [10.0 * k for k in range(n)],
            "core_hours_estimated": 20.0,
        }
    )


def test_equal_reasons_are_one_row_and_the_most_frequent_comes_first() -> None:
    found = failures_by_reason(jobs(14))
    assert [f["count"] for f in found] == [6, 1]
    assert found[0]["reason"] == "SCF does not converge after # steps"
    assert found[0]["names"] == [f"r001-c{k}-1000K" for k in (1, 5, 7, 9)][:FAILED_NAMES]
    assert found[1]["reason"] == "no reason is known"


def test_nothing_has_failed_before_anything_ran() -> None:
    assert failures_by_reason(jobs(0)) == []
    assert failures_by_reason(jobs(1)) == []
    assert spending([], jobs(0), 0) is None


def test_cost_is_compared_with_what_the_rounds_were_proposed_for() -> None:
    rounds = [{"estimated": 30.0, "used": 60.0}, {"estimated": 10.0, "used": 0.0}]
    found = spending(rounds, jobs(4).assign(state=["done", "failed", "ready", "submitted"]), 2)
    assert found is not None
    assert found["used"] == pytest.approx(60.0)
    assert found["ratio"] == pytest.approx(1.5)
    assert (found["n_open"], found["per_label"]) == (2, pytest.approx(30.0))
    assert spending(rounds, jobs(4), 0)["per_label"] is None
