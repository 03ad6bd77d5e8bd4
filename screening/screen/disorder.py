"""Candidates too disordered for descriptors: an ordered cell stands for each, made in a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...data.disorder.policy import DisorderPolicy, reason_to_order
from ...data.disorder.representative import Representative, representative
from ...data.records import Quarantined, StructureRecord
from ..batch.workers import run_isolated
from .candidates import Candidates
from .record_list import RecordList, in_blocks

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
    kept: RecordList | None = None,
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
    kept : RecordList, optional
        Empty; what is left goes there, where one is replaced. It says how many are worked on at a
        time; by default all, in memory.
    """
    records = candidates.records
    wanted = [i for i, r in enumerate(records) if reason_to_order(r, mobile, policy)]
    if not wanted:
        return Ordering(notes={}, counts={})
    kept = RecordList(None) if kept is None else kept
    taken = _Taken(candidates, kept)
    job, done = OrderJob(mobile, policy), 0
    for start, block in in_blocks(records, kept.block):
        own = [i for i in wanted if start <= i < start + len(block)]
        found: dict[int, Representative | str] = {}
        items = ((i, block[i - start]) for i in own)
        for outcome in run_isolated(job, items, workers, timeout_s) if own else ():
            found[outcome.index - start] = outcome.result or outcome.failure
            done += 1
            if on_done is not None:
                on_done(done, len(wanted))
        taken.take(block, found)
    candidates.records = kept
    return taken.ordering()


class _Taken:
    """What became of the candidates so far."""

    def __init__(self, candidates: Candidates, kept: RecordList) -> None:
        self.candidates, self.kept = candidates, kept
        self.notes: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.dropped = 0

    def take(
        self, block: Sequence[StructureRecord], found: dict[int, Representative | str]
    ) -> None:
        for place, record in enumerate(block):
            item = found.get(place)
            if item is None:
                self.kept.append(record)
            elif isinstance(item, Representative):
                self.kept.append(item.record)
                self.notes[record.id] = item.note
                self.counts[item.how] += 1
            else:
                file = record.provenance.file or ""
                self.candidates.quarantined.append(Quarantined(record.id, file, STAGE, item))
                self.dropped += 1

    def ordering(self) -> Ordering:
        """Enter the stage into the funnel."""
        counts = sorted(self.counts.items(), reverse=True)
        shown = " and ".join(f"{n} {_WORDS[how]}" for how, n in counts)
        funnel = self.candidates.funnel
        funnel.stage(STAGE, f"not ordered in time ({shown})")
        funnel.count(STAGE, kept=len(self.kept), dropped=self.dropped)
        return Ordering(notes=self.notes, counts=dict(self.counts))


_WORDS = {
    "ordered": "disordered structures stand as an ordered cell",
    "average": "as their average, which no ordered cell has",
}
