"""What a reader of one file gives and needs: entries, context, names of fields."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import Any, Final, TypeAlias

import numpy as np

from ..errors import StructureError
from ..identifiers import no_formula, printable
from ..records import Provenance, Quarantined, StructureRecord
from .plausible import checked

Entry: TypeAlias = StructureRecord | Quarantined


MAX_ID_LENGTH: Final[int] = 120


_UNSAFE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\\/]+")


def clean_id(text: object) -> str:
    """Identifier without path separators and control characters, never longer than 120.

    Identifiers of strangers become names of folders and cells of tables later on.
    """
    without_controls = _UNSAFE.sub("_", str(text))
    cleaned = _UNSAFE.sub("_", printable(without_controls)).strip().lstrip(".")
    return no_formula(cleaned)[:MAX_ID_LENGTH] or "unnamed"


def finite_or_none(value: object) -> float | None:
    """The number, or None if a source gives none, NaN, infinity or something else.

    Numbers of NumPy and decimals (``decimal.Decimal``, of Parquet) are numbers; truth values are
    none.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal | np.number):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


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
        if isinstance(value, bool):
            continue
        if isinstance(value, str | int | np.integer) and str(value).strip():
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


def guarded(
    context: Context,
    record_id: str,
    read: Callable[[], StructureRecord],
    values: Callable[[StructureRecord], StructureRecord] | None = None,
) -> Entry:
    """The record that ``read`` makes, checked, or why this one entry is not used.

    Whatever goes wrong with one structure of a file is its own quarantine, and costs no other:
    every source reads its entries through here.

    Parameters
    ----------
    context : Context
    record_id : str
    read : callable
        Raises StructureError for a structure that cannot be used, and whatever it likes for what
        nobody thought of.
    values : callable, optional
        Adds what the source says about stability.
    """
    try:
        record = checked(read())
        return record if values is None else values(record)
    except StructureError as error:
        return context.quarantined(record_id, error)
    except Exception as error:
        # Strangers' files fail in arbitrary ways; the cause is kept, and the others are read.
        kind = type(error).__name__
        return context.quarantined(record_id, f"cannot be read ({kind}: {reason_of(error)})"[:400])


def entry_or_quarantine(
    context: Context,
    read: Callable[[], StructureRecord],
    e_above_hull: object = None,
    band_gap: object = None,
    energy_eV_atom: object = None,
) -> Entry:
    """As :func:`guarded`, with what a database says about the structure.

    Parameters
    ----------
    context : Context
        Its identifier is that of the entry.
    read : callable
    e_above_hull, band_gap, energy_eV_atom : object
        As the database gives them, eV; what is no finite number leaves the field empty.
    """
    numbers = [finite_or_none(value) for value in (e_above_hull, band_gap, energy_eV_atom)]
    return guarded(context, context.identifier, read, lambda record: with_values(record, *numbers))
