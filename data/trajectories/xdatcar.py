"""VASP XDATCAR, read in blocks: plain or gzip, constant or changing cell, several dialects.

Frames are parsed from bytes by a compiled kernel, so that a file of 12 million lines takes seconds
and a file larger than memory can be read.
"""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from pathlib import Path
from typing import IO, Final, cast

import numba
import numpy as np
from numpy.typing import NDArray

from ..elements import ATOMIC_NUMBER
from ..errors import TornFrameError, TrajectoryError
from .clock import Clock, first_time_fs, frame_spacing, restarts
from .incar import Incar, incar_beside
from .limits import MAX_LINE, checked_count
from .trajectory import IN_MEMORY_BYTES, FloatArray, Segment, Trajectory

_CHUNK: Final[int] = 1 << 24
_SPACE, _NEWLINE, _RETURN, _TAB = 32, 10, 13, 9
_LINE_BYTES: Final[int] = 500
_NEED_MORE: Final[int] = -1
_MALFORMED: Final[int] = -2
_NUMBER: Final = re.compile(r"configuration\s*=\s*(\d{1,15})\b", re.IGNORECASE)

Bytes = NDArray[np.uint8]


@numba.njit(cache=True)
def _parse_number(buffer: Bytes, at: int, stop: int) -> tuple[float, int]:  # pragma: no cover
    """Parse one decimal number; the second value is the position after it, or -1."""
    sign, digits, exponent, seen = 1.0, np.int64(0), 0, 0
    if at < stop and (buffer[at] == 45 or buffer[at] == 43):
        sign = -1.0 if buffer[at] == 45 else 1.0
        at += 1
    point = False
    while at < stop:
        c = buffer[at]
        if 48 <= c <= 57:
            seen += 1
            # 18 digits fill an int64; what follows is beyond double precision anyway.
            if digits < 100000000000000000:
                digits = digits * 10 + (c - 48)
                exponent -= 1 if point else 0
            elif not point:
                exponent += 1
        elif c == 46 and not point:
            point = True
        else:
            break
        at += 1
    if seen == 0:
        return 0.0, -1
    if at < stop and (buffer[at] == 69 or buffer[at] == 101):
        at += 1
        exponent_sign, power, any_digit = 1, 0, False
        if at < stop and (buffer[at] == 45 or buffer[at] == 43):
            exponent_sign = -1 if buffer[at] == 45 else 1
            at += 1
        while at < stop and 48 <= buffer[at] <= 57:
            power = min(power * 10 + (buffer[at] - 48), 400)
            any_digit = True
            at += 1
        if not any_digit:
            return 0.0, -1
        exponent += exponent_sign * power
    # A power of ten up to 22 is exact in binary: one division rounds correctly.
    value = float(digits)
    if exponent < 0:
        value = value / 10.0 ** (-exponent) if exponent >= -300 else 0.0
    elif exponent > 0:
        value = value * 10.0**exponent
    return sign * value, at


@numba.njit(cache=True)
def _parse_frame(buffer: Bytes, at: int, last: bool, out: FloatArray) -> int:  # pragma: no cover
    """Fill ``out`` from one line an atom; return the position after, or why there is none."""
    size = buffer.size
    for atom in range(out.shape[0]):
        stop = at
        while stop < size and buffer[stop] != _NEWLINE:
            stop += 1
        if stop == size and not last:
            return _NEED_MORE
        for axis in range(3):
            while at < stop and (buffer[at] == _SPACE or buffer[at] == _TAB):
                at += 1
            value, after = _parse_number(buffer, at, stop)
            if after < 0:
                return _MALFORMED - atom
            # VASP runs columns together only before a minus sign.
            joined = after < stop and buffer[after] == 45 and axis < 2
            if after < stop and not joined and buffer[after] not in (_SPACE, _TAB, _RETURN):
                return _MALFORMED - atom
            out[atom, axis] = value
            at = after
        at = min(stop + 1, size)
    return at


