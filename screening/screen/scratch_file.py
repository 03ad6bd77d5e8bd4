"""A file without a name: bytes that do not stay in memory, gone when nobody needs them."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import Final

_BUFFER: Final[int] = 1 << 20


class ScratchFile:
    """Bytes that are appended, and read at any place.

    The system removes them when this object or its process ends, however it ends.

    Parameters
    ----------
    folder : path
        On a disk with room.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file, name = tempfile.mkstemp(dir=folder)
        Path(name).unlink()
        weakref.finalize(self, os.close, self._file)
        self._waiting = bytearray()
        self._written = 0

    def __len__(self) -> int:
        return self._written + len(self._waiting)

    def append(self, content: bytes) -> None:
        """Put bytes behind the others."""
        self._waiting += content
        if len(self._waiting) >= _BUFFER:
            self._flush()

    def read(self, start: int, size: int) -> bytes:
        """Bytes from a place on.

        Raises
        ------
        EOFError
            If there are not so many.
        """
        if start + size > self._written:
            self._flush()
        parts, left = [], size
        while left:
            part = os.pread(self._file, left, start + size - left)
            if not part:
                raise EOFError(f"{size} bytes at {start} of {len(self)}")
            parts.append(part)
            left -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _flush(self) -> None:
        view = memoryview(bytes(self._waiting))
        while view:
            done = os.write(self._file, view)
            view, self._written = view[done:], self._written + done
        self._waiting.clear()
