"""The pre-screen with a potential: its labels stay apart from AIMD; killed, it goes on."""

import importlib.util
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from ase.calculators.lj import LennardJones

import campaigns
from ionsieve.data.embedded.aimd import load_aimd_labels
from ionsieve.data.errors import InputError, MissingDependencyError
from ionsieve.screening.campaign import loop as campaign
from ionsieve.screening.campaign import prescreen as module
from ionsieve.screening.campaign.loop import propose, retrain
from ionsieve.screening.campaign.prescreen import prescreen, tiers
from ionsieve.screening.campaign.settings import CampaignSettings
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.engines.registry import ENGINES, AseEngine

SHORT = {"engine_name": "lj", "production_ps": 0.1, "equilibration_ps": 0.0}


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    potential = AseEngine(
        name="lj",
        kind="mlip_md",
        calculator=lambda plan, folder: LennardJones(sigma=2.2, epsilon=0.1, rc=6.0),
    )
    monkeypatch.setitem(ENGINES, "lj", potential)
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    campaigns.quick(monkeypatch, campaign)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("prescreen")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "walk", campaigns.walk_engine())
        return campaigns.quick_campaign(base / "c", campaigns.write_cifs(base / "cifs"))


@pytest.fixture
def study(fresh: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "c"))


def put(folder: Path, verdicts: dict[str, str]) -> None:
    with CampaignStore(folder) as store, store.transaction() as t:
        for name, verdict in verdicts.items():
            label = {"kind": "mlip_md", "value": 1e-2, "structure_id": name}
            t.put_prescreen(name, "lj", 1000.0, verdict, label, {"planned_ps": 10.0})


def test_labels_are_kept_and_shown_and_never_trained_on(study: Path) -> None:
    found = prescreen(study, **SHORT)
    assert set(found["results"].values()) == {"too_short"}
    assert (len(found["results"]), found["left"]) == (4, 0)
    table = pd.read_csv(study / "prescreen.csv")
    assert set(table["kind"]) == {"mlip_md"}
    with CampaignStore(study) as store:
        rows = store.prescreens()
        assert store.results() == []
        assert store.jobs() == []
    labels = [row["label"] for row in rows if row["label"] is not None]
    assert {label["kind"] for label in labels} <= {"mlip_md"}
    # A retraining sees no result: the model stays the one of the start.
    trained = retrain(study)
    assert (trained.new, trained.n_campaign_labels) == (False, 0)
    assert prescreen(study, **SHORT)["results"] == {}


def test_a_label_of_a_potential_cannot_be_trained_on_as_aimd(study: Path) -> None:
    assert set(load_aimd_labels()["kind"]) == {"aimd"}
    with pytest.raises(InputError, match="kind mlip_md"):
        CampaignSettings(engine="lj")
    with pytest.raises(InputError, match="kind aimd"):
        prescreen(study, "walk")


def test_order_and_filter_only_where_asked(study: Path, tmp_path: Path) -> None:
    with CampaignStore(study) as store:
        names = [c.id for c in store.candidates()]
    plain = _proposed(study, tmp_path / "plain")
    last, first = plain[0], next(n for n in names if n not in plain)
    put(study, {last: "confined", first: "diffusive"})
    with CampaignStore(study) as store:
        by_name = dict(zip(names, tiers(store, store.candidates()), strict=True))
    assert (by_name[first], by_name[last]) == (0, 2)
    assert _proposed(study, tmp_path / "ignored") == plain
    ordered = _proposed(study, tmp_path / "ordered", prescreen="order")
    assert first in ordered
    assert last not in ordered
    filtered = tmp_path / "filtered"
    put(study, dict.fromkeys(set(names) - {first}, "molten"))
    # Only one is left, though two are wanted; with 'order' the others follow.
    assert _proposed(study, filtered, prescreen="filter") == [first]
    assert first in (both := _proposed(study, tmp_path / "both", prescreen="order"))
    assert len(both) == 2


