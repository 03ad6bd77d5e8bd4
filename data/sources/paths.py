"""Files and folders as a source: CIF, POSCAR, and the formats that hold many structures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import InputError, IonsieveError
from ..formats.entry import Context, Entry, clean_id, reason_of
from ..formats.many import Reader, reader_for, stem_of
from ..identifiers import printable
from ..records import Provenance
from .base import Item
from .files import identifier_of, is_structure_file, read_file, unique_identifiers
from .zips import read_zip


def reader_of(path: Path) -> Reader | None:
    """Reader of a file, by its name; None if no format is known for it."""
    if is_structure_file(path):
        return _read_structure_file
    if path.suffix.lower() == ".zip":
        return read_zip
    return reader_for(path.name)


def _read_structure_file(path: Path, context: Context, skip: int) -> Iterator[Entry]:
    return islice(iter(read_file(path, context.identifier, context.provenance)), skip, None)


@dataclass(frozen=True)
class SourceFile:
    """A file of a known format, and how it is read.

    Parameters
    ----------
    path : Path
    identifier : str
        Of its structure, or the first part of those of several.
    licence : str
    stability_field : str, optional
    """

    path: Path
    identifier: str
    licence: str = "unknown"
    stability_field: str | None = None

    @property
    def context(self) -> Context:
        """What entries of the file have in common."""
        file = printable(str(self.path))
        origin = Provenance(source="user file", licence=self.licence, file=file)
        return Context(self.identifier, origin, self.stability_field)

    def entries(self, skip: int = 0) -> Iterator[Entry]:
        """Structures and quarantine entries behind the first ones."""
        reader = reader_of(self.path)
        assert reader is not None, self.path
        context = self.context
        try:
            yield from reader(self.path, context, skip)
        except IonsieveError:
            raise
        except Exception as error:
            # What a library raises between two entries ends this file, and no other.
            reason = f"cannot be read ({type(error).__name__}: {reason_of(error)})"[:400]
            yield context.quarantined(clean_id(self.identifier), reason)

    def failed(self, reason: str) -> list[Entry]:
        """What stands for the file if reading it came to no end."""
        return [self.context.quarantined(clean_id(self.identifier), reason)]


@dataclass
class PathSource:
    """Structures of one file, or of all files of known formats under one folder.

    Parameters
    ----------
    name : str
        Path as the user gave it.
    licence : str
        Of what the files hold, unless an entry states its own.
    stability_field : str, optional
        Field with the energy above hull.

    Raises
    ------
    InputError
        If the path does not exist or holds nothing that can be read.
    """

    name: str
    licence: str = "unknown"
    stability_field: str | None = None

    def __post_init__(self) -> None:
        self.files = self._find()

    def _find(self) -> list[tuple[Path, str]]:
        path = Path(self.name)
        if path.is_dir():
            # What is no file (a broken link, a pipe) is kept where reading gives it its reason.
            found = (p for p in path.rglob("*") if reader_of(p) and not p.is_dir())
            files = sorted(p for p in found if p.is_file() or is_structure_file(p))
            if not files:
                raise InputError(f"{path}: no file of a known format in this folder")
            return unique_identifiers([(p, _identifier(p.relative_to(path))) for p in files])
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        if reader_of(path) is None:
            raise InputError(
                f"{path}: unknown format; known are CIF, POSCAR, zip, extxyz, ASE .db, .json, "
                ".jsonl (also .gz, .bz2, .xz) and .parquet"
            )
        return [(path, _identifier(Path(path.name)))]

    def identity(self) -> dict[str, Any]:
        """Name, settings, and a hash over the names and contents of all files."""
        return {
            "name": self.name,
            "licence": self.licence,
            "stability_field": self.stability_field,
            "sha256": self._digest,
        }

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for path, identifier in self.files:
            digest.update(f"{identifier}\t{printable(path.name)}\t".encode())
            if not path.is_file():
                continue
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()

    def items(self, after: Any = None) -> Iterator[Item]:
        """Entries file by file; a cursor is [number of the file, entries read of it]."""
        first, done = after or (0, 0)
        for number, (path, identifier) in enumerate(self.files[first:], start=first):
            skip = done if number == first else 0
            entries = self.file(path, identifier).entries(skip)
            for index, entry in enumerate(entries, start=skip + 1):
                yield Item(entry, [number, index])

    def file(self, path: Path, identifier: str) -> SourceFile:
        """One of the files, as it is read."""
        return SourceFile(path, identifier, self.licence, self.stability_field)

    def notices(self) -> list[str]:
        """Nothing to remark: a file without structures is an entry in quarantine."""
        return []


def _identifier(relative: Path) -> str:
    if is_structure_file(relative):
        return clean_id(identifier_of(relative))
    stem = stem_of(relative.name).removesuffix(".zip")
    return clean_id("__".join([*relative.parts[:-1], stem]))
