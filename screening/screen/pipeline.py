"""One screen: candidates → features → predictions → ranking, quarantine and report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pandas as pd

from ...data.errors import InputError
from ...data.records import IntArray, Quarantined, StructureRecord
from ...features.catalogue import FAMILY_NAMES
from ..batch.batch import FeatureJob
from ..batch.reading import read_isolated
from ..batch.row_cache import MOST_KEPT
from ..batch.shared_rows import SharedEngine
from ..batch.usage import Meter
from .answers import Answers, answers, descriptions
from .candidates import Advance, Candidates, collect_candidates
from .decided import decided
from .describe import Described, DescriptorRun, describe
from .disorder import order_candidates
from .filters import families_of, is_unknown, split_by_cost
from .follow_up import FollowUp
from .kept import kept_known
from .known import Known
from .options import ScreenSettings
from .record_list import BLOCK, ChosenRecords, RecordList
from .training import TrainedModel, embedded_model, own_model


@dataclass(frozen=True, eq=False, kw_only=True)
class ScreenResult:
    """A finished screen, in memory."""

    ranking: pd.DataFrame
    quarantine: pd.DataFrame
    described: Described
    """Descriptors and structures of the ranked candidates, in the order of the inputs."""
    order: IntArray
    """Place in ``described`` of each row of the ranking."""
    answers: Answers
    trained: TrainedModel
    settings: ScreenSettings
    counts: dict[str, int]
    notes: dict[str, int]
    """Reasons for NaN features, with the number of structures each concerns."""
    funnel: pd.DataFrame
    """``stage``, ``kept``, ``dropped``, ``reason``, in the order of the stages."""
    filtered: pd.DataFrame
    """Sound structures that the filters left out, with the filter as ``stage``."""
    follow_up: FollowUp
    """The shortlist in numbers; which candidates it holds stands in ``ranking``."""
    meter: Meter = field(default_factory=Meter)
    """What each stage cost."""

    @property
    def features(self) -> pd.DataFrame:
        """Every descriptor of every ranked candidate, in the order of the inputs."""
        return self.described.features.table()


class NothingToRank(InputError):
    """No structure is left; where each went is known, and is written all the same."""

    def __init__(
        self,
        message: str,
        quarantine: pd.DataFrame,
        filtered: pd.DataFrame,
        funnel: pd.DataFrame,
    ) -> None:
        super().__init__(message)
        self.quarantine, self.filtered, self.funnel = quarantine, filtered, funnel


def run_screen(
    inputs: Sequence[str | Path],
    settings: ScreenSettings | None = None,
    cache: Path | None = None,
    advance: Advance | None = None,
    work: Path | None = None,
    records: Sequence[StructureRecord] = (),
    shared: SharedEngine | None = None,
    block: int = BLOCK,
) -> ScreenResult:
    """Rank structures; with no input, the embedded candidates.

    Of more candidates than a block, structures and descriptors are kept in files: memory holds one
    block of them, and a few hundred bytes of every candidate.

    Parameters
    ----------
    inputs : sequence of path
        Stores, or CIF and POSCAR files or folders; empty for the embedded candidates.
    settings : ScreenSettings, optional
    cache : path, optional
        Folder of models and descriptors kept between runs.
    advance : callable, optional
        Progress callback.
    work : path, optional
        Folder where descriptors of many candidates are kept, so that an interrupted screen
        continues.
    records : sequence of StructureRecord
        Structures held in memory, screened like those of files.
    shared : SharedEngine, optional
        Computes the descriptors of the candidates instead of processes of this machine.
    block : int
        Candidates that are in memory at a time. It changes nothing in the result.

    Raises
    ------
    InputError
        If a path does not exist.
    NothingToRank
        If no structure is left, with the tables of where they went.
    """
    settings = (settings or ScreenSettings()).settled()
    advance = advance or (lambda stage, done, total: None)
    spill = Path(gettempdir()) if work is None else work
    run = DescriptorRun(
        work=work,
        workers=settings.workers,
        timeout_s=settings.timeout_s,
        cache=cache,
        shared=shared,
        spill=spill,
        block=block,
    )
    meter = Meter()
    meter.stage("reading")
    # Inputs first: a wrong path should not cost a training.
    candidates = collect_candidates(
        inputs,
        settings.mobile,
        settings.disorder_policy,
        settings.chosen_filters,
        advance,
        partial(_read, settings=settings),
        records,
        cache,
        RecordList(spill, block),
    )
    _need_any(candidates)
    meter.stage("ordering")
    ordering = order_candidates(
        candidates,
        settings.mobile,
        settings.disorder_policy,
        settings.workers,
        settings.timeout_s,
        lambda done, total: advance("ordering", done, total),
        RecordList(spill, block),
    )
    _need_any(candidates)
    meter.stage("filters")
    _filter_by_features(candidates, settings, run, advance)
    _need_any(candidates)
    meter.stage("training")
    # Of unknown length: the bar moves without a count.
    advance("training", 0, 0)
    trained = screen_model(settings, cache)
    advance("training", 1, 1)
    meter.stage("descriptors")
    described = describe(
        candidates.records,
        settings.families,
        settings.mobile,
        run,
        lambda done, total: advance("descriptors", done, total),
    )
    _take(described, candidates, "descriptors", "descriptors could not be computed")
    _need_any(candidates)
    meter.stage("known")
    lines = _lines(described, trained, settings, ordering.notes, advance, cache, block)
    meter.stage("ranking")
    found = answers(described.features, trained, settings.families)
    ranking, order, follow_up = decided(described, lines, found, trained, settings)
    return ScreenResult(
        ranking=ranking,
        quarantine=quarantine_frame(candidates.quarantined),
        described=described,
        order=order,
        answers=found,
        trained=trained,
        settings=settings,
        counts={
            "input": candidates.n_input,
            "ranked": len(ranking),
            "filtered": len(candidates.filtered),
            "quarantined": len(candidates.quarantined),
            "with_notes": int(lines["has_notes"].sum()),
            **ordering.counts,
        },
        notes=dict(sorted(described.notes.items(), key=lambda item: (-item[1], item[0]))),
        funnel=candidates.funnel.frame(),
        filtered=quarantine_frame(candidates.filtered),
        follow_up=follow_up,
        meter=meter,
    )


def screen_model(settings: ScreenSettings, cache: Path | None) -> TrainedModel:
    """The model that a screen ranks by: the user's own, or that of the embedded tables."""
    if settings.model is not None:
        return own_model(settings.model, settings.threshold_S_cm, settings.mobile)
    return embedded_model(
        settings.seed,
        settings.threshold_S_cm,
        settings.families,
        cache,
        settings.workers,
        settings.mobile,
    )


