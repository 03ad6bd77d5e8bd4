"""LAMMPS text dumps: wrapped, scaled, unwrapped or with image flags; orthogonal or triclinic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.constants import physical_constants

from ..elements import ATOMIC_NUMBER
from ..errors import TrajectoryError
from .clock import Clock, first_time_fs, frame_spacing
from .limits import Lines, checked_count, open_lines
from .trajectory import FloatArray, Segment, Trajectory

_WRAPPED, _SCALED = ("x", "y", "z"), ("xs", "ys", "zs")
_UNWRAPPED, _SCALED_UNWRAPPED = ("xu", "yu", "zu"), ("xsu", "ysu", "zsu")
_IMAGES = ("ix", "iy", "iz")


@dataclass(frozen=True, kw_only=True)
class _Units:
    """Length and time of a LAMMPS unit style, in Å and fs."""

    length_A: float
    time_fs: float


_ANGSTROM_M, _FEMTOSECOND_S = 1e-10, 1e-15
_UNITS: Final[dict[str, _Units]] = {
    "metal": _Units(length_A=1.0, time_fs=1000.0),
    "real": _Units(length_A=1.0, time_fs=1.0),
    "si": _Units(length_A=1.0 / _ANGSTROM_M, time_fs=1.0 / _FEMTOSECOND_S),
    "cgs": _Units(length_A=1e-2 / _ANGSTROM_M, time_fs=1.0 / _FEMTOSECOND_S),
    "electron": _Units(length_A=physical_constants["Bohr radius"][0] / _ANGSTROM_M, time_fs=1.0),
    "micro": _Units(length_A=1e-6 / _ANGSTROM_M, time_fs=1e-6 / _FEMTOSECOND_S),
    "nano": _Units(length_A=1e-9 / _ANGSTROM_M, time_fs=1e-9 / _FEMTOSECOND_S),
}
"""https://docs.lammps.org/units.html; "lj" has no lengths of its own."""


@dataclass(frozen=True, kw_only=True)
class _Frame:
    step: int
    time: float
    """In the time unit of the dump; NaN where it gives none."""
    species: tuple[str, ...]
    cell: FloatArray
    frac: FloatArray
    unwrapped: bool


def read_lammps_dump(
    path: Path,
    frame_spacing_fs: float | None = None,
    time_step_fs: float | None = None,
    elements: Sequence[str] | None = None,
) -> Trajectory:
    """Read a LAMMPS text dump, plain or gzip.

    Parameters
    ----------
    path : Path
        Dump with columns ``id``, ``element`` or ``type``, and x y z, xs ys zs, xu yu zu or
        xsu ysu zsu; image flags ix iy iz are used where present. Atoms may come in any order.
        Boxes are orthogonal, restricted triclinic or general triclinic. Lengths and times are
        converted by the section UNITS, and are in Å where there is none.
    frame_spacing_fs : float, optional
        Time between frames, fs.
    time_step_fs : float, optional
        MD time step, fs; with the step numbers of the dump it gives the frame spacing.
    elements : sequence of str, optional
        Element of type 1, 2, …

    Raises
    ------
    TrajectoryError
        With file and frame, for cut-off frames, changing atoms or irregular steps.
    """
    frames: list[_Frame] = []
    units: list[str] = []
    with open_lines(path) as stream:
        while True:
            frame = _read_frame(stream, f"{path}: frame {len(frames) + 1}", elements, units)
            if frame is None:
                break
            # A restart writes the last frame again.
            if frames and frame.step == frames[-1].step:
                continue
            frames.append(frame)
    if not frames:
        raise TrajectoryError(f"{path}: no frame in it (frame 1 is missing)")
    _check_atoms(path, frames)
    style = _style(path, units)
    cells = np.array([f.cell for f in frames]) * (1.0 if style is None else style.length_A)
    clock = Clock(
        times=[f.time for f in frames],
        time_unit_fs=None if style is None else style.time_fs,
        steps=[f.step for f in frames],
    )
    spacing = _spacing(path, clock, frame_spacing_fs, time_step_fs)
    start = first_time_fs(clock, spacing)
    constant = bool(np.array_equal(cells, np.broadcast_to(cells[0], cells.shape)))
    return Trajectory(
        species=frames[0].species,
        lattices=cells[:1] if constant else cells,
        frac=np.array([f.frac for f in frames]),
        frame_spacing_fs=spacing,
        unwrapped=all(f.unwrapped for f in frames),
        segments=(
            Segment(file=str(path), first_frame=0, n_frames=len(frames), first_time_fs=start),
        ),
    )


