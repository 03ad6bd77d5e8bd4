"""What a screen starts from: files, stores or the embedded candidates, filtered and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ...data.disorder.policy import DisorderPolicy, reason_against
from ...data.records import Quarantined, StructureRecord, reduced_formula
from ...data.sources.files import iter_structures, structure_files
from ...data.store.open import is_store
from ...data.store.store import Store, stored_records
from .filters import STORE_COLUMNS, Filter, is_unknown, split_by_cost
from .funnel import Funnel
from .kept import kept_candidates
from .record_list import RecordList

Advance = Callable[[str, int, int], None]
"""Called with (stage, done, total); total 0 means unknown."""

ReadFiles = Callable[[Sequence[str | Path]], Iterable[StructureRecord | Quarantined]]

_READ: Final[str] = "could not be read; reasons in quarantine.csv"
_SAME_ID: Final[str] = "of the id of an earlier structure; see quarantine.csv"
_STAGES_OF_INGEST: Final[dict[str, str]] = {
    "read": _READ,
    "duplicate": "equal to an earlier structure or of its id; see quarantine.csv",
    "policy": "refused by the policies of the store; see quarantine.csv",
}


@dataclass(kw_only=True)
class Candidates:
    """Structures under consideration, and all that left: none is lost."""

    funnel: Funnel
    records: Sequence[StructureRecord] = ()
    quarantined: list[Quarantined] = field(default_factory=list)
    filtered: list[Quarantined] = field(default_factory=list)
    """Sound structures that are not looked for: ``stage`` is the filter's name."""
    n_input: int = 0


def collect_candidates(
    inputs: Sequence[str | Path],
    mobile: str,
    policy: DisorderPolicy,
    filters: Sequence[Filter],
    advance: Advance,
    read: ReadFiles = iter_structures,
    records: Sequence[StructureRecord] = (),
    cache: Path | None = None,
    kept: RecordList | None = None,
) -> Candidates:
    """Read the inputs; apply the filters on the store's columns and the disorder policy.

    Parameters
    ----------
    inputs : sequence of path
        Stores, CIF and POSCAR files and folders, in any mixture; none for the embedded
        candidates.
    mobile : str
    policy : DisorderPolicy
    filters : sequence of Filter
        Those on descriptors are left for later.
    advance : callable
    read : callable
        Reads CIF and POSCAR files, in order; by default here, in this process.
    records : sequence of StructureRecord
        Structures held in memory, treated like those of files.
    cache : path, optional
        Folder where the embedded candidates are kept between runs.
    kept : RecordList, optional
        Empty; what is left goes there. All of it stays in memory by default.

    Raises
    ------
    InputError
        If a path does not exist or a folder holds no structure file.
    """
    candidates = Candidates(funnel=Funnel())
    cheap, _ = split_by_cost(filters)
    candidates.funnel.stage("input", "structures given")
    sieve = _Sieve(cheap, candidates)
    if inputs or records:
        paths = [Path(path) for path in inputs]
        stores = [Store(path) for path in paths if is_store(path)]
        files = [path for path in paths if not is_store(path)]
        _open_stages(candidates, stores, files)
        sieve.open_stages()
        found: Iterator[StructureRecord] = chain(
            _from_stores(stores, sieve, advance),
            _from_files(files, read, candidates, sieve, advance) if files else (),
            _from_memory(records, candidates, sieve),
        )
    else:
        found = _embedded(mobile, candidates, sieve, cache)
    kept = RecordList(None) if kept is None else kept
    for record in _under_policy(_unique(found, candidates), mobile, policy, candidates):
        kept.append(record)
    candidates.records = kept
    return candidates


def _open_stages(candidates: Candidates, stores: Sequence[Store], files: Sequence[Path]) -> None:
    """Before the filters come the stages of what is read, in one order whatever is mixed."""
    if stores:
        _count_ingest(stores, candidates)
    if files:
        candidates.funnel.stage("read", _READ)


def _unique(
    records: Iterable[StructureRecord], candidates: Candidates
) -> Iterator[StructureRecord]:
    """Rows are found by id: a second structure of one id is set aside."""
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            candidates.funnel.stage("same_id", _SAME_ID)
            candidates.funnel.count("same_id", dropped=1)
            file = record.provenance.file or ""
            reason = "the id belongs to an earlier structure; rename one of the two"
            candidates.quarantined.append(Quarantined(record.id, file, "same_id", reason))
            continue
        seen.add(record.id)
        yield record


