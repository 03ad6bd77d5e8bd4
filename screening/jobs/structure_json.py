"""Structure records as JSON, for the campaign's database and job folders.

Fields come from the dataclass: one that is added to the record is written and read without a
change here.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from ...data.records import Provenance, SiteSpecies, StructureRecord

_NAMES = {"lattice": "lattice_A"}
"""Names in the files where they differ from those of the record."""


def record_to_dict(record: StructureRecord) -> dict[str, Any]:
    """Turn a record into plain values, nothing lost."""
    return {
        _NAMES.get(field.name, field.name): _plain(getattr(record, field.name))
        for field in fields(record)
        if field.init
    }


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Provenance):
        return asdict(value)
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def record_from_dict(content: dict[str, Any]) -> StructureRecord:
    """Read what :func:`record_to_dict` wrote; everything is validated again.

    Fields that an earlier version did not write keep their defaults.
    """
    given: dict[str, Any] = {
        field.name: content[_NAMES.get(field.name, field.name)]
        for field in fields(StructureRecord)
        if field.init and _NAMES.get(field.name, field.name) in content
    }
    own: dict[str, Any] = {
        "lattice": np.array(given["lattice"], dtype=np.float64),
        "species": tuple(tuple(SiteSpecies(*s) for s in site) for site in given["species"]),
        "frac": np.array(given["frac"], dtype=np.float64),
        "provenance": Provenance(**given["provenance"]),
    }
    rest: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if k not in own
    }
    return StructureRecord(**own, **rest)


def record_to_json(record: StructureRecord) -> str:
    """As :func:`record_to_dict`, as text."""
    return json.dumps(record_to_dict(record), sort_keys=True, allow_nan=False)


def record_from_json(text: str) -> StructureRecord:
    """Read what :func:`record_to_json` wrote."""
    return record_from_dict(json.loads(text))