def _read(
    inputs: Sequence[str | Path], settings: ScreenSettings
) -> Iterator[StructureRecord | Quarantined]:
    """Read files where they may hang or die, with what the descriptors need loaded beside."""
    job = FeatureJob(settings.families or FAMILY_NAMES, settings.mobile)
    return read_isolated(inputs, settings.workers, settings.timeout_s, job.preload)


def _lines(
    described: Described,
    trained: TrainedModel,
    settings: ScreenSettings,
    notes: Mapping[str, str],
    advance: Advance,
    cache: Path | None,
    block: int,
) -> pd.DataFrame:
    """What is said of each candidate, and which are known."""
    n, training = len(described.records), trained.structures

    def find_known(start: int, records: Sequence[StructureRecord]) -> list[Known]:
        return kept_known(
            records,
            training,
            settings.mobile,
            trained.range.mobile,
            lambda done, _: advance("known", start + done, n),
            cache if n <= MOST_KEPT else None,
        )

    return descriptions(described.records, find_known, notes, block)


def _filter_by_features(
    candidates: Candidates, settings: ScreenSettings, run: DescriptorRun, advance: Advance
) -> None:
    """Apply the filters on descriptors, with the families that they look at and no other."""
    _, filters = split_by_cost(settings.chosen_filters)
    if not filters:
        return
    described = describe(
        candidates.records,
        families_of(filters),
        settings.mobile,
        run,
        lambda done, total: advance("filters", done, total),
    )
    _take(described, candidates, "roles", "mobile ions, framework and anions cannot be told apart")
    features = described.features.table(sorted({one.column for one in filters}))
    rows = {one.column: features[one.column].tolist() for one in filters}
    passing = list(range(len(candidates.records)))
    for one in filters:
        values = rows[one.column]
        kept = [i for i in passing if one.passes(values[i])]
        for i in sorted(set(passing) - set(kept)):
            record = candidates.records[i]
            file = record.provenance.file or ""
            candidates.filtered.append(Quarantined(record.id, file, one.name, one.reason))
        candidates.funnel.stage(one.name, one.reason)
        dropped, untested = len(passing) - len(kept), sum(is_unknown(values[i]) for i in kept)
        candidates.funnel.count(one.name, kept=len(kept), dropped=dropped, untested=untested)
        passing = kept
    candidates.records = ChosenRecords(candidates.records, np.array(passing, dtype=np.int64))


def _take(described: Described, candidates: Candidates, stage: str, reason: str) -> None:
    """Go on with the structures that have descriptors."""
    candidates.funnel.stage(stage, reason)
    candidates.funnel.count(stage, kept=len(described.records), dropped=len(described.refused))
    candidates.quarantined += described.refused
    candidates.records = described.records


def _need_any(candidates: Candidates) -> None:
    if not candidates.records:
        raise NothingToRank(
            _nothing_left(candidates),
            quarantine_frame(candidates.quarantined),
            quarantine_frame(candidates.filtered),
            candidates.funnel.frame(),
        )


def quarantine_frame(entries: Iterable[Quarantined]) -> pd.DataFrame:
    """Quarantine as a table: id, file, stage, reason."""
    rows = [(entry.id, entry.file, entry.stage, entry.reason) for entry in entries]
    return pd.DataFrame(rows, columns=["id", "file", "stage", "reason"])


def _nothing_left(candidates: Candidates) -> str:
    if not candidates.n_input:
        return "nothing to rank: the input holds no structure"
    parts = []
    for how, left in (
        ("quarantined", candidates.quarantined),
        ("filtered out", candidates.filtered),
    ):
        if left:
            first = f"the first ({left[0].file or left[0].id}) because: {left[0].reason}"
            parts.append(f"{len(left)} {how}, {first}")
    return f"nothing to rank: {'; '.join(parts)}"
