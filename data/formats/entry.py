"""What a reader of one file gives and needs: entries, context, names of fields."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from ..errors import StructureError
from ..identifiers import no_formula
from ..records import Provenance, Quarantined, StructureRecord

Entry: TypeAlias = StructureRecord | Quarantined


MAX_ID_LENGTH: Final[int] = 120


_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\\/]+")


def clean_id(text: object) -> str:
    """Identifier without path separators and control characters, never longer than 120.

    Identifiers of strangers become names of folders and cells of tables later on.
    """
    cleaned = _UNSAFE.sub("_", printable(str(text))).strip().lstrip(".")
    return no_formula(cleaned)[:MAX_ID_LENGTH] or "unnamed"


def printable(text: str) -> str:
    """Names of files may hold bytes that are no text: they are shown, not raised on."""
    return text.encode("utf-8", "backslashreplace").decode()


def finite_or_none(value: object) -> float | None:
    """The number, or None if a source gives none, NaN, infinity or something else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def first_number(entry: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    """The first of several names that holds a finite number."""
    for name in names:
        if (number := finite_or_none(entry.get(name))) is not None:
            return number
    return None


def first_text(entry: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of several names that holds a non-empty text or an integer."""
    for name in names:
        value = entry.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return None


def with_values(
    record: StructureRecord,
    e_above_hull: float | None,
    band_gap: float | None,
    energy_eV_atom: float | None,
) -> StructureRecord:
    """The record with what its source says about stability; None leaves a field empty."""
    return replace(
        record,
        e_above_hull_eV_atom=e_above_hull,
        band_gap_eV=band_gap,
        energy_eV_atom=energy_eV_atom,
    )


def entry_or_quarantine(
    context: Context,
    read: Callable[[], StructureRecord],
    e_above_hull: object = None,
    band_gap: object = None,
    energy_eV_atom: object = None,
) -> Entry:
    """The record that ``read`` makes with what a database says about it, or why it is broken.

    Parameters
    ----------
    context : Context
        Its identifier is that of the entry.
    read : callable
        Raises StructureError for a structure that cannot be used.
    e_above_hull, band_gap, energy_eV_atom : object
        As the database gives them, eV; what is no finite number leaves the field empty.
    """
    try:
        record = read()
    except StructureError as error:
        return context.quarantined(context.identifier, error)
    values = map(finite_or_none, (e_above_hull, band_gap, energy_eV_atom))
    return with_values(record, *values)


HULL_NAMES: Final[tuple[str, ...]] = (
    "e_above_hull",
    "energy_above_hull",
    "e_above_hull_eV_atom",
    "hull_distance",
    "ehull",
    "_ionsieve_e_above_hull",
)


GAP_NAMES: Final[tuple[str, ...]] = (
    "band_gap",
    "band_gap_eV",
    "bandgap",
    "band_gap_ind",
    "gap",
    "_ionsieve_band_gap",
)


ID_NAMES: Final[tuple[str, ...]] = ("id", "entry_id", "material_id", "mat_id", "immutable_id")


def reason_of(error: BaseException, record_id: str = "") -> str:
    """An error as one line, without the identifier that stands beside it anyway."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.removeprefix(f"{record_id}: ")[:400]


@dataclass(frozen=True)
class Context:
    """What a reader of one file needs besides the file.

    Parameters
    ----------
    identifier : str
        Id of the file: prefix of ids where entries carry none.
    provenance : Provenance
    stability_field : str, optional
        Name of the field with the energy above hull, dots for nesting; the usual ones by default.
    """

    identifier: str
    provenance: Provenance
    stability_field: str | None = None

    def quarantined(self, record_id: str, error: BaseException | str) -> Quarantined:
        """A quarantine entry for one structure of the file."""
        reason = error if isinstance(error, str) else reason_of(error, record_id)
        return Quarantined(record_id, self.provenance.file or "", "read", reason)
