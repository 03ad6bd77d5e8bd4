"""The ranked structures as an OPTIMADE JSON Lines file: to be served, searched and read back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ...data.atomic import open_atomic
from ...data.errors import InputError, StructureError
from ...data.formats.optimade_read import PREFIX, record_from_attributes
from ...data.formats.optimade_write import (
    ORIGIN_PROPERTIES,
    PROVIDER,
    Property,
    entry_line,
    header_line,
    info_line,
)
from ...data.records import Provenance, StructureRecord

OPTIMADE: Final[str] = "optimade.jsonl"
SERVER: Final[str] = "optimade_server.json"
"""Settings with which OPTIMADE's reference server, started in the folder, serves the file."""

_LOG10: Final[str] = "log10 of the ionic conductivity at 300 K in S/cm, as AIMD would find it"

COLUMNS: Final[Mapping[str, tuple[str, Property]]] = {
    "rank": (
        "rank",
        Property("integer", "1", "place by p_fast, then prediction, domain distance and id"),
    ),
    "p_fast": (
        "p_fast",
        Property("float", "1", "probability that the conductivity at 300 K exceeds the threshold"),
    ),
    "log10_sigma_300K_S_cm": ("log10_sigma_300k", Property("float", "1", f"{_LOG10}: prediction")),
    "log10_sigma_300K_low": (
        "log10_sigma_300k_low",
        Property("float", "1", f"{_LOG10}: lower end of the 90 % interval"),
    ),
    "log10_sigma_300K_high": (
        "log10_sigma_300k_high",
        Property("float", "1", f"{_LOG10}: upper end of the 90 % interval"),
    ),
    "domain_distance": (
        "domain_distance",
        Property(
            "float",
            "1",
            "distance to the training set of the model; 1 is typical of a family new to it, far "
            "above is extrapolation",
        ),
    ),
    "isolated_class": (
        "isolated_class",
        Property(
            "string",
            None,
            "framework: anions without a bond to the framework cations; antistructure: no "
            "framework cation at all; zintl: an antistructure of metals and metalloids, an "
            "electronic conductor; none: every anion is bonded",
        ),
    ),
    "isolated_fraction": (
        "isolated_fraction",
        Property("float", "1", "share of the anions that is isolated"),
    ),
    "isolated_margin": (
        "isolated_margin",
        Property(
            "float",
            "1",
            "smallest distance of an isolated anion to a framework cation over the sum of covalent "
            "radii; 1.15 to 1.40 is ambiguous",
        ),
    ),
    "known_structure": (
        "known_structure",
        Property("string", None, "matching structure of the AIMD table the model learned from"),
    ),
    "known_relation": (
        "known_relation",
        Property("string", None, "same or isostructural: how it matches"),
    ),
    "flags": (
        "flags",
        Property(
            "list",
            None,
            "uncertain, out_of_domain, models_disagree, novel_mechanism: why AIMD should decide",
        ),
    ),
    "follow_up": (
        "follow_up",
        Property("integer", "1", "place in the batch of new candidates to compute next"),
    ),
    "core_hours": (
        "core_hours",
        Property("float", "h", "core hours of a first AIMD run, estimated"),
    ),
}
"""Column of the ranking → name under the prefix, and its definition."""

_BLOCK: Final[int] = 10_000
_DESCRIPTION: Final[str] = (
    "crystal structures ranked by ionsieve; predictions are of AIMD conductivities, which are "
    "optimistic against experiment"
)


def write_optimade(path: Path, ranking: pd.DataFrame, records: Iterable[StructureRecord]) -> None:
    """Write the file, best structure first; replaced whole or not at all, one entry in memory.

    Parameters
    ----------
    path : path
    ranking : DataFrame
        Columns :data:`.ranking.RANKING_COLUMNS`.
    records : iterable of StructureRecord, length n
        In the order of the ranking.
    """
    properties = _properties()
    with open_atomic(path) as stream:
        stream.write(header_line().encode())
        stream.write(info_line(properties, _DESCRIPTION).encode())
        for row, record in zip(_rows(ranking), records, strict=True):
            values = {
                PREFIX + name: _value(column, row[column]) for column, (name, _) in COLUMNS.items()
            }
            stream.write(entry_line(record, values).encode())


def _rows(ranking: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as plain values, a block of them in memory at a time."""
    table = ranking[list(COLUMNS)]
    for start in range(0, len(table), _BLOCK):
        for row in table.iloc[start : start + _BLOCK].to_dict("records"):
            yield {str(name): value for name, value in row.items()}


def _properties() -> dict[str, Property]:
    return {PREFIX + name: definition for name, definition in COLUMNS.values()}


def server_settings() -> dict[str, Any]:
    """Settings of the reference server; a field that they do not name would be served as null."""
    own = {**ORIGIN_PROPERTIES, **_properties()}
    return {
        "database_backend": "mongomock",
        "insert_test_data": False,
        "insert_from_jsonl": OPTIMADE,
        "provider": PROVIDER,
        "provider_fields": {
            "structures": [{"name": name, **vars(what)} for name, what in own.items()]
        },
    }


def _value(column: str, cell: Any) -> Any:
    if column == "flags":
        return [flag for flag in str(cell).split(";") if flag]
    if cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        return None
    return None if cell == "" else cell


def read_optimade(path: Path) -> Iterator[StructureRecord]:
    """Structures of a file of :func:`write_optimade`, in its order, one at a time.

    Raises
    ------
    InputError
        If it is absent or damaged.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            if "x-optimade" not in json.loads(next(lines, "{}")):
                raise InputError(f"{path}: not a file of the OPTIMADE JSON Lines format")
            for line in lines:
                entry = json.loads(line)
                if entry["type"] == "structures":
                    yield _record(entry)
    except FileNotFoundError:
        raise InputError(f"{path}: absent; run the screen again") from None
    except (ValueError, KeyError, TypeError, StructureError) as error:
        raise InputError(f"{path}: damaged ({error}); run the screen again") from None


def _record(entry: dict[str, Any]) -> StructureRecord:
    origin = Provenance(source="unknown")
    return record_from_attributes(entry["attributes"], str(entry["id"]), origin)
