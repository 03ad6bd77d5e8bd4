"""Files are read where they may hang or die: in the workers, a few files ahead of the descriptors.

A file that takes its worker down, outlives its time or its memory comes out as one quarantine
entry, as every other file that cannot be read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

from ...data.identifiers import printable
from ...data.records import Quarantined, StructureRecord
from ...data.sources.files import read_file, structure_files
from .workers import ItemOutcome, run_isolated

Entry: TypeAlias = StructureRecord | Quarantined

READER_MODULES: Final[tuple[str, ...]] = ("gemmi", "pymatgen.io.cif", "pymatgen.io.vasp")
"""Libraries that take a second to load: no file shall pay for them out of its time."""

FILES_AHEAD: Final[int] = 64
"""Files read, or being read, ahead of the descriptors, for each worker."""


@dataclass(frozen=True)
class FileToRead:
    """A structure file that a worker shall read.

    Parameters
    ----------
    path : Path
    identifier : str
        Id of the file, first part of the ids of its structures.
    first, step : int
        Only structures ``first``, ``first + step``, … of the file.
    """

    path: Path
    identifier: str
    first: int = 0
    step: int = 1

    def entries(self) -> list[Entry]:
        """Read the file."""
        return read_file(self.path, self.identifier)[self.first :: self.step]

    def failed(self, reason: str) -> list[Entry]:
        """What stands for the file if reading it came to no end."""
        whole: list[Entry] = [Quarantined(self.identifier, printable(self.path), "read", reason)]
        return whole[self.first :: self.step]


class ReadAhead:
    """Entries in their order, while the files that hold them are read in any order.

    Parameters
    ----------
    things : iterator of FileToRead, StructureRecord or Quarantined
        Files and entries that are known already.
    ahead : int
        Largest number of files and entries that wait here.
    """

    def __init__(self, things: Iterator[FileToRead | Entry], ahead: int) -> None:
        self.things, self.ahead = things, ahead
        self.files: dict[int, FileToRead] = {}
        self._waiting: deque[tuple[int, list[Entry] | None]] = deque()
        self._read: dict[int, list[Entry]] = {}
        self._ready: deque[Entry] = deque()
        self._announced = 0
        self._is_exhausted = False

    def next_file(self) -> tuple[int, FileToRead] | None:
        """A file to be read now, with its number; None if there is none, or enough is waiting."""
        while not self._is_exhausted and len(self._waiting) < self.ahead:
            thing = next(self.things, None)
            if thing is None:
                self._is_exhausted = True
                return None
            number = self._announced
            self._announced += 1
            if isinstance(thing, FileToRead):
                self.files[number] = thing
                self._waiting.append((number, None))
                return number, thing
            self._waiting.append((number, [thing]))
        return None

    def put(self, number: int, entries: list[Entry]) -> None:
        """What a file holds."""
        del self.files[number]
        self._read[number] = entries

    def next_entry(self) -> Entry | None:
        """The next entry; None if the file that holds it is still being read, or all are taken."""
        while not self._ready and self._waiting:
            number, known = self._waiting[0]
            if known is None:
                if number not in self._read:
                    return None
                known = self._read.pop(number)
            self._waiting.popleft()
            self._ready.extend(known)
        return self._ready.popleft() if self._ready else None

    @property
    def is_done(self) -> bool:
        """True when nothing is left to read or to take."""
        return self._is_exhausted and not self._waiting and not self._ready


def entries_of(file: FileToRead, outcome: ItemOutcome) -> list[Entry]:
    """What came out of reading a file; a failure is a quarantine entry."""
    found: list[Entry] | None = outcome.result
    return file.failed(outcome.failure) if found is None else found


def load_readers() -> None:
    """Import what reading needs; costs nothing in a process forked from one that has it."""
    for name in READER_MODULES:
        import_module(name)


@dataclass(frozen=True)
class ReadJob:
    """What a worker runs that only reads.

    Parameters
    ----------
    preload : tuple of str
        Modules that later jobs of this process need: the server that workers are forked from
        starts once.
    """

    preload: tuple[str, ...] = READER_MODULES

    def warm_up(self) -> None:
        """Load the readers."""
        load_readers()

    def __call__(self, item: FileToRead) -> list[Entry]:
        """Read one file."""
        return item.entries()


def read_isolated(
    paths: Sequence[str | Path],
    workers: int = 1,
    timeout_s: float = 120.0,
    preload: tuple[str, ...] = (),
) -> Iterator[Entry]:
    """Read CIF and POSCAR files and folders, each file in a worker that may hang or die.

    Parameters
    ----------
    paths : sequence of path
    workers : int
        Processes; the order of the entries does not depend on it.
    timeout_s : float
        Longest time for one file, s.
    preload : tuple of str
        Further modules that later jobs of this process need, see :class:`ReadJob`.

    Yields
    ------
    StructureRecord or Quarantined
        In the order of :func:`ionsieve.data.sources.files.structure_files`.

    Raises
    ------
    InputError
        If a path does not exist.
    FeatureError
        If workers cannot start.
    """
    files = [FileToRead(path, identifier) for path, identifier in structure_files(paths)]
    return _read(files, workers, timeout_s, (*READER_MODULES, *preload))


def _read(
    files: Sequence[FileToRead], workers: int, timeout_s: float, preload: tuple[str, ...]
) -> Iterator[Entry]:
    found: dict[int, list[Entry]] = {}
    following = 0
    for outcome in run_isolated(ReadJob(preload), enumerate(files), workers, timeout_s):
        found[outcome.index] = entries_of(files[outcome.index], outcome)
        while following in found:
            yield from found.pop(following)
            following += 1
