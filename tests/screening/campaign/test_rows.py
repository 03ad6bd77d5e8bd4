"""Databases of strangers: damaged cells are one line, names do not lead out of the folder."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ionsieve.data.errors import InputError
from ionsieve.screening.campaign.folders import write_array_scripts
from ionsieve.screening.campaign.records import Candidate, Job, Result
from ionsieve.screening.campaign.rows import inside
from ionsieve.screening.campaign.store import DATABASE, CampaignStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = CampaignStore.create(
        tmp_path / "campaign" if (tmp_path / "campaign").mkdir() is None else tmp_path,
        {"seed": 0},
        [Candidate(id="Li3N", formula="Li3N", system="Li-N", record="{}", n_electrons=14.0,
                   volume_A3=45.0)],
    )  # fmt: skip
    with made, made.transaction() as t:
        t.add_model("models/000", "", {})
        t.add_round(0, {})
        t.add_job(
            Job(id="001-Li3N", candidate_id="Li3N", round=1, temperature_K=1000.0, attempt=1,
                state="proposed", plan={"steps": 5}, reason="score")
        )  # fmt: skip
        t.put_result(
            Result(job_id="001-Li3N", complete=True, verdict="diffusive", label={}, details={})
        )
        t.put_prescreen("Li3N", "chgnet", 1000.0, "diffusive", {}, {})
    return made.folder


def read_all(folder: Path) -> None:
    with CampaignStore(folder) as store:
        store.settings()
        for read in (store.candidates, store.jobs, store.results, store.rounds, store.models,
                     store.history, store.prescreens):  # fmt: skip
            read()
        store.last_event("001-Li3N")


def set_cell(folder: Path, table: str, column: str, value: Any) -> None:
    with sqlite3.connect(folder / DATABASE) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for trigger in ("history_keeps", "history_stays"):
            connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
    connection.close()


def test_what_was_written_is_read(folder: Path) -> None:
    read_all(folder)


JSON_CELLS = [
    ("settings", "value"), ("jobs", "plan"), ("results", "label"), ("results", "details"),
    ("rounds", "details"), ("models", "details"), ("history", "details"),
    ("prescreens", "label"), ("prescreens", "details"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "column"), JSON_CELLS)
@pytest.mark.parametrize("value", ["{", "[" * 100_000, b"\xff\xfe", "nul", 12.5])
def test_a_cell_that_is_no_json(folder: Path, table: str, column: str, value: Any) -> None:
    set_cell(folder, table, column, value)
    if (table, value) == ("settings", 12.5):
        return  # SQLite keeps it as the text 12.5, which is JSON
    with pytest.raises(InputError, match="the database is damaged") as error:
        read_all(folder)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "name",
    ["../../evil", "/tmp/evil", "..", "a/b", "", ".hidden", "-rf", "a\nb", "a" * 300, b"x", "a..b"],
)  # fmt: skip
def test_a_job_whose_name_leads_elsewhere(folder: Path, name: Any) -> None:
    set_cell(folder, "jobs", "id", name)
    with pytest.raises(InputError, match="is no name of a folder"):
        read_all(folder)


@pytest.mark.parametrize(
    ("column", "value"),
    [("temperature_K", "hot"), ("temperature_K", -1), ("temperature_K", 1e300), ("round", "one"),
     ("attempt", 0), ("reason", b"x"), ("submission", b"x")],
)  # fmt: skip
def test_a_job_with_impossible_numbers(folder: Path, column: str, value: Any) -> None:
    set_cell(folder, "jobs", column, value)
    with pytest.raises(InputError, match="the database is damaged"):
        read_all(folder)


@pytest.mark.parametrize(("column", "value"), [("n_electrons", "many"), ("record", b"x")])
def test_a_candidate_that_is_none(folder: Path, column: str, value: Any) -> None:
    set_cell(folder, "candidates", column, value)
    with pytest.raises(InputError, match=r"candidate 'Li3N': .*the database is damaged"):
        read_all(folder)


@pytest.mark.parametrize("where", ["../../other", "/etc", ".."])
def test_a_model_outside_the_campaign(folder: Path, where: str) -> None:
    set_cell(folder, "models", "folder", where)
    with pytest.raises(InputError, match="leads out of the campaign"):
        read_all(folder)


def test_links_do_not_lead_out(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / "arrays").symlink_to(outside)
    (folder / "jobs").symlink_to(outside)
    with CampaignStore(folder) as store, pytest.raises(InputError, match="leads out"):
        write_array_scripts(folder, store.jobs())
    with pytest.raises(InputError, match="leads out"):
        inside(folder, "jobs/001-Li3N")
    assert list(outside.iterdir()) == []


def test_a_lock_never_follows_a_link(folder: Path) -> None:
    precious = folder.parent / "precious"
    precious.write_text("keep")
    (folder / ".lock").symlink_to(precious)
    with (
        CampaignStore(folder) as store,
        pytest.raises(InputError, match="a link in the place of a lock"),
        store.exclusive(),
    ):
        pass
    assert precious.read_text() == "keep"


def test_a_pipe_in_the_place_of_a_lock(folder: Path) -> None:
    os.mkfifo(folder / ".lock")
    with (
        CampaignStore(folder) as store,
        pytest.raises(InputError, match="no file, but a lock"),
        store.exclusive(),
    ):
        pass


def test_a_schema_that_is_no_text(folder: Path) -> None:
    path = folder / DATABASE
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=delete")
    connection.close()
    path.write_bytes(
        path.read_bytes().replace(b"CREATE TABLE settings", b"CREATE TA\xd4\xd4E settings")
    )
    with pytest.raises(InputError, match=r"campaign\.sqlite: "):
        read_all(folder)
