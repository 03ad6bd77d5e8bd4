"""OPTIMADE attributes → structure record (specification 1.2, structures entry type).

Properties with the prefix ``_ionsieve_`` are those of :mod:`.optimade_write`: what it writes comes
back whole, but for the name of the file, which is that of the file read now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from ..errors import StructureError
from ..records import Provenance, SiteContent, SiteSpecies, StructureRecord
from .cif_block import MAX_SITES
from .entry import finite_or_none
from .symbols import required_element

ATTRIBUTES: Final[tuple[str, ...]] = (
    "lattice_vectors",
    "cartesian_site_positions",
    "species_at_sites",
    "species",
    "structure_features",
    "dimension_types",
    "nperiodic_dimensions",
    "nsites",
)
"""What a structure needs; ask providers for these only."""

PREFIX: Final[str] = "_ionsieve_"
ORIGIN: Final[tuple[str, ...]] = ("source", "licence", "reference", "note")
"""Fields of :class:`Provenance` that travel under the prefix."""
VALUES: Final[dict[str, str]] = {
    "e_above_hull_eV_atom": f"{PREFIX}e_above_hull",
    "band_gap_eV": f"{PREFIX}band_gap",
    "energy_eV_atom": f"{PREFIX}energy_per_atom",
    "li_window_low_V": f"{PREFIX}li_window_low",
    "li_window_high_V": f"{PREFIX}li_window_high",
}
"""Field of the record → property, for every number that a record may have; OPTIMADE allows no
capital letters in names."""
OXIDATION: Final[str] = f"{PREFIX}oxidation_states"
NOTES: Final[str] = f"{PREFIX}notes"
"""Remarks of the reader, a list of texts."""
OWN_ATTRIBUTES: Final[tuple[str, ...]] = (
    *(PREFIX + name for name in ORIGIN),
    *VALUES.values(),
    OXIDATION,
    NOTES,
)
"""What to ask a provider for besides, if it serves what ionsieve wrote."""

_REFUSED: Final[dict[str, str]] = {
    "assemblies": "correlated disorder (assemblies)",
    "implicit_atoms": "atoms without positions (implicit_atoms)",
    "unknown_positions": "atoms without positions (unknown_positions)",
    "site_attachments": "attached atoms without positions (site_attachments)",
}


def record_from_attributes(
    attributes: Mapping[str, Any], record_id: str, provenance: Provenance
) -> StructureRecord:
    """Turn the attributes of one structures entry into a record.

    Parameters
    ----------
    attributes : mapping
        Attribute names as in the specification; ``species`` may be absent when
        ``species_at_sites`` holds element symbols.
    record_id : str
    provenance : Provenance

    Raises
    ------
    StructureError
        If the structure is not periodic in three dimensions, or anything in it is not defined.
    """
    _check_features(attributes, record_id)
    lattice = _array(attributes, "lattice_vectors", (3, 3), record_id)
    names = attributes.get("species_at_sites")
    if not isinstance(names, Sequence) or isinstance(names, str) or not names:
        raise StructureError(f"{record_id}: species_at_sites is missing")
    if len(names) > MAX_SITES:
        raise StructureError(f"{record_id}: {len(names)} sites in the cell, more than {MAX_SITES}")
    positions = _array(attributes, "cartesian_site_positions", (len(names), 3), record_id)
    contents = _contents(attributes.get("species"), attributes.get(OXIDATION), record_id)
    unknown = sorted({str(name) for name in names} - contents.keys())
    if unknown and attributes.get("species"):
        raise StructureError(f"{record_id}: species {unknown[0]!r} is used but not described")
    species = tuple(
        contents[str(name)] if str(name) in contents else _content([(name, 1.0, None)], record_id)
        for name in names
    )
    notes = attributes.get(NOTES)
    record = _record(lattice, positions, species, record_id, origin_of(attributes, provenance))
    own: dict[str, Any] = {
        field: finite_or_none(attributes.get(name)) for field, name in VALUES.items()
    }
    if isinstance(notes, list | tuple):
        own["notes"] = tuple(str(note)[:400] for note in notes[:20])
    return replace(record, **own)


def origin_of(attributes: Mapping[str, Any], given: Provenance) -> Provenance:
    """The origin that an entry of ours states for itself, whole, else the one given."""
    stated = {name: attributes.get(PREFIX + name) for name in ORIGIN}
    source, licence, reference, note = (v if isinstance(v, str) else None for v in stated.values())
    if source is None:
        return given
    return Provenance(
        source=source,
        licence=licence or given.licence,
        reference=reference,
        file=given.file,
        note=note or "",
    )


def _record(
    lattice: np.ndarray,
    positions: np.ndarray,
    species: tuple[SiteContent, ...],
    record_id: str,
    provenance: Provenance,
) -> StructureRecord:
    occupied = [bool(content) for content in species]
    try:
        frac = positions @ np.linalg.inv(lattice)
    except np.linalg.LinAlgError:
        raise StructureError(f"{record_id}: lattice_vectors span no volume") from None
    kept = tuple(content for content in species if content)
    return StructureRecord(
        id=record_id, lattice=lattice, species=kept, frac=frac[occupied], provenance=provenance
    )


def _check_features(attributes: Mapping[str, Any], record_id: str) -> None:
    for feature in attributes.get("structure_features") or ():
        if feature in _REFUSED:
            raise StructureError(f"{record_id}: {_REFUSED[feature]} is not supported")
    dimensions = attributes.get("dimension_types")
    periodic = attributes.get("nperiodic_dimensions")
    if (dimensions is not None and list(dimensions) != [1, 1, 1]) or periodic not in (None, 3):
        raise StructureError(f"{record_id}: not periodic in three dimensions")


def _array(
    attributes: Mapping[str, Any], name: str, shape: tuple[int, int], record_id: str
) -> np.ndarray:
    value = attributes.get(name)
    if value is None:
        raise StructureError(f"{record_id}: {name} is missing")
    try:
        array = np.array([list(row) for row in value], dtype=np.float64)
    except (TypeError, ValueError):
        raise StructureError(f"{record_id}: {name} is not a table of numbers") from None
    if array.shape != shape:
        raise StructureError(f"{record_id}: {name} has shape {array.shape}, expected {shape}")
    if not np.isfinite(array).all():
        raise StructureError(f"{record_id}: {name} holds NaN or infinity")
    return array


def _contents(species: Any, oxidation: Any, record_id: str) -> dict[str, SiteContent]:
    """Content of a site by species name; empty for a pure vacancy."""
    contents: dict[str, SiteContent] = {}
    for index, entry in enumerate(species or ()):
        try:
            name = str(entry["name"])
            symbols = entry["chemical_symbols"]
            states = [None] * len(symbols) if oxidation is None else oxidation[index]
            parts = list(zip(symbols, entry["concentration"], states, strict=True))
            if entry.get("attached"):
                raise StructureError(f"{record_id}: species {name!r} has attached atoms")
            contents[name] = _content(parts, record_id)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise StructureError(f"{record_id}: a species is not well described") from None
    return contents


def _content(parts: list[tuple[Any, Any, Any]], record_id: str) -> SiteContent:
    if any(symbol == "X" for symbol, _, _ in parts):
        raise StructureError(f"{record_id}: a site holds an unknown element (X)")
    found = [
        SiteSpecies(
            required_element(symbol, record_id),
            float(share),
            None if state is None else float(state),
        )
        for symbol, share, state in parts
        if symbol != "vacancy"
    ]
    return tuple(sorted(found, key=repr)) if len(found) > 1 else tuple(found)
