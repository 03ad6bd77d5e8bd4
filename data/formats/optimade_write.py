"""Structure record → OPTIMADE entry, and the lines of the OPTIMADE JSON Lines format.

A file of that format describes a database: a header line, one line for each info endpoint, then
one entry a line. Servers of OPTIMADE load it as it is. Specification 1.2, 10.1039/d4dd00039k.
What the specification has no property for carries the prefix ``_ionsieve_``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Final

from ..records import OCCUPANCY_TOLERANCE, SiteContent, StructureRecord, reduced_formula
from .optimade_read import NOTES, OXIDATION, PREFIX, VALUES

API_VERSION: Final[str] = "1.2.0"
PROVIDER: Final[Mapping[str, str]] = {
    "name": "ionsieve",
    "prefix": PREFIX.strip("_"),
    "description": "structures ranked by the probability of being fast ion conductors",
}

_LARGEST_FACTOR: Final[int] = 1000
_RATIO_TOLERANCE: Final[float] = 2e-3


@dataclass(frozen=True)
class Property:
    """Definition of a property, as the info endpoint gives it.

    Parameters
    ----------
    type : str
        OPTIMADE data type: string, integer, float, boolean, list, timestamp.
    unit : str or None
        In UCUM notation; None where there is none to give, ``1`` for numbers without.
    description : str
    """

    type: str
    unit: str | None
    description: str


STRUCTURE_PROPERTIES: Final[Mapping[str, Property]] = {
    "id": Property("string", None, "identifier of the structure"),
    "type": Property("string", None, "structures"),
    "last_modified": Property("timestamp", None, "not known"),
    "elements": Property("list", None, "element symbols in alphabetical order"),
    "nelements": Property("integer", "1", "number of elements"),
    "elements_ratios": Property("list", "1", "atomic fractions, occupancies counted"),
    "chemical_formula_descriptive": Property("string", None, "reduced formula as pymatgen has it"),
    "chemical_formula_reduced": Property(
        "string", None, "whole numbers, elements in alphabetical order; ratios kept within 0.2 %"
    ),
    "chemical_formula_anonymous": Property("string", None, "reduced formula without names"),
    "dimension_types": Property("list", "1", "periodic in three dimensions"),
    "nperiodic_dimensions": Property("integer", "1", "3"),
    "lattice_vectors": Property("list", "Ao", "lattice vectors a, b, c"),
    "cartesian_site_positions": Property("list", "Ao", "positions of the sites"),
    "nsites": Property("integer", "1", "number of sites, occupied or partly so"),
    "species": Property("list", None, "what stands on a site, with concentrations"),
    "species_at_sites": Property("list", None, "name of the species of each site"),
    "structure_features": Property(
        "list", None, "disorder, where a site is shared or partly empty"
    ),
}

ORIGIN_PROPERTIES: Final[Mapping[str, Property]] = {
    f"{PREFIX}source": Property("string", None, "where the structure comes from"),
    f"{PREFIX}licence": Property("string", None, "licence of the structure"),
    f"{PREFIX}reference": Property("string", None, "DOI or identifier in the source"),
    f"{PREFIX}note": Property("string", None, "remark on the origin"),
    VALUES["e_above_hull_eV_atom"]: Property("float", "eV", "energy above the hull per atom"),
    VALUES["band_gap_eV"]: Property("float", "eV", "band gap as the source gives it"),
    VALUES["energy_eV_atom"]: Property("float", "eV", "total energy per atom, as in the source"),
    VALUES["li_window_low_V"]: Property("float", "V", "reduction limit against lithium metal"),
    VALUES["li_window_high_V"]: Property("float", "V", "oxidation limit against lithium metal"),
    NOTES: Property("list", None, "remarks of the reader on the structure"),
    OXIDATION: Property(
        "list",
        "e",
        "oxidation states given by the source, for each of species a list in the order "
        "of its chemical_symbols; null where none is known",
    ),
}


def header_line() -> str:
    """First line of the format."""
    return _line({"x-optimade": {"meta": {"api_version": API_VERSION, "provider": PROVIDER}}})


def info_line(properties: Mapping[str, Property], description: str) -> str:
    """Description of the structures endpoint.

    Parameters
    ----------
    properties : mapping
        Besides :data:`STRUCTURE_PROPERTIES` and :data:`ORIGIN_PROPERTIES`; names with the prefix.
    description : str
    """
    every = {**STRUCTURE_PROPERTIES, **ORIGIN_PROPERTIES, **properties}
    return _line(
        {
            "type": "info",
            "id": "structures",
            "description": description,
            "formats": ["json"],
            "properties": {name: vars(definition) for name, definition in every.items()},
            "output_fields_by_format": {"json": list(every)},
        }
    )


def entry_line(record: StructureRecord, properties: Mapping[str, Any]) -> str:
    """One structure with further properties of the prefix.

    Raises
    ------
    ValueError
        If a property is NaN or infinite: unknown is None.
    """
    attributes = {**attributes_of(record), **properties}
    return _line({"type": "structures", "id": record.id, "attributes": attributes})


def attributes_of(record: StructureRecord) -> dict[str, Any]:
    """Every mandatory attribute of a structures entry, and where it comes from.

    Positions are Cartesian: read back, fractional coordinates agree to rounding (1e-15).
    """
    names = _species_names(record)
    elements = sorted(record.composition)
    total = sum(record.composition.values())
    reduced, anonymous = _formulas(record.composition)
    species = [_species(name, content) for content, name in names.items()]
    return {
        "last_modified": None,
        "elements": elements,
        "nelements": len(elements),
        "elements_ratios": [record.composition[e] / total for e in elements],
        "chemical_formula_descriptive": reduced_formula(record.composition),
        "chemical_formula_reduced": reduced,
        "chemical_formula_anonymous": anonymous,
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": record.lattice.tolist(),
        "cartesian_site_positions": (record.frac @ record.lattice).tolist(),
        "nsites": record.n_sites,
        "species": species,
        "species_at_sites": [names[content] for content in record.species],
        "structure_features": ["disorder"] * any(len(s["chemical_symbols"]) > 1 for s in species),
        f"{PREFIX}source": record.provenance.source,
        f"{PREFIX}licence": record.provenance.licence,
        f"{PREFIX}reference": record.provenance.reference,
        f"{PREFIX}note": record.provenance.note or None,
        NOTES: list(record.notes) or None,
        **{name: getattr(record, attribute) for attribute, name in VALUES.items()},
        OXIDATION: _oxidation(names, species),
    }


def _species_names(record: StructureRecord) -> dict[SiteContent, str]:
    """A name for each different content of a site: as short as tells them apart."""
    names: dict[SiteContent, str] = {}
    for content in dict.fromkeys(record.species):
        short, charged = _name(content, False), _name(content, True)
        numbered = (f"{charged}_{number}" for number in count(2))
        candidates = chain((short, charged), numbered)
        names[content] = next(name for name in candidates if name not in names.values())
    return names


def _name(content: SiteContent, charged: bool) -> str:
    return "".join(
        s.element
        + ("" if s.occupancy == 1.0 else f"{s.occupancy:.4g}")
        + (f"({s.oxidation:+g})" if charged and s.oxidation is not None else "")
        for s in content
    )


def _species(name: str, content: SiteContent) -> dict[str, Any]:
    symbols, shares = [s.element for s in content], [s.occupancy for s in content]
    empty = 1.0 - math.fsum(shares)
    if empty > OCCUPANCY_TOLERANCE:
        symbols, shares = [*symbols, "vacancy"], [*shares, empty]
    return {"name": name, "chemical_symbols": symbols, "concentration": shares}


def _oxidation(names: Mapping[SiteContent, str], species: list[dict[str, Any]]) -> Any:
    if all(s.oxidation is None for content in names for s in content):
        return None
    return [
        [s.oxidation for s in content] + [None] * (len(one["chemical_symbols"]) - len(content))
        for content, one in zip(names, species, strict=True)
    ]


def _formulas(composition: Mapping[str, float]) -> tuple[str, str]:
    """Reduced and anonymous formula in the smallest whole numbers that keep the ratios."""
    numbers = whole_numbers(composition)
    reduced = "".join(f"{e}{_count(numbers[e])}" for e in sorted(numbers))
    ordered = sorted(numbers.values(), reverse=True)
    return reduced, "".join(f"{_label(i)}{_count(n)}" for i, n in enumerate(ordered))


def whole_numbers(composition: Mapping[str, float]) -> dict[str, int]:
    """Smallest whole numbers that keep the ratios of a composition within 0.2 %."""
    for factor in range(1, _LARGEST_FACTOR + 1):
        scaled = {e: factor * n for e, n in composition.items()}
        if all(abs(n - round(n)) <= _RATIO_TOLERANCE * n and round(n) for n in scaled.values()):
            break
    whole = {e: max(round(n), 1) for e, n in scaled.items()}
    divisor = math.gcd(*whole.values())
    return {e: n // divisor for e, n in whole.items()}


def _count(number: int) -> str:
    return "" if number == 1 else str(number)


def _label(index: int) -> str:
    """A, B … Z, Aa, Ba …"""
    return chr(ord("A") + index % 26) + (chr(ord("a") + index // 26 - 1) if index >= 26 else "")


def _line(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n"