def _check_atoms(path: Path, frames: Sequence[_Frame]) -> None:
    for number, frame in enumerate(frames, start=1):
        if frame.species != frames[0].species:
            raise TrajectoryError(f"{path}: frame {number}: the atoms change within the file")


def _style(path: Path, units: list[str]) -> _Units | None:
    """Units of the dump, None where it has no section UNITS; they stand before a frame or all."""
    if not units:
        return None
    name = units[0]
    if name not in _UNITS or any(other != name for other in units):
        raise TrajectoryError(
            f"{path}: units {', '.join(dict.fromkeys(units))[:40]!r}; known are "
            f"{', '.join(_UNITS)}, the same in all frames"
        )
    return _UNITS[name]


def _spacing(path: Path, clock: Clock, spacing_fs: float | None, step_fs: float | None) -> float:
    if spacing_fs is None and step_fs is None and not np.isfinite(clock.times).all():
        raise TrajectoryError(f"{path}: give --frame-spacing-fs or --time-step (fs)")
    if spacing_fs is None and len(clock.steps) < 2:
        raise TrajectoryError(f"{path}: one frame only; give --frame-spacing-fs (fs)")
    return frame_spacing(path, clock, spacing_fs, step_fs)


def _read_frame(
    stream: Lines, where: str, elements: Sequence[str] | None, units: list[str]
) -> _Frame | None:
    head: dict[str, list[str]] = {}
    sizes = {"TIMESTEP": 1, "NUMBER OF ATOMS": 1, "BOX BOUNDS": 3, "UNITS": 1, "TIME": 1}
    while line := stream.readline():
        if not line.startswith("ITEM:"):
            if line.strip():
                raise TrajectoryError(f"{where}: 'ITEM:' expected, got {line.strip()[:40]!r}")
            continue
        item = line[5:].strip()
        if item.startswith("ATOMS"):
            return _finish(stream, where, head, item.split()[1:], elements)
        key = next((k for k in sizes if item.startswith(k) and (k != "TIME" or item == k)), None)
        if key is None:
            raise TrajectoryError(f"{where}: unknown section {item[:40]!r}")
        head[key] = [stream.readline() for _ in range(sizes[key])]
        if key == "BOX BOUNDS":
            head["BOX STYLE"] = item.split()[2:]
        if key == "UNITS":
            units.append(head["UNITS"][0].strip().lower())
    if head.keys() - {"UNITS", "TIME"}:
        raise TrajectoryError(f"{where}: cut off before its atoms")
    return None


def _finish(
    stream: Lines,
    where: str,
    head: dict[str, list[str]],
    columns: list[str],
    elements: Sequence[str] | None,
) -> _Frame:
    try:
        step = int(head["TIMESTEP"][0])
        count = checked_count(int(head["NUMBER OF ATOMS"][0]), where)
        time = float(head["TIME"][0]) if "TIME" in head else math.nan
        cell, origin = _box(head, where)
    except (KeyError, ValueError, IndexError):
        raise TrajectoryError(f"{where}: time step, number of atoms or box is missing") from None
    rows: list[list[str]] = []
    for atom in range(count):
        rows.append(stream.readline().split())
        if len(rows[-1]) != len(columns):
            row = rows[-1]
            raise TrajectoryError(
                f"{where}: cut off or malformed at atom {atom + 1} of {count} "
                f"({len(row)} of {len(columns)} columns)"
            )
    table = dict(zip(columns, zip(*rows, strict=True), strict=True))
    try:
        order = np.argsort(np.array(table["id"], dtype=int)) if "id" in table else np.arange(count)
        frac, unwrapped = _fractional(table, cell, origin, where)
    except ValueError:
        raise TrajectoryError(f"{where}: a number cannot be read") from None
    species = _species(table, elements, where)
    return _Frame(
        step=step,
        time=time,
        species=tuple(species[i] for i in order),
        cell=cell,
        frac=frac[order],
        unwrapped=unwrapped,
    )


