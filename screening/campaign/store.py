"""State of a campaign: one SQLite file, transactions, and a history that only grows.

The database is the truth; folders are made from it and can be made again. Every change of a job
is a compare-and-set inside one immediate transaction together with its history entry, so that a
process that dies at any line leaves the state before or after, and two processes never make the
same change twice. Paths are relative to the campaign folder: it can be moved or copied.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal

from ...data.atomic import file_lock
from ...data.errors import InputError
from .records import JOB_STATES, Candidate, Job, JobState, ModelEntry, Result, to_json, utc_now
from .rows import checked_candidate, checked_job, decoded, inside

SCHEMA_VERSION: Final[int] = 1
DATABASE: Final[str] = "campaign.sqlite"
BUSY_TIMEOUT_S: Final[float] = 60.0

_SCHEMA: Final[str] = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE candidates (
    id TEXT PRIMARY KEY, formula TEXT NOT NULL, system TEXT NOT NULL, record TEXT NOT NULL,
    n_electrons REAL NOT NULL, volume_A3 REAL NOT NULL, excluded TEXT, closed TEXT
) WITHOUT ROWID;
CREATE TABLE rounds (
    number INTEGER PRIMARY KEY, utc TEXT NOT NULL, model_id INTEGER NOT NULL, details TEXT NOT NULL
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, candidate_id TEXT NOT NULL REFERENCES candidates(id),
    round INTEGER NOT NULL REFERENCES rounds(number), temperature_K REAL NOT NULL,
    attempt INTEGER NOT NULL, state TEXT NOT NULL, plan TEXT NOT NULL, reason TEXT NOT NULL,
    submission TEXT, UNIQUE (candidate_id, temperature_K, attempt)
) WITHOUT ROWID;
CREATE TABLE results (
    job_id TEXT PRIMARY KEY REFERENCES jobs(id), complete INTEGER NOT NULL, verdict TEXT NOT NULL,
    label TEXT, details TEXT NOT NULL, utc TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE models (
    id INTEGER PRIMARY KEY, utc TEXT NOT NULL, folder TEXT NOT NULL, labels_sha256 TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE TABLE history (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, utc TEXT NOT NULL, event TEXT NOT NULL,
    subject TEXT NOT NULL, details TEXT NOT NULL
);
CREATE TRIGGER history_keeps BEFORE UPDATE ON history
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER history_stays BEFORE DELETE ON history
BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
"""

_PRESCREENS: Final[str] = """
CREATE TABLE IF NOT EXISTS prescreens (
    candidate_id TEXT NOT NULL REFERENCES candidates(id), engine TEXT NOT NULL,
    temperature_K REAL NOT NULL, verdict TEXT NOT NULL, label TEXT, details TEXT NOT NULL,
    utc TEXT NOT NULL, PRIMARY KEY (candidate_id, engine, temperature_K)
) WITHOUT ROWID
"""


