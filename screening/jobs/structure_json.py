"""Structure records as JSON, for the campaign's database and job folders."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from ...data.records import Provenance, SiteSpecies, StructureRecord


def record_to_dict(record: StructureRecord) -> dict[str, Any]:
    """Turn a record into plain values, nothing lost."""
    return {
        "id": record.id,
        "lattice_A": record.lattice.tolist(),
        "species": [[list(s) for s in content] for content in record.species],
        "frac": record.frac.tolist(),
        "provenance": asdict(record.provenance),
        "e_above_hull_eV_atom": record.e_above_hull_eV_atom,
        "band_gap_eV": record.band_gap_eV,
    }


def record_from_dict(content: dict[str, Any]) -> StructureRecord:
    """Read what :func:`record_to_dict` wrote; everything is validated again."""
    return StructureRecord(
        content["id"],
        np.array(content["lattice_A"], dtype=np.float64),
        tuple(tuple(SiteSpecies(*s) for s in site) for site in content["species"]),
        np.array(content["frac"], dtype=np.float64),
        Provenance(**content["provenance"]),
        content["e_above_hull_eV_atom"],
        content["band_gap_eV"],
    )


def record_to_json(record: StructureRecord) -> str:
    """As :func:`record_to_dict`, as text."""
    return json.dumps(record_to_dict(record), sort_keys=True, allow_nan=False)


def record_from_json(text: str) -> StructureRecord:
    """Read what :func:`record_to_json` wrote."""
    return record_from_dict(json.loads(text))
