"""Structures in order: in memory while they are few, in a file when many.

Behind the first :data:`BLOCK` the file takes over, and memory holds eight bytes a structure. What
is read back is equal to what was put in.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, overload

import numpy as np

from ...data.records import NUMBERS, IntArray, Provenance, SiteSpecies, StructureRecord
from .scratch_file import ScratchFile

BLOCK: Final[int] = 10_000
"""Candidates that a screen has in memory at a time."""
_ORIGIN: Final[tuple[str, ...]] = tuple(field.name for field in fields(Provenance))


class RecordList(Sequence[StructureRecord]):
    """Structures that were appended one by one, for reading in any order.

    Parameters
    ----------
    folder : path, optional
        Where the file is made, if there is need of one. None: all of it stays in memory.
    block : int
        So many stay in memory.
    """

    def __init__(self, folder: Path | None, block: int = BLOCK) -> None:
        self._folder, self.block = folder, block
        self._held: list[StructureRecord] = []
        self._ends = array("q", [0])
        self._file: ScratchFile | None = None

    @classmethod
    def of(
        cls, records: Iterable[StructureRecord], folder: Path | None, block: int = BLOCK
    ) -> RecordList:
        """A list with these structures."""
        found = cls(folder, block)
        for record in records:
            found.append(record)
        return found

    @property
    def is_in_file(self) -> bool:
        """Whether there are more than memory shall hold."""
        return self._file is not None

    def append(self, record: StructureRecord) -> None:
        """Put a structure behind the others."""
        if self._file is None and (self._folder is None or len(self._held) < self.block):
            self._held.append(record)
            return
        if self._file is None:
            assert self._folder is not None
            self._file, held, self._held = ScratchFile(self._folder), self._held, []
            for earlier in held:
                self._write(self._file, earlier)
        self._write(self._file, record)

    def _write(self, file: ScratchFile, record: StructureRecord) -> None:
        content = _as_bytes(record)
        file.append(content)
        self._ends.append(self._ends[-1] + len(content))

    def __len__(self) -> int:
        return len(self._held) if self._file is None else len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> StructureRecord: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[StructureRecord]: ...
    def __getitem__(self, place: int | slice) -> StructureRecord | Sequence[StructureRecord]:
        if isinstance(place, slice):
            return [self[i] for i in range(len(self))[place]]
        if self._file is None:
            return self._held[place]
        place = range(len(self))[place]
        begin, end = self._ends[place], self._ends[place + 1]
        return _from_bytes(self._file.read(begin, end - begin))

    def __iter__(self) -> Iterator[StructureRecord]:
        return (self[i] for i in range(len(self)))


class ChosenRecords(Sequence[StructureRecord]):
    """Some of the structures of a list, by their places in it."""

    def __init__(self, records: Sequence[StructureRecord], places: IntArray) -> None:
        self._records, self._places = records, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> StructureRecord: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[StructureRecord]: ...
    def __getitem__(self, place: int | slice) -> StructureRecord | Sequence[StructureRecord]:
        if isinstance(place, slice):
            return [self._records[int(i)] for i in self._places[place]]
        return self._records[int(self._places[place])]

    def __iter__(self) -> Iterator[StructureRecord]:
        return (self._records[int(i)] for i in self._places)


def in_blocks(
    records: Sequence[StructureRecord], size: int
) -> Iterator[tuple[int, Sequence[StructureRecord]]]:
    """Blocks of a list, each with the place where it begins."""
    for start in range(0, len(records), size):
        yield start, records[start : start + size]


def _as_bytes(record: StructureRecord) -> bytes:
    """One line of JSON, then lattice and coordinates as they stand in memory."""
    facts = [
        record.id,
        [[list(species) for species in content] for content in record.species],
        [getattr(record.provenance, name) for name in _ORIGIN],
        [getattr(record, name) for name in NUMBERS],
        record.notes,
    ]
    text = json.dumps(facts, separators=(",", ":"), default=_plain)
    return text.encode() + b"\n" + record.lattice.tobytes() + record.frac.tobytes()


def _plain(value: Any) -> Any:
    """Numbers of numpy."""
    return value.item()


def _from_bytes(content: bytes) -> StructureRecord:
    text, _, numbers = content.partition(b"\n")
    record_id, species, origin, values, notes = json.loads(text)
    array = np.frombuffer(numbers, dtype=np.float64).reshape(-1, 3)
    return StructureRecord(
        id=record_id,
        lattice=array[:3],
        species=tuple(tuple(SiteSpecies(*one) for one in content) for content in species),
        frac=array[3:],
        provenance=Provenance(**dict(zip(_ORIGIN, origin, strict=True))),
        notes=tuple(notes),
        **dict(zip(NUMBERS, values, strict=True)),
    )


__all__ = ["BLOCK", "ChosenRecords", "RecordList", "in_blocks"]
