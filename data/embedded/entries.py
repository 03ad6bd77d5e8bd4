"""Stored structure entries → records: cell, Hall symbol and asymmetric unit, as the tables hold.

One entry is a plain dictionary: ``id``, ``lattice`` (Å and degrees), ``space_group`` (Hall symbol),
``sites`` (``xyz``, ``occupancy``, and the number of images, as ``multiplicity`` or in a ``wyckoff``
position), ``source``, ``licence``, ``reference``, ``match``, ``note``.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

from ..errors import InputError, StructureError
from ..records import FloatArray, Provenance, SiteContent, SiteSpecies, StructureRecord
from .orbits import expand_site, lattice_matrix
from .registry import read_table

CELL: Final[tuple[str, ...]] = ("a_A", "b_A", "c_A", "alpha_deg", "beta_deg", "gamma_deg")


def read_entries(table: str, matches: dict[str, str]) -> tuple[dict[str, Any], ...]:
    """Entries of a structure table as stored.

    Parameters
    ----------
    table : str
        A registered JSON file.
    matches : dict
        The words that ``match`` may hold.

    Raises
    ------
    InputError
        If the file does not agree with its hash, or an entry with ``matches``.
    """
    entries = json.loads(read_table(table))["structures"]
    for entry in entries:
        if entry["match"] not in matches:
            raise InputError(
                f"{table}: {entry['id']} has match {entry['match']!r}, "
                f"not one of {', '.join(matches)}"
            )
    return tuple(entries)


def entry_record(entry: dict[str, Any]) -> StructureRecord:
    """Expand one entry to all sites of its conventional cell.

    Raises
    ------
    StructureError
        If a site does not expand to as many positions as the table says.
    """
    lattice = lattice_matrix(tuple(entry["lattice"][key] for key in CELL))
    hall = entry["space_group"]["hall"]
    species: list[SiteContent] = []
    points: list[FloatArray] = []
    for site in entry["sites"]:
        images = expand_site(hall, lattice, np.array(site["xyz"], dtype=np.float64))
        if len(images) != _multiplicity(site):
            raise StructureError(
                f"{entry['id']}: site {site['xyz']} expands to {len(images)} positions, "
                f"the table says {_multiplicity(site)}"
            )
        content = tuple(SiteSpecies(e, float(o)) for e, o in site["occupancy"].items())
        species.extend([content] * len(images))
        points.append(images)
    return StructureRecord(
        id=entry["id"],
        lattice=lattice,
        species=tuple(species),
        frac=np.concatenate(points),
        provenance=_provenance(entry),
    )


def _multiplicity(site: dict[str, Any]) -> int:
    return int(site["wyckoff"][:-1] if "wyckoff" in site else site["multiplicity"])


def _provenance(entry: dict[str, Any]) -> Provenance:
    note = f"match: {entry['match']}" + (f"; {entry['note']}" if entry["note"] else "")
    return Provenance(
        source=entry["source"],
        licence=entry["licence"],
        reference=entry["reference"],
        file=None,
        note=note,
    )