class _Sieve:
    """Filters on columns of the store, with their counts."""

    def __init__(self, filters: Sequence[Filter], candidates: Candidates) -> None:
        self.filters, self.candidates = filters, candidates
        self.columns = [c for c in STORE_COLUMNS if c in {one.column for one in filters}]

    def open_stages(self) -> None:
        for one in self.filters:
            self.candidates.funnel.stage(one.name, one.reason)

    def passes(self, row: Mapping[str, Any], record_id: str, file: str) -> bool:
        for one in self.filters:
            if not one.passes(row[one.column]):
                self.candidates.funnel.count(one.name, dropped=1)
                self.candidates.filtered.append(Quarantined(record_id, file, one.name, one.reason))
                return False
            untested = int(is_unknown(row[one.column]))
            self.candidates.funnel.count(one.name, kept=1, untested=untested)
        return True


def _embedded(
    mobile: str, candidates: Candidates, sieve: _Sieve, cache: Path | None
) -> Iterator[StructureRecord]:
    generated = kept_candidates(mobile, cache)
    candidates.quarantined += generated.dropped
    candidates.n_input = generated.n_generated
    candidates.funnel.count("input", kept=generated.n_generated)
    candidates.funnel.stage("plausible", "implausible or duplicate substitution")
    kept, dropped = len(generated.records), len(generated.dropped)
    candidates.funnel.count("plausible", kept=kept, dropped=dropped)
    sieve.open_stages()
    return (r for r in generated.records if sieve.passes(row_of(r), r.id, ""))


def _from_files(
    inputs: Sequence[Path],
    read: ReadFiles,
    candidates: Candidates,
    sieve: _Sieve,
    advance: Advance,
) -> Iterator[StructureRecord]:
    total = len(structure_files(inputs))
    funnel = candidates.funnel
    for done, item in enumerate(read(inputs), start=1):
        advance("reading", min(done, total), total)
        candidates.n_input += 1
        funnel.count("input", kept=1)
        if isinstance(item, Quarantined):
            funnel.count("read", dropped=1)
            candidates.quarantined.append(item)
            continue
        funnel.count("read", kept=1)
        if sieve.passes(row_of(item), item.id, item.provenance.file or ""):
            yield item


def _from_memory(
    records: Sequence[StructureRecord], candidates: Candidates, sieve: _Sieve
) -> Iterator[StructureRecord]:
    candidates.n_input += len(records)
    candidates.funnel.count("input", kept=len(records))
    return (r for r in records if sieve.passes(row_of(r), r.id, r.provenance.file or ""))


def _from_stores(
    stores: Sequence[Store], sieve: _Sieve, advance: Advance
) -> Iterator[StructureRecord]:
    total, done = sum(store.n_structures for store in stores), 0
    for store in stores:
        for table in store.tables():
            names = [*dict.fromkeys(["id", "file", *sieve.columns])]
            rows = table.select(names).to_pylist()
            passing = [sieve.passes(row, row["id"], row["file"] or "") for row in rows]
            # The type is said: of an empty batch Arrow would guess null, which is no mask.
            mask = pa.array(passing, pa.bool_())
            yield from (stored.record for stored in stored_records(table.filter(mask)))
            done += len(rows)
            advance("filtering", done, total)


def _count_ingest(stores: Sequence[Store], candidates: Candidates) -> None:
    """Stages that inputs went through on their way into the stores."""
    refused = [entry for store in stores for entry in store.quarantined()]
    left = sum(store.n_structures for store in stores) + len(refused)
    candidates.quarantined += refused
    candidates.n_input += left
    candidates.funnel.count("input", kept=left)
    for stage, reason in _STAGES_OF_INGEST.items():
        dropped = sum(entry.stage == stage for entry in refused)
        left -= dropped
        candidates.funnel.stage(f"ingest_{stage}", reason)
        candidates.funnel.count(f"ingest_{stage}", kept=left, dropped=dropped)


def _under_policy(
    records: Iterable[StructureRecord], mobile: str, policy: DisorderPolicy, candidates: Candidates
) -> Iterator[StructureRecord]:
    candidates.funnel.stage("policy", "no mobile species, no anion, or disorder beyond policy")
    for record in records:
        if reason := reason_against(record, mobile, policy):
            file = record.provenance.file or ""
            candidates.quarantined.append(Quarantined(record.id, file, "policy", reason))
            candidates.funnel.count("policy", dropped=1)
        else:
            candidates.funnel.count("policy", kept=1)
            yield record


def row_of(record: StructureRecord) -> dict[str, Any]:
    """The store's columns of a structure that comes from elsewhere; no space group is known."""
    return {
        "id": record.id,
        "formula": reduced_formula(record.composition),
        "elements": list(record.elements),
        "n_elements": len(record.elements),
        "n_sites": record.n_sites,
        "space_group": None,
        "is_ordered": record.is_ordered,
        "volume_A3": record.volume_A3,
        "e_above_hull_eV_atom": record.e_above_hull_eV_atom,
        "band_gap_eV": record.band_gap_eV,
        "energy_eV_atom": record.energy_eV_atom,
        "li_window_low_V": record.li_window_low_V,
        "li_window_high_V": record.li_window_high_V,
        "source": record.provenance.source,
        "licence": record.provenance.licence,
    }
