"""Zip archives of CIF and POSCAR files, read in memory: nothing is ever unpacked to disk."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..errors import InputError, StructureError
from ..formats.entry import Context, Entry, clean_id
from ..identifiers import printable
from ..records import Provenance
from .files import (
    MAX_FILE_BYTES,
    identifier_of,
    is_structure_file,
    parse_structure_text,
    unique_identifiers,
)

MAX_MEMBERS: Final[int] = 2_000_000
MAX_RATIO: Final[int] = 200
"""Text of crystals packs 3 to 20 times; beyond this a file of over a megabyte is a bomb."""

_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError)


def read_zip(path: Path, context: Context, skip: int) -> Iterator[Entry]:
    """Entries of all structure files in the archive, in the order of their names.

    Parameters
    ----------
    path : Path
    context : Context
    skip : int
        Entries to leave out at the start.
    """
    index = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for member, record_id in _members(archive):
                for entry in _member_entries(archive, member, record_id, path, context):
                    index += 1
                    if index > skip:
                        yield entry
    except (InputError, *_BROKEN) as error:
        reason = " ".join(str(error).split())[:300]
        yield context.quarantined(clean_id(context.identifier), f"not a readable zip: {reason}")


def _members(archive: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
    """Structure files with the identifier each gets, in the order of their names."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise InputError(f"{len(members)} files, more than {MAX_MEMBERS}; split the archive")
    found = [(m, _parts(m)) for m in members if not m.is_dir()]
    found = [(m, parts) for m, parts in found if parts and is_structure_file(Path(parts[-1]))]
    if not found:
        raise InputError("no CIF or POSCAR file in it")
    found.sort(key=lambda pair: pair[0].filename)
    named = unique_identifiers([(Path(*p), clean_id(identifier_of(Path(*p)))) for _, p in found])
    return [(m, record_id) for (m, _), (_, record_id) in zip(found, named, strict=True)]


def _parts(member: zipfile.ZipInfo) -> list[str]:
    """The member's path without anything that would lead out of a folder."""
    return [p for p in re.split(r"[\\/:]", member.filename) if p.strip() not in ("", ".", "..")]


def _member_entries(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    record_id: str,
    path: Path,
    context: Context,
) -> list[Entry]:
    parts = _parts(member)
    origin: Provenance = replace(context.provenance, file=printable(f"{path}!{'/'.join(parts)}"))
    own = replace(context, provenance=origin)
    try:
        text = _text(archive, member, record_id)
    except (StructureError, *_BROKEN) as error:
        return [own.quarantined(record_id, error)]
    return parse_structure_text(text, parts[-1], replace(own, identifier=record_id))


def _text(archive: zipfile.ZipFile, member: zipfile.ZipInfo, record_id: str) -> str:
    limit = f"{MAX_FILE_BYTES // 1_000_000} MB"
    if member.file_size > MAX_FILE_BYTES:
        raise StructureError(f"{record_id}: unpacks to more than {limit}; not read")
    if member.file_size > max(1_000_000, MAX_RATIO * member.compress_size):
        raise StructureError(f"{record_id}: unpacks to over {MAX_RATIO} times its size; not read")
    if member.flag_bits & 0x1:
        raise StructureError(f"{record_id}: encrypted; unpack the archive first")
    with archive.open(member) as stream:
        # The header may lie about the size: read no further than the limit.
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise StructureError(f"{record_id}: unpacks to more than {limit}; not read")
    if not content.strip():
        raise StructureError(f"{record_id}: the file is empty")
    if b"\0" in content:
        raise StructureError(f"{record_id}: binary data, not a text file")
    return content.decode("utf-8", errors="replace")
