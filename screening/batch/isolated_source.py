"""Files of a source are read in workers: one that hangs or kills its process costs only itself."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ...data.formats.entry import Entry
from ...data.sources.base import Item, Source
from ...data.sources.files import is_structure_file
from ...data.sources.paths import PathSource, SourceFile
from .limits import TIMEOUT_S
from .reading import READER_MODULES, load_readers
from .workers import run_isolated


@dataclass(frozen=True)
class ReadWholeJob:
    """What a worker runs: every structure of a file."""

    preload: tuple[str, ...] = READER_MODULES

    def warm_up(self) -> None:
        """Load the readers."""
        load_readers()

    def __call__(self, item: SourceFile) -> list[Entry]:
        """Read one file."""
        return list(item.entries())


@dataclass
class IsolatedSource:
    """A folder or file whose CIF and POSCAR files are read in workers.

    Formats that hold many structures are read here, entry by entry, as they may be of any size.

    Parameters
    ----------
    source : PathSource
    workers : int
        Processes; the order of the entries does not depend on it.
    timeout_s : float
        Longest time for one file, s.
    """

    source: PathSource
    workers: int = 1
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        self.name = self.source.name

    def identity(self) -> dict[str, Any]:
        """That of the source: who reads it does not matter."""
        return self.source.identity()

    def notices(self) -> list[str]:
        """Those of the source."""
        return self.source.notices()

    def items(self, after: Any = None) -> Iterator[Item]:
        """Entries in the order of the source, with its cursors."""
        first, done = after or (0, 0)
        files = enumerate(self.source.files[first:], start=first)
        for is_small, run in groupby(files, key=lambda file: is_structure_file(file[1][0])):
            numbered = [(number, self.source.file(*file)) for number, file in run]
            read = self._isolated(numbered) if is_small else _here(numbered, first, done)
            for number, index, entry in read:
                if number > first or index > done:
                    yield Item(entry, [number, index])

    def _isolated(
        self, files: list[tuple[int, SourceFile]]
    ) -> Generator[tuple[int, int, Entry], None, None]:
        found: dict[int, list[Entry]] = {}
        waiting = iter(files)
        following = next(waiting, None)
        for outcome in run_isolated(ReadWholeJob(), files, self.workers, self.timeout_s):
            file = files[outcome.index - files[0][0]][1]
            whole: list[Entry] | None = outcome.result
            found[outcome.index] = file.failed(outcome.failure) if whole is None else whole
            while following is not None and following[0] in found:
                for index, entry in enumerate(found.pop(following[0]), start=1):
                    yield following[0], index, entry
                following = next(waiting, None)


def _here(
    files: list[tuple[int, SourceFile]], first: int, done: int
) -> Iterator[tuple[int, int, Entry]]:
    for number, file in files:
        skip = done if number == first else 0
        for index, entry in enumerate(file.entries(skip), start=skip + 1):
            yield number, index, entry


def isolated(source: Source, workers: int = 1, timeout_s: float = TIMEOUT_S) -> Source:
    """The source with its CIF and POSCAR files read in workers; as it is where it has none.

    Parameters
    ----------
    source : Source
    workers : int
    timeout_s : float
        Longest time for one file, s.
    """
    if isinstance(source, PathSource) and any(is_structure_file(p) for p, _ in source.files):
        return IsolatedSource(source, workers, timeout_s)
    return source
