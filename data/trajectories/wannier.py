"""Wannier centres beside their atoms: CP2K's centres in xyz frames, wannier90's ``_centres.xyz``.

Both write frames of xyz in which centres are atoms called ``X``. CP2K (``&LOCALIZE``, ``&PRINT``,
``&WANNIER_CENTERS``, ``IONS+CENTERS``) puts all frames of a run in one file, wannier90 (with
``write_xyz``, after VASP or another code) one frame a file.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from ..elements import ATOMIC_NUMBER
from ..errors import TrajectoryError
from .trajectory import FloatArray

CENTRE: Final[str] = "X"
MOST_ATOMS: Final[int] = 1_000_000
"""A frame that announces more lines than this is damaged."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WannierFrames:
    """Frames with atoms and Wannier centres.

    Attributes
    ----------
    species : tuple of str
        Elements of the atoms, the same in every frame.
    atoms_A : array (n_frames, n_atoms, 3), Å
    centres_A : array (n_frames, n_centres, 3), Å
    """

    species: tuple[str, ...]
    atoms_A: FloatArray
    centres_A: FloatArray


def read_wannier(files: Sequence[str | Path]) -> WannierFrames:
    """Read Wannier centres.

    Parameters
    ----------
    files : sequence of paths
        Frames in order; plain or gzip.

    Raises
    ------
    TrajectoryError
        Naming file and frame, if there is no centre, no atom, or a frame does not fit the others.
    """
    species: tuple[str, ...] | None = None
    atoms: list[FloatArray] = []
    centres: list[FloatArray] = []
    for file in files:
        path = Path(file)
        for number, (names, places) in enumerate(_frames(path), start=1):
            is_centre = np.array([n == CENTRE for n in names])
            own = tuple(n for n in names if n != CENTRE)
            where = f"{path}: frame {number}"
            _check(where, own, is_centre)
            if species is not None and own != species:
                raise TrajectoryError(f"{where}: its atoms are not those of the frames before")
            if centres and is_centre.sum() != len(centres[0]):
                raise TrajectoryError(
                    f"{where}: {int(is_centre.sum())} Wannier centres, {len(centres[0])} before"
                )
            species = own
            atoms.append(places[~is_centre])
            centres.append(places[is_centre])
    if species is None:
        raise TrajectoryError(f"{', '.join(map(str, files))}: no frame in it")
    return WannierFrames(species=species, atoms_A=np.array(atoms), centres_A=np.array(centres))


def _check(where: str, own: tuple[str, ...], is_centre: np.ndarray) -> None:
    if not is_centre.any():
        raise TrajectoryError(
            f"{where}: no Wannier centre ({CENTRE}) in it; CP2K writes them with IONS+CENTERS in "
            "&WANNIER_CENTERS, wannier90 with write_xyz = true"
        )
    if not own:
        raise TrajectoryError(f"{where}: centres without atoms; write them with the ions")
    unknown = sorted(set(own) - ATOMIC_NUMBER.keys())
    if unknown:
        raise TrajectoryError(f"{where}: {unknown[0]!r} is no element")


def _frames(path: Path) -> Iterator[tuple[list[str], FloatArray]]:
    if not path.is_file():
        raise TrajectoryError(f"{path}: no such file")
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", errors="replace") as stream:
            number = 0
            while (head := _next_head(stream)) is not None:
                number += 1
                yield _frame(stream, head, f"{path}: frame {number}")
    except (EOFError, gzip.BadGzipFile) as error:
        raise TrajectoryError(f"{path}: the gzip file is cut off or damaged ({error})") from error


def _next_head(stream: TextIO) -> str | None:
    for line in stream:
        if line.strip():
            return line.strip()
    return None


def _frame(stream: TextIO, head: str, where: str) -> tuple[list[str], FloatArray]:
    if not head.isdigit() or not 0 < int(head) <= MOST_ATOMS:
        raise TrajectoryError(f"{where}: {head[:40]!r} is no number of atoms; an xyz file?")
    stream.readline()
    names, places = [], []
    for k in range(int(head)):
        parts = stream.readline().split()
        try:
            place = [float(x) for x in parts[1:4]]
            if len(place) != 3 or not np.isfinite(place).all():
                raise ValueError
        except ValueError:
            raise TrajectoryError(f"{where}: line {k + 3} is no element with x y z") from None
        names.append(parts[0] if parts[0] == CENTRE else parts[0].capitalize())
        places.append(place)
    return names, np.array(places)
