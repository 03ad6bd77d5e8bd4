"""Sources → store: policies, duplicates, quarantine; killable and resumable at any moment.

Reading proceeds in blocks of inputs. What a block yields is written, the index of what has been
seen is committed, and only then is the position behind the block noted down: a kill in between
costs one block of work and changes no byte of the result.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, get_args

from ..atomic import only_writer, remove_leftovers, write_json_atomic, write_rows_atomic
from ..disorder.ordering import ordered_variants
from ..errors import InputError
from ..formats.entry import Entry
from ..records import Quarantined, SiteSpecies, StructureRecord, reduced_formula
from ..sources.base import Item, Source
from ..stability.given_entries import digest_of
from .duplicates import SeenIndex, shape_of
from .hulls import compute_hulls
from .options import Disorder, Duplicates, Oxidation
from .store import (
    MANIFEST,
    VERSION,
    Store,
    StoredRecord,
    quarantine_name,
    quarantine_table,
    read_quarantine,
    records_table,
    structures_name,
    write_table,
)

BLOCK: Final[int] = 500
PROGRESS: Final[str] = ".progress.json"
_INDEX: Final[str] = ".twins.sqlite"

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class IngestSettings:
    """What happens to structures on their way into the store.

    Parameters
    ----------
    disorder : {'occupancy', 'ordered', 'enumerate'}
        ``occupancy`` keeps partial occupancies for descriptors that weight by them; ``ordered``
        sends disordered structures to quarantine; ``enumerate`` replaces each by ordered cells of
        lowest electrostatic energy (:mod:`.ordering`).
    max_variants : int
        With ``enumerate``: ordered cells kept of each.
    oxidation : {'keep', 'ignore', 'require'}
        Oxidation states of the source: used, removed (they are then assigned anew), or demanded.
    duplicates : {'drop', 'keep'}
        Whether equal structures of different ids go to quarantine. Equal ids always do.
    entries : str, optional
        JSON of computed entries: competing phases, computed as the energies of the sources were.
        With it, energies above hull that a source lacks and windows against Li metal are computed.
    """

    disorder: Disorder = "occupancy"
    max_variants: int = 3
    oxidation: Oxidation = "keep"
    duplicates: Duplicates = "drop"
    entries: str | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("disorder", get_args(Disorder)),
            ("oxidation", get_args(Oxidation)),
            ("duplicates", get_args(Duplicates)),
        ):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} {getattr(self, name)!r}: use one of {', '.join(choices)}")
        if self.max_variants < 1:
            raise InputError("max_variants must be at least 1")


@dataclass
class IngestSummary:
    """What came out of an ingest."""

    counts: dict[str, int]
    notices: list[str]
    resumed: int = 0
    """Inputs taken over from an interrupted run; not saved."""
    was_complete: bool = False


@dataclass(kw_only=True)
class _Progress:
    """Where an unfinished ingest stands; saved after every block."""

    identity: dict[str, Any]
    source: int = 0
    cursor: Any = None
    blocks: list[dict[str, Any]] = field(default_factory=list)
    source_of_block: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notices: list[str] = field(default_factory=list)


def ingest(
    sources: Sequence[Source],
    out: str | Path,
    settings: IngestSettings | None = None,
    on_progress: OnProgress | None = None,
    block: int = BLOCK,
) -> IngestSummary:
    """Read sources into a store; continue one that was interrupted.

    Parameters
    ----------
    sources : sequence of Source
        See :func:`ionsieve.data.sources.open_source`.
    out : path
        Folder of the store.
    settings : IngestSettings, optional
    on_progress : callable, optional
        Called with ("ingest", inputs read, 0).
    block : int
        Inputs a block.

    Returns
    -------
    IngestSummary
        Counts: ``input`` structures, enumerated ones not counted twice; ``stored``;
        ``quarantined``; ``added``, cells that stand for a disordered input beyond the first.
        input + added = stored + quarantined.

    Raises
    ------
    InputError
        If the folder belongs to other sources, or a source ends in an error: then everything
        before it is kept, and the same command continues.
    """
    settings = settings or IngestSettings()
    if not sources:
        raise InputError("no source: give a path, optimade:URL or mp:")
    folder = _folder(Path(out))
    identity = {
        "version": VERSION,
        "sources": [source.identity() for source in sources],
        "settings": asdict(settings),
        "entries_sha256": None if settings.entries is None else digest_of(settings.entries),
        "block": block,
    }
    with only_writer(folder / ".lock"):
        remove_leftovers(folder)
        if (folder / MANIFEST).exists():
            return _complete(folder, identity)
        run = _Run(sources, folder, settings, on_progress or (lambda *_: None), block, identity)
        return run.execute()


def _folder(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give --out a folder")
    strangers = folder.exists() and not (folder / MANIFEST).exists()
    if strangers and not (folder / PROGRESS).exists():
        foreign = [p.name for p in folder.iterdir() if not _is_ours(p.name)]
        if foreign:
            raise InputError(
                f"{folder}: holds other files ({min(foreign)}); give --out an empty folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_ours(name: str) -> bool:
    return name.startswith((".", "structures-", "quarantine", "hulls", "settings.yaml"))


def _complete(folder: Path, identity: dict[str, Any]) -> IngestSummary:
    manifest = Store(folder).manifest
    if manifest["identity"] != _plain(identity):
        raise InputError(
            f"{folder}: is a store of other sources or settings; use another --out, or remove it"
        )
    return IngestSummary(manifest["counts"], manifest["notices"], was_complete=True)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


class _Run:
    """One call: takes up the progress, works block by block, closes the store."""

    def __init__(
        self,
        sources: Sequence[Source],
        folder: Path,
        settings: IngestSettings,
        on_progress: OnProgress,
        block: int,
        identity: dict[str, Any],
    ) -> None:
        self.sources, self.folder, self.settings = sources, folder, settings
        self.on_progress, self.block = on_progress, block
        self.progress = self._read_progress(_plain(identity))

    def execute(self) -> IngestSummary:
        resumed = self.progress.counts["input"]
        index = self.folder / _INDEX
        if resumed and not index.exists():
            raise InputError(f"{index}: is gone; remove {self.folder} and start again")
        if not resumed:
            index.unlink(missing_ok=True)
        # pymatgen warns of what noble gases lack whenever a formula holds one.
        with SeenIndex(index) as seen, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No Pauling electronegativity", UserWarning)
            seen.forget_from(len(self.progress.blocks))
            for number in range(self.progress.source, len(self.sources)):
                self._read(number, seen)
        summary = self._close()
        summary.resumed = resumed
        return summary

    def _read_progress(self, identity: dict[str, Any]) -> _Progress:
        path = self.folder / PROGRESS
        if not path.exists():
            return _Progress(identity=identity)
        try:
            saved = json.loads(path.read_text(encoding="utf-8"))
            progress = _Progress(**{**saved, "counts": Counter(saved["counts"])})
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{path}: damaged; remove {self.folder} and start again") from None
        if progress.identity != identity:
            raise InputError(
                f"{self.folder}: an unfinished ingest of other sources or settings; "
                "use another --out, or remove it"
            )
        return progress

    def _read(self, number: int, seen: SeenIndex) -> None:
        source = self.sources[number]
        items = source.items(self.progress.cursor)
        while True:
            taken = list(islice(items, self.block))
            if taken:
                self._take(taken, seen)
                self.progress.cursor = taken[-1].cursor
            if len(taken) < self.block:
                break
            self._save()
        self.progress.notices += source.notices()
        self.progress.source, self.progress.cursor = number + 1, None
        self._save()

    def _take(self, items: Sequence[Item], seen: SeenIndex) -> None:
        number = len(self.progress.blocks)
        kept: list[StoredRecord] = []
        refused: list[Quarantined] = []
        for item in items:
            for entry in self._judged(item.entry, seen, number):
                if isinstance(entry, Quarantined):
                    refused.append(entry)
                else:
                    kept.append(entry)
            self.progress.counts["input"] += 1
            self.on_progress("ingest", self.progress.counts["input"], 0)
        self._write(number, kept, refused)
        self.progress.counts["added"] += len(kept) + len(refused) - len(items)
        seen.commit()

    def _write(self, number: int, kept: list[StoredRecord], refused: list[Quarantined]) -> None:
        structures, quarantine = structures_name(number), quarantine_name(number)
        self.progress.blocks.append(
            {
                structures: write_table(records_table(kept), self.folder / structures),
                quarantine: write_table(quarantine_table(refused), self.folder / quarantine),
            }
        )
        self.progress.source_of_block.append(self.progress.source)
        self.progress.counts["stored"] += len(kept)
        self.progress.counts["quarantined"] += len(refused)
        if noted := sum(bool(stored.record.notes) for stored in kept):
            self.progress.counts["with_notes"] += noted
        for entry in refused:
            self.progress.counts[f"quarantined_{entry.stage}"] += 1

    def _judged(
        self, entry: Entry, seen: SeenIndex, block: int
    ) -> Iterator[StoredRecord | Quarantined]:
        if isinstance(entry, Quarantined):
            yield entry
            return
        for variant in _under_policies(entry, self.settings):
            if isinstance(variant, Quarantined):
                yield variant
            else:
                yield self._unless_duplicate(variant, seen, block)

    def _unless_duplicate(
        self, record: StructureRecord, seen: SeenIndex, block: int
    ) -> StoredRecord | Quarantined:
        if not seen.is_new_id(record.id, block):
            return _refused(record, "duplicate", "another structure before it has this id")
        shape = shape_of(record)
        if self.settings.duplicates == "drop":
            if twin := seen.twin_of(record, shape):
                return _refused(record, "duplicate", f"same structure as {twin}")
            seen.add(record, shape, block)
        origin = "" if record.e_above_hull_eV_atom is None else "source"
        formula = reduced_formula(record.composition)
        return StoredRecord(record, formula, shape.space_group, origin)

    def _save(self) -> None:
        state = {**vars(self.progress), "counts": dict(self.progress.counts)}
        write_json_atomic(self.folder / PROGRESS, state)

    def _close(self) -> IngestSummary:
        write_rows_atomic(self.folder / "quarantine.csv", self._quarantine_rows())
        sources = [str(number) for number in self.progress.source_of_block]
        hulls = compute_hulls(self.folder, sources, self.settings.entries)
        counts = {"added": 0, "stored": 0, "quarantined": 0, **self.progress.counts}
        manifest: dict[str, Any] = {
            "version": VERSION,
            "identity": self.progress.identity,
            "counts": dict(sorted(counts.items())),
            "notices": self.progress.notices,
            "blocks": self.progress.blocks,
            "hulls": hulls,
        }
        write_json_atomic(self.folder / MANIFEST, manifest)
        for name in (PROGRESS, _INDEX):
            (self.folder / name).unlink(missing_ok=True)
        return IngestSummary(manifest["counts"], list(self.progress.notices))

    def _quarantine_rows(self) -> Iterator[tuple[str, ...]]:
        yield ("id", "file", "stage", "reason")
        for number in range(len(self.progress.blocks)):
            for entry in read_quarantine(self.folder / quarantine_name(number)):
                yield entry.id, entry.file, entry.stage, entry.reason


def _refused(record: StructureRecord, stage: str, reason: str) -> Quarantined:
    return Quarantined(record.id, record.provenance.file or "", stage, reason)


def _under_policies(
    record: StructureRecord, settings: IngestSettings
) -> list[StructureRecord | Quarantined]:
    """The structure, what stands for it, or why it is refused."""
    has_states = all(s.oxidation is not None for content in record.species for s in content)
    if settings.oxidation == "require" and not has_states:
        reason = "has sites without oxidation states, and the policy is 'require'"
        return [_refused(record, "policy", reason)]
    if settings.oxidation == "ignore":
        record = _without_oxidation(record)
    if record.is_ordered or settings.disorder == "occupancy":
        return [record]
    if settings.disorder == "ordered":
        return [_refused(record, "policy", "is disordered, and the policy is 'ordered'")]
    try:
        return list(ordered_variants(record, settings.max_variants))
    except InputError as error:
        return [_refused(record, "policy", str(error).removeprefix(f"{record.id}: "))]


def _without_oxidation(record: StructureRecord) -> StructureRecord:
    species = tuple(
        tuple(SiteSpecies(s.element, s.occupancy) for s in content) for content in record.species
    )
    return replace(record, species=species)
