"""The loop on small crystals with a walking engine: every verb, follow-ups, failures, moving."""

import json
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

import campaigns
from ionsieve.data.atomic import file_lock
from ionsieve.data.errors import InputError
from ionsieve.screening.campaign import setup as campaign_setup
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.loop import propose, retrain, stop
from ionsieve.screening.campaign.settings import CampaignSettings
from ionsieve.screening.campaign.setup import init_campaign
from ionsieve.screening.campaign.status import report, status
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.campaign.submission import submit
from ionsieve.screening.engines.registry import ENGINES


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign right after init."""
    base = tmp_path_factory.mktemp("campaign")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "walk", campaigns.walk_engine())
        patch.setattr(campaign_setup, "embedded_model", campaigns.light_model)
        cifs = campaigns.write_cifs(base / "cifs")
        counts = init_campaign(base / "fresh", [cifs], campaigns.settings())
    assert counts == {"candidates": 4, "quarantined": 0, "known": 0}
    return base / "fresh"


@pytest.fixture
def folder(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    shutil.copytree(fresh, tmp_path / "study")
    return tmp_path / "study"


def jobs_of(folder: Path, *states):
    with CampaignStore(folder) as store:
        return store.jobs(*states)


def test_folder_in_use_is_left_alone(fresh: Path) -> None:
    with pytest.raises(InputError, match="already"):
        init_campaign(fresh, [], CampaignSettings())


def test_init_without_candidates_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.cif").write_text("no structure\n")
    with pytest.raises(InputError):
        init_campaign(tmp_path / "new", [tmp_path / "bad.cif"], CampaignSettings())
    assert [p.name for p in tmp_path.iterdir()] == ["bad.cif"]


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(InputError, match="batchsize"):
        CampaignSettings.from_dict({"batchsize": 3})
    with pytest.raises(InputError, match="engine 'abinit'"):
        CampaignSettings.from_dict({"engine": "abinit"})


def test_proposing_twice_buys_once(folder: Path) -> None:
    first, second = propose(folder), propose(folder)
    assert first.new
    assert not second.new
    assert first.jobs == second.jobs
    assert len(jobs_of(folder)) == 2


def test_job_folders_are_complete_and_carry_no_machine_paths(folder: Path) -> None:
    for name in propose(folder).jobs:
        content = json.loads((folder / "jobs" / name / "plan.json").read_text())
        assert content["engine"] == "walk"
        script = (folder / "jobs" / name / "job.sh").read_text()
        assert str(folder) not in script
        assert "flock" in script


def test_one_turn_of_the_loop(folder: Path) -> None:
    propose(folder)
    ran = submit(folder, run=True).ran
    assert list(ran.values()) == [0, 0]
    found = collect(folder)
    assert set(found.results.values()) == {"diffusive"}
    # Diffusive at 1000 K: a second temperature is planned, cooler.
    assert {j.temperature_K for j in jobs_of(folder, "ready")} == {800.0}
    again = collect(folder)
    assert again.results == {}
    trained = retrain(folder)
    assert trained.new
    assert trained.n_campaign_labels == 2
    assert not retrain(folder).new
    submit(folder, run=True)
    collect(folder)
    with CampaignStore(folder) as store:
        assert sum(c.closed is not None for c in store.candidates()) == 2
        labels = [r.label for r in store.results()]
    assert len({(x["structure_id"], x["temperature_K"]) for x in labels}) == 4
    assert propose(folder).new


def test_label_is_that_of_the_walk(folder: Path) -> None:
    propose(folder, size=1)
    submit(folder, run=True)
    collect(folder)
    with CampaignStore(folder) as store:
        label = store.results()[0].label
        plan = store.jobs()[0].plan
    # D = h²/(2 Δt) for a step of variance h² in each direction every Δt = 100 fs.
    from ionsieve.data.units import nernst_einstein_sigma_S_cm
    from ionsieve.screening.jobs.structure_json import record_from_dict

    record = record_from_dict(plan["record"])
    diffusivity_cm2_s = 0.4**2 / (2 * 100.0) * 0.1
    expected = nernst_einstein_sigma_S_cm(
        diffusivity_cm2_s, record.composition["Li"] / record.volume_A3, 1.0, 1000.0
    )
    assert label["kind"] == "aimd"
    assert label["value"] == pytest.approx(expected, rel=0.6)


def test_rattling_ions_are_bounded_and_extended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine(hop_A=0.003))
    propose(folder, size=1)
    submit(folder, run=True)
    verdict = next(iter(collect(folder).results.values()))
    assert verdict in ("too_short", "confined")
    if verdict == "too_short":
        job = jobs_of(folder, "ready")[0]
        # 1 ps equilibration and twice 20 ps of production, 2 fs a step.
        assert job.plan["n_steps"] == 20_500
        submit(folder, run=True)
        collect(folder)
    with CampaignStore(folder) as store:
        labels = [r.label for r in store.results() if r.label]
    assert all(label["value"] is None for label in labels)


def test_failures_are_retried_with_another_plan_then_closed(folder: Path) -> None:
    name = propose(folder, size=1).jobs[0]
    (folder / "jobs" / name / "fail-once").touch()
    ended = submit(folder, run=True)
    # Recorded with its cause the moment it happens; to be collected there is nothing left.
    assert (ended.ran, ended.failed) == ({name: 1}, {name: "SCF did not converge"})
    assert status(folder)["failures"] == {name: "SCF did not converge"}
    assert collect(folder).failed == {}
    retry = jobs_of(folder, "ready")[0]
    assert retry.id == f"{name}-attempt2"
    assert retry.plan["engine_settings"]["mixing"] == 0.02
    for attempt in (2, 3):
        (folder / "jobs" / f"{name}-attempt{attempt}" / "fail-once").touch()
        submit(folder, run=True)
        found = collect(folder)
    assert found.follow_up == {retry.candidate_id: "close: every attempt failed"}
    assert jobs_of(folder, "ready") == []


def test_partial_results_are_replaced_by_complete_ones(folder: Path) -> None:
    name = propose(folder, size=1).jobs[0]
    submit(folder, run=True)
    where = folder / "jobs" / name
    lines = (where / "frames.jsonl").read_text().splitlines(keepends=True)
    checkpoint = (where / "checkpoint.npz").read_bytes()
    (where / "checkpoint.npz").unlink()
    # Half of the run, the last line torn.
    (where / "frames.jsonl").write_text("".join(lines[: len(lines) // 2]) + lines[-1][:40])
    collect(folder)
    with CampaignStore(folder) as store:
        partial = store.results()[0]
    assert not partial.complete
    assert status(folder)["open_jobs"][name]["state"] == "interrupted"
    (where / "frames.jsonl").write_text("".join(lines))
    (where / "checkpoint.npz").write_bytes(checkpoint)
    collect(folder)
    with CampaignStore(folder) as store:
        (complete,) = store.results()
    assert complete.complete
    assert complete.details["n_frames"] > partial.details["n_frames"]


def test_a_trajectory_of_ones_own_is_collected(folder: Path) -> None:
    from ase import Atoms
    from ase.io import write

    name = propose(folder, size=1).jobs[0]
    plan = jobs_of(folder)[0].plan
    (folder / "jobs" / name / "trajectory.extxyz").write_text("")
    elements = [site[0][0] for site in plan["record"]["species"]]
    crystal = Atoms(elements, scaled_positions=plan["record"]["frac"],
                    cell=plan["record"]["lattice_A"], pbc=True)  # fmt: skip
    write(folder / "jobs" / name / "trajectory.extxyz", [crystal] * 30, format="extxyz")
    assert list(collect(folder).results) == [name]
    with CampaignStore(folder) as store:
        assert not store.results()[0].complete


def test_a_foreign_trajectory_is_refused(folder: Path) -> None:
    from ase import Atoms
    from ase.io import write

    name = propose(folder, size=1).jobs[0]
    foreign = Atoms("Na2", positions=[[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    write(folder / "jobs" / name / "trajectory.extxyz", [foreign] * 9, format="extxyz")
    found = collect(folder)
    assert "not those of the plan" in found.refused[name]
    # A slip of the user's costs no attempt.
    assert found.failed == {}
    assert [j.state for j in jobs_of(folder)] == ["ready"]


def test_scheduler_array_runs_every_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONSIEVE_PYTHON", sys.executable)
    names = propose(folder).jobs
    loop = "for i in 1 2; do SLURM_ARRAY_TASK_ID=$i sh {script} || exit 1; done"
    submit(folder, command=loop)
    listed = [p.read_text().split() for p in folder.glob("arrays/*/jobs.txt")]
    assert listed == [list(names)]
    assert [j.state for j in jobs_of(folder)] == ["submitted"] * 2
    # Handing over again finds nothing to hand over.
    submit(folder, command="exit 9 # {script}")
    assert set(collect(folder).results) == set(names)


def test_jobs_cut_off_are_handed_over_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONSIEVE_PYTHON", sys.executable)
    propose(folder, size=1)
    submit(folder, command="true # {script}")
    submit(folder, command="exit 9 # {script}")
    assert collect(folder).results == {}
    submit(folder, command="sh {script}", again=True)
    assert len(collect(folder).results) == 1


def test_refused_submission_can_be_repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IONSIEVE_PYTHON", sys.executable)
    propose(folder, size=1)
    with pytest.raises(InputError, match="status 3"):
        submit(folder, command="exit 3 # {script}")
    submit(folder, command="sh {script}")
    assert len(collect(folder).results) == 1


def test_running_jobs_are_left_alone(folder: Path) -> None:
    name = propose(folder, size=1).jobs[0]
    with file_lock(folder / "jobs" / name / ".lock", wait=False):
        assert status(folder)["open_jobs"][name]["state"] == "running"
        assert submit(folder, run=True).ran == {}


def test_demonstration_labels_are_not_trained_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = campaigns.settings()
    changed = replace(changed, protocol=replace(changed.protocol, demonstration=True))
    with CampaignStore(folder) as store, store.transaction() as t:
        t.add_settings(changed.as_dict())
    propose(folder, size=1)
    submit(folder, run=True)
    collect(folder)
    assert retrain(folder).n_campaign_labels == 0
    assert retrain(folder, with_demonstration=True).n_campaign_labels == 1


def test_stopped_campaign_proposes_nothing(folder: Path) -> None:
    stop(folder, "enough")
    with pytest.raises(InputError, match="enough"):
        propose(folder)
    stop(folder, "more money", undo=True)
    assert propose(folder).new


def test_stop_rule_is_kept_in_the_history(folder: Path) -> None:
    with CampaignStore(folder) as store, store.transaction() as t:
        t.add_settings({"minimum_gain_decades": 50.0, "minimum_hits": 50.0})
    found = propose(folder)
    assert found.round is None
    assert found.decision.stop
    with CampaignStore(folder) as store:
        assert store.history()[-1]["event"] == "stop_rule"
    assert propose(folder, anyway=True).new


def test_campaign_moved_elsewhere_continues(folder: Path) -> None:
    propose(folder)
    submit(folder, run=True, limit=1)
    moved = folder.parent / "another" / "place"
    moved.parent.mkdir()
    shutil.move(folder, moved)
    submit(moved, run=True)
    assert len(collect(moved).results) == 2


def test_cost_is_learnt_from_finished_jobs(folder: Path) -> None:
    propose(folder)
    submit(folder, run=True)
    collect(folder)
    facts = report(folder)
    assert facts["cost_model"]["n_jobs"] == 2
    # The walk claims 2 core seconds for each of its 10,500 steps.
    assert facts["core_hours_spent"] == pytest.approx(2 * 2.0 * 10_500 / 3600)


def test_report_tables_agree_with_the_store(folder: Path) -> None:
    propose(folder)
    submit(folder, run=True)
    collect(folder)
    report(folder)
    jobs = pd.read_csv(folder / "report" / "jobs.csv")
    labels = pd.read_csv(folder / "report" / "labels.csv")
    assert (jobs["state"] == "done").sum() == 2
    assert len(labels) == 2
    page = (folder / "report" / "report.html").read_text()
    assert "Round 1" in page
    assert all(f">{name}</td>" in page for name in jobs["job"])


def own_trajectory(folder: Path, name: str, n_frames: int) -> None:
    """A rattling run of the job's cell, as a user would put it into the job's folder."""
    from ase import Atoms
    from ase.io import write

    record = next(j for j in jobs_of(folder) if j.id == name).plan["record"]
    elements = [site[0][0] for site in record["species"]]
    cell = record["lattice_A"]
    crystal = Atoms(elements, scaled_positions=record["frac"], cell=cell, pbc=True)
    frames = []
    for seed in range(n_frames):
        frames.append(crystal.copy())
        frames[-1].rattle(0.05, seed=seed)
    write(folder / "jobs" / name / "trajectory.extxyz", frames, format="extxyz")


def test_a_run_that_ends_early_can_be_accepted(folder: Path) -> None:
    name = propose(folder, size=1).jobs[0]
    own_trajectory(folder, name, 30)
    collect(folder)
    assert status(folder)["open_jobs"][name]["verdict"] == "too_short"
    found = collect(folder, finish=[name])
    # Too short, but there will be no more of it: hotter instead of longer.
    (step,) = found.follow_up.values()
    assert step == "add 1200 K: no diffusion at 1000 K"
    assert [j.state for j in jobs_of(folder) if j.id == name] == ["done"]


def test_a_whole_run_without_its_start_is_complete(folder: Path) -> None:
    name = propose(folder, size=1).jobs[0]
    plan = jobs_of(folder)[0].plan
    # VASP writes its first frame after the first steps, not before.
    own_trajectory(folder, name, plan["n_steps"] // plan["frame_every"])
    collect(folder)
    with CampaignStore(folder) as store:
        assert store.results()[0].complete


@pytest.mark.parametrize("name", ["no-such-job", "waiting"])
def test_only_what_has_run_can_be_finished(folder: Path, name: str) -> None:
    job = propose(folder, size=1).jobs[0]
    with pytest.raises(InputError, match="no open job" if name == "no-such-job" else job):
        collect(folder, finish=[job if name == "waiting" else name])
    assert [j.state for j in jobs_of(folder)] == ["ready"]


def test_exhausted_pool_stops_and_not_before(folder: Path) -> None:
    """Four candidates, two a round: the rule holds when none is left, and lets the rest pass."""
    with CampaignStore(folder) as store, store.transaction() as t:
        protocol = replace(campaigns.settings().protocol, max_temperatures=1)
        t.add_settings({"protocol": asdict(protocol)})
    for number in (1, 2):
        found = propose(folder)
        assert (found.round, found.decision.stop) == (number, False)
        assert status(folder)["decision"]["largest_gain_decades"] > 0
        submit(folder, run=True)
        collect(folder)
    found = propose(folder)
    assert found.round is None
    assert found.decision.reason == "no candidate is left"
    assert status(folder)["decision"]["reason"] == "no candidate is left"
    with pytest.raises(InputError, match="no candidate is left"):
        propose(folder, anyway=True)


def test_proposing_before_retraining_is_noticed(folder: Path) -> None:
    assert propose(folder, size=1).notices == ()
    submit(folder, command="true # {script}")
    (notice,) = propose(folder, size=1).notices
    assert notice.startswith("1 jobs of earlier rounds")
    submit(folder, run=True)
    collect(folder)
    submit(folder, command="true # {script}")
    assert "newer than the model" in propose(folder, size=1).notices[0]


def test_round_keeps_why_each_was_chosen(folder: Path) -> None:
    found = propose(folder)
    assert [pick["candidate"] for pick in found.picks]
    for pick in found.picks:
        assert pick["reason"] in ("score", "out_of_domain_quota")
        assert pick["core_hours"] > 0
        assert pick["sd"] > 0
    # Asked again before they are submitted, the same is said again.
    assert propose(folder).picks == found.picks


def test_retraining_keeps_the_scores_before_and_after(folder: Path) -> None:
    propose(folder)
    submit(folder, run=True)
    collect(folder)
    trained = retrain(folder)
    for scores in (trained.held_out, trained.held_out_before):
        value, low, high = scores["leave_group_out"]["model"]["mae"]
        assert 0 < low <= value <= high
    assert trained.held_out != trained.held_out_before
