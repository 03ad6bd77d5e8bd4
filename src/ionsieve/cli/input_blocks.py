"""Structures and compositions in, feature tables out, a block at a time: memory holds one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .model_inputs import Advance, FeatureInputs, bare_note, composition_rows, structure_rows

if TYPE_CHECKING:
    from ..data.formats.entry import Entry
    from ..data.records import Quarantined
    from ..data.sources.compositions import CompositionRecord
    from ..data.sources.files import ReadResult
    from ..features.rows import FeatureRow
    from ..screening.batch.given_rows import GivenRows
    from ..screening.batch.shared_rows import SharedEngine

BLOCK: Final[int] = 10_000
"""Materials described at a time; their rows take a few hundred MB on the way to a table."""


@dataclass(frozen=True, kw_only=True)
class BlockInputs:
    """What is described, and how.

    Parameters
    ----------
    structures : sequence of path
        CIF and POSCAR files, folders of them, and stores.
    compositions : sequence of path
    mobile : str
    workers : int
    advance : callable
    shared : SharedEngine, optional
        What computes descriptors instead of processes of this machine.
    size : int
        Materials a block.
    given : GivenRows, optional
        Descriptors that are there already.
    """

    structures: Sequence[Path]
    compositions: Sequence[Path] = ()
    mobile: str = "Li"
    workers: int = 1
    advance: Advance = field(default=lambda stage, done, total: None)
    shared: SharedEngine | None = None
    size: int = BLOCK
    given: GivenRows | None = None

    def blocks(self) -> Iterator[FeatureInputs]:
        """Feature tables in the order of the inputs; what is set aside comes with its block.

        A structure of the same id goes before a composition, and the first of several structures
        before the others. A structure that descriptors cannot take is answered from its
        composition and cell.

        Raises
        ------
        InputError
            If nothing is given, or a path does not exist.
        """
        from ..data.errors import InputError
        from ..data.records import reduced_formula
        from ..data.sources.compositions import read_compositions

        if not (self.structures or self.compositions):
            raise InputError("nothing to compute features of: give structures or --compositions")
        entries, total = self._entries()
        tables = [read_compositions(path) for path in self.compositions]
        answered: set[str] = set()
        done = 0
        for found in self._read(entries):
            answered |= {record.id for record in found.records}
            yield self._of_structures(found, done, total)
            done += len(found.records)
        bare = [record for table in tables for record in table.records]
        refused = [entry for table in tables for entry in table.quarantined]
        earlier: dict[str, CompositionRecord] = {}
        for k in range(0, len(bare), self.size):
            rows, set_aside = composition_rows(
                bare[k : k + self.size], answered, self.mobile, earlier
            )
            refused += set_aside
            notes = {record.id: bare_note(record.note) for record, _ in rows}
            formulas = {record.id: reduced_formula(dict(record.amounts)) for record, _ in rows}
            yield _inputs([row for _, row in rows], formulas, notes)
        if refused:
            yield _inputs([], {}, {}, quarantined=refused)

    def _entries(self) -> tuple[Iterator[Entry], int]:
        """Structures one by one, in the order of the inputs, and about how many there are."""
        from itertools import chain

        from ..data.sources.files import read_file, structure_files
        from ..data.store.open import is_store
        from ..data.store.store import Store

        parts: list[Iterator[Entry]] = []
        total = 0
        for is_one, paths in _alike(self.structures, is_store):
            if is_one:
                stores = [Store(path) for path in paths]
                total += sum(store.n_structures for store in stores)
                parts += [(found.record for found in store.records()) for store in stores]
            else:
                files = structure_files(paths)
                total += len(files)
                parts.append(entry for file in files for entry in read_file(*file))
        return chain.from_iterable(parts), total

    def _read(self, entries: Iterator[Entry]) -> Iterator[ReadResult]:
        from ..data.records import Quarantined
        from ..data.sources.files import ReadResult

        seen: set[str] = set()
        found = ReadResult()
        for entry in entries:
            if isinstance(entry, Quarantined):
                found.quarantined.append(entry)
            elif entry.id in seen:
                reason = "the id belongs to an earlier structure; rename one of the two"
                file = entry.provenance.file or ""
                found.quarantined.append(Quarantined(entry.id, file, "same_id", reason))
            else:
                seen.add(entry.id)
                found.take(entry, self.mobile, None)
            if len(found.records) == self.size:
                yield found
                found = ReadResult()
        if found.records or found.quarantined:
            yield found

    def _of_structures(self, found: ReadResult, done: int, total: int) -> FeatureInputs:
        from ..data.records import reduced_formula

        def advance(stage: str, n: int, _: int) -> None:
            self.advance(stage, done + n, max(total, done + n))

        rows, notes = structure_rows(
            found.records, self.mobile, advance, self.workers, self.shared, self.given
        )
        formulas = {r.id: reduced_formula(r.composition) for r in found.records}
        remarks = {r.id: "; ".join(r.notes) for r in found.records if r.notes}
        notes = {**found.notes, **notes}
        return _inputs(rows, formulas, notes, remarks, found.quarantined)


def _inputs(
    rows: Sequence[FeatureRow],
    formulas: Mapping[str, str],
    notes: Mapping[str, str],
    remarks: Mapping[str, str] | None = None,
    quarantined: Sequence[Quarantined] = (),
) -> FeatureInputs:
    import pandas as pd

    from ..features.featurizer import numeric_columns, rows_to_frame
    from ..features.without_structure import NO_STRUCTURE

    ids = [row.id for row in rows]
    return FeatureInputs(
        features=rows_to_frame(rows, None)[numeric_columns()],
        structures=pd.DataFrame({"formula": [formulas[i] for i in ids]}, index=ids),
        quarantined=list(quarantined),
        notes={i: note for i, note in notes.items() if note},
        without_structure=frozenset(r.id for r in rows if r.reason.startswith(NO_STRUCTURE)),
        remarks=dict(remarks or {}),
    )


def _alike(
    paths: Sequence[Path], test: Callable[[Path], bool]
) -> Iterator[tuple[bool, list[Path]]]:
    """Runs of neighbours that a test says the same of."""
    from itertools import groupby

    for answer, run in groupby(paths, test):
        yield answer, list(run)
