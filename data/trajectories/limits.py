"""What a header announces is believed only as far as the file goes.

A header of three lines may announce 10¹² atoms, and a small compressed file may unpack to one line
of gigabytes. Readers ask here before they make room.
"""

from __future__ import annotations

import gzip
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from ..errors import InputError, TrajectoryError
from ..formats.extxyz import check_columns

MAX_ATOMS: Final[int] = 2_000_000
MAX_LINE: Final[int] = 1_000_000
"""Longest line, characters."""
MAX_ARCHIVE_BYTES: Final[int] = 600_000_000
"""Of all arrays of an archive, unpacked; 125,000 frames of 200 atoms."""
_HEADER_BYTES: Final[int] = 4096


def checked_count(n_atoms: int, where: str) -> int:
    """The number of atoms that a header announces, if a trajectory can have it.

    Parameters
    ----------
    n_atoms : int
    where : str
        File and frame, for messages.

    Raises
    ------
    TrajectoryError
        If it is not positive, or above two million.
    """
    if not 0 < n_atoms <= MAX_ATOMS:
        # An integer of a stranger may have more digits than Python prints.
        told = str(n_atoms) if abs(n_atoms) < 10**20 else "more than 10^20"
        raise TrajectoryError(
            f"{where}: {told} atoms are announced; a trajectory has 1 to {MAX_ATOMS}"
        )
    return n_atoms


class Lines:
    """A text stream whose lines have a limit."""

    def __init__(self, stream: IO[str], name: str) -> None:
        self._stream, self._name = stream, name

    def readline(self) -> str:
        """The next line with its end, empty at the end of the file.

        Raises
        ------
        TrajectoryError
            If it is longer than a million characters.
        """
        line = self._stream.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            raise TrajectoryError(
                f"{self._name}: a line of more than {MAX_LINE:,} characters; no trajectory"
            )
        return line

    def __iter__(self) -> Iterator[str]:
        while line := self.readline():
            yield line


@contextmanager
def open_lines(path: Path) -> Iterator[Lines]:
    """Open a text file, plain or gzip, for reading line by line."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as stream:
        yield Lines(stream, str(path))


def check_xyz_counts(path: Path) -> None:
    """Every frame of an xyz file has as many lines as it announces, but for a cut last one.

    Raises
    ------
    TrajectoryError
        If a number of atoms or columns is none or too large.
    """
    with open_lines(path) as stream:
        for number, head in enumerate(iter(stream.readline, ""), start=1):
            if not head.strip():
                return  # ASE stops at an empty line, too
            where = f"{path}: frame {number}"
            if not head.strip().isdecimal() or len(head) > 30:
                raise TrajectoryError(
                    f"{where}: number of atoms expected, got {head.strip()[:40]!r}"
                )
            n_atoms = checked_count(int(head), where)
            try:
                check_columns(stream.readline())
            except InputError as error:
                raise TrajectoryError(f"{where}: {error}") from None
            for _ in range(n_atoms):
                if not stream.readline():
                    return


def check_archive(path: Path) -> None:
    """The arrays of an ``.npz`` hold as many numbers as their headers announce.

    Raises
    ------
    TrajectoryError
        If it is no such archive, or unpacks to more than 600 MB.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if total > MAX_ARCHIVE_BYTES:
            raise TrajectoryError(
                f"{path}: unpacks to {total / 1e6:,.0f} MB, more than "
                f"{MAX_ARCHIVE_BYTES / 1e6:,.0f}; keep every second frame, or fewer"
            )
        for member in members:
            with archive.open(member) as stream:
                _check_array(stream, member, path)


def _check_array(stream: IO[bytes], member: zipfile.ZipInfo, path: Path) -> None:
    version = np.lib.format.read_magic(stream)
    read: Any = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    shape, _, dtype = read(stream) if read else ((), False, np.dtype(object))
    announced = math.prod(shape) * dtype.itemsize
    rest = member.file_size - announced
    if dtype.hasobject or min(shape, default=0) < 0 or not 0 <= rest <= _HEADER_BYTES:
        raise TrajectoryError(
            f"{path}: {member.filename[:40]} announces {dtype.str} {shape}, which it does not hold"
        )
