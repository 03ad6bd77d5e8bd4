"""POSCAR / CONTCAR text → structure record (layout of the VASP manual, version 5 and later)."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from ..errors import StructureError
from ..identifiers import printable
from ..records import FloatArray, Provenance, StructureRecord
from .cif_block import MAX_SITES
from .symbols import element_of

_POTENTIAL: Final = re.compile(r"[_/].*$")
"""What VASP appends to a symbol: ``Li_sv``, ``Li_sv/1a2b3c``."""


def parse_poscar(text: str, record_id: str, provenance: Provenance) -> StructureRecord:
    """Read a POSCAR that names its elements.

    Read are one scale, three scales or a volume (negative), selective dynamics, direct and
    Cartesian coordinates; what stands behind three coordinates, and velocities, is passed over.
    ``D`` and ``T`` are hydrogen.

    Raises
    ------
    StructureError
        If it is broken, too large, or does not name its elements.
    """
    lines = text.splitlines()
    if len(lines) < 8:
        raise StructureError(f"{record_id}: a POSCAR has at least 8 lines, this has {len(lines)}")
    lattice = _lattice(lines, record_id)
    symbols = _symbols(lines, record_id)
    first, cartesian = _first_site(lines, record_id)
    if len(lines) < first + len(symbols):
        raise StructureError(
            f"{record_id}: {len(symbols)} atoms are announced, but the file ends at line "
            f"{len(lines)}"
        )
    table = [
        _numbers(lines[first + i].split()[:3], 3, f"coordinates in line {first + i + 1}", record_id)
        for i in range(len(symbols))
    ]
    positions = np.array(table)
    if cartesian:
        positions = positions * _scales(lines, record_id) @ np.linalg.inv(lattice)
    return StructureRecord.ordered(record_id, lattice, symbols, positions, provenance)


def _lattice(lines: list[str], record_id: str) -> FloatArray:
    vectors = [
        _numbers(lines[k].split()[:3], 3, f"a lattice vector in line {k + 1}", record_id)
        for k in (2, 3, 4)
    ]
    lattice = np.array(vectors) * _scales(lines, record_id)
    if abs(float(np.linalg.det(lattice))) < 1e-9:
        raise StructureError(f"{record_id}: the lattice is flat; correct lines 3 to 5")
    return lattice


def _scales(lines: list[str], record_id: str) -> FloatArray:
    """Factors for x, y, z; one negative number is the volume of the cell in Å³."""
    words = lines[1].split()
    three = len(words) >= 3 and all(map(_is_number, words[:3]))
    scales = _numbers(
        words[: 3 if three else 1], 3 if three else 1, "the scale in line 2", record_id
    )
    if (len(scales) == 3 and min(scales) <= 0) or scales[0] == 0:
        raise StructureError(f"{record_id}: the scale in line 2 must not be 0 or negative")
    if scales[0] > 0:
        return np.array(scales if len(scales) == 3 else scales * 3)
    vectors = [_numbers(lines[k].split()[:3], 3, "a lattice vector", record_id) for k in (2, 3, 4)]
    volume = abs(float(np.linalg.det(np.array(vectors))))
    if volume == 0:
        raise StructureError(f"{record_id}: the lattice is flat; correct lines 3 to 5")
    return np.full(3, (-scales[0] / volume) ** (1 / 3))


def _symbols(lines: list[str], record_id: str) -> list[str]:
    """Element of every atom, in the order of the file."""
    words, counts = lines[5].split(), lines[6].split("!")[0].split()
    if all(word.isdecimal() for word in words):
        raise StructureError(
            f"{record_id}: the POSCAR does not name its elements; add the symbols as line 6"
        )
    if not counts or not all(word.isdecimal() for word in counts):
        raise StructureError(f"{record_id}: line 7 must hold the number of atoms of each element")
    if len(words) != len(counts):
        raise StructureError(
            f"{record_id}: {len(words)} symbols in line 6, but {len(counts)} numbers in line 7"
        )
    if (total := sum(int(count[:9]) for count in counts)) > MAX_SITES:
        raise StructureError(f"{record_id}: {total} sites in the cell, more than {MAX_SITES}")
    symbols: list[str] = []
    for word, count in zip(words, counts, strict=True):
        ion = element_of(_POTENTIAL.sub("", word))
        if ion is None:
            raise StructureError(f"{record_id}: line 6 names {printable(word)[:40]!r}, no element")
        symbols += [ion.element] * int(count)
    if not symbols:
        raise StructureError(f"{record_id}: line 7 announces no atoms")
    return symbols


def _first_site(lines: list[str], record_id: str) -> tuple[int, bool]:
    """Index of the first line with coordinates, and whether they are Cartesian."""
    at = 8 if lines[7].strip()[:1] in ("S", "s") else 7
    mode = lines[at].strip()[:1] if at < len(lines) else ""
    if mode not in set("dDcCkK"):
        raise StructureError(f"{record_id}: line {at + 1} must say Direct or Cartesian")
    return at + 1, mode in "cCkK"


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _numbers(words: list[str], count: int, what: str, record_id: str) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise StructureError(
            f"{record_id}: not a readable POSCAR: {what} must be {count} number"
            f"{'s' if count > 1 else ''}"
        )
    return values
