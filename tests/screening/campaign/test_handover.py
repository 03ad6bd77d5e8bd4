"""A stranger's campaign: only what this program would write is run; nothing leaves its folder."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import campaigns
from ionsieve.data.errors import InputError
from ionsieve.screening.campaign.access import open_campaign
from ionsieve.screening.campaign.export import export_flow
from ionsieve.screening.campaign.folders import write_job_folders
from ionsieve.screening.campaign.handover import check_handover
from ionsieve.screening.campaign.store import DATABASE, CampaignStore
from ionsieve.screening.campaign.submission import submit
from ionsieve.screening.jobs.plan import AimdPlan, relaxation_of
from ionsieve.screening.jobs.protocol import RelaxationSettings

COMPARED = {
    "gpaw": ["job.sh", "plan.json"],
    "cp2k": ["job.sh", "plan.json", "cp2k.inp"],
    "vasp": ["job.sh", "plan.json", "POTCAR.spec"],
    "espresso": ["job.sh", "plan.json", "pw.in", "moments.txt"],
}


@pytest.fixture(params=sorted(COMPARED))
def study(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path, str]:
    name = campaigns.one_job(tmp_path / "c", request.param, campaigns.small_plan())
    return tmp_path / "c", tmp_path / "c" / "jobs" / name, request.param


def check_all(folder: Path) -> None:
    store, settings = open_campaign(folder)
    with store:
        for job in store.jobs():
            check_handover(folder, job, settings)


def test_what_was_written_may_run_and_what_is_missing_is_written(study) -> None:
    folder, where, engine = study
    written = {name: (where / name).read_bytes() for name in COMPARED[engine]}
    check_all(folder)
    for name in written:
        (where / name).unlink()
    check_all(folder)
    assert {name: (where / name).read_bytes() for name in written} == written


def test_a_changed_script_or_input_is_not_run(study, tmp_path: Path) -> None:
    folder, where, engine = study
    for name in COMPARED[engine]:
        own = (where / name).read_text()
        (where / name).write_text(f"{own}\ntouch {tmp_path}/harm\n")
        for hand_over in (
            lambda: submit(folder), lambda: submit(folder, command="sh {script}"),
            lambda: check_all(folder),
        ):  # fmt: skip
            with pytest.raises(InputError, match=rf"{name}: not as this ionsieve writes it"):
                hand_over()
        (where / name).write_text(own)
    check_all(folder)
    assert not (tmp_path / "harm").exists()


def test_a_flow_does_not_run_it_either(tmp_path: Path) -> None:
    pytest.importorskip("jobflow")
    name = campaigns.one_job(tmp_path / "c", "vasp", campaigns.small_plan())
    (tmp_path / "c" / "jobs" / name / "job.sh").write_text("echo harm\n")
    with pytest.raises(InputError, match="not as this ionsieve writes it"):
        export_flow(tmp_path / "c", tmp_path / "flow.json")


def test_the_script_may_set_what_it_sets(tmp_path: Path) -> None:
    magnetic = campaigns.small_plan(moments=(1.0, 0.0))
    name = campaigns.one_job(tmp_path / "c", "espresso", magnetic)
    path = tmp_path / "c" / "jobs" / name / "pw.in"
    text = path.read_text()
    assert "starting_magnetization(1)" in text
    share = text.split("starting_magnetization(1) = ")[1].split("\n")[0]
    path.write_text(text.replace(share, "0.123456"))
    check_all(tmp_path / "c")
    path.write_text(text.replace(share, "0.1, outdir = '/home'"))
    with pytest.raises(InputError, match="not as this ionsieve"):
        check_all(tmp_path / "c")


@pytest.mark.parametrize("name", ["job.err", "started", "cp2k.out", "segment.001", "pseudo"])
def test_links_lead_nowhere(tmp_path: Path, name: str) -> None:
    job = campaigns.one_job(tmp_path / "c", "cp2k", campaigns.small_plan())
    where = tmp_path / "c" / "jobs" / job
    (tmp_path / "precious").mkdir()
    (where / name).symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match="leads out of the campaign"):
        submit(tmp_path / "c")
    (where / name).unlink()
    (where / name).symlink_to(where / "cp2k.inp")
    submit(tmp_path / "c")


def test_pseudopotentials_may_be_links(tmp_path: Path) -> None:
    job = campaigns.one_job(tmp_path / "c", "vasp", campaigns.small_plan())
    where = tmp_path / "c" / "jobs" / job
    (where / "POTCAR").symlink_to(tmp_path / "potcar")
    with pytest.raises(InputError, match="leads out of the campaign"):
        check_all(tmp_path / "c")
    (tmp_path / "potcar").write_text("PAW\n")
    check_all(tmp_path / "c")


def set_plan(folder: Path, **changes: Any) -> None:
    with sqlite3.connect(folder / DATABASE) as connection:
        (text,) = connection.execute("SELECT plan FROM jobs").fetchone()
        content = {**json.loads(text), **changes}
        connection.execute("UPDATE jobs SET plan = ?", (json.dumps(content),))
        connection.execute("UPDATE jobs SET state = 'proposed'")
    connection.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_steps", "5\ntouch harm\n"), ("n_steps", 2.5), ("n_steps", True), ("n_steps", -1),
        ("temperature_K", "800\n"), ("temperature_K", None), ("time_step_fs", [1]),
        ("frame_every", 0), ("seed", "x"), ("mobile", "Li\n"), ("mobile", ["Li"]),
        ("moments", ["1\n"]), ("engine_settings", {"cutoff_eV": "1 | touch harm"}),
        ("engine_settings", {"ALGO": "Fast\nSYSTEM = x"}), ("engine_settings", {"a b": 1}),
        ("engine_settings", 3), ("record", {}), ("record", None), ("surplus", 1), ("notes", 5),
    ],
)  # fmt: skip
def test_a_plan_of_texts_where_numbers_belong(tmp_path: Path, name: str, value: Any) -> None:
    campaigns.one_job(tmp_path / "c", "vasp", campaigns.small_plan())
    set_plan(tmp_path / "c", **{name: value})
    store, settings = open_campaign(tmp_path / "c")
    with store, pytest.raises(InputError, match=r"a plan .*damaged") as error:
        write_job_folders(store, settings)
    assert "\n" not in str(error.value)


def test_a_relaxation_of_texts(tmp_path: Path) -> None:
    relaxation = relaxation_of(campaigns.small_plan(), RelaxationSettings())
    own = dict(RelaxationSettings().__dict__)
    for changed in (
        {"max_steps": "1; touch harm"},
        {"by": "os:abort"},
        {"force_eV_A": "x"},
        {"y": 1},
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        campaigns.one_job(folder, "vasp", relaxation)
        set_plan(folder, settings=own | changed)
        store, settings = open_campaign(folder)
        with store, pytest.raises(InputError):
            write_job_folders(store, settings)


def test_no_module_of_the_folder_is_imported(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("gpaw")
    name = campaigns.one_job(tmp_path / "c", "gpaw", campaigns.small_plan())
    where = tmp_path / "c" / "jobs" / name
    for module in ("ase", "ionsieve", "json", "gpaw"):
        (where / f"{module}.py").write_text(f"open('{tmp_path}/harm', 'w')\n")
    (where / "stop").write_text("")
    with CampaignStore(tmp_path / "c") as store:
        assert AimdPlan.from_dict(store.jobs()[0].plan).n_steps == 20
    # Ends at its first checkpoint, as it is asked to stop.
    submit(tmp_path / "c", run=True)
    assert not (tmp_path / "harm").exists()
