"""The part of universal binary JSON that XGBoost writes, read with nothing taken on trust.

https://ubjson.org, draft 12: objects without a count, strings, single numbers, and arrays with a
count (and a type). Everything is big-endian; a length is never believed beyond the bytes there.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np

from ...data.errors import ModelError

_NUMBERS: Final[dict[bytes, str]] = {
    b"i": ">i1",
    b"U": ">u1",
    b"I": ">i2",
    b"l": ">i4",
    b"L": ">i8",
    b"d": ">f4",
    b"D": ">f8",
}
_WORDS: Final[dict[bytes, Any]] = {b"T": True, b"F": False, b"Z": None}
_MAX_DEPTH: Final = 12


def read_ubjson(content: bytes) -> Any:
    """Decode a whole file.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    dict, list, str, int, float, bool or None
        Typed arrays as one-dimensional NumPy arrays.

    Raises
    ------
    ModelError
        If the bytes are anything else than one value of this kind, with the place.
    """
    reader = _Reader(content)
    value = reader.value(0)
    if reader.place != len(content):
        raise ModelError(f"{len(content) - reader.place} bytes behind its end")
    return value


class _Reader:
    """A place in the bytes."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def value(self, depth: int) -> Any:
        """The value that begins here."""
        if depth > _MAX_DEPTH:
            raise ModelError(f"nested deeper than {_MAX_DEPTH} at byte {self.place}")
        mark = self._take(1)
        if mark in _NUMBERS:
            return self._array(mark, 1)[0].item()
        if mark in _WORDS:
            return _WORDS[mark]
        if mark == b"S":
            return self._text()
        if mark == b"{":
            return self._object(depth)
        if mark == b"[":
            return self._list(depth)
        raise ModelError(f"no value at byte {self.place - 1}")

    def _take(self, count: int) -> bytes:
        taken = self.content[self.place : self.place + count]
        if len(taken) < count:
            raise ModelError(f"cut off at byte {len(self.content)}")
        self.place += count
        return taken

    def _length(self) -> int:
        if self._take(1) != b"L":
            raise ModelError(f"no length at byte {self.place - 1}")
        length = int(struct.unpack(">q", self._take(8))[0])
        if not 0 <= length <= len(self.content) - self.place:
            raise ModelError(f"a length of {length} at byte {self.place - 8}")
        return length

    def _text(self) -> str:
        try:
            return self._take(self._length()).decode("ascii")
        except UnicodeDecodeError:
            raise ModelError(f"a text that is none before byte {self.place}") from None

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.content[self.place : self.place + 1] != b"}":
            name = self._text()
            if name in found:
                raise ModelError(f"the name {name!r} twice")
            found[name] = self.value(depth + 1)
        self._take(1)
        return found

    def _list(self, depth: int) -> Any:
        mark = self._take(1)
        kind = None
        if mark == b"$":
            kind, mark = self._take(1), self._take(1)
        if mark != b"#" or (kind is not None and kind not in _NUMBERS):
            raise ModelError(f"an array without count at byte {self.place - 1}")
        count = self._length()
        if kind is not None:
            return self._array(kind, count)
        return [self.value(depth + 1) for _ in range(count)]

    def _array(self, kind: bytes, count: int) -> Any:
        dtype = np.dtype(_NUMBERS[kind])
        return np.frombuffer(self._take(count * dtype.itemsize), dtype)
