"""The user's own structure as a prototype: its sites become labels that elements can take.

Sites that share element, oxidation state, role and coordination share a label, named as in the
embedded prototypes: ``A`` the mobile species, ``M`` framework cations, ``X`` bonded anions, ``Y``
isolated ones. A disordered structure is first replaced by its ordered cell of lowest electrostatic
energy (:mod:`ionsieve.data.ordering`); the mobile sites that this leaves empty are kept as room
for more mobile ions.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import gcd
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from ...data.convert import from_pymatgen, to_pymatgen
from ...data.disorder.ordering import OrderedCell, ordered_cells
from ...data.embedded.prototypes import Prototype, PrototypeSite, Role, SiteLabel
from ...data.errors import InputError, RoleError
from ...data.records import FloatArray, Provenance, StructureRecord
from ...features.core.prepared import PreparedStructure, prepare
from ...features.core.roles import MOBILE_SPECIES
from ...features.isolated.definition import find_isolated_anions
from .lattice_scaling import FIRST_SHELL

MAX_SITES: Final[int] = 200
"""Larger cells are refused: each candidate would take seconds."""
_ROLES: Final[tuple[Role, ...]] = ("mobile", "framework_cation", "bonded_anion", "isolated_anion")
_LETTERS: Final[dict[str, str]] = dict(zip(_ROLES, "AMXY", strict=True))
_ROOM_A: Final[float] = 1.5
"""An empty mobile site closer than this to an occupied site is no room for another ion."""
_SYMPREC_A: Final[float] = 0.1


class _Kind(NamedTuple):
    """What the sites of one label have in common."""

    role: Role
    element: str
    oxidation: int
    coordination: int | None
    orbit: int


@dataclass(frozen=True, eq=False)
class Template:
    """A prototype to substitute into.

    Parameters
    ----------
    prototype : Prototype
    vacant_frac : array (n, 3)
        Empty mobile sites of the primitive cell that can take an ion.
    note : str
        What was done to the structure; empty for an ordered one.
    """

    prototype: Prototype
    vacant_frac: FloatArray
    note: str = ""


def embedded_template(prototype: Prototype) -> Template:
    """A prototype of the embedded table: ordered, without empty sites."""
    return Template(prototype, np.zeros((0, 3)))


def template_of(record: StructureRecord, mobile: str, separate_sites: bool = False) -> Template:
    """Make a prototype of any structure.

    Parameters
    ----------
    record : StructureRecord
    mobile : str
        Mobile species wanted; where the structure lacks it, its own mobile species is looked for.
    separate_sites : bool
        Give every symmetry orbit (tolerance 0.1 Å) of framework and anions a label of its own.

    Raises
    ------
    InputError
        If roles cannot be told, oxidation states are averages, anions are bonded to each other,
        the cell is too large, or disorder cannot be resolved.
    """
    own = _own_mobile(record, mobile)
    record, vacant, note = _ordered(record, own)
    if record.n_sites > MAX_SITES:
        raise InputError(
            f"{record.id}: {record.n_sites} sites in the primitive cell, more than {MAX_SITES}; "
            "give a smaller cell"
        )
    try:
        prepared = prepare(record, own)
    except RoleError as error:
        raise InputError(str(error)) from None
    kinds = _kinds(prepared, separate_sites)
    return Template(_prototype(record, kinds), vacant, note)


def _own_mobile(record: StructureRecord, mobile: str) -> str:
    if mobile in record.composition:
        return mobile
    present = [e for e in MOBILE_SPECIES if e in record.composition]
    if len(present) != 1:
        found = ", ".join(present) or "none of " + ", ".join(MOBILE_SPECIES)
        raise InputError(f"{record.id}: holds no {mobile}, and its mobile species is open: {found}")
    return present[0]


def _ordered(record: StructureRecord, mobile: str) -> tuple[StructureRecord, FloatArray, str]:
    """Ordered primitive cell, its empty mobile sites, and a note."""
    if record.is_ordered:
        return _primitive(record), np.zeros((0, 3)), ""
    cell = ordered_cells(record, 1)[0]
    note = cell.record.provenance.note.rsplit("; ", 1)[-1]
    return replace(cell.record, id=record.id), _room(cell, mobile), note


def _primitive(record: StructureRecord) -> StructureRecord:
    """The primitive cell, coordinates as they are."""
    structure = to_pymatgen(record, oxidation_states=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = structure.get_primitive_structure(tolerance=0.01)
    if len(small) == len(structure):
        return record
    return from_pymatgen(small, record.id, record.provenance)


def _room(cell: OrderedCell, mobile: str) -> FloatArray:
    """Positions of the mobile species alone that the ordered cell leaves empty, with room."""
    kept: list[FloatArray] = []
    for site, content in zip(cell.empty_frac, cell.empty_content, strict=True):
        gaps = np.vstack([cell.record.frac, *kept]) - site
        gaps -= np.rint(gaps)
        near = np.linalg.norm(gaps @ cell.record.lattice, axis=1).min()
        if near >= _ROOM_A and all(s.element == mobile for s in content):
            kept.append(site[None, :])
    return np.vstack([np.zeros((0, 3)), *kept])


def _kinds(prepared: PreparedStructure, separate_sites: bool) -> list[_Kind]:
    """Role, charge and coordination of every site."""
    roles, record = prepared.roles, prepared.record
    if roles.in_polyanion.any():
        raise InputError(
            f"{record.id}: holds anions bonded to each other (polyanions); a substitution would "
            "not keep that bond"
        )
    states = np.rint(roles.oxidation)
    if np.abs(states - roles.oxidation).max() > 1e-6 or abs(states.sum()) > 0:
        raise InputError(
            f"{record.id}: its oxidation states are no whole numbers that add up to zero "
            f"({roles.method}); give them in the file"
        )
    isolated = find_isolated_anions(prepared).is_isolated
    coordination = _coordination(prepared)
    orbits = _orbits(record) if separate_sites else np.zeros(record.n_sites, dtype=np.int64)
    kinds = []
    for i, content in enumerate(record.species):
        role = _role(prepared, i, bool(isolated[i]))
        number = int(coordination[i]) if role == "framework_cation" else None
        orbit = 0 if role == "mobile" else int(orbits[i])
        kinds.append(_Kind(role, content[0].element, int(states[i]), number, orbit))
    return kinds


def _role(prepared: PreparedStructure, site: int, is_isolated: bool) -> Role:
    roles = prepared.roles
    if roles.is_mobile[site]:
        return "mobile"
    if roles.is_framework_cation[site]:
        return "framework_cation"
    if roles.is_anion[site]:
        return "isolated_anion" if is_isolated else "bonded_anion"
    raise InputError(
        f"{prepared.record.id}: site {site} is neutral; neither cation nor anion can take its place"
    )


def _coordination(prepared: PreparedStructure) -> np.ndarray:
    """Anions within 1.3 of the nearest one, as the lattice scaling counts them."""
    pairs, is_anion = prepared.neighbors, prepared.roles.is_anion
    to_anion = is_anion[pairs.neighbor]
    first, distance = pairs.center[to_anion], pairs.distance_A[to_anion]
    nearest = np.full(len(is_anion), np.inf)
    np.minimum.at(nearest, first, distance)
    shell = distance <= FIRST_SHELL * nearest[first]
    return np.bincount(first[shell], minlength=len(is_anion))


def _orbits(record: StructureRecord) -> np.ndarray:
    import moyopy

    numbers = record.dominant_atomic_numbers.tolist()
    cell = moyopy.Cell(record.lattice.tolist(), record.frac.tolist(), numbers)
    return np.array(moyopy.MoyoDataset(cell, symprec=_SYMPREC_A).orbits, dtype=np.int64)


def _prototype(record: StructureRecord, kinds: Sequence[_Kind]) -> Prototype:
    names = _names(kinds)
    counts = Counter(kinds)
    divisor = reduce(gcd, counts.values())
    labels = {
        names[kind]: SiteLabel(
            name=names[kind],
            element=kind.element,
            oxidation=kind.oxidation,
            role=kind.role,
            count=counts[kind] // divisor,
            coordination=kind.coordination,
        )
        for kind in names
    }
    order = sorted(range(len(kinds)), key=lambda i: (list(names).index(kinds[i]), i))
    name = re.sub(r"[^A-Za-z0-9]+", "-", record.id).strip("-") or "structure"
    prototype = Prototype(
        name=name,
        structure_type=name,
        formula="",
        space_group="P1",
        number=1,
        hall="P 1",
        cell=_cell(record.lattice),
        labels=MappingProxyType(labels),
        sites=tuple(PrototypeSite(names[kinds[i]], "1a", *record.frac[i].tolist()) for i in order),
        source=_source(record.provenance),
        licence=record.provenance.licence,
        note=record.provenance.note,
    )
    return replace(prototype, formula=prototype.formula_of(prototype.default_elements))


def _names(kinds: Sequence[_Kind]) -> dict[_Kind, str]:
    """Label of each kind, in the order of roles, then of the sites."""
    distinct = sorted(dict.fromkeys(kinds), key=lambda k: _ROLES.index(k.role))
    total = Counter(kind.role for kind in distinct)
    seen: Counter[str] = Counter()
    names = {}
    for kind in distinct:
        seen[kind.role] += 1
        number = str(seen[kind.role]) if total[kind.role] > 1 else ""
        names[kind] = _LETTERS[kind.role] + number
    return names


def _cell(lattice: FloatArray) -> tuple[float, ...]:
    lengths = np.linalg.norm(lattice, axis=1)
    pairs = ((1, 2), (0, 2), (0, 1))
    cosines = [lattice[i] @ lattice[j] / (lengths[i] * lengths[j]) for i, j in pairs]
    return (*map(float, lengths), *map(float, np.degrees(np.arccos(cosines))))


def _source(origin: Provenance) -> str:
    return ", ".join(filter(None, [origin.file or origin.source, origin.reference]))
