"""Candidates too disordered for descriptors: an ordered cell stands for each, made in a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ...data.disorder.policy import DisorderPolicy, reason_to_order
from ...data.disorder.representative import Representative, representative
from ...data.records import Quarantined, StructureRecord
from ..batch.workers import run_isolated
from .candidates import Candidates

STAGE = "disorder"


@dataclass(frozen=True)
class OrderJob:
    """What a worker runs: the structure, or the ordered cell that stands for it."""

    mobile: str
    policy: DisorderPolicy

    @property
    def preload(self) -> tuple[str, ...]:
        """Loaded once, before workers are forked."""
        return (representative.__module__, "pymatgen.analysis.ewald")

    def warm_up(self) -> None:
        """Nothing is compiled."""

    def __call__(self, item: StructureRecord) -> Representative:
        """Order one structure; deterministic."""
        return representative(item, self.mobile, self.policy)


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """What became of the disordered candidates."""

    notes: dict[str, str]
    """By id of the candidate: why another structure stands for it, and which."""
    counts: dict[str, int]
    """How many are ``ordered``, how many used as their ``average``."""


def order_candidates(
    candidates: Candidates,
    mobile: str,
    policy: DisorderPolicy,
    workers: int,
    timeout_s: float,
    on_done: Callable[[int, int], None] | None = None,
) -> Ordering:
    """Replace every candidate beyond the policy by what stands for it, in place.

    Parameters
    ----------
    candidates : Candidates
        Those that could not be finished in time go to quarantine.
    mobile, policy
        As in :func:`ionsieve.data.disorder.representative.representative`.
    workers : int
    timeout_s : float
        Longest time for one structure, s.
    on_done : callable, optional
        Called with the number done and their total.
    """
    records = candidates.records
    wanted = [i for i, r in enumerate(records) if reason_to_order(r, mobile, policy)]
    outcomes = run_isolated(
        OrderJob(mobile, policy), ((i, records[i]) for i in wanted), workers, timeout_s
    )
    found: dict[int, Representative | str] = {}
    if wanted:
        for done, outcome in enumerate(outcomes, start=1):
            found[outcome.index] = outcome.result or outcome.failure
            if on_done is not None:
                on_done(done, len(wanted))
    return _take(candidates, found)


def _take(candidates: Candidates, found: dict[int, Representative | str]) -> Ordering:
    if not found:
        return Ordering(notes={}, counts={})
    kept: list[StructureRecord] = []
    notes: dict[str, str] = {}
    counts: Counter[str] = Counter()
    dropped = 0
    for index, record in enumerate(candidates.records):
        item = found.get(index)
        if item is None:
            kept.append(record)
        elif isinstance(item, Representative):
            kept.append(item.record)
            notes[record.id] = item.note
            counts[item.how] += 1
        else:
            file = record.provenance.file or ""
            candidates.quarantined.append(Quarantined(record.id, file, STAGE, item))
            dropped += 1
    candidates.records = kept
    shown = " and ".join(f"{n} {_WORDS[how]}" for how, n in sorted(counts.items(), reverse=True))
    candidates.funnel.stage(STAGE, f"not ordered in time ({shown})")
    candidates.funnel.count(STAGE, kept=len(kept), dropped=dropped)
    return Ordering(notes=notes, counts=dict(counts))


_WORDS = {
    "ordered": "disordered structures stand as an ordered cell",
    "average": "as their average, which no ordered cell has",
}
