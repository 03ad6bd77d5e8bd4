"""Readers for CIF and POSCAR files and folders of them.

What cannot be read comes out as :class:`Quarantined` with its reason; reading never ends a run.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ..disorder.policy import DisorderPolicy, reason_against
from ..disorder.representative import Representative, representative
from ..errors import InputError, StructureError
from ..formats.cif import parse_cif
from ..formats.entry import Context, Entry, guarded, reason_of
from ..formats.poscar import parse_poscar
from ..identifiers import no_formula, printable
from ..records import Provenance, Quarantined, StructureRecord

MAX_FILE_BYTES: Final[int] = 20_000_000
"""Larger files, or files that unpack to more, are not read."""

_CIF = re.compile(r"\.(cif|mcif)(\.gz)?$", re.IGNORECASE)
_POSCAR = re.compile(
    r"(^(POSCAR|CONTCAR)([._-].*)?$)|(\.(poscar|vasp)(\.gz)?$)|([._-](POSCAR|CONTCAR)(\.gz)?$)",
    re.IGNORECASE,
)


@dataclass
class ReadResult:
    """Everything that came out of the inputs."""

    records: list[StructureRecord] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    """By id: why another structure than the one read stands under it, and which."""

    def take(self, item: Entry, mobile: str | None, policy: DisorderPolicy | None) -> None:
        """Take an entry; with a mobile species, what the policy makes of it."""
        if isinstance(item, Quarantined):
            self.quarantined.append(item)
            return
        reason = reason_against(item, mobile, policy) if mobile else None
        if reason is None:
            self.add(representative(item, mobile, policy) if mobile else None, item)
        else:
            file = item.provenance.file or ""
            self.quarantined.append(Quarantined(item.id, file, "policy", reason))

    def add(self, found: Representative | None, read: StructureRecord) -> None:
        """Take a structure, or what stands for it."""
        self.records.append(read if found is None else found.record)
        if found is not None and found.note:
            self.notes[read.id] = found.note


def is_structure_file(path: Path) -> bool:
    """True if the name says CIF or POSCAR."""
    return bool(_CIF.search(path.name) or _POSCAR.search(path.name))


def structure_files(paths: Sequence[str | Path]) -> list[tuple[Path, str]]:
    """Files to read with the identifier each gets, sorted within a folder.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no structure file.
    """
    files: list[tuple[Path, str]] = []
    for path in map(Path, paths):
        if path.is_dir():
            # What is no file (a broken link, a pipe) is kept: reading gives it its reason.
            inside = sorted(p for p in path.rglob("*") if is_structure_file(p) and not p.is_dir())
            if not inside:
                raise InputError(f"{path}: no CIF or POSCAR file in this folder")
            files += [(p, identifier_of(p.relative_to(path))) for p in inside]
        elif path.exists():
            files.append((path, identifier_of(Path(path.name))))
        else:
            raise InputError(f"{path}: no such file or folder")
    return unique_identifiers(files)


def identifier_of(relative: Path) -> str:
    """Identifier of a file: its parts joined, without the endings that say the format."""
    stem = _CIF.sub("", relative.name)
    stem = re.sub(r"\.(vasp|poscar)(\.gz)?$", "", stem, flags=re.IGNORECASE)
    return no_formula(printable("__".join([*relative.parts[:-1], stem])))


def unique_identifiers(files: list[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """Two inputs may have one name: the later ones get a number, none is lost."""
    seen: Counter[str] = Counter()
    taken = {identifier for _, identifier in files}
    unique = []
    for path, identifier in files:
        seen[identifier] += 1
        name = identifier
        while seen[identifier] > 1 and name in taken:
            name = f"{identifier}~{seen[identifier]}"
            if name in taken:
                seen[identifier] += 1
        taken.add(name)
        unique.append((path, name))
    return unique


def iter_structures(paths: Sequence[str | Path]) -> Iterator[StructureRecord | Quarantined]:
    """Read one file after the other; each yields records or one quarantine entry."""
    for path, identifier in structure_files(paths):
        yield from read_file(path, identifier)


def read_file(
    path: Path, identifier: str, provenance: Provenance | None = None
) -> list[StructureRecord | Quarantined]:
    """Read one structure file; whatever goes wrong is its quarantine."""
    origin = provenance or Provenance(source="user file", file=printable(path))
    context = Context(identifier, replace(origin, file=origin.file or printable(path)))
    try:
        text = _text(path)
    except (StructureError, OSError, EOFError, zlib.error) as error:
        return [context.quarantined(identifier, error)]
    return parse_structure_text(text, path.name, context)


def parse_structure_text(text: str, name: str, context: Context) -> list[Entry]:
    """Parse CIF or POSCAR text, told apart by the file's name; never raises.

    Parameters
    ----------
    text : str
    name : str
        Of the file.
    context : Context
        Its identifier is that of the structure, or the first part of those of several.
    """
    identifier, origin = context.identifier, context.provenance
    if _POSCAR.search(name) and not _CIF.search(name):
        return [guarded(context, identifier, lambda: parse_poscar(text, identifier, origin))]
    try:
        return parse_cif(text, identifier, origin)
    except StructureError as error:
        return [context.quarantined(identifier, error)]
    except Exception as error:
        # The parser meets arbitrary text; one file must not cost the others.
        kind = type(error).__name__
        return [context.quarantined(identifier, f"cannot be read ({kind}: {reason_of(error)})")]


def _text(path: Path) -> str:
    if not path.is_file():
        raise StructureError("not a regular file, or a link to none")
    if path.stat().st_size == 0:
        raise StructureError("the file is empty")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise StructureError(f"larger than {MAX_FILE_BYTES // 1_000_000} MB; not read")
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise StructureError(f"unpacks to more than {MAX_FILE_BYTES // 1_000_000} MB")
    if b"\0" in content:
        raise StructureError("binary data, not a text file")
    # Some editors begin a file with a byte-order mark, which is no part of the text.
    return content.decode("utf-8-sig", errors="replace")


def read_structures(
    paths: Sequence[str | Path],
    mobile: str | None = None,
    policy: DisorderPolicy | None = None,
) -> ReadResult:
    """Read files and folders; with a mobile species, also apply the policy.

    Parameters
    ----------
    paths : sequence of path
        CIF and POSCAR files, or folders searched for them.
    mobile : str, optional
        Structures without it go to quarantine.
    policy : DisorderPolicy, optional
        Applied when ``mobile`` is given: an ordered cell stands for what is too disordered.

    Returns
    -------
    ReadResult
        Every input is in ``records`` or in ``quarantined``.
    """
    result = ReadResult()
    for item in iter_structures(paths):
        result.take(item, mobile, policy)
    return result


def read_one_structure(path: str | Path) -> StructureRecord:
    """The first structure of a CIF or POSCAR file, for commands that need exactly one.

    Raises
    ------
    InputError
        If there is no such file, or what stands in it cannot be used; with the reason.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    found = read_file(path, path.name)
    if not found:
        raise InputError(f"{path}: no structure in it")
    if isinstance(found[0], Quarantined):
        raise InputError(f"{path}: {found[0].reason}")
    return found[0]
