"""kill -9 before every durable effect and at many lines of every verb; then the verb again.

After each kill the verb is called once more and everything in the database, and every file of the
job folders, must be what an undisturbed run gives: no job twice, no label lost, no event repeated.
"""

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import campaigns
from ionsieve.data.atomic import file_lock
from ionsieve.screening.campaign import collection, folders, submission
from ionsieve.screening.campaign import loop as campaign
from ionsieve.screening.campaign import setup as campaign_setup
from ionsieve.screening.campaign.setup import init_campaign
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.engines.registry import ENGINES


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    campaigns.quick(monkeypatch, campaign)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The campaign before each verb."""
    base = tmp_path_factory.mktemp("kills")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "walk", campaigns.walk_engine())
        patch.setattr(campaign_setup, "embedded_model", campaigns.light_model)
        campaigns.quick(patch, campaign)
        cifs = campaigns.write_cifs(base / "cifs")
        init_campaign(base / "work", [cifs], campaigns.settings())
        found = {}
        for name, verb in VERBS.items():
            found[name] = Path(shutil.copytree(base / "work", base / name))
            verb(base / "work")
    return found


VERBS: dict[str, Callable[[Path], object]] = {
    "propose": campaign.propose,
    "submit": lambda folder: submission.submit(folder, run=True),
    "collect": collection.collect,
    "retrain": campaign.retrain,
}


def in_child(work: Callable[[], object]) -> bool:
    """Run in a fork; True if it was killed, False if it came through."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()  # what went wrong there is said here
        os._exit(code)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_before_effect(number: int) -> None:
    """Arm this process: it dies before its n-th commit, atomic write, rename or subprocess."""
    left = [number]

    def counted(function: Callable) -> Callable:
        def wrapper(*args: object, **kwargs: object) -> object:
            if left[0] == 0:
                die()
            left[0] -= 1
            return function(*args, **kwargs)

        return wrapper

    connect = sys.modules["ionsieve.screening.campaign.store"]._connect

    class Connection:
        def __init__(self, path: Path) -> None:
            self.real = connect(path)
            self.close = self.real.close
            self.commit = counted(lambda: self.real.execute("COMMIT"))

        def execute(self, statement: str, *rest: object) -> object:
            return self.commit() if statement == "COMMIT" else self.real.execute(statement, *rest)

    sys.modules["ionsieve.screening.campaign.store"]._connect = Connection
    for name in ("write_json_atomic", "write_text_atomic"):
        setattr(folders, name, counted(getattr(folders, name)))
    Path.rename = counted(Path.rename)
    submission.subprocess.Popen = counted(submission.subprocess.Popen)


def kill_at_line(number: int) -> None:
    """Arm this process: it dies at its n-th line in the campaign's modules."""
    left = [number]

    def trace(frame, event, _):
        if "screening/campaign" not in frame.f_code.co_filename:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                die()
        return trace

    sys.settrace(trace)


def files(folder: Path) -> dict[str, bytes]:
    names = ("plan.json", "job.sh", "frames.jsonl")
    found = [p for p in folder.rglob("*") if p.name in names]
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def settle(folder: Path) -> None:
    """Wait for a job whose parent was killed: its lock says when it has ended."""
    for lock in folder.glob("jobs/*/.lock"):
        with file_lock(lock, wait=True):
            pass


def state(folder: Path) -> tuple[object, object]:
    return campaigns.fingerprint(folder), files(folder)


@pytest.fixture(scope="module")
def expected(stages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory):
    def make(verb: str) -> tuple[object, object]:
        folder = tmp_path_factory.mktemp("expected") / "c"
        shutil.copytree(stages[verb], folder)
        VERBS[verb](folder)
        return state(folder)

    return dict.fromkeys(VERBS) | {"make": make}


def survives(verb: str, source: Path, folder: Path, arm: Callable[[], None], wanted) -> bool:
    """Kill, call again, compare; False once the verb came through without dying."""
    shutil.copytree(source, folder)

    def work() -> None:
        arm()
        VERBS[verb](folder)

    killed = in_child(work)
    settle(folder)
    VERBS[verb](folder)
    found = state(folder)
    for own, expected_part in zip(found, wanted, strict=True):
        for name in own:
            assert own[name] == expected_part[name], name
    assert found == wanted
    shutil.rmtree(folder)
    return killed


@pytest.mark.parametrize("verb", list(VERBS))
def test_killed_before_every_effect(verb: str, stages, expected, tmp_path: Path) -> None:
    wanted = expected["make"](verb)
    number = 0
    while survives(
        verb, stages[verb], tmp_path / "c", lambda n=number: kill_before_effect(n), wanted
    ):
        number += 1
    # Every verb has several effects; each was a place to die.
    assert number >= {"propose": 7, "submit": 5, "collect": 4, "retrain": 2}[verb]


@pytest.mark.parametrize("verb", list(VERBS))
def test_killed_at_lines_throughout(verb: str, stages, expected, tmp_path: Path) -> None:
    wanted = expected["make"](verb)
    rng = np.random.default_rng(0)
    died = 0
    for number in sorted({int(10**x) for x in rng.uniform(0.3, 3.3, 12)}):
        died += survives(
            verb, stages[verb], tmp_path / "c", lambda n=number: kill_at_line(n), wanted
        )
    # A submission has fewer lines of its own than the largest of these numbers.
    assert died >= 4


def test_killed_during_init_leaves_no_half_campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_setup, "_write_tables", lambda *_: die())
    monkeypatch.setattr(campaign_setup, "embedded_model", lambda *_, **__: None)
    cifs = campaigns.write_cifs(tmp_path / "cifs")
    assert in_child(lambda: init_campaign(tmp_path / "c", [cifs], campaigns.settings()))
    assert not (tmp_path / "c").exists()
    monkeypatch.undo()
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    monkeypatch.setattr(campaign_setup, "embedded_model", campaigns.light_model)
    init_campaign(tmp_path / "c", [cifs], campaigns.settings())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "cifs"]


def test_two_processes_collect_once(stages, expected, tmp_path: Path) -> None:
    wanted = expected["make"]("collect")
    shutil.copytree(stages["collect"], tmp_path / "c")
    pids = []
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                collection.collect(tmp_path / "c")
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    assert state(tmp_path / "c") == wanted


def test_two_processes_propose_one_round(stages, tmp_path: Path) -> None:
    shutil.copytree(stages["propose"], tmp_path / "c")
    for pid in [os.fork() or _propose_and_leave(tmp_path / "c") for _ in range(2)]:
        os.waitpid(pid, 0)
    with CampaignStore(tmp_path / "c") as store:
        assert len(store.rounds()) == 1


def _propose_and_leave(folder: Path) -> int:
    with suppress(BaseException):
        campaign.propose(folder)
    os._exit(0)
