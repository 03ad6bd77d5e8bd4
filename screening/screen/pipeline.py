"""One screen: candidates → features → predictions → ranking, quarantine and report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ...data.errors import InputError
from ...data.records import Quarantined, StructureRecord, reduced_formula
from ...data.units import ROOM_TEMPERATURE_K
from ...features.catalogue import FAMILY_NAMES
from ...features.featurizer import numeric_columns
from ..acquisition.shortlist import SAME
from ..batch.batch import FeatureJob
from ..batch.reading import read_isolated
from ..batch.reasons import general_reason
from ..batch.shared_rows import SharedEngine
from ..batch.usage import Meter
from .candidates import Advance, Candidates, collect_candidates
from .describe import Described, DescriptorRun, describe
from .disorder import order_candidates
from .filters import families_of, is_unknown, split_by_cost
from .flags import add_flags
from .follow_up import FollowUp, add_follow_up
from .kept import kept_known
from .known import Known
from .labelled import leave_out_known
from .options import ScreenSettings
from .ranking import DECIMALS, in_order, rank_candidates
from .training import TrainedModel, embedded_model, own_model

TEMPERATURES_K: Final[tuple[float, ...]] = (300.0, 400.0, 600.0, 1000.0)
"""From room temperature to where AIMD is run."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ScreenResult:
    """A finished screen, in memory."""

    ranking: pd.DataFrame
    quarantine: pd.DataFrame
    features: pd.DataFrame
    trained: TrainedModel
    settings: ScreenSettings
    counts: dict[str, int]
    notes: dict[str, int]
    """Reasons for NaN features, with the number of structures each concerns."""
    funnel: pd.DataFrame
    """``stage``, ``kept``, ``dropped``, ``reason``, in the order of the stages."""
    filtered: pd.DataFrame
    """Sound structures that the filters left out, with the filter as ``stage``."""
    records: list[StructureRecord]
    """Of the ranked structures, in the order of ``features``."""
    follow_up: FollowUp
    """The shortlist in numbers; which candidates it holds stands in ``ranking``."""
    temperatures: pd.DataFrame
    """Predictions at :data:`TEMPERATURES_K`, one row a candidate and temperature."""
    meter: Meter = field(default_factory=Meter)
    """What each stage cost."""


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
) -> ScreenResult:
    """Rank structures; with no input, the embedded candidates.

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

    Raises
    ------
    InputError
        If a path does not exist.
    NothingToRank
        If no structure is left, with the tables of where they went.
    """
    settings = (settings or ScreenSettings()).settled()
    advance = advance or (lambda stage, done, total: None)
    run = DescriptorRun(
        work=work,
        workers=settings.workers,
        timeout_s=settings.timeout_s,
        cache=cache,
        shared=shared,
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
    known = kept_known(
        described.records,
        trained.structures,
        settings.mobile,
        trained.range.mobile,
        lambda done, total: advance("known", done, total),
        cache,
    )
    meter.stage("ranking")
    ranking = _rank(described.features, described.records, known, trained, settings, ordering.notes)
    ranking, follow_up = _decided(ranking, described, trained, settings)
    return ScreenResult(
        ranking=ranking,
        quarantine=quarantine_frame(candidates.quarantined),
        features=described.features,
        trained=trained,
        settings=settings,
        counts={
            "input": candidates.n_input,
            "ranked": len(ranking),
            "filtered": len(candidates.filtered),
            "quarantined": len(candidates.quarantined),
            "with_notes": sum(bool(record.notes) for record in described.records),
            **ordering.counts,
        },
        notes=_count_notes(described.notes),
        funnel=candidates.funnel.frame(),
        filtered=quarantine_frame(candidates.filtered),
        records=described.records,
        follow_up=follow_up,
        temperatures=at_temperatures(described.features, trained, settings.families),
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


def _decided(
    ranking: pd.DataFrame, described: Described, trained: TrainedModel, settings: ScreenSettings
) -> tuple[pd.DataFrame, FollowUp]:
    """The ranking with its shortlist and flags."""
    coverage = trained.model.coverage
    table, follow_up = _with_shortlist(ranking, described, coverage, settings)
    table = add_flags(
        table,
        described.features,
        trained.range,
        settings.flags,
        settings.mobile,
        follow_up.line_log10_S_cm,
        coverage,
    )
    return in_order(table), follow_up


def _with_shortlist(
    ranking: pd.DataFrame, described: Described, coverage: float, settings: ScreenSettings
) -> tuple[pd.DataFrame, FollowUp]:
    """Choose a batch of which no label table holds a material: a campaign buys none of those.

    Tables are asked about what is chosen only: comparing every candidate would cost more than all
    the rest of the ranking.
    """
    records = {record.id: record for record in described.records}
    held: dict[str, str] = {}
    asked: set[str] = set()
    while True:
        open_to = ranking["known_relation"].where(~ranking["id"].isin(held), SAME)
        table, follow_up = add_follow_up(
            ranking.assign(known_relation=open_to),
            described.features,
            described.records,
            settings.follow_up,
            float(np.log10(settings.threshold_S_cm)),
            coverage,
            settings.seed,
        )
        picked = [i for i in table.loc[table["follow_up"].notna(), "id"] if i not in asked]
        _, known = leave_out_known([records[i] for i in picked], settings.mobile)
        asked.update(picked)
        if not known:
            break
        held |= {one.id: one.reason for one in known}
    notes = [
        "; ".join(filter(None, [note, f"not proposed: {held[i]}" if i in held else ""]))
        for i, note in zip(table["id"], table["note"], strict=True)
    ]
    table = table.assign(note=notes, known_relation=ranking["known_relation"])
    return table, replace(follow_up, n_known=int((ranking["known_relation"] == SAME).sum()))


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
    features = described.features
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
    candidates.records = [candidates.records[i] for i in passing]


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


def _rank(
    features: pd.DataFrame,
    records: Sequence[StructureRecord],
    known: Sequence[Known],
    trained: TrainedModel,
    settings: ScreenSettings,
    notes: Mapping[str, str],
) -> pd.DataFrame:
    numbers = features[numeric_columns(settings.families)]
    predictions = trained.model.predict(numbers, temperature_K=ROOM_TEMPERATURE_K)
    measured = None
    if trained.experiment is not None:
        measured = trained.experiment.predict(numbers, temperature_K=ROOM_TEMPERATURE_K)
    descriptions = pd.DataFrame(
        {
            "formula": [reduced_formula(r.composition) for r in records],
            "n_sites": [r.n_sites for r in records],
            "source": [r.provenance.file or r.provenance.source for r in records],
            "note": ["; ".join(filter(None, [notes.get(r.id), *r.notes])) for r in records],
            "known_structure": [one.structure for one in known],
            "known_relation": [one.relation for one in known],
            "e_above_hull_meV_atom": [_times(1000.0, r.e_above_hull_eV_atom) for r in records],
            "li_window_low_V": [_times(1.0, r.li_window_low_V) for r in records],
            "li_window_high_V": [_times(1.0, r.li_window_high_V) for r in records],
        },
        index=features.index,
    )
    return rank_candidates(features, predictions, descriptions, trained.range, measured)


def at_temperatures(
    features: pd.DataFrame, trained: TrainedModel, families: tuple[str, ...] | None
) -> pd.DataFrame:
    """Predictions for an Arrhenius sketch: log10 of S/cm with the interval of the model."""
    numbers = features[numeric_columns(families)]
    parts = []
    for temperature in TEMPERATURES_K:
        found = trained.model.predict(numbers, temperature_K=temperature)
        parts.append(
            pd.DataFrame(
                {
                    "id": features.index.astype(str),
                    "temperature_K": temperature,
                    "log10_sigma_S_cm": found["prediction"].to_numpy(),
                    "log10_sigma_low": found["low"].to_numpy(),
                    "log10_sigma_high": found["high"].to_numpy(),
                }
            ).round(DECIMALS)
        )
    return pd.concat(parts, ignore_index=True)


def _times(factor: float, value: float | None) -> float:
    return float("nan") if value is None else factor * value


def quarantine_frame(entries: Iterable[Quarantined]) -> pd.DataFrame:
    """Quarantine as a table: id, file, stage, reason."""
    rows = [asdict(entry) for entry in entries]
    return pd.DataFrame(rows, columns=["id", "file", "stage", "reason"])


def _count_notes(reasons: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reason in reasons:
        for note in map(general_reason, filter(None, reason.split("; "))):
            counts[note] = counts.get(note, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


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
