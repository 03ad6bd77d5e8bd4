"""The store: compare-and-set, append-only history, no label twice, safe against kills and twins."""

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ionsieve.data.atomic import file_lock
from ionsieve.data.errors import InputError
from ionsieve.screening.campaign.records import Candidate, Job, Result
from ionsieve.screening.campaign.store import CampaignStore


def candidate(name: str = "Li3N") -> Candidate:
    return Candidate(
        id=name, formula="Li3N", system="Li-N", record="{}", n_electrons=14.0, volume_A3=45.0
    )


def job(number: int = 0) -> Job:
    return Job(
        id=f"001-Li3N-{number}", candidate_id="Li3N", round=1, temperature_K=1000.0 + number,
        attempt=1, state="proposed", plan={"steps": 5}, reason="score",
    )  # fmt: skip


def result(complete: bool = True, value: float = 1e-3) -> Result:
    return Result(
        job_id="001-Li3N-0", complete=complete, verdict="diffusive", label={"value": value},
        details={"n_frames": 5},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CampaignStore]:
    made = CampaignStore.create(tmp_path, {"seed": 0}, [candidate()])
    with made.transaction() as t:
        t.add_round(0, {})
        for number in range(10):
            t.add_job(job(number))
    yield made
    made.close()


def test_folder_without_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no campaign here"):
        CampaignStore(tmp_path)


def test_campaign_is_not_overwritten(store: CampaignStore) -> None:
    with pytest.raises(InputError, match="already"):
        CampaignStore.create(store.folder, {}, [])


def test_newer_schema_is_refused(store: CampaignStore) -> None:
    with sqlite3.connect(store.folder / "campaign.sqlite") as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(InputError, match="99"):
        CampaignStore(store.folder)


def test_history_cannot_be_changed(store: CampaignStore) -> None:
    with sqlite3.connect(store.folder / "campaign.sqlite") as connection:
        for statement in ("DELETE FROM history", "UPDATE history SET event = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def test_a_change_and_its_history_come_together(store: CampaignStore) -> None:
    before = store.history()

    def fail() -> None:
        with store.transaction() as t:
            assert t.move_job("001-Li3N-0", "proposed", "ready")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert store.history() == before
    assert store.jobs("ready") == []


def test_job_moves_from_the_expected_state_only(store: CampaignStore) -> None:
    with store.transaction() as t:
        assert t.move_job("001-Li3N-0", "proposed", "ready")
        assert not t.move_job("001-Li3N-0", "proposed", "ready")
    assert [j.id for j in store.jobs("ready")] == ["001-Li3N-0"]
    assert sum(h["event"] == "ready" for h in store.history()) == 1


def test_a_complete_result_is_kept_once(store: CampaignStore) -> None:
    with store.transaction() as t:
        assert t.put_result(result(complete=False))
        assert not t.put_result(result(complete=False))
        assert t.put_result(result(value=2e-3))
        assert not t.put_result(result(value=9e-3))
    assert [r.label for r in store.results()] == [{"value": 2e-3}]


def test_state_outlives_the_process_and_the_place(store: CampaignStore, tmp_path: Path) -> None:
    with store.transaction() as t:
        t.put_result(result())
    # The write-ahead log is still open here: a copy must carry it along and lose nothing.
    shutil.copytree(tmp_path, tmp_path.parent / "elsewhere")
    with CampaignStore(tmp_path.parent / "elsewhere") as copy:
        assert copy.results() == store.results()
        assert copy.history() == store.history()
        assert copy.jobs() == store.jobs()


def _child(work) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def test_two_processes_share_the_jobs_without_overlap(store: CampaignStore) -> None:
    folder = store.folder
    store.close()

    def claim() -> None:
        with CampaignStore(folder) as own:
            for entry in own.jobs():
                with own.transaction() as t:
                    if t.move_job(entry.id, "proposed", "ready"):
                        t.set_submission(entry.id, str(os.getpid()))
                time.sleep(0.002)

    for pid in [_child(claim), _child(claim)]:
        os.waitpid(pid, 0)
    with CampaignStore(folder) as after:
        assert len(after.jobs("ready")) == 10
        assert sum(h["event"] == "ready" for h in after.history()) == 10


@pytest.mark.parametrize("statement", range(6))
def test_killed_inside_a_transaction_leaves_all_or_nothing(
    store: CampaignStore, statement: int
) -> None:
    folder = store.folder
    store.close()

    def die() -> None:
        own = CampaignStore(folder)
        with own.transaction() as t:
            for number in range(5):
                if number == statement:
                    os.kill(os.getpid(), signal.SIGKILL)
                t.move_job(f"001-Li3N-{number}", "proposed", "ready")
        os.kill(os.getpid(), signal.SIGKILL)

    _, status = os.waitpid(_child(die), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    with CampaignStore(folder) as after:
        assert len(after.jobs("ready")) == (5 if statement == 5 else 0)


def test_lock_is_freed_by_death(tmp_path: Path) -> None:
    def hold() -> None:
        with file_lock(tmp_path / "lock", wait=True):
            (tmp_path / "held").touch()
            time.sleep(60)

    pid = _child(hold)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    with file_lock(tmp_path / "lock", wait=False) as mine:
        assert not mine
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with file_lock(tmp_path / "lock", wait=False) as mine:
        assert mine


def test_damaged_database_is_one_line(store: CampaignStore) -> None:
    store.close()
    path = store.folder / "campaign.sqlite"
    content = path.read_bytes()
    # Pages after the first: the file still looks like a database.
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))
    with CampaignStore(store.folder) as damaged, pytest.raises(InputError, match="damaged"):
        damaged.candidates()
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match=r"campaign\.sqlite: .*damaged, take it from a copy"):
        CampaignStore(store.folder)


def test_full_disk_changes_nothing(store: CampaignStore) -> None:
    def pages() -> int:
        return int(store._connection.execute("PRAGMA page_count").fetchone()[0])

    before = store.history()
    # SQLite's own limit on the file stands for the end of the disk.
    store._connection.execute(f"PRAGMA max_page_count={pages()}")
    with pytest.raises(InputError, match="full; make room"), store.transaction() as t:
        t.note("event", "large", {"text": 500_000 * "x"})
    assert store.history() == before
    store._connection.execute(f"PRAGMA max_page_count={pages() + 1000}")
    with store.transaction() as t:
        t.note("event", "after", {})
    assert len(store.history()) == len(before) + 1


def test_database_held_by_another_process(store: CampaignStore) -> None:
    store._connection.execute("PRAGMA busy_timeout=10")
    with sqlite3.connect(store.folder / "campaign.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match="locked; another process"), store.transaction():
            pass
        other.execute("ROLLBACK")
    other.close()
    with store.transaction() as t:
        t.note("event", "after", {})
