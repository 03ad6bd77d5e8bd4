"""One JSON object → structure record, whatever common layout it has; nothing is unpickled or run.

Layouts: pymatgen ``Structure`` and ``ComputedStructureEntry`` dictionaries (Alexandria, Materials
Project dumps), an object around a ``structure``, plain ``{"lattice", "species", "frac"}``, and
OPTIMADE entries with or without ``attributes``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import StructureError
from ..records import Provenance, SiteContent, SiteSpecies, StructureRecord
from .cif_block import MAX_SITES
from .entry import (
    GAP_NAMES,
    HULL_NAMES,
    ID_NAMES,
    Context,
    clean_id,
    finite_or_none,
    first_number,
    first_text,
    with_values,
)
from .optimade_read import record_from_attributes
from .symbols import required_element


def entry_id(entry: Any, fallback: str) -> str:
    """Identifier that an entry gives itself, else the fallback; cleaned."""
    if isinstance(entry, Mapping):
        for part in (entry, entry.get("data")):
            if isinstance(part, Mapping) and (found := first_text(part, ID_NAMES)):
                return clean_id(found)
    return clean_id(fallback)


def record_from_entry(entry: Any, record_id: str, context: Context) -> StructureRecord:
    """Read one object.

    Parameters
    ----------
    entry : mapping
        Parsed JSON, or a row of a table as a dictionary.
    record_id : str
    context : Context

    Raises
    ------
    StructureError
        If the layout is not known or the structure is broken.
    """
    if not isinstance(entry, Mapping):
        raise StructureError(f"{record_id}: a {type(entry).__name__}, not a structure object")
    record = _structure(entry, record_id, _provenance(entry, context.provenance))
    values = _flat(entry)
    hull = (
        finite_or_none(nested(values, context.stability_field))
        if context.stability_field
        else first_number(values, HULL_NAMES)
    )
    return with_values(record, hull, first_number(values, GAP_NAMES), _energy(values, record))


def nested(values: Mapping[str, Any], path: str) -> Any:
    """Value of a field; dots descend, for names that hold none themselves."""
    if path in values:
        return values[path]
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _structure(entry: Mapping[str, Any], record_id: str, origin: Provenance) -> StructureRecord:
    if isinstance(entry.get("attributes"), Mapping):
        return record_from_attributes(entry["attributes"], record_id, origin)
    if "cartesian_site_positions" in entry:
        return record_from_attributes(entry, record_id, origin)
    if "structure" in entry:
        inner = entry["structure"]
        if not isinstance(inner, Mapping):
            raise StructureError(f"{record_id}: its structure is no object")
        return _structure({k: v for k, v in inner.items() if k != "structure"}, record_id, origin)
    if "sites" in entry and "lattice" in entry:
        return _from_pymatgen_dict(entry, record_id, origin)
    if {"lattice", "species", "frac"} <= entry.keys():
        return _from_plain(entry, record_id, origin)
    shown = ", ".join(sorted(map(str, entry))[:6])
    raise StructureError(
        f"{record_id}: no structure in an object with the keys {shown or '(none)'}"
    )


def _from_plain(entry: Mapping[str, Any], record_id: str, origin: Provenance) -> StructureRecord:
    species = entry["species"]
    if not isinstance(species, list) or not all(isinstance(s, str) for s in species):
        raise StructureError(f"{record_id}: species must be a list of element symbols")
    _check_size(len(species), record_id)
    lattice, frac = _numbers(entry["lattice"], record_id), _numbers(entry["frac"], record_id)
    elements = [required_element(symbol, record_id) for symbol in species]
    return StructureRecord.ordered(record_id, lattice, elements, frac, origin)


def _from_pymatgen_dict(
    entry: Mapping[str, Any], record_id: str, origin: Provenance
) -> StructureRecord:
    sites = entry["sites"]
    if not isinstance(sites, list) or not sites:
        raise StructureError(f"{record_id}: the structure has no sites")
    _check_size(len(sites), record_id)
    try:
        matrix = entry["lattice"]["matrix"]
        frac = [site["abc"] for site in sites]
        species = tuple(_site_content(site["species"], record_id) for site in sites)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StructureError(
            f"{record_id}: not a periodic pymatgen structure ({type(error).__name__}: {error})"
        ) from None
    lattice, positions = _numbers(matrix, record_id), _numbers(frac, record_id)
    return StructureRecord(
        id=record_id, lattice=lattice, species=species, frac=positions, provenance=origin
    )


def _site_content(species: Any, record_id: str) -> SiteContent:
    content = []
    for one in species:
        state = finite_or_none(one.get("oxidation_state"))
        content.append(
            SiteSpecies(required_element(one["element"], record_id), float(one["occu"]), state)
        )
    return tuple(sorted(content, key=repr)) if len(content) > 1 else tuple(content)


def _check_size(n_sites: int, record_id: str) -> None:
    if n_sites > MAX_SITES:
        raise StructureError(f"{record_id}: {n_sites} sites in the cell, more than {MAX_SITES}")


def _numbers(value: Any, record_id: str) -> np.ndarray:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise StructureError(f"{record_id}: lattice or coordinates are not numbers") from None


def _flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The values beside the structure; those nearest to the top win."""
    flat: dict[str, Any] = {}
    for part in (entry.get("data"), entry.get("attributes"), entry):
        if isinstance(part, Mapping):
            flat |= part
    return flat


def _energy(values: Mapping[str, Any], record: StructureRecord) -> float | None:
    """Energy per atom: as such, or a computed entry's total with its correction."""
    given = first_number(values, ("energy_eV_atom", "energy_per_atom", "_ionsieve_energy_per_atom"))
    total = finite_or_none(values.get("energy"))
    if given is not None or total is None:
        return given
    correction = finite_or_none(values.get("correction")) or 0.0
    return (total + correction) / sum(record.composition.values())


def _provenance(entry: Mapping[str, Any], given: Provenance) -> Provenance:
    """Licence and reference of the entry itself go before those of its file."""
    licence = first_text(entry, ("licence", "license"))
    reference = first_text(entry, ("reference", "doi"))
    return replace(
        given,
        licence=licence or given.licence,
        reference=reference or given.reference,
    )
