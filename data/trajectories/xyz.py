"""CP2K (and plain) xyz trajectories with a cell file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..elements import ATOMIC_NUMBER
from ..errors import TornFrameError, TrajectoryError
from .clock import Clock, first_time_fs, frame_spacing
from .limits import Lines, checked_count, open_lines
from .trajectory import FloatArray, Segment, Trajectory

_TIME = re.compile(r"\btime\s*=\s*([-+]?[0-9.]+(?:[Ee][-+]?[0-9]+)?)")
_STEP = re.compile(r"\bi\s*=\s*([0-9]{1,15})\b")


def read_cp2k_xyz(
    path: Path,
    frame_spacing_fs: float | None = None,
    cell: str | Path | None = None,
    torn_end: bool = False,
    time_step_fs: float | None = None,
) -> Trajectory:
    """Read an xyz trajectory whose cell stands in a CP2K ``.cell`` file.

    Parameters
    ----------
    path : Path
        ``PROJECT-pos-1.xyz``, plain or gzip.
    frame_spacing_fs : float, optional
        Time between frames, fs; taken from the comment lines (``time = …``) where they have it.
        They also count MD steps (``i = …``).
    cell : path, optional
        The cell file; by default ``PROJECT-1.cell`` beside the xyz file.
    torn_end : bool
        Drop a last frame that is cut off and say so in ``warnings``, instead of raising.
    time_step_fs : float, optional
        MD time step, fs; compared with what the file says.

    Raises
    ------
    TrajectoryError
        With file and frame.
    """
    species, positions, comments, torn = _read_frames(path, torn_end)
    times = [math.nan if (t := _TIME.search(c)) is None else float(t[1]) for c in comments]
    counted = [match for c in comments if (match := _STEP.search(c))]
    steps = [int(match[1]) for match in counted] if len(counted) == len(comments) else []
    cell_path = Path(cell) if cell is not None else _cell_beside(path)
    cells = _read_cells(cell_path, path, times)
    clock = Clock(times=times, steps=steps)
    spacing = frame_spacing(path, clock, frame_spacing_fs, time_step_fs)
    start = first_time_fs(clock, spacing)
    frac = np.matmul(positions, np.linalg.inv(cells))
    constant = bool(np.array_equal(cells, np.broadcast_to(cells[0], cells.shape)))
    return Trajectory(
        species=species,
        lattices=cells[:1] if constant else cells,
        frac=frac,
        frame_spacing_fs=spacing,
        segments=(
            Segment(file=str(path), first_frame=0, n_frames=len(positions), first_time_fs=start),
        ),
        warnings=torn,
    )


def _read_frames(
    path: Path, torn_end: bool
) -> tuple[tuple[str, ...], FloatArray, list[str], tuple[str, ...]]:
    """Elements, positions (frames, atoms, 3) in Å, comment lines, and what was cut off."""
    frames: list[FloatArray] = []
    comments: list[str] = []
    species: tuple[str, ...] = ()
    torn: tuple[str, ...] = ()
    with open_lines(path) as stream:
        try:
            for number, (symbols, positions, comment) in enumerate(
                _frames(stream, path, torn_end), start=1
            ):
                if species and symbols != species:
                    raise TrajectoryError(
                        f"{path}: frame {number}: the atoms change within the file"
                    )
                species = symbols
                frames.append(positions)
                comments.append(comment)
        except TornFrameError as error:
            if not torn_end:
                raise
            torn = (f"{error}; dropped",)
    if not frames:
        raise TrajectoryError(f"{path}: no frame in it (frame 1 is missing)")
    return species, np.array(frames), comments, torn


def _frames(
    stream: Lines, path: Path, torn_end: bool
) -> Iterator[tuple[tuple[str, ...], FloatArray, str]]:
    number = 0
    while line := stream.readline():
        if not line.strip():
            continue
        number += 1
        try:
            count = checked_count(int(line), f"{path}: frame {number}")
        except ValueError:
            raise TrajectoryError(
                f"{path}: frame {number}: number of atoms expected, got {line.strip()[:40]!r}"
            ) from None
        comment = stream.readline()
        yield (*_atoms(stream, path, number, count, torn_end), comment)


def _atoms(
    stream: Lines, path: Path, number: int, count: int, torn_end: bool
) -> tuple[tuple[str, ...], FloatArray]:
    symbols: list[str] = []
    positions: list[list[float]] = []
    for atom in range(count):
        line = stream.readline()
        fields = line.split()
        # Half a last number looks like a number: where a torn end is expected, a line without its
        # end is one.
        if not fields or (torn_end and not line.endswith("\n")):
            raise TornFrameError(f"{path}: frame {number}: cut off after {atom} of {count} atoms")
        try:
            x, y, z = (float(text) for text in fields[1:4])
        except ValueError:
            raise TrajectoryError(
                f"{path}: frame {number}: atom {atom + 1}: symbol and three numbers expected"
            ) from None
        positions.append([x, y, z])
        symbols.append(fields[0].capitalize())
        if symbols[-1] not in ATOMIC_NUMBER:
            raise TrajectoryError(
                f"{path}: frame {number}: atom {atom + 1}: {fields[0]!r} is not an element"
            )
    return tuple(symbols), np.array(positions)


def _cell_beside(path: Path) -> Path:
    stem = path.name.removesuffix(".gz").removesuffix(".xyz")
    guesses = [path.with_name(stem.replace("-pos", "") + ".cell"), path.with_name(stem + ".cell")]
    for guess in guesses:
        if guess.is_file():
            return guess
    raise TrajectoryError(
        f"{path}: no cell: neither {guesses[0].name} nor {guesses[1].name} lies beside it; "
        "give --cell"
    )


def _read_cells(cell_path: Path, path: Path, times: list[float]) -> FloatArray:
    """Cells of the frames: matched by time where both files have it, else by position."""
    try:
        table = np.loadtxt(cell_path, comments="#", ndmin=2)
    except (ValueError, OSError) as error:
        raise TrajectoryError(f"{cell_path}: not a CP2K cell file ({error})") from error
    if table.ndim != 2 or table.shape[1] < 11 or not len(table):
        raise TrajectoryError(f"{cell_path}: step, time and nine cell components expected")
    cells = table[:, 2:11].reshape(-1, 3, 3)
    if len(cells) == 1:
        return np.repeat(cells, len(times), axis=0)
    if np.isfinite(times).all():
        rows = {round(float(t), 3): row for row, t in enumerate(table[:, 1])}
        missing = [k for k, t in enumerate(times) if round(t, 3) not in rows]
        if missing:
            raise TrajectoryError(
                f"{path}: frame {missing[0] + 1}: no cell at {times[missing[0]]} fs in {cell_path}"
            )
        return np.asarray(cells[[rows[round(t, 3)] for t in times]])
    if len(cells) != len(times):
        raise TrajectoryError(f"{cell_path}: {len(cells)} cells for {len(times)} frames of {path}")
    return np.asarray(cells)
