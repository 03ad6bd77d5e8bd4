"""What a run costs, in all its processes."""

import time
from pathlib import Path

import pytest

from faulty_jobs import Faulty
from ionsieve.screening.batch import usage
from ionsieve.screening.batch.usage import ENDED_WORKERS, Meter, own_usage, server_cpu_s
from ionsieve.screening.batch.workers import run_isolated


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_stages_share_the_time_out() -> None:
    meter = Meter()
    for name in ("a", "b", "a"):
        meter.stage(name)
        burn(0.05)
    cost = meter.cost()
    assert list(cost["stages"]) == ["a", "b"]
    assert cost["stages"]["a"]["cpu_s"] >= 0.09
    assert cost["stages"]["b"]["cpu_s"] >= 0.04
    assert cost["cpu_s"] >= cost["cpu_main_s"] > 0
    assert cost["peak_memory_MB"] >= cost["peak_memory_main_MB"] > 10


def test_workers_count(tmp_path: Path) -> None:
    before = ENDED_WORKERS.cpu_s
    outcomes = list(run_isolated(Faulty(str(tmp_path / "n")), enumerate(range(3)), 1, 60.0))
    assert len(outcomes) == 3
    assert ENDED_WORKERS.cpu_s > before
    assert ENDED_WORKERS.peak_MB > 10
    # The server that it was forked from is a child of this process.
    assert server_cpu_s() > 0


def test_own_usage_is_that_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before = own_usage()
    burn(0.05)
    assert own_usage().cpu_s >= before.cpu_s + 0.04
    assert usage.Usage() == usage.Usage(0.0, 0.0)
