"""Competing phases that the user gives: pymatgen ``ComputedEntry`` JSON, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

from ..elements import ATOMIC_NUMBER
from ..errors import InputError
from ..formats.entries import entry_id
from ..formats.entry import finite_or_none
from ..formats.json_stream import iter_json_objects
from .hull import GIVEN, HullEntry


def read_given_entries(path: str | Path) -> Iterator[HullEntry]:
    """Entries of a JSON file (also .gz, .bz2, .xz): a list, or one under ``entries``.

    Each has ``energy`` (eV, of all atoms), its ``correction``, and a ``composition`` or a
    ``structure``, as pymatgen writes a ``ComputedEntry`` or ``ComputedStructureEntry``.

    Raises
    ------
    InputError
        Naming file and entry, if one has no energy or composition: a hull with holes is no hull.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file; --entries wants JSON of computed entries")
    try:
        for number, (key, content) in enumerate(iter_json_objects(file), start=1):
            yield _entry(content, f"{file}: entry {number}", key or f"entry-{number}")
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith(str(file)) else f"{file}: {text}") from None


def digest_of(path: str | Path) -> str:
    """SHA-256 of the file."""
    with Path(path).open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _entry(content: Any, where: str, fallback: str) -> HullEntry:
    if not isinstance(content, Mapping):
        raise InputError(f"{where}: is no object with energy and composition")
    energy = finite_or_none(content.get("energy"))
    amounts = _composition(content, where)
    if energy is None:
        raise InputError(f"{where}: has no energy")
    total = sum(amounts.values())
    corrected = (energy + _correction(content)) / total
    return HullEntry(entry_id(content, fallback), amounts, corrected, GIVEN)


def _correction(content: Mapping[str, Any]) -> float:
    """The sum of the energy adjustments, or the correction of older files."""
    if (given := finite_or_none(content.get("correction"))) is not None:
        return given
    adjustments = content.get("energy_adjustments") or []
    values = [finite_or_none(a.get("value")) for a in adjustments if isinstance(a, Mapping)]
    return sum(value for value in values if value is not None)


def _composition(content: Mapping[str, Any], where: str) -> dict[str, float]:
    given = content.get("composition")
    if not isinstance(given, Mapping):
        given = _of_structure(content.get("structure"))
    amounts = {str(e).rstrip("0123456789+-."): finite_or_none(n) for e, n in given.items()}
    wrong = [e for e, n in amounts.items() if e not in ATOMIC_NUMBER or n is None or n <= 0]
    if wrong or not amounts:
        shown = f"{wrong[0]!r} in its composition" if wrong else "no composition"
        raise InputError(f"{where}: has {shown}")
    return {e: float(n) for e, n in amounts.items() if n is not None}


def _of_structure(structure: Any) -> dict[str, float]:
    sites = structure.get("sites") if isinstance(structure, Mapping) else None
    amounts: dict[str, float] = {}
    for site in sites if isinstance(sites, list) else []:
        for species in site.get("species", []) if isinstance(site, Mapping) else []:
            symbol = str(species.get("element"))
            amounts[symbol] = amounts.get(symbol, 0.0) + float(species.get("occu", 0.0))
    return amounts
