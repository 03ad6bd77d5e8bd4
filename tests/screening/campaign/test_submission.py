"""States that are true: how a job ended is recorded with its cause, and all verbs agree on it."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

import campaigns
from ionsieve.cli.campaign_text import submitted_lines
from ionsieve.data.atomic import file_lock
from ionsieve.data.errors import InputError
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.status import report, status
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.campaign.submission import submit
from ionsieve.screening.engines.md import LOCK
from ionsieve.screening.engines.scripts import START_LOCK

FREE_FLIGHT = Path(__file__).parents[2] / "free_flight.py"


def one_job(folder: Path, engine: str) -> str:
    """A campaign of one job, with the entry of a model."""
    name = campaigns.one_job(folder, engine, campaigns.small_plan())
    with CampaignStore(folder) as store, store.transaction() as t:
        t.add_model("models/000", "embedded", {"n_labels": 0, "n_campaign_labels": 0})
    return name


class Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data


def check_all_agree(folder: Path, name: str, state: str, words: str) -> None:
    """status, collect and the page say the same; and once more after that."""
    for _ in range(2):
        seen = status(folder)["open_jobs"][name]
        assert (seen["state"], words in seen["why"]) == (state, True), seen
        found = collect(folder)
        assert words in getattr(found, state)[name]
        assert (found.failed, found.results, found.waiting) == ({}, {}, ())
        report(folder)
        page = Text((folder / "report" / "report.html").read_text("utf-8")).text
        assert state in page
        assert words in page
    with CampaignStore(folder) as store:
        events = [h["event"] for h in store.history() if h["subject"] == name]
    # Told once, however often it is looked at.
    assert events.count(state) == 1


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str, Path]:
    monkeypatch.delenv("IONSIEVE_VASP", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    name = one_job(tmp_path / "c", "vasp")
    return tmp_path / "c", name, tmp_path / "c" / "jobs" / name


def test_a_missing_pseudopotential_blocks(study) -> None:
    folder, name, where = study
    assert submit(folder, command="sh {script} || true").ready == (name,)
    check_all_agree(folder, name, "blocked", "no POTCAR: make it from the data sets")
    assert (where / "exit_code").read_text() == "78\n"


def test_a_missing_program_blocks_and_goes_on_once_it_is_there(study, monkeypatch) -> None:
    folder, name, where = study
    with pytest.raises(InputError, match=r"no job was run: vasp: 'vasp_gam' is not on this"):
        submit(folder, run=True)
    assert status(folder)["jobs"] == {"ready": 1}
    (where / "POTCAR").write_text("the user's\n")
    submit(folder, command="sh {script} || true")
    check_all_agree(folder, name, "blocked", "vasp_gam was not found on")
    monkeypatch.setenv("IONSIEVE_VASP", f"{sys.executable} {FREE_FLIGHT}")
    assert submit(folder, run=True).ran == {name: 0}
    assert collect(folder).results == {name: "too_short"}


def test_a_job_that_runs_already_is_left_alone_and_named(study, monkeypatch) -> None:
    folder, name, where = study
    (where / "POTCAR").write_text("the user's\n")
    monkeypatch.setenv("IONSIEVE_VASP", f"{sys.executable} {FREE_FLIGHT}")
    with file_lock(where / LOCK, wait=False) as mine:
        assert mine
        done = submit(folder, run=True)
    assert (done.ran, done.running) == ({}, (name,))
    said = "\n".join(submitted_lines(folder, done, True, None))
    assert f"{name}: left alone, a process here runs it already" in said
    assert submit(folder, run=True).ran == {name: 0}


def test_a_job_that_still_loads_its_program_runs(study) -> None:
    """A Python job takes its own lock after its imports; its script holds another before."""
    folder, name, where = study
    submit(folder, command="true")
    with file_lock(where / START_LOCK, wait=False) as mine:
        assert mine
        assert status(folder)["open_jobs"][name]["state"] == "running"
    assert status(folder)["open_jobs"][name]["state"] != "running"


def test_data_sets_are_put_together_from_their_folder(study, tmp_path: Path, monkeypatch) -> None:
    folder, name, where = study
    monkeypatch.setenv("IONSIEVE_VASP", f"{sys.executable} {FREE_FLIGHT}")
    monkeypatch.setenv("IONSIEVE_POTCARS", str(tmp_path / "potcars"))
    names = (where / "POTCAR.spec").read_text().split()
    for one in names[:1]:
        (tmp_path / "potcars" / one).mkdir(parents=True)
        (tmp_path / "potcars" / one / "POTCAR").write_text(f"{one}\n")
    blocked = submit(folder, run=True).blocked
    assert f"no POTCAR of {names[1]} in" in blocked[name]
    assert not (where / "POTCAR").exists()
    (tmp_path / "potcars" / names[1]).mkdir()
    (tmp_path / "potcars" / names[1] / "POTCAR").write_text(f"{names[1]}\n")
    assert submit(folder, run=True).ran == {name: 0}
    assert (where / "POTCAR").read_text().split() == names


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_walltime_signal_reaches_the_program_and_is_told(study, monkeypatch, number) -> None:
    folder, name, where = study
    (where / "POTCAR").write_text("the user's\n")
    slow = folder / "slow"
    slow.write_text("#!/bin/sh\ntrap 'echo ended > ended; exit 1' TERM\necho > up\n"
                    "while :; do sleep 0.05; done\n")  # fmt: skip
    slow.chmod(0o755)
    environment = {**os.environ, "IONSIEVE_VASP": str(slow)}
    submit(folder, command="true")
    running = subprocess.Popen(["sh", "job.sh"], cwd=where, env=environment, start_new_session=True)
    while not (where / "up").exists():
        assert running.poll() is None
        time.sleep(0.02)
    assert status(folder)["open_jobs"][name]["state"] == "running"
    running.send_signal(number)
    assert running.wait(timeout=60) in (143, 130)
    # The program was told, and given the time to end.
    assert (where / "ended").exists()
    check_all_agree(folder, name, "interrupted", "ended by signal 15 (SIGTERM)")
    monkeypatch.setenv("IONSIEVE_VASP", f"{sys.executable} {FREE_FLIGHT}")
    assert submit(folder, run=True).ran == {name: 0}


def test_a_crash_is_a_failure_the_moment_it_happens(study, monkeypatch, tmp_path: Path) -> None:
    folder, name, where = study
    (where / "POTCAR").write_text("the user's\n")
    crash = tmp_path / "crash"
    crash.write_text("#!/bin/sh\necho 'lost my mind' >&2\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setenv("IONSIEVE_VASP", str(crash))
    ended = submit(folder, run=True, limit=1)
    assert ended.failed == {name: "vasp crashed (SIGSEGV) after 0 steps: Segmentation fault"}
    assert status(folder)["failures"] == ended.failed
    with CampaignStore(folder) as store:
        assert [j.attempt for j in store.jobs("proposed")] == [2]


def test_an_absent_gpaw_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = one_job(tmp_path / "c", "gpaw")
    find = importlib.util.find_spec
    absent = lambda package: None if package == "gpaw" else find(package)  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", absent)
        with pytest.raises(InputError, match="no job was run: gpaw is not installed: 'make gpaw'"):
            submit(tmp_path / "c", run=True)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("IONSIEVE_PYTHON", str(python))
    submit(tmp_path / "c", command="sh {script} || true")
    check_all_agree(tmp_path / "c", name, "blocked", "set IONSIEVE_PYTHON to the interpreter that")
