"""POSCAR / CONTCAR text → structure record."""

from __future__ import annotations

import warnings

from ..convert import from_pymatgen
from ..errors import StructureError
from ..records import Provenance, StructureRecord
from .cif import MAX_SITES


def parse_poscar(text: str, record_id: str, provenance: Provenance) -> StructureRecord:
    """Read a VASP 5 POSCAR (with a line of element symbols).

    Raises
    ------
    StructureError
        If it is broken, too large, or does not name its elements.
    """
    from pymatgen.io.vasp import Poscar

    _check_header(text, record_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            poscar = Poscar.from_str(text)
        except Exception as error:
            # Arbitrary text fails in arbitrary ways; the reason is kept.
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise StructureError(f"{record_id}: not a readable POSCAR: {reason}") from None
    return from_pymatgen(poscar.structure, record_id, provenance)


def _check_header(text: str, record_id: str) -> None:
    """Refuse what would be slow or silently short before pymatgen reads it."""
    lines = text.splitlines()
    if len(lines) < 8:
        raise StructureError(f"{record_id}: a POSCAR has at least 8 lines, this has {len(lines)}")
    if all(word.isdigit() for word in lines[5].split()):
        raise StructureError(
            f"{record_id}: the POSCAR does not name its elements; add the symbols as line 6"
        )
    total = sum(int(word) for word in lines[6].split() if word.isdigit())
    if total > MAX_SITES:
        raise StructureError(f"{record_id}: {total} sites in the cell, more than {MAX_SITES}")
    if len(lines) < 8 + total:
        raise StructureError(
            f"{record_id}: {total} atoms are announced, but the file ends at line {len(lines)}"
        )
