"""Ending early: only on grounds that hold, and the hours that it saves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import campaigns
from ionsieve.data.records import StructureRecord
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.early import shown_enough, stop_what_has_shown_enough
from ionsieve.screening.campaign.records import Result
from ionsieve.screening.campaign.status import status
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.jobs.plan import AimdPlan

SETTINGS = campaigns.CampaignSettings(engine="vasp")


def plan(**changes) -> AimdPlan:
    crystal = StructureRecord.ordered(
        "LiCl", 5.13 * np.eye(3), ["Li"] * 4 + ["Cl"] * 4,
        [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0],
         [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    )  # fmt: skip
    fields = {
        "record": crystal, "mobile": "Li", "temperature_K": 1000.0, "time_step_fs": 2.0,
        "n_steps": 35_000, "equilibration_ps": 10.0, "frame_every": 10, "moments": (0.0,) * 8,
        "n_electrons": 40.0, "seed": 0,
    }  # fmt: skip
    return AimdPlan(**(fields | changes))


def result(verdict: str, produced_ps: float, error: float | None = None) -> Result:
    label = None if error is None else {"error_log10": error}
    details = {"production_ps": produced_ps, "n_steps": 20_000}
    return Result(job_id="a", complete=False, verdict=verdict, label=label, details=details)


@pytest.mark.parametrize(
    ("verdict", "produced_ps", "error", "why"),
    [
        ("diffusive", 40.0, 0.08, "diffusion is known within 0.08 decades after 40.0 ps"),
        ("diffusive", 40.0, 0.2, ""),
        ("diffusive", 20.0, 0.05, ""),
        ("confined", 40.0, None, "the mobile ions are bound after 40.0 ps"),
        ("confined", 20.0, None, ""),
        ("molten", 5.0, None, "the host has melted within 5.0 ps"),
        ("too_short", 59.0, None, ""),
    ],
)
def test_a_run_ends_on_grounds_that_hold(verdict, produced_ps, error, why: str) -> None:
    assert shown_enough(result(verdict, produced_ps, error), plan(), SETTINGS).startswith(why)
    never = replace(SETTINGS, protocol=replace(SETTINGS.protocol, stop_early=False))
    assert shown_enough(result(verdict, produced_ps, error), plan(), never) == ""


@pytest.mark.parametrize(
    ("engine", "file"),
    [("vasp", "STOPCAR"), ("cp2k", "EXIT"), ("espresso", "out/run.EXIT"), ("gpaw", "stop")],
)
def test_every_engine_is_asked_in_its_own_way(engine: str, file: str, tmp_path: Path) -> None:
    found = result("molten", 5.0)
    assert stop_what_has_shown_enough(ENGINES[engine], plan(), tmp_path, found, SETTINGS)
    assert (tmp_path / file).exists()
    told = json.loads((tmp_path / "stop.json").read_text())
    assert (told["n_steps"], "melted" in told["reason"]) == (20_000, True)


def test_a_melt_under_way_is_ended_and_its_hours_are_counted(tmp_path: Path) -> None:
    """Frames of a run in VASP's format in which everything flows; half of the steps are done."""
    own = plan(n_steps=4_000, equilibration_ps=0.5, frame_every=1)
    name = campaigns.one_job(tmp_path / "c", "vasp", own)
    where = tmp_path / "c" / "jobs" / name
    rng = np.random.default_rng(0)
    n_frames = 2_000
    walk = own.record.frac + np.cumsum(rng.normal(scale=0.01, size=(n_frames, 8, 3)), axis=0)
    head = (where / "POSCAR").read_text().splitlines()[:7]
    order = np.argsort([c[0].element for c in own.record.species], kind="stable")
    text = "\n".join(head) + "\n"
    for number, frame in enumerate(walk[:, order] % 1.0, 1):
        text += f"Direct configuration={number:6d}\n"
        text += "".join("".join(f"{x:12.8f}" for x in row) + "\n" for row in frame)
    (where / "XDATCAR").write_text(text)
    loop = "  kin. lattice  EKIN_LAT= 0.0  (temperature 1000.00 K)\n"
    loop += "  total energy   ETOTAL = -9.0 eV\n"
    loop += " aborting loop because EDIFF is reached\n     LOOP+:  cpu time 9.0: real time 9.0\n"
    (where / "OUTCAR").write_text(" running    2 mpi-ranks, with\n" + loop * n_frames)
    (where / "started").write_text("now\n")
    with CampaignStore(tmp_path / "c") as store, store.transaction() as t:
        t.move_job(name, "ready", "submitted")
        t.add_model("models/000", "embedded", {"n_labels": 0, "n_campaign_labels": 0})
    found = collect(tmp_path / "c")
    assert found.results == {name: "molten"}
    assert "the host has melted within" in found.stopped_early[name]
    assert (where / "STOPCAR").exists()
    # VASP ends after its step, with whole files.
    with (where / "OUTCAR").open("a") as out:
        out.write(" General timing and accounting informations for this job:\n")
    (where / "exit_code").write_text("0\n")
    found = collect(tmp_path / "c")
    # 2,000 steps of 9 s on 2 cores were not run.
    assert found.saved_core_hours == pytest.approx(2_000 * 18.0 / 3600.0, rel=0.01)
    assert status(tmp_path / "c")["saved_core_hours"] == found.saved_core_hours
    with CampaignStore(tmp_path / "c") as store:
        (job,) = [j for j in store.jobs() if j.id == name]
    assert job.state == "done"
