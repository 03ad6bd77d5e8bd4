"""Files of any size read piece by piece: compressed or not, and never more than one entry at once.

A small compressed file may hold gigabytes of nothing. Memory and time stay bounded because a
reader must finish an entry at least every 64 MB.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from ..errors import InputError

MAX_ENTRY_BYTES: Final[int] = 64_000_000
"""Longest stretch without a finished entry; a structure of 2,000 sites takes under 1 MB."""

MAX_DEPTH: Final[int] = 1000

CORRUPT: Final[tuple[type[Exception], ...]] = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading a broken file raises."""

_OPENERS: Final[dict[str, Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


class BoundedReader:
    """A binary stream that refuses to go on for ever without an entry."""

    def __init__(self, stream: IO[bytes], limit: int = MAX_ENTRY_BYTES) -> None:
        self._stream, self._limit, self._since, self._depth = stream, limit, 0, 0

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes.

        Raises
        ------
        InputError
            If the limit is passed, or brackets are opened as no structure needs them: parsers
            take time with the square of the depth.
        """
        chunk = self._stream.read(size if 0 <= size <= self._limit else self._limit)
        self._since += len(chunk)
        opened = chunk.count(b"[") + chunk.count(b"{")
        self._depth += opened - chunk.count(b"]") - chunk.count(b"}")
        if self._depth > MAX_DEPTH:
            raise InputError(f"not valid JSON of structures: nested deeper than {MAX_DEPTH}")
        if self._since > self._limit:
            raise InputError(f"more than {self._limit // 1_000_000} MB without a finished entry")
        return chunk

    def entry_done(self) -> None:
        """Start counting anew."""
        self._since = self._depth = 0

    def lines(self) -> Iterator[bytes]:
        """Lines without their ends.

        Raises
        ------
        InputError
            If a line is longer than the limit.
        """
        while line := self._stream.readline(self._limit + 1):
            if len(line) > self._limit:
                raise InputError(f"a line is longer than {self._limit // 1_000_000} MB")
            yield line.rstrip(b"\r\n")


@contextmanager
def open_stream(path: Path) -> Iterator[BoundedReader]:
    """Open a file for reading; what the suffix says is unpacked on the way."""
    opener = _OPENERS.get(path.suffix.lower(), open)
    with opener(path, "rb") as stream:
        yield BoundedReader(stream)
