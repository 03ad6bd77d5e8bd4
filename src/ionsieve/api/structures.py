"""Structures in: files, pymatgen structures, records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast, overload

from ..data.convert import from_pymatgen
from ..data.disorder.policy import DisorderPolicy
from ..data.errors import InputError
from ..data.records import Provenance, Quarantined, StructureRecord, reduced_formula
from ..data.sources.files import read_structures

if TYPE_CHECKING:
    from pymatgen.core import Structure

StructureLike: TypeAlias = "Structure | StructureRecord"
StructuresLike: TypeAlias = "StructureLike | str | Path | Iterable[StructureLike | str | Path]"
"""One structure or many: pymatgen structures, records, paths of files and folders."""

_SHOWN = 10


class Structures(Sequence[StructureRecord]):
    """Records in order, and what could not be used, with reasons.

    Parameters
    ----------
    records : sequence of StructureRecord
    quarantined : sequence of Quarantined
        Inputs that are not among the records.
    """

    def __init__(
        self, records: Sequence[StructureRecord], quarantined: Sequence[Quarantined] = ()
    ) -> None:
        self.records = tuple(records)
        self.quarantined = tuple(quarantined)

    @overload
    def __getitem__(self, index: int) -> StructureRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Structures: ...
    def __getitem__(self, index: int | slice) -> StructureRecord | Structures:
        """A record by position, or a part of the sequence."""
        if isinstance(index, slice):
            return Structures(self.records[index], self.quarantined)
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[StructureRecord]:
        return iter(self.records)

    def __repr__(self) -> str:
        names = ", ".join(reduced_formula(r.composition) for r in self.records[:_SHOWN])
        more = ", …" if len(self) > _SHOWN else ""
        return f"<{len(self)} structures: {names}{more}; {len(self.quarantined)} quarantined>"

    def _repr_html_(self) -> str:
        """Table for notebooks: one row a structure, then what was not used."""
        rows = [(r.id, reduced_formula(r.composition), f"{r.n_sites} sites") for r in self.records]
        rows += [(q.id, "not used", q.reason) for q in self.quarantined]
        cells = ("".join(f"<td>{escape(str(c))}</td>" for c in row) for row in rows[:200])
        body = "".join(f"<tr>{c}</tr>" for c in cells)
        return f"<table><tr><th>id</th><th>formula</th><th></th></tr>{body}</table>"


def read(*paths: str | Path, mobile: str | None = "Li") -> Structures:
    """Read CIF and POSCAR files, or folders of them.

    Parameters
    ----------
    *paths : path
        Files or folders.
    mobile : str or None
        Structures without this element, and those of more disorder than ionsieve can use, are
        set aside with the reason; None keeps all that can be read.

    Returns
    -------
    Structures
        A sequence of records; ``quarantined`` holds the rest, each with its reason.

    Raises
    ------
    InputError
        If a path does not exist or a folder holds no structure file.

    Examples
    --------
    >>> import ionsieve as ion
    >>> ion.read("no-such-file.cif")
    Traceback (most recent call last):
    ...
    ionsieve.data.errors.InputError: no-such-file.cif: no such file or folder
    """
    if not paths:
        raise InputError("give at least one file or folder to read")
    found = read_structures(paths, mobile, DisorderPolicy())
    return Structures(found.records, found.quarantined)


def as_records(structures: StructuresLike, mobile: str | None = None) -> Structures:
    """Anything that holds structures as records: pymatgen structures get ids by position.

    Raises
    ------
    InputError
        If something is neither a structure, a record nor a path, or two ids are equal.
    """
    if isinstance(structures, Structures):
        return structures
    if isinstance(structures, (str, Path)):
        return read(structures, mobile=mobile)
    one = isinstance(structures, StructureRecord) or hasattr(structures, "frac_coords")
    items: list[Any] = [structures] if one else list(cast("Iterable[Any]", structures))
    records: list[StructureRecord] = []
    quarantined: list[Quarantined] = []
    for number, item in enumerate(items):
        if isinstance(item, (str, Path)):
            found = read(item, mobile=mobile)
            records += found.records
            quarantined += found.quarantined
        else:
            records.append(_record(item, number))
    return Structures(_of_unique_ids(records), quarantined)


def _record(item: Any, number: int) -> StructureRecord:
    if isinstance(item, StructureRecord):
        return item
    if not (hasattr(item, "frac_coords") and hasattr(item, "lattice")):
        raise InputError(
            f"item {number}: a {type(item).__name__} is no structure; give pymatgen structures, "
            "records, or paths of files and folders"
        )
    formula = item.composition.reduced_formula
    name = f"{number:04d}-{formula}"
    return from_pymatgen(item, name, Provenance(source="pymatgen"))


def _of_unique_ids(records: list[StructureRecord]) -> list[StructureRecord]:
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise InputError(f"two structures have the id {record.id!r}; rename one of them")
        seen.add(record.id)
    return records