class _Source:
    """A byte window that slides over the file."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        self._data = b""
        self._at = 0
        self.last = False
        self.array: Bytes = np.frombuffer(b"", dtype=np.uint8)

    @property
    def at(self) -> int:
        return self._at

    @property
    def at_end(self) -> bool:
        return self.last and self._at >= len(self._data)

    def move(self, position: int) -> None:
        self._at = position

    def refill(self) -> None:
        block = self._stream.read(_CHUNK)
        self._data = self._data[self._at :] + block
        self._at, self.last = 0, not block
        self.array = np.frombuffer(self._data, dtype=np.uint8)

    def line(self) -> str | None:
        """Return the next line without its end, or None at the end of the file."""
        while True:
            stop = self._data.find(b"\n", self._at)
            if stop >= 0 or self.last:
                break
            if len(self._data) - self._at > _CHUNK + MAX_LINE:
                raise TrajectoryError(
                    f"{self._name}: a line of more than {MAX_LINE:,} characters; no trajectory"
                )
            self.refill()
        if stop < 0:
            stop = len(self._data)
        if self._at >= len(self._data):
            return None
        text = self._data[self._at : stop].decode("ascii", "replace")
        self._at = min(stop + 1, len(self._data))
        return text.rstrip("\r")

    def lines_left(self) -> int:
        """Complete lines from here to the end of what is read."""
        return self._data.count(b"\n", self._at)

    def open_line(self) -> str:
        """Return the last line of the file if it has no line end, else an empty string."""
        tail = self._data[-256:].rpartition(b"\n")[2] if self.last else b""
        return tail.decode("ascii", "replace")

    def frame(self, out: FloatArray) -> int:
        """Parse one frame; 0 when done, else the code of the kernel."""
        while True:
            after = _parse_frame(self.array, self._at, self.last, out)
            if after != _NEED_MORE:
                break
            if len(self._data) - self._at > 2 * _CHUNK + _LINE_BYTES * len(out):
                raise TrajectoryError(
                    f"{self._name}: a frame of more bytes than its atoms take; no trajectory"
                )
            self.refill()
        if after < 0:
            return int(after)
        self._at = int(after)
        return 0


class _Frames:
    """Collect frames in memory, then in an unnamed temporary file once they are many."""

    def __init__(self, n_atoms: int, limit_bytes: int) -> None:
        self._n_atoms, self._limit = n_atoms, limit_bytes
        rows = max(1, min(1 << 23, limit_bytes) // (24 * n_atoms))
        self._block = np.empty((rows, n_atoms, 3))
        self._fill, self.count = 0, 0
        self._full: list[FloatArray] = []
        self._file: IO[bytes] | None = None

    def slot(self) -> FloatArray:
        if self._fill == len(self._block):
            self._flush()
        return self._block[self._fill]

    def keep(self) -> None:
        self._fill += 1
        self.count += 1

    def drop_last(self) -> None:
        self._fill -= 1
        self.count -= 1

    def _flush(self) -> None:
        done = self._block[: self._fill]
        if self._file is None and self._block.nbytes * (len(self._full) + 1) > self._limit:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the array)
            for block in self._full:
                self._file.write(block.tobytes())
            self._full = []
        if self._file is None:
            self._full.append(done.copy())
        else:
            self._file.write(done.tobytes())
        self._fill = 0

    def array(self) -> FloatArray:
        if self._file is None:
            return np.concatenate([*self._full, self._block[: self._fill]])
        self._flush()
        self._file.flush()
        shape = (self.count, self._n_atoms, 3)
        mapped: FloatArray = np.memmap(self._file, dtype=np.float64, mode="r", shape=shape)
        self._file.close()
        return mapped


def read_xdatcar(
    path: str | Path,
    frame_spacing_fs: float | None,
    in_memory_bytes: int = IN_MEMORY_BYTES,
    torn_end: bool = False,
    time_step_fs: float | None = None,
) -> Trajectory:
    """Read a VASP XDATCAR, plain or gzip.

    Parameters
    ----------
    path : path
        The file. Read are: one header or a header before each frame (changing cell), a scale line
        (positive: factor; negative: volume in Å³), element labels after the coordinates, and any
        spacing in ``Direct configuration=``.
    frame_spacing_fs : float, optional
        Time between frames, fs (POTIM × NBLOCK); the file does not say it. An INCAR beside a file
        of VASP's own name does, and must not contradict; so of the temperature.
    in_memory_bytes : int
        Coordinates beyond this size are kept in a mapped temporary file.
    torn_end : bool
        Drop a last frame that is cut off and say so in ``warnings``, instead of raising.
    time_step_fs : float, optional
        MD time step, fs; the numbers in ``Direct configuration=`` say how many lie between frames.

    Raises
    ------
    TrajectoryError
        With file and frame, when a frame is cut off or malformed, when the header is not one of
        VASP 5 or later, when the atoms change, or a number of a configuration is left out.
    """
    path = Path(path)
    incar = incar_beside(path)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            source = _Source(cast(IO[bytes], stream), str(path))
            given_fs = (frame_spacing_fs, time_step_fs)
            return _read(source, str(path), given_fs, in_memory_bytes, torn_end, incar)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrajectoryError(f"{path}: the gzip file is cut off or damaged ({error})") from error


def _read(
    source: _Source,
    name: str,
    given_fs: tuple[float | None, float | None],
    limit: int,
    torn_end: bool,
    incar: Incar | None,
) -> Trajectory:
    title = source.line()
    if title is None:
        raise TrajectoryError(f"{name}: the file is empty (frame 1 is missing)")
    species, lattice = _header(source, name, 1)
    frames = _Frames(len(species), limit)
    lattices: list[FloatArray] = []
    numbers: list[int | None] = []
    warnings: tuple[str, ...] = ()
    try:
        _read_frames(source, name, species, lattice, frames, lattices, numbers)
        _refuse_cut(source, name, frames, torn_end)
    except TornFrameError as error:
        if not torn_end:
            raise
        warnings = (f"{error}; dropped",)
    if not frames.count:
        raise TrajectoryError(f"{name}: the header is there, but frame 1 is missing")
    del lattices[frames.count :], numbers[frames.count :]
    constant = all(np.array_equal(other, lattices[0]) for other in lattices[1:])
    clock = _clock(numbers)
    if incar is not None:
        clock = incar.clock(name, clock, frames.count)
        warnings += _from_incar(name, incar, given_fs)
    spacing = frame_spacing(name, clock, *given_fs)
    start = first_time_fs(clock, spacing)
    segment = Segment(
        file=name,
        first_frame=0,
        n_frames=frames.count,
        first_time_fs=start,
        restarts=restarts(clock),
    )
    return Trajectory(
        species=species,
        lattices=np.array(lattices[:1] if constant else lattices),
        frac=frames.array(),
        frame_spacing_fs=spacing,
        segments=(segment,),
        warnings=warnings,
        temperature_K=None if incar is None else incar.temperature_K,
    )


def _from_incar(
    name: str, incar: Incar, given_fs: tuple[float | None, float | None]
) -> tuple[str, ...]:
    """Remarks: what was not asked for because the INCAR says it, and a ramp."""
    said: tuple[str, ...] = ()
    if given_fs == (None, None) and incar.step_fs is not None:
        said = (
            f"{name}: time from the INCAR beside it, POTIM = {incar.step_fs:g} fs, "
            f"NBLOCK = {incar.block}",
        )
    return (*said, *((f"{name}: {incar.ramp}",) if incar.ramp else ()))


def _read_frames(
    source: _Source,
    name: str,
    species: tuple[str, ...],
    lattice: FloatArray,
    frames: _Frames,
    lattices: list[FloatArray],
    numbers: list[int | None],
) -> None:
    """Read to the end of the file into ``frames``, ``lattices`` and ``numbers``."""
    while (line := source.line()) is not None:
        number = frames.count + 1
        if not line.strip():
            continue
        if source.at_end and not _starts_frame(line):
            raise TornFrameError(f"{name}: frame {number}: cut off inside its first line")
        if not _starts_frame(line):
            again, lattice = _header(source, name, number)
            if again != species:
                raise TrajectoryError(f"{name}: frame {number}: the atoms change within the file")
            line = source.line() or ""
            if not _starts_frame(line):
                raise TrajectoryError(
                    f"{name}: frame {number}: 'Direct configuration=' expected, got {line[:40]!r}"
                )
        slot = frames.slot()
        code = source.frame(slot)
        if code:
            raise _frame_fault(name, number, len(species), code, source)
        if line.lstrip()[0] in "cCkK" and "irect" not in line:
            slot[:] = slot @ np.linalg.inv(lattice)
        frames.keep()
        lattices.append(lattice)
        found = _NUMBER.search(line)
        numbers.append(int(found[1]) if found else None)


def _clock(numbers: list[int | None]) -> Clock:
    """Configurations are counted in MD steps where VASP writes each NBLOCK-th, else in frames."""
    counted = [number for number in numbers if number is not None]
    if len(counted) < len(numbers):
        return Clock()
    return Clock(steps=counted, restarts=True)


def _refuse_cut(source: _Source, name: str, frames: _Frames, torn_end: bool) -> None:
    """Raise TornFrameError where the last number is cut off, after dropping its frame.

    Any last line without its end counts as cut where a torn end is expected.
    """
    line = source.open_line()
    if (torn_end and line.strip()) or _looks_cut(line):
        number = frames.count
        frames.drop_last()
        raise TornFrameError(
            f"{name}: frame {number}: cut off inside the last number; "
            "remove the last, incomplete frame or copy the file again"
        )


def _starts_frame(line: str) -> bool:
    return "configuration" in line.lower() or line.strip().lower() in ("direct", "cartesian")


def _frame_fault(
    name: str, number: int, n_atoms: int, code: int, source: _Source
) -> TrajectoryError:
    atom = _MALFORMED - code
    if source.last and source.lines_left() <= atom:
        return TornFrameError(
            f"{name}: frame {number}: cut off after {atom} of {n_atoms} atoms; "
            "remove the last, incomplete frame or copy the file again"
        )
    return TrajectoryError(
        f"{name}: frame {number}: atom {atom + 1} of {n_atoms}: three numbers expected"
    )


def _looks_cut(line: str) -> bool:
    """Tell whether a last line without line end stops inside its third number."""
    words = line.split()
    decimals = [len(word.partition(".")[2]) for word in words[:3]]
    return len(words) == 3 and decimals[2] < min(decimals[:2])


def _header(source: _Source, name: str, frame: int) -> tuple[tuple[str, ...], FloatArray]:
    """Read scale, three vectors, symbols and counts (the title line is already gone)."""
    lines = [source.line() for _ in range(6)]
    where = f"{name}: header before frame {frame}"
    if any(line is None for line in lines):
        raise TrajectoryError(f"{where}: the file ends inside it")
    text = [line.split() for line in lines if line is not None]
    try:
        scale = float(text[0][0])
        lattice = np.array([[float(x) for x in row[:3]] for row in text[1:4]])
        counts = [int(x) for x in text[5]]
    except (ValueError, IndexError):
        raise TrajectoryError(
            f"{where}: scale, three lattice vectors, element symbols and counts expected "
            "(the VASP 5 layout); is this an XDATCAR?"
        ) from None
    symbols = [symbol.split("_")[0].split("/")[0] for symbol in text[4]]
    if len(symbols) != len(counts) or not all(s in ATOMIC_NUMBER for s in symbols):
        raise TrajectoryError(
            f"{where}: {len(symbols)} symbols ({' '.join(symbols)}) for {len(counts)} counts"
        )
    if lattice.shape != (3, 3) or min(counts) < 1 or scale == 0:
        raise TrajectoryError(f"{where}: lattice, counts or scale are not usable")
    checked_count(sum(counts), where)
    if scale < 0:
        scale = float((-scale / abs(np.linalg.det(lattice))) ** (1 / 3))
    species = tuple(s for s, n in zip(symbols, counts, strict=True) for _ in range(n))
    return species, lattice * scale
