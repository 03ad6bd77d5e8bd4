"""Parts of the inputs, for arrays of a scheduler."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...data.errors import InputError
from ...data.records import StructureRecord
from ...data.sources.files import structure_files
from .reading import Entry, FileToRead


@dataclass(frozen=True)
class Part:
    """Part ``index`` (from 0) of ``count`` equal parts of the inputs, for arrays of a scheduler."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read ``i/n``; i counts from 1, and 0 means n: arrays that count from 0 fit as well.

        Raises
        ------
        InputError
            If it is not two integers with 0 ≤ i ≤ n and n ≥ 1.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        i, n = (int(match[1]), int(match[2])) if match else (1, 0)
        if n < 1 or i > n:
            raise InputError(f"--shard {text!r}: give i/n with i from 1 to n, such as 3/16")
        return cls((i - 1) % n, n)

    @property
    def suffix(self) -> str:
        """Part of file names; empty when there is only one part."""
        return "" if self.count == 1 else f"-{self.index + 1}-of-{self.count}"


class EntrySource(Protocol):
    """Structures, or files to read them from, in a fixed order, for the batch engine."""

    @property
    def inputs(self) -> Sequence[str | Path]:
        """Names of what is read: a folder of results belongs to them."""

    @property
    def part(self) -> Part:
        """Which part of the inputs this is."""

    @property
    def reads_files(self) -> bool:
        """Whether it gives files to read."""

    @property
    def n_expected(self) -> int:
        """Number of structures, for progress."""

    def __iter__(self) -> Iterator[FileToRead | Entry]: ...


@dataclass(frozen=True)
class RecordsInMemory:
    """Structures that were read already."""

    inputs: Sequence[str | Path]
    records: Sequence[StructureRecord]
    part: Part = Part()
    reads_files: bool = False

    @property
    def n_expected(self) -> int:
        """Number of structures."""
        return len(self.records)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.records)


class PartOfInputs:
    """The structures of one part: every n-th file, or structure where files are few.

    Raises
    ------
    InputError
        If an input does not exist.
    """

    reads_files = True

    def __init__(self, inputs: Sequence[str | Path], part: Part) -> None:
        self.inputs, self.part = inputs, part
        self._files = structure_files(inputs)

    @property
    def n_expected(self) -> int:
        """Number of structures if every file holds one."""
        return len(range(self.part.index, len(self._files), self.part.count))

    def __iter__(self) -> Iterator[FileToRead | Entry]:
        index, count = self.part.index, self.part.count
        if len(self._files) >= count:
            for path, identifier in self._files[index::count]:
                yield FileToRead(path, identifier)
            return
        for number, (path, identifier) in enumerate(self._files):
            # The first structures of the files go to different parts.
            yield FileToRead(path, identifier, first=(index - number) % count, step=count)