class CampaignStore:
    """The state of one campaign folder.

    Parameters
    ----------
    folder : path
        Folder made by :meth:`create`.

    Raises
    ------
    InputError
        If the folder holds no campaign, or one of another schema version.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / DATABASE
        if not path.is_file():
            raise InputError(
                f"{self.folder}: no campaign here; start with 'ionsieve campaign init'"
            )
        with _explained(self.folder):
            self._connection = _connect(path)
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            self.close()
            raise InputError(
                f"{path}: schema version {version}, this ionsieve reads {SCHEMA_VERSION}"
            )

    @classmethod
    def create(
        cls,
        folder: str | Path,
        settings: dict[str, Any],
        candidates: Sequence[Candidate],
        journal: Literal["wal", "delete"] = "wal",
    ) -> CampaignStore:
        """Write a new database into an existing folder that holds none.

        ``journal="delete"`` is for network file systems, where SQLite's write-ahead log does not
        work.
        """
        path = Path(folder) / DATABASE
        if path.exists():
            raise InputError(f"{path}: a campaign is there already")
        connection = _connect(path)
        try:
            connection.execute(f"PRAGMA journal_mode={journal}")
            connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT;")
        finally:
            connection.close()
        store = cls(folder)
        with store.transaction() as t:
            t.add_settings(settings)
            t.add_candidates(candidates)
            t.note("init", "campaign", {"candidates": len(candidates), "settings": settings})
        return store

    def close(self) -> None:
        """Close the database; the write-ahead log is folded in if nobody else is reading."""
        self._connection.close()

    def __enter__(self) -> CampaignStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All changes inside, or none.

        Raises
        ------
        InputError
            If the database cannot be written: read-only, full, damaged or held by another process.
        """
        with _explained(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                # A failed commit may have ended the transaction already.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with _explained(self.folder):
            return self._connection.execute(query, values).fetchall()

    def settings(self) -> dict[str, Any]:
        """Settings as given at the start."""
        rows = self._rows("SELECT name, value FROM settings")
        return {str(name): decoded(value, f"setting {name}", None) for name, value in rows}

    def candidates(self) -> list[Candidate]:
        """All candidates, by id."""
        names = tuple(field.name for field in fields(Candidate))
        rows = self._rows(f"SELECT {', '.join(names)} FROM candidates ORDER BY id")
        return [Candidate(**checked_candidate(dict(zip(names, row, strict=True)))) for row in rows]

    def jobs(self, *states: JobState) -> list[Job]:
        """Jobs in the given states (all by default), in order of round and id."""
        wanted = states or JOB_STATES
        marks = ",".join("?" * len(wanted))
        names = tuple(field.name for field in fields(Job))
        rows = self._rows(
            f"SELECT {', '.join(names)} FROM jobs WHERE state IN ({marks}) ORDER BY round, id",
            wanted,
        )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        return [Job(**checked_job(row)) for row in found]

    def results(self) -> list[Result]:
        """All results, by job id."""
        rows = self._rows(
            "SELECT job_id, complete, verdict, label, details FROM results ORDER BY job_id"
        )
        return [
            Result(
                job_id=job,
                complete=bool(complete),
                verdict=verdict,
                label=label and decoded(label, f"result of {job}"),
                details=decoded(details, f"result of {job}"),
            )
            for job, complete, verdict, label, details in rows
        ]

    def rounds(self) -> list[dict[str, Any]]:
        """Rounds, oldest first."""
        rows = self._rows("SELECT number, utc, model_id, details FROM rounds")
        return [
            {"round": n, "utc": utc, "model_id": model, **decoded(details, f"round {n}")}
            for n, utc, model, details in rows
        ]

    def models(self) -> list[ModelEntry]:
        """Models, oldest first."""
        rows = self._rows("SELECT id, folder, labels_sha256, details FROM models ORDER BY id")
        return [
            ModelEntry(
                i,
                str(inside(self.folder, at).relative_to(self.folder)),
                sha,
                decoded(text, f"model {i}"),
            )
            for i, at, sha, text in rows
        ]

    def history(self) -> list[dict[str, Any]]:
        """Everything that happened, in order."""
        rows = self._rows("SELECT seq, utc, event, subject, details FROM history ORDER BY seq")
        names = ("seq", "utc", "event", "subject")
        return [
            {**dict(zip(names, row[:4], strict=True)), **decoded(row[4], f"history {row[0]}")}
            for row in rows
        ]

    def last_event(self, subject: str) -> tuple[str, str] | None:
        """Name and text of the last event of a job; None before the first."""
        rows = self._rows(
            "SELECT event, details FROM history WHERE subject = ? ORDER BY seq DESC LIMIT 1",
            (subject,),
        )
        return None if not rows else (rows[0][0], str(decoded(rows[0][1], subject).get("text", "")))

    def prescreens(self) -> list[dict[str, Any]]:
        """What pre-screens with a potential showed, by candidate; never labels of a job."""
        known = "SELECT 1 FROM sqlite_master WHERE name = 'prescreens'"
        if self._connection.execute(known).fetchone() is None:
            return []
        rows = self._connection.execute(
            "SELECT candidate_id, engine, temperature_K, verdict, label, details FROM prescreens "
            "ORDER BY candidate_id, engine, temperature_K"
        )
        names = ("candidate_id", "engine", "temperature_K", "verdict")
        return [
            {
                **dict(zip(names, row[:4], strict=True)),
                "label": row[4] and decoded(row[4], f"prescreen of {row[0]}"),
                "details": decoded(row[5], f"prescreen of {row[0]}"),
            }
            for row in rows
        ]

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the campaign against other processes that change folders; freed if this one dies."""
        with file_lock(self.folder / ".lock", wait=True):
            yield


class Transaction:
    """Changes that become visible together."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def note(self, event: str, subject: str, details: dict[str, Any] | None = None) -> None:
        """Append to the history."""
        self._execute(
            "INSERT INTO history (utc, event, subject, details) VALUES (?, ?, ?, ?)",
            (utc_now(), event, subject, to_json(details or {})),
        )

    def add_settings(self, settings: dict[str, Any]) -> None:
        """Set settings; a name that exists gets the new value."""
        for name, value in settings.items():
            self._execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, to_json(value)))

    def add_candidates(self, candidates: Sequence[Candidate]) -> None:
        """Add candidates; ids must be new."""
        for c in candidates:
            self._execute(
                "INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (c.id, c.formula, c.system, c.record, c.n_electrons, c.volume_A3, None, None),
            )

    def exclude(self, candidate_id: str, reason: str) -> None:
        """Close a candidate that cannot be simulated."""
        self._execute("UPDATE candidates SET excluded = ? WHERE id = ?", (reason, candidate_id))
        self.note("excluded", candidate_id, {"reason": reason})

    def close_candidate(self, candidate_id: str, reason: str) -> None:
        """End the study of a candidate."""
        self._execute("UPDATE candidates SET closed = ? WHERE id = ?", (reason, candidate_id))
        self.note("closed", candidate_id, {"reason": reason})

    def add_round(self, model_id: int, details: dict[str, Any]) -> int:
        """Start a round and give its number."""
        number = self._execute("SELECT COALESCE(MAX(number), 0) + 1 FROM rounds").fetchone()[0]
        values = (number, utc_now(), model_id, to_json(details))
        self._execute("INSERT INTO rounds VALUES (?, ?, ?, ?)", values)
        self.note("round", str(number), {"model_id": model_id, **_short(details)})
        return int(number)

    def add_job(self, job: Job) -> None:
        """Add a job in state ``proposed``."""
        self._execute(
            "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, 'proposed', ?, ?, NULL)",
            (
                job.id,
                job.candidate_id,
                job.round,
                job.temperature_K,
                job.attempt,
                to_json(job.plan),
                job.reason,
            ),
        )
        self.note("proposed", job.id, {"temperature_K": job.temperature_K, "reason": job.reason})

    def move_job(
        self, job_id: str, expected: JobState, state: JobState, reason: str = "", **details: Any
    ) -> bool:
        """Compare and set: False, and no change, if the job is not in the expected state."""
        changed = self._execute(
            "UPDATE jobs SET state = ?, reason = CASE ? WHEN '' THEN reason ELSE ? END "
            "WHERE id = ? AND state = ?",
            (state, reason, reason, job_id, expected),
        ).rowcount
        if changed:
            self.note(state, job_id, {"reason": reason, **details} if reason else details)
        return bool(changed)

    def set_plan(self, job_id: str, plan: dict[str, Any]) -> None:
        """Replace the plan of a job; its folder must be written again."""
        self._execute("UPDATE jobs SET plan = ? WHERE id = ?", (to_json(plan), job_id))

    def set_submission(self, job_id: str, submission: str) -> None:
        """Remember how a job was handed over (scheduler's answer, process)."""
        self._execute("UPDATE jobs SET submission = ? WHERE id = ?", (submission, job_id))

    def put_result(self, result: Result) -> bool:
        """Keep one result a job: a partial one is replaced, a complete one stays as it is.

        Returns
        -------
        bool
            False, and no change, if the same or a complete result is there already.
        """
        row = (
            result.job_id,
            int(result.complete),
            result.verdict,
            None if result.label is None else to_json(result.label),
            to_json(result.details),
        )
        held = self._execute(
            "SELECT job_id, complete, verdict, label, details FROM results WHERE job_id = ?",
            (result.job_id,),
        ).fetchone()
        if held is not None and (held[1] or held == row):
            return False
        self._execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)", (*row, utc_now()))
        self.note(
            "result",
            result.job_id,
            {"verdict": result.verdict, "complete": result.complete, "label": result.label},
        )
        return True

    def put_prescreen(
        self,
        candidate_id: str,
        engine: str,
        temperature_K: float,
        verdict: str,
        label: dict[str, Any] | None,
        details: dict[str, Any],
    ) -> None:
        """Keep what a potential showed; a longer run of the same replaces it."""
        # Made when first needed: most campaigns have no pre-screen.
        self._execute(_PRESCREENS)
        values = (candidate_id, engine, temperature_K, verdict)
        texts = (None if label is None else to_json(label), to_json(details), utc_now())
        self._execute(
            "INSERT OR REPLACE INTO prescreens VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, *texts)
        )
        facts = {"engine": engine, "temperature_K": temperature_K, "verdict": verdict}
        self.note("prescreen", candidate_id, {**facts, "label": label})

    def reopen_result(self, job_id: str) -> None:
        """Let the next collection replace a complete result (the run is being extended)."""
        self._execute("UPDATE results SET complete = 0 WHERE job_id = ?", (job_id,))

    def add_model(self, folder: str, labels_sha256: str, details: dict[str, Any]) -> int:
        """Register a trained model and give its id."""
        number = self._execute("SELECT COALESCE(MAX(id), -1) + 1 FROM models").fetchone()[0]
        values = (number, utc_now(), folder, labels_sha256, to_json(details))
        self._execute("INSERT INTO models VALUES (?, ?, ?, ?, ?)", values)
        self.note("model", folder, {"model_id": number, **_short(details)})
        return int(number)


def _short(details: dict[str, Any]) -> dict[str, Any]:
    """Without tables: the history is a list of lines."""
    return {k: v for k, v in details.items() if not isinstance(v, (dict, list))}


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """SQLite's errors as one line with a remedy; a violated constraint stays the defect it is."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.OperationalError as error:
        text = str(error)
        remedy = next((r for word, r in _REMEDIES.items() if word in text), "try again")
        raise InputError(f"{folder / DATABASE}: {text}; {remedy}") from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # SQLite quotes damaged text
        raise InputError(
            f"{folder / DATABASE}: {error}; the file is damaged, take it from a copy of the folder"
        ) from None


_REMEDIES: Final = {
    "readonly": "make the folder and the files in it writable",
    "unable to open": "make the folder and the files in it writable",
    "full": "make room; nothing was changed",
    "disk I/O": "the disk is full or failing; nothing was changed",
    "locked": "another process held the campaign for a minute, try again when it is done",
}


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.execute("PRAGMA foreign_keys=ON")
    # A label must survive a power cut, not only a crash.
    connection.execute("PRAGMA synchronous=FULL")
    return connection
