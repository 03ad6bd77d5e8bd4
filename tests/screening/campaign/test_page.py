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
    assert spending(jobs(0), 0) is None


def test_cost_is_compared_where_it_is_known() -> None:
    found = spending(jobs(4), 2)
    assert found is not None
    assert found["used"] == pytest.approx(60.0)
    # The first job has no time: it is in the estimate, not in the ratio.
    assert found["estimated"] == pytest.approx(80.0)
    assert found["ratio"] == pytest.approx(1.0)
    assert (found["n"], found["per_label"]) == (3, pytest.approx(30.0))
    assert spending(jobs(4), 0)["per_label"] is None
