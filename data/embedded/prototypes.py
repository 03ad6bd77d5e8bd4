"""Prototype structures as crystallographic facts, and their expansion into records.

The table ``tables/prototypes.json`` holds, for each prototype, the conventional cell, the Hall
symbol of the setting and the asymmetric unit. Every site carries a *label*: the substitution
class it belongs to (``A`` the mobile species, ``M`` framework cations, ``X`` anions bonded to
one, ``Y`` isolated anions). Nothing here knows which elements are chemically sensible on a
label; that is decided in :mod:`ionsieve.screening.substitution`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from math import gcd
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np

from ..elements import ATOMIC_NUMBER
from ..errors import InputError, StructureError
from ..records import FloatArray, Provenance, SiteSpecies, StructureRecord
from .orbits import centring_letter, expand_site_primitive, lattice_matrix, primitive_lattice
from .registry import read_table

Role = Literal["mobile", "framework_cation", "bonded_anion", "isolated_anion"]

TABLE: Final[str] = "prototypes.json"


@dataclass(frozen=True, kw_only=True)
class SiteLabel:
    """One substitution class of a prototype.

    ``count`` is per formula unit; ``oxidation`` is that of the source's element;
    ``coordination`` is the number of bonded anions around a framework cation, None elsewhere.
    """

    name: str
    element: str
    oxidation: int
    role: Role
    count: int
    coordination: int | None = None


class PrototypeSite(NamedTuple):
    """One site of the asymmetric unit: label, Wyckoff position, fractional coordinates."""

    label: str
    wyckoff: str
    x: float
    y: float
    z: float


class ExpandedCell(NamedTuple):
    """All sites of a cell: lattice (3, 3) Å, fractional coordinates (n, 3), label of each site."""

    lattice: FloatArray
    frac: FloatArray
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Prototype:
    """A structure type with its source's numbers.

    Parameters
    ----------
    name : str
        Unique; letters, digits and ``-`` only, so that it can be part of a file name.
    structure_type : str
        Prototypes of equal type describe the same arrangement, refined for different elements.
    formula : str
        Formula of the source, elements in label order.
    space_group, hall : str
        Hermann–Mauguin symbol, and the Hall symbol that fixes setting and origin.
    cell : tuple of float
        a, b, c in Å; alpha, beta, gamma in degrees; conventional cell.
    labels : mapping of label to SiteLabel
    sites : tuple of PrototypeSite
        Asymmetric unit.
    charge_exchange : tuple of label pairs
        Pairs over which one unit of charge may be moved (cation −1, anion +1), as from
        Li7PS6 to Li7SiS5Cl; both labels have the same count.
    """

    name: str
    structure_type: str
    formula: str
    space_group: str
    number: int
    hall: str
    cell: tuple[float, ...]
    labels: Mapping[str, SiteLabel]
    sites: tuple[PrototypeSite, ...]
    source: str
    licence: str
    note: str = ""
    charge_exchange: tuple[tuple[str, str], ...] = ()

    @property
    def default_elements(self) -> dict[str, str]:
        """Element of the source on each label."""
        return {name: label.element for name, label in self.labels.items()}

    @cached_property
    def lattice(self) -> FloatArray:
        """Conventional lattice vectors (3, 3), Å, as rows."""
        return lattice_matrix(self.cell)

    @cached_property
    def conventional(self) -> ExpandedCell:
        """All sites of the conventional cell."""
        return _expand_cell(self, "P")

    @cached_property
    def primitive(self) -> ExpandedCell:
        """All sites of the primitive cell."""
        return _expand_cell(self, centring_letter(self.hall))

    def formula_of(self, elements: Mapping[str, str]) -> str:
        """Formula unit with the given elements, in label order: safe as part of a file name.

        Parameters
        ----------
        elements : mapping of label to element symbol

        Returns
        -------
        str
            For example ``Li6PS5Br``; elements on several labels are added up.
        """
        counts: dict[str, int] = {}
        for name, label in self.labels.items():
            counts[elements[name]] = counts.get(elements[name], 0) + label.count
        divisor = gcd(*counts.values())
        return "".join(
            f"{element}{number // divisor if number > divisor else ''}"
            for element, number in counts.items()
        )


@cache
def load_prototypes() -> Mapping[str, Prototype]:
    """Read and validate the embedded table.

    Returns
    -------
    mapping of name to Prototype, in the order of the table

    Raises
    ------
    InputError
        Naming prototype and field, if an entry is incomplete, not charge neutral, or if its
        Wyckoff multiplicities, formula and symmetry do not agree.
    """
    entries = json.loads(read_table(TABLE))["structures"]
    prototypes = [prototype_from_dict(entry) for entry in entries]
    by_name = {prototype.name: prototype for prototype in prototypes}
    if len(by_name) != len(prototypes):
        raise InputError(f"{TABLE}: two prototypes share a name; names must be unique")
    return MappingProxyType(by_name)


def prototype_from_dict(entry: Mapping[str, Any]) -> Prototype:
    """Build and check one prototype from its table entry (see :func:`load_prototypes`)."""
    name = str(entry.get("name", "unnamed"))
    try:
        labels = {n: SiteLabel(name=n, **fields) for n, fields in entry["labels"].items()}
        prototype = Prototype(
            **{key: entry[key] for key in ("name", "structure_type", "formula", "space_group")},
            **{key: entry[key] for key in ("number", "hall", "source", "licence")},
            cell=tuple(float(value) for value in entry["cell"]),
            labels=MappingProxyType(labels),
            sites=tuple(PrototypeSite(*site) for site in entry["sites"]),
            note=entry.get("note", ""),
            charge_exchange=tuple((a, b) for a, b in entry.get("charge_exchange", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{TABLE}: prototype {name} lacks or misspells {error}") from error
    _check(prototype)
    return prototype


def expand(
    prototype: Prototype,
    elements: Mapping[str, str],
    *,
    charges: Mapping[str, int] | None = None,
    record_id: str | None = None,
    volume_factor: float = 1.0,
    conventional: bool = False,
    provenance: Provenance | None = None,
) -> StructureRecord:
    """Fill the labels of a prototype with elements.

    Parameters
    ----------
    prototype : Prototype
    elements : mapping of label to element symbol
        One element for every label, no more.
    charges : mapping of label to formal charge, units of e, optional
        Written to the sites as oxidation states; default those of the prototype's labels.
    record_id : str, optional
        Default ``PROTOTYPE_FORMULA``.
    volume_factor : float, dimensionless
        New volume over the volume of the source; the cell is scaled isotropically.
    conventional : bool
        Return the conventional cell rather than the primitive one.
    provenance : Provenance, optional
        Default: the source of the prototype.

    Returns
    -------
    StructureRecord
        Without relaxation: fractional coordinates are those of the source.

    Raises
    ------
    InputError
        If a label is missing, unknown or holds no element, or if the factor is not positive.
    """
    if set(elements) != set(prototype.labels):
        raise InputError(
            f"{prototype.name} has the labels {', '.join(prototype.labels)}; "
            f"got elements for {', '.join(sorted(elements)) or 'none'}"
        )
    unknown = [symbol for symbol in elements.values() if symbol not in ATOMIC_NUMBER]
    if unknown:
        raise InputError(f"{prototype.name}: {unknown[0]!r} is not an element symbol")
    if not (np.isfinite(volume_factor) and volume_factor > 0.0):
        raise InputError(f"{prototype.name}: volume_factor {volume_factor} must be positive")
    cell = prototype.conventional if conventional else prototype.primitive
    states = charges or {name: label.oxidation for name, label in prototype.labels.items()}
    content = {n: (SiteSpecies(elements[n], 1.0, float(states[n])),) for n in prototype.labels}
    return StructureRecord(
        id=record_id or f"{prototype.name}_{prototype.formula_of(elements)}",
        lattice=cell.lattice * volume_factor ** (1.0 / 3.0),
        species=tuple(content[label] for label in cell.labels),
        frac=cell.frac,
        provenance=provenance
        or Provenance(source=prototype.source, licence=prototype.licence, note=prototype.note),
    )


def _check(prototype: Prototype) -> None:
    """Raise unless labels, charges, multiplicities and formula agree with each other."""
    where = f"{TABLE}: prototype {prototype.name}"
    if not prototype.name.replace("-", "").isalnum() or not prototype.name.isascii():
        raise InputError(f"{where}: use letters, digits and '-' in names")
    for label in prototype.labels.values():
        if label.element not in ATOMIC_NUMBER or label.role not in get_args(Role):
            raise InputError(f"{where}: label {label.name} has a wrong element or role")
        if (label.coordination is None) == (label.role == "framework_cation"):
            raise InputError(f"{where}: give coordination for framework cations only")
    charge = sum(label.oxidation * label.count for label in prototype.labels.values())
    if charge != 0:
        raise InputError(f"{where} is not charge neutral: {charge:+d} per formula unit")
    if prototype.formula_of(prototype.default_elements) != prototype.formula:
        raise InputError(f"{where}: labels do not add up to the formula {prototype.formula}")
    _check_multiplicities(where, prototype)


def _check_multiplicities(where: str, prototype: Prototype) -> None:
    """Raise unless the orbits have the stated multiplicities and the stated composition."""
    try:
        orbits = _images(prototype, "P")
    except StructureError as error:
        raise InputError(f"{where}: {error}") from error
    for site, images in zip(prototype.sites, orbits, strict=True):
        stated = int("".join(c for c in site.wyckoff if c.isdigit()) or -1)
        if site.label not in prototype.labels or len(images) != stated:
            raise InputError(
                f"{where}: site {site.label} {site.wyckoff} has {len(images)} images; "
                "correct label, coordinates, Wyckoff position or Hall symbol"
            )
    found = {name: prototype.conventional.labels.count(name) for name in prototype.labels}
    ratios = {found[name] / label.count for name, label in prototype.labels.items()}
    if len(ratios) != 1:
        raise InputError(f"{where}: sites per cell {found} do not match the counts of its labels")


def _images(prototype: Prototype, centring: str) -> list[FloatArray]:
    """Positions of each asymmetric site in the cell with this centring letter."""
    points = (np.array([site.x, site.y, site.z], dtype=np.float64) for site in prototype.sites)
    return [
        expand_site_primitive(prototype.hall, prototype.lattice, point, centring)
        for point in points
    ]


def _expand_cell(prototype: Prototype, centring: str) -> ExpandedCell:
    """Return all sites of the cell with this centring letter; ``P`` keeps the conventional one."""
    images = _images(prototype, centring)
    labels = tuple(
        site.label for site, orbit in zip(prototype.sites, images, strict=True) for _ in orbit
    )
    lattice, frac = primitive_lattice(prototype.lattice, centring), np.concatenate(images)
    for array in (lattice, frac):
        array.flags.writeable = False
    return ExpandedCell(lattice, frac, labels)


__all__ = [
    "ExpandedCell",
    "Prototype",
    "PrototypeSite",
    "SiteLabel",
    "expand",
    "load_prototypes",
    "prototype_from_dict",
]
