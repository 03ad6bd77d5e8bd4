"""The folder that a campaign starts from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from ...data.atomic import file_lock, write_text_atomic
from ...data.csv_text import csv_text
from ...data.disorder.policy import DisorderPolicy
from ...data.errors import InputError
from ...data.records import Quarantined, StructureRecord, reduced_formula
from ...data.sources.files import read_structures
from ...features.featurizer import rows_to_frame
from ...models import save_model
from ..acquisition.cost import estimated_size
from ..batch.row_cache import described_rows
from ..generate.prototypes import embedded_candidates
from ..jobs.structure_json import record_to_json
from ..screen.labelled import leave_out_known
from ..screen.pipeline import quarantine_frame
from ..screen.training import TrainedModel, embedded_model, own_model
from .from_screen import ScreenChoice, screened_candidates
from .records import Candidate
from .settings import CampaignSettings
from .store import CampaignStore

FEATURES: Final[str] = "features.parquet"
TRAINING_FEATURES: Final[str] = "training_features.parquet"
TRAINING_LABELS: Final[str] = "training_labels.parquet"


Advance = Callable[[str, int, int], None]


def init_campaign(
    folder: str | Path,
    inputs: Sequence[str | Path] = (),
    settings: CampaignSettings | None = None,
    cache: Path | None = None,
    advance: Advance | None = None,
    network_file_system: bool = False,
    screen: ScreenChoice | None = None,
    known: bool = False,
    model: str | Path | None = None,
) -> dict[str, int]:
    """Make a campaign folder: candidates with features, a first model, an empty history.

    Everything is made beside the folder and renamed: the folder is whole or absent.

    Parameters
    ----------
    folder : path
        Must not exist, or be empty.
    inputs : sequence of path
        CIF and POSCAR files or folders of them; none: the embedded candidates.
    settings : CampaignSettings, optional
    cache : path, optional
        Folder of cached models.
    advance : callable, optional
        Progress callback.
    network_file_system : bool
        Keep the database in a form that network file systems can hold.
    screen : ScreenChoice, optional
        Take the flagged candidates of a screen; ``inputs`` then says where their structures are,
        by default where the screen found them.
    known : bool
        Also materials whose label the AIMD or the experiment table holds.
    model : path, optional
        Folder of a model of your own that the campaign starts from and trains again; by default
        that of the embedded tables.

    Returns
    -------
    dict
        Numbers of candidates, of quarantined inputs, and of known materials among the latter.

    Raises
    ------
    InputError
        If the folder is in use or nothing can be simulated.
    """
    settings = settings or CampaignSettings()
    advance = advance or (lambda *_: None)
    target = Path(folder).resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{folder}: is there already and not an empty folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.parent / f".{target.name}.init"
    lock = target.parent / f".{target.name}.init-lock"
    with file_lock(lock, wait=False) as mine:
        if not mine:
            raise InputError(f"{folder}: another process is making this campaign")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            records = _new_candidates(inputs, settings, advance, screen, known)
            counts = _fill(staging, records, settings, cache, advance, network_file_system, model)
            staging.rename(target)
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{error.filename or folder}: {reason}; nothing was made") from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            lock.unlink(missing_ok=True)
    return counts


@dataclass(frozen=True)
class _Inputs:
    records: list[StructureRecord]
    quarantined: list[Quarantined]
    n_known: int


def _new_candidates(
    inputs: Sequence[str | Path],
    settings: CampaignSettings,
    advance: Advance,
    screen: ScreenChoice | None,
    known: bool,
) -> _Inputs:
    """Structures that may be simulated: one rule for every way in."""
    if screen is None:
        records, quarantined = _candidates(inputs, settings.mobile)
    else:
        records = screened_candidates(screen, inputs, settings.mobile, advance)
        quarantined = []
    if known:
        return _Inputs(records, quarantined, 0)
    new, held = leave_out_known(records, settings.mobile)
    if held and not new:
        raise InputError(
            f"every candidate is known: {held[0].id}: {held[0].reason}; give --known to run them "
            "again"
        )
    return _Inputs(new, [*quarantined, *held], len(held))


def _fill(
    folder: Path,
    found: _Inputs,
    settings: CampaignSettings,
    cache: Path | None,
    advance: Advance,
    network_file_system: bool,
    model: str | Path | None,
) -> dict[str, int]:
    # Inputs first: a wrong path should not cost a training.
    records, quarantined = found.records, list(found.quarantined)
    features, reasons = _features(records, settings.mobile, cache, advance)
    records = [r for r in records if r.id in features.index]
    quarantined += reasons
    if not records:
        first = quarantined[0].reason if quarantined else "no structure was given"
        raise InputError(f"no candidate can be simulated; the first was refused because: {first}")
    if model is None:
        trained = embedded_model(
            settings.seed, settings.threshold_S_cm, None, cache, mobile=settings.mobile
        )
    else:
        trained = own_model(model, settings.threshold_S_cm, settings.mobile)
    _write_tables(folder, features, trained, quarantined)
    candidates = [_candidate(record, settings) for record in records]
    journal = "delete" if network_file_system else "wal"
    with CampaignStore.create(folder, settings.as_dict(), candidates, journal) as store:  # type: ignore[arg-type]
        save_model(trained.model, folder / "models" / "000")
        with store.transaction() as t:
            details = {
                "n_labels": len(trained.labels),
                "n_campaign_labels": 0,
                "n_results": 0,
                "held_out": trained.model.evaluation_,
            }
            t.add_model("models/000", "embedded" if model is None else trained.key, details)
    return {
        "candidates": len(candidates),
        "quarantined": len(quarantined),
        "known": found.n_known,
    }


def _candidates(
    inputs: Sequence[str | Path], mobile: str
) -> tuple[list[StructureRecord], list[Quarantined]]:
    if not inputs:
        generated = embedded_candidates(mobile)
        return list(generated.records), list(generated.dropped)
    result = read_structures(inputs, mobile, DisorderPolicy())
    return result.records, result.quarantined


def _features(
    records: Sequence[StructureRecord], mobile: str, cache: Path | None, advance: Advance
) -> tuple[pd.DataFrame, list[Quarantined]]:
    rows = described_rows(
        records,
        mobile=mobile,
        on_done=lambda done: advance("descriptors", done, len(records)),
        cache=cache,
    )
    refused = [
        Quarantined(row.id, record.provenance.file or "", "roles", row.reason)
        for row, record in zip(rows, records, strict=True)
        if row.values is None
    ]
    return rows_to_frame([row for row in rows if row.values is not None], None), refused


def _write_tables(
    folder: Path, features: pd.DataFrame, trained: TrainedModel, quarantined: list[Quarantined]
) -> None:
    clash = features.index.intersection(trained.features.index)
    if len(clash):
        # A candidate that is in the training table keeps its features apart from it.
        trained.features.rename(index={i: f"training:{i}" for i in clash}, inplace=True)
        trained.labels["structure_id"] = trained.labels["structure_id"].replace(
            {i: f"training:{i}" for i in clash}
        )
    features.to_parquet(folder / FEATURES)
    trained.features.to_parquet(folder / TRAINING_FEATURES)
    usable = trained.labels["structure_id"].isin(trained.features.index)
    trained.labels[usable].reset_index(drop=True).to_parquet(folder / TRAINING_LABELS)
    table = csv_text(quarantine_frame(quarantined))
    write_text_atomic(folder / "quarantine.csv", table)


def _candidate(record: StructureRecord, settings: CampaignSettings) -> Candidate:
    size = estimated_size(record.composition, record.volume_A3, settings.protocol)
    return Candidate(
        id=record.id,
        formula=reduced_formula(record.composition),
        system="-".join(sorted(record.elements)),
        record=record_to_json(record),
        n_electrons=size.n_electrons,
        volume_A3=size.volume_A3,
    )
