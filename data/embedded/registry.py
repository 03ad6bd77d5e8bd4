"""The registry of embedded data files: description, hash, licence, units, citation.

No table is read without its hash agreeing with `registry.yaml`: a number in a report can be traced
to the exact bytes it came from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from ..errors import InputError

TABLE_FOLDER: Final[Path] = Path(__file__).parents[1] / "tables"
REGISTRY_FILE: Final[str] = "registry.yaml"


@dataclass(frozen=True, kw_only=True)
class TableEntry:
    """One registered data file."""

    name: str
    description: str
    sha256: str
    licence: str
    units: str
    rows: int
    citation: str


@lru_cache(maxsize=1)
def load_registry() -> dict[str, TableEntry]:
    """Registered data files by name.

    Raises
    ------
    InputError
        If the registry lacks a field; the message names the file and the field.
    """
    import yaml

    content = yaml.safe_load((TABLE_FOLDER / REGISTRY_FILE).read_text(encoding="utf-8"))
    fields = [name for name in TableEntry.__dataclass_fields__ if name != "name"]
    entries = {}
    for name, entry in content["tables"].items():
        if set(entry) != set(fields):
            odd = ", ".join(sorted(set(entry) ^ set(fields)))
            raise InputError(f"{REGISTRY_FILE}: {name} has missing or unknown fields: {odd}")
        entries[name] = TableEntry(name=name, **entry)
    return entries


def table_sha256(name: str) -> str:
    """SHA-256 of an embedded file, 64 hex digits."""
    return hashlib.sha256((TABLE_FOLDER / name).read_bytes()).hexdigest()


def read_table(name: str) -> str:
    """Text of a registered file, after its hash was checked.

    Raises
    ------
    InputError
        If the file is not registered, is missing, or differs from its registered hash.
    """
    entry = load_registry().get(name)
    if entry is None:
        raise InputError(f"{name} is not in {REGISTRY_FILE}; register it with its hash and licence")
    try:
        content = (TABLE_FOLDER / name).read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{name} is registered but missing; reinstall ionsieve") from error
    found = hashlib.sha256(content).hexdigest()
    if found != entry.sha256:
        raise InputError(
            f"{name} has SHA-256 {found[:12]}…, {REGISTRY_FILE} says {entry.sha256[:12]}…; "
            "reinstall ionsieve, or update the registry if the change is meant"
        )
    return content.decode("utf-8")


def verify_tables() -> list[str]:
    """Names of all registered files, each checked against its hash; raises as `read_table`."""
    for name in load_registry():
        read_table(name)
    return list(load_registry())
