"""What a campaign keeps: candidates, jobs, results and models, as plain records."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from ..jobs.plan import RELAX
from ..jobs.protocol import BY_ENGINE

RUN_HERE: Final[str] = "run here"
"""Submission of a job that was run on the campaign's own machine."""
JobState = Literal["proposed", "ready", "submitted", "blocked", "done", "failed"]

"""``blocked``: the machine it was run on lacks the program or a pseudopotential; it may be
submitted again."""
JOB_STATES: Final[tuple[JobState, ...]] = get_args(JobState)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A structure that may be simulated."""

    id: str
    formula: str
    system: str
    """Elements in alphabetical order, joined by hyphens."""
    record: str
    """The structure as JSON (:func:`.structure_json.record_to_json`)."""
    n_electrons: float
    """Valence electrons of the simulation cell."""
    volume_A3: float
    """Volume of the simulation cell, Å³."""
    excluded: str | None = None
    """Why it cannot be simulated; None if it can."""
    closed: str | None = None
    """Why no further run of it is planned; None while it is open."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One simulation of one candidate: a relaxation (0 K), or a run at one temperature."""

    id: str
    candidate_id: str
    round: int
    temperature_K: float
    attempt: int
    state: JobState
    plan: dict[str, Any]
    reason: str
    submission: str | None = None

    @property
    def relaxes(self) -> bool:
        """True for a relaxation."""
        return bool(self.plan.get("task") == RELAX)

    def engine(self, usual: str) -> str:
        """Name of the engine that runs it: the campaign's, or a potential that relaxes."""
        by = self.plan["settings"]["by"] if self.relaxes else BY_ENGINE
        return usual if by == BY_ENGINE else str(by)

    @property
    def folder(self) -> str:
        """Folder of the job, relative to the campaign."""
        return f"jobs/{self.id}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a job's trajectory says so far."""

    job_id: str
    complete: bool
    """False while the job still runs: a later collection replaces it."""
    verdict: str
    label: dict[str, Any] | None
    details: dict[str, Any]


@dataclass(frozen=True)
class ModelEntry:
    """A trained model in the campaign."""

    id: int
    folder: str
    labels_sha256: str
    details: dict[str, Any]


def job_name(round_number: int, candidate_id: str, temperature_K: float, attempt: int) -> str:
    """Folder name of a job (0 K: a relaxation): readable, unique, safe on any file system."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", candidate_id).strip("-")[:40]
    digest = hashlib.sha256(candidate_id.encode()).hexdigest()[:6]
    what = f"{temperature_K:g}K" if temperature_K > 0 else RELAX
    name = f"{round_number:03d}-{readable}-{digest}-{what}"
    return name if attempt == 1 else f"{name}-attempt{attempt}"


def utc_now() -> str:
    """Time stamp, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def to_json(content: Any) -> str:
    """JSON with sorted keys; a number that is not finite becomes null."""
    return json.dumps(_finite(content), sort_keys=True, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