def _proposed(study: Path, copy: Path, **how) -> list[str]:
    shutil.copytree(study, copy)
    propose(copy, 2, anyway=True, **how)
    with CampaignStore(copy) as store:
        assert store.rounds()[-1]["prescreen"] == how.get("prescreen", "ignore")
        return sorted(job.candidate_id for job in store.jobs())


def facts(folder: Path) -> list[dict]:
    def lasting(row: dict) -> dict:
        kept = {k: v for k, v in row["details"].items() if k != "core_seconds"}
        return {**row, "details": kept}

    with CampaignStore(folder) as store:
        return [lasting(row) for row in store.prescreens()]


def test_killed_anywhere_it_goes_on(study: Path, tmp_path: Path) -> None:
    whole = Path(shutil.copytree(study, tmp_path / "whole"))
    prescreen(whole, **SHORT)
    for number in (0, 1, 4, 8):
        copy = Path(shutil.copytree(study, tmp_path / str(number)))
        assert _killed_before_write(copy, number)
        prescreen(copy, **SHORT)
        assert _comparable(facts(copy)) == _comparable(facts(whole))
        with CampaignStore(copy) as store:
            events = [h for h in store.history() if h["event"] == "prescreen"]
        # No label twice.
        assert len(events) == 4
        shutil.rmtree(copy)


def _comparable(rows: list[dict]) -> list[tuple]:
    names = ("candidate_id", "engine", "temperature_K", "verdict")
    return [
        (*(row[n] for n in names), row["details"]["n_frames"],
         round(row["details"]["conserved_drift_meV_atom"], 6))
        for row in rows
    ]  # fmt: skip


def _killed_before_write(folder: Path, number: int) -> bool:
    """Prescreen in a fork that dies before its n-th checkpoint, plan or database commit."""
    pid = os.fork()
    if pid:
        return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    left = [number]

    def counted(function):
        def wrapper(*args, **kwargs):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return function(*args, **kwargs)

        return wrapper

    from ionsieve.screening.engines import md

    md._write_checkpoint = counted(md._write_checkpoint)
    module.write_json_atomic = counted(module.write_json_atomic)
    module._write_table = counted(module._write_table)
    with suppress(BaseException):
        prescreen(folder, **SHORT)
    os._exit(0)


def test_a_longer_prescreen_goes_on_and_replaces(study: Path) -> None:
    prescreen(study, **SHORT, limit=1)
    prescreen(study, **{**SHORT, "production_ps": 0.2}, limit=1)
    (row,) = facts(study)
    assert row["details"]["planned_ps"] == 0.2
    assert (row["details"]["n_frames"], row["details"]["n_steps"]) == (3, 100)


def test_a_potential_that_fails_is_kept_with_its_reason(study: Path, monkeypatch) -> None:
    bad = AseEngine(
        name="bad",
        kind="mlip_md",
        calculator=lambda plan, folder: LennardJones(sigma=4.5, epsilon=9.0),
    )
    monkeypatch.setitem(ENGINES, "bad", bad)
    found = prescreen(study, "bad", production_ps=1.0, limit=1)
    (reason,) = found["failed"].values()
    assert "blew up" in reason
    assert facts(study)[0]["verdict"] == "failed"


def test_absent_potential_is_one_clear_line(study: Path) -> None:
    if importlib.util.find_spec("chgnet") is not None:
        pytest.skip("chgnet is installed")
    with pytest.raises(MissingDependencyError, match=r"is not installed: pip install torch"):
        prescreen(study, "chgnet")


@pytest.mark.skipif(importlib.util.find_spec("chgnet") is None, reason="chgnet is not installed")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_chgnet_for_real(study: Path) -> None:
    found = prescreen(study, "chgnet", production_ps=0.02, equilibration_ps=0.0, limit=1)
    assert list(found["results"].values()) == ["too_short"]
    (row,) = facts(study)
    assert row["engine"] == "chgnet"
    # CHGNet through ASE has no free energy, so nothing is said of the conserved one.
    assert "conserved_drift_meV_atom" not in row["details"]
    assert 100.0 < row["details"]["mean_temperature_K"] < 1500.0
