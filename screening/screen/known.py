"""Which candidates are structures of the training table, or have the structure type of one.

A candidate is compared with the training structures whose composition is its own up to the names
of the elements, mobile species for mobile species. Space group and size of the primitive cell must
agree (tolerance 0.1 Å), the neighbour distances by species within 12 % of the mean atomic spacing,
and pymatgen's ``StructureMatcher`` must map one onto the other with its default tolerances, cells
scaled to one volume. Elements that agree make it ``same``: the known conductor itself, whatever
functional or temperature its cell comes from. Else it is ``isostructural``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from typing import Any, Final, Literal, TypeAlias

from ...data.records import StructureRecord
from ...data.store.duplicates import MAX_MATCHED_SITES, Shape, same_structure, shape_of

Relation: TypeAlias = Literal["same", "isostructural", ""]

SPACING_TOLERANCE: Final[float] = 0.12
"""Of the mean atomic spacing: twice and more what two relaxations of one phase differ by."""
_DIGITS = 3
_Signature = tuple[float, ...]


@dataclass(frozen=True)
class Known:
    """What a candidate is to the training table; both empty where it is nothing of it."""

    structure: str = ""
    """Id of the training structure."""
    relation: Relation = ""


def find_known(
    records: Sequence[StructureRecord],
    training: Sequence[StructureRecord],
    mobile: str = "Li",
    training_mobile: str = "Li",
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> list[Known]:
    """Compare candidates with training structures.

    Parameters
    ----------
    records : sequence of StructureRecord
        Candidates.
    training : sequence of StructureRecord
        Of several that match, ``same`` goes before ``isostructural``, then the order given.
    mobile, training_mobile : str
        The mobile species of either, which is matched with the other.
    on_done : callable, optional
        Called with (number done, number of all).

    Returns
    -------
    list of Known
        One for each candidate. Primitive cells of more than 80 sites are not matched.
    """
    table: dict[_Signature, list[tuple[StructureRecord, Shape]]] = defaultdict(list)
    for known in training if records else ():
        table[_signature(known, training_mobile)].append((known, shape_of(known)))
    found = []
    for done, record in enumerate(records, start=1):
        rivals = table.get(_signature(record, mobile), [])
        found.append(_best(record, rivals, mobile, training_mobile) if rivals else Known())
        on_done(done, len(records))
    return found


def _signature(record: StructureRecord, mobile: str) -> _Signature:
    """Share of the mobile species, then those of the others without their names."""
    shares = {e: round(_share(record, e), _DIGITS) for e in record.composition}
    return (shares.pop(mobile, 0.0), *sorted(shares.values()))


def _best(
    record: StructureRecord,
    rivals: list[tuple[StructureRecord, Shape]],
    mobile: str,
    training_mobile: str,
) -> Known:
    shape = shape_of(record)
    if not shape.key or len(shape.kinds) > MAX_MATCHED_SITES:
        return Known()
    fitting = [
        (known, other)
        for known, other in rivals
        if other.space_group == shape.space_group and len(other.kinds) == len(shape.kinds)
    ]
    found: Known = Known()
    for known, other in fitting:
        for names in _renamings(record, known, mobile, training_mobile):
            is_same = all(one == name for one, name in names.items())
            wanted = is_same or not found.relation
            if wanted and same_structure(
                shape.renamed(names), other, SPACING_TOLERANCE, _matcher()
            ):
                found = Known(known.id, "same" if is_same else "isostructural")
            if found.relation == "same":
                return found
    return found


def _renamings(
    record: StructureRecord, known: StructureRecord, mobile: str, known_mobile: str
) -> Iterator[dict[str, str]]:
    """Names of the known structure's elements for the candidate's, in every way that keeps the
    composition; the mobile species keeps its part."""
    own = [e for e in record.elements if e != mobile]
    for others in permutations([e for e in known.elements if e != known_mobile]):
        names = {mobile: known_mobile, **dict(zip(own, others, strict=True))}
        if all(_alike(record, one, known, other) for one, other in names.items()):
            yield names


def _alike(one: StructureRecord, element: str, other: StructureRecord, name: str) -> bool:
    return abs(_share(one, element) - _share(other, name)) <= 2 * 10.0**-_DIGITS


def _share(record: StructureRecord, element: str) -> float:
    return record.composition[element] / sum(record.composition.values())


@cache
def _matcher() -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(primitive_cell=False)
