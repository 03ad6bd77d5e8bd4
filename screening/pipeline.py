"""One screen: candidates → features → predictions → ranking, quarantine and report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.errors import InputError
from ..data.policy import DisorderPolicy, reason_against
from ..data.readers import iter_structures, structure_files
from ..data.records import Quarantined, StructureRecord, reduced_formula
from ..data.units import ROOM_TEMPERATURE_K
from ..features.featurizer import numeric_columns, rows_to_frame
from ..features.rows import FeatureRow
from .batch import featurize_isolated
from .generate import embedded_candidates
from .ranking import FlagRules, rank_candidates
from .training import TrainedModel, embedded_model

Advance = Callable[[str, int, int], None]
"""Called with (stage, done, total); total 0 means unknown."""


@dataclass(frozen=True)
class ScreenSettings:
    """What a screen does, saved beside its results.

    Parameters
    ----------
    mobile : str
        Mobile species.
    threshold_S_cm : float
        Conductivity at 300 K, S/cm, that counts as fast.
    seed : int
    families : tuple of str, optional
        Descriptor families; all by default.
    disorder : {'occupancy', 'ordered'}
        See :class:`ionsieve.data.policy.DisorderPolicy`.
    """

    mobile: str = "Li"
    threshold_S_cm: float = 1e-3
    seed: int = 0
    families: tuple[str, ...] | None = None
    disorder: str = "occupancy"
    workers: int = 1
    """Processes that compute descriptors."""
    timeout_s: float = 120.0
    """Longest time for the descriptors of one structure, s."""
    flags: FlagRules = field(default_factory=FlagRules)

    def as_dict(self) -> dict[str, Any]:
        """Settings as plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
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


def run_screen(
    inputs: Sequence[str | Path],
    settings: ScreenSettings | None = None,
    cache: Path | None = None,
    advance: Advance | None = None,
) -> ScreenResult:
    """Rank structures; with no input, the embedded candidates.

    Parameters
    ----------
    inputs : sequence of path
        CIF and POSCAR files or folders; empty for the embedded candidates.
    settings : ScreenSettings, optional
    cache : path, optional
        Folder of cached models.
    advance : callable, optional
        Progress callback.

    Raises
    ------
    InputError
        If a path does not exist, or nothing can be ranked.
    """
    settings = settings or ScreenSettings()
    advance = advance or (lambda stage, done, total: None)
    # Inputs first: a wrong path should not cost a training.
    records, quarantined = _candidates(inputs, settings, advance)
    if not records:
        raise InputError(_nothing_left(quarantined))
    advance("training", 0, 1)
    trained = embedded_model(
        settings.seed,
        settings.threshold_S_cm,
        settings.families,
        cache,
        settings.workers,
    )
    advance("training", 1, 1)
    rows = featurize_isolated(
        records,
        settings.families,
        settings.mobile,
        settings.workers,
        settings.timeout_s,
        lambda done: advance("descriptors", done, len(records)),
    )
    quarantined += [
        Quarantined(r.id, s.provenance.file or "", "roles", r.reason)
        for r, s in zip(rows, records, strict=True)
        if r.values is None
    ]
    kept = [(r, s) for r, s in zip(rows, records, strict=True) if r.values is not None]
    if not kept:
        raise InputError(_nothing_left(quarantined))
    features = rows_to_frame([row for row, _ in kept], settings.families)
    ranking = _rank(features, [s for _, s in kept], trained, settings)
    return ScreenResult(
        ranking,
        quarantine_frame(quarantined),
        features,
        trained,
        settings,
        {
            "input": len(records) + len(quarantined) - sum(q.stage == "roles" for q in quarantined),
            "ranked": len(ranking),
            "quarantined": len(quarantined),
        },
        _count_notes(row for row, _ in kept),
    )


def _candidates(
    inputs: Sequence[str | Path], settings: ScreenSettings, advance: Advance
) -> tuple[list[StructureRecord], list[Quarantined]]:
    if not inputs:
        generated = embedded_candidates(settings.mobile)
        return list(generated.records), list(generated.dropped)
    total = len(structure_files(inputs))
    policy = DisorderPolicy(mode=settings.disorder)  # type: ignore[arg-type]
    records: list[StructureRecord] = []
    quarantined: list[Quarantined] = []
    for done, item in enumerate(iter_structures(inputs), start=1):
        advance("reading", min(done, total), total)
        if isinstance(item, Quarantined):
            quarantined.append(item)
        elif reason := reason_against(item, settings.mobile, policy):
            file = item.provenance.file or ""
            quarantined.append(Quarantined(item.id, file, "policy", reason))
        else:
            records.append(item)
    return records, quarantined


def _rank(
    features: pd.DataFrame,
    records: Sequence[StructureRecord],
    trained: TrainedModel,
    settings: ScreenSettings,
) -> pd.DataFrame:
    predictions = trained.model.predict(
        features[numeric_columns(settings.families)], temperature_K=ROOM_TEMPERATURE_K
    )
    descriptions = pd.DataFrame(
        {
            "formula": [reduced_formula(r.composition) for r in records],
            "n_sites": [r.n_sites for r in records],
            "source": [r.provenance.file or r.provenance.source for r in records],
        },
        index=features.index,
    )
    return rank_candidates(features, predictions, descriptions, trained.range, settings.flags)


def quarantine_frame(entries: Iterable[Quarantined]) -> pd.DataFrame:
    """Quarantine as a table: id, file, stage, reason."""
    rows = [asdict(entry) for entry in entries]
    return pd.DataFrame(rows, columns=["id", "file", "stage", "reason"])


def _count_notes(rows: Iterable[FeatureRow]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        for note in filter(None, row.reason.split("; ")):
            counts[note] = counts.get(note, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _nothing_left(quarantined: Sequence[Quarantined]) -> str:
    if not quarantined:
        return "nothing to rank: the input holds no structure"
    first = quarantined[0]
    return (
        f"nothing to rank: all {len(quarantined)} structures were refused, "
        f"the first ({first.file or first.id}) because: {first.reason}"
    )