def _box(head: dict[str, list[str]], where: str) -> tuple[FloatArray, FloatArray]:
    """Cell and origin; the header says which of the three layouts follows.

    General triclinic (``abc origin``): a row of components for each vector, the origin behind
    them (https://docs.lammps.org/Howto_triclinic.html).
    """
    style = head.get("BOX STYLE", [])
    if style[:2] == ["abc", "origin"]:
        table = np.array([[float(x) for x in line.split()] for line in head["BOX BOUNDS"]])
        if table.shape != (3, 4):
            raise ValueError
        cell, origin, edges = table[:, :3], table[:, 3], style[2:]
    else:
        cell, origin = _cell(head["BOX BOUNDS"])
        edges = [word for word in style if word not in ("xy", "xz", "yz")]
    if any(edge != "pp" for edge in edges):
        raise TrajectoryError(
            f"{where}: the box is not periodic in three dimensions ({' '.join(edges)})"
        )
    return cell, origin


def _cell(lines: list[str]) -> tuple[FloatArray, FloatArray]:
    """Rows of the cell and its origin; bounds of a triclinic box enclose the tilted cell."""
    box = np.array([[float(x) for x in line.split()] for line in lines])
    if box.shape not in ((3, 2), (3, 3)):
        raise ValueError
    low, high = box[:, 0].copy(), box[:, 1].copy()
    xy, xz, yz = box[:, 2] if box.shape[1] == 3 else np.zeros(3)
    low[0] -= min(0.0, xy, xz, xy + xz)
    high[0] -= max(0.0, xy, xz, xy + xz)
    low[1] -= min(0.0, yz)
    high[1] -= max(0.0, yz)
    edge = high - low
    return np.array([[edge[0], 0, 0], [xy, edge[1], 0], [xz, yz, edge[2]]]), low


def _fractional(
    table: dict[str, tuple[str, ...]], cell: FloatArray, origin: FloatArray, where: str
) -> tuple[FloatArray, bool]:
    def columns(names: tuple[str, ...]) -> FloatArray:
        return np.array([table[n] for n in names], dtype=np.float64).T

    for names, scaled, unwrapped in (
        (_SCALED_UNWRAPPED, True, True),
        (_UNWRAPPED, False, True),
        (_SCALED, True, False),
        (_WRAPPED, False, False),
    ):
        if all(n in table for n in names):
            frac = columns(names)
            frac = frac if scaled else (frac - origin) @ np.linalg.inv(cell)
            if not unwrapped and all(n in table for n in _IMAGES):
                return frac + columns(_IMAGES), True
            return frac, unwrapped
    raise TrajectoryError(f"{where}: no coordinates among the columns {' '.join(table)}")


def _species(
    table: dict[str, tuple[str, ...]], elements: Sequence[str] | None, where: str
) -> list[str]:
    if "element" in table:
        symbols = list(table["element"])
    elif "type" in table and elements:
        try:
            symbols = [elements[int(t) - 1] for t in table["type"]]
        except (IndexError, ValueError):
            raise TrajectoryError(
                f"{where}: a type has no element; {len(elements)} were given"
            ) from None
    else:
        raise TrajectoryError(f"{where}: no element column; give --elements Li,P,S (types 1, 2, …)")
    unknown = sorted(set(symbols) - ATOMIC_NUMBER.keys())
    if unknown:
        raise TrajectoryError(f"{where}: {', '.join(unknown)} is not an element; give --elements")
    return symbols
