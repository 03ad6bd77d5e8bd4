"""``ionsieve campaign prescreen`` and ``check-engine`` with a real, small potential."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pandas as pd
import pytest
from ase.calculators.lj import LennardJones

import campaigns
from ionsieve.screening.campaign import engine_check, force_check
from ionsieve.screening.campaign import loop as campaign
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.jobs.protocol import ProtocolSettings

Run = Callable[..., CompletedProcess[str]]
ENGINE = f"{__name__.rpartition('.')[2]}:lennard_jones"


def lennard_jones() -> LennardJones:
    """A potential for tests: quick, real, and far from DFT."""
    return LennardJones(sigma=2.2, epsilon=0.1, rc=6.0)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its forces count as good enough, so that what follows is tried."""
    monkeypatch.setattr(force_check.ForceCheck, "believed", property(lambda self: True))


def test_a_potential_far_from_dft_is_refused_with_its_numbers(run_here: Run) -> None:
    done = run_here("campaign", "check-engine", ENGINE)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "its forces do NOT resemble those of DFT" in done.stdout
    facts = json.loads(run_here("campaign", "check-engine", ENGINE, "--json").stdout)
    assert "ranking" not in facts or facts["ranking"] is None


@pytest.mark.usefixtures("believed")
def test_its_order_is_compared_with_aimd_and_runs_are_kept(
    run_here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ProtocolSettings(production_ps=0.05, equilibration_ps=0.0)
    monkeypatch.setattr(engine_check, "PROTOCOL", short)
    words = ("campaign", "check-engine", ENGINE, "--out", tmp_path / "runs", "--limit", 4)
    first = run_here(*words)
    table = pd.read_csv(tmp_path / "runs" / engine_check.RUNS)
    assert len(table) == 4
    # Far from DFT as it is, it tears one of the crystals apart; the others go on.
    failed = table["verdict"] == "failed"
    assert set(table["verdict"][~failed]) == {"too_short"}
    assert table["reason"][failed].str.contains("blew up").all()
    assert "materials with AIMD" in first.stdout
    # What ended is read, not run again: the same seconds of the same runs.
    run_here(*words)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "runs" / engine_check.RUNS), table)


@pytest.mark.usefixtures("believed")
def test_prescreen_says_what_each_candidate_showed_and_what_is_next(
    run_here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    campaigns.quick(monkeypatch, campaign)
    study = campaigns.quick_campaign(tmp_path / "c", campaigns.write_cifs(tmp_path / "cifs"))
    words = ("--production-ps", "0.05", "--equilibration-ps", "0")
    done = run_here("campaign", "prescreen", study, "--engine", ENGINE, "--limit", 2, *words)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.endswith(": too_short") for line in lines) == 2
    assert any("2 run, 0 failed" in line for line in lines)
    assert lines[-1].startswith("next: ionsieve campaign propose")
    assert set(pd.read_csv(study / "prescreen.csv")["kind"]) == {"mlip_md"}
