"""Rules that a substituted prototype must pass, each with the reason it gives.

They remove what no relaxation would save; passing them says nothing about stability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from ...data.embedded.prototypes import Prototype
from ...data.records import FloatArray
from .lattice_scaling import Scaling, bonded_labels, contacts, scale_cell
from .substitution import Assignment, ionic_radius_A

MAX_VOLUME_CHANGE: Final[float] = 1.5
"""Beyond this factor, up or down, the fractional coordinates of the source mean little."""
SHORT_CONTACT: Final[float] = 0.7
"""Shortest contact allowed, in units of the sum of radii: covalent between cations, else ionic."""
SHORT_ANION_CONTACT: Final[float] = 0.75
"""The same between two anions, stricter because nothing but repulsion acts there: the closest pair
among the prototypes is 0.82 (Li7P3S11)."""
BOND_LENGTH: Final[tuple[float, float]] = (0.8, 1.25)
"""Mean cation–anion bond allowed, in units of the sum of ionic radii."""
RADIUS_RATIO: Final[Mapping[int, tuple[float, float]]] = {
    2: (0.0, 0.2),
    3: (0.0, 0.6),
    4: (0.0, 0.52),
    6: (0.27, 0.92),
    8: (0.46, 1.5),
}
"""Cation over anion radius by coordination: Pauling's limits (0.225, 0.414, 0.732) widened by about
a quarter, no lower limit up to four-fold because small cations bond covalently (PS4: 0.09).
Coordination numbers not listed are not judged."""
MIN_ELECTRONEGATIVITY_GAP: Final[float] = 0.1
"""A bonded anion must be more electronegative than its cation by this (Pauling scale)."""
FIRST_ROW: Final[frozenset[str]] = frozenset({"N", "O", "F"})
"""These take other coordinations than their heavier homologues, and scaling a cell from one to the
other misses the volume by 30–40 % (Li2S to Li2O, Li3P to Li3N), so they are never exchanged."""
OXIDISING: Final[frozenset[tuple[str, int, str]]] = frozenset(
    {("Fe", 3, "I"), ("Fe", 3, "Te"), ("V", 5, "Te")}
)
"""Cation, charge, anion that exchange electrons when bonded: FeI3 does not exist."""


@dataclass(frozen=True, eq=False)
class Variant:
    """A prototype with elements, charges and the scaling that DLS gives it."""

    prototype: Prototype
    assignment: Assignment
    scaling: Scaling

    @property
    def distances_A(self) -> FloatArray:
        """Distance of every neighbour pair of the prototype, in the final cell, Å."""
        pairs = contacts(self.prototype)
        return self.scaling.scale * pairs.distances_A(self.scaling.stretch)

    @property
    def id(self) -> str:
        """Unique name, safe as a file name: ``PROTOTYPE_FORMULA``."""
        return candidate_id(self.prototype, self.assignment)


def judge(prototype: Prototype, assignment: Assignment, compensated: bool = False) -> Variant | str:
    """Scale one assignment and test it.

    Parameters
    ----------
    prototype : Prototype
    assignment : Assignment
    compensated : bool
        The number of mobile ions will make up for a charge: do not ask for neutrality.

    Returns
    -------
    Variant or str
        The candidate, or the first reason against it as ``KIND: DETAIL``.
    """
    rules = (_anion_row, _electron_transfer, _has_radii, _radius_ratio)
    for rule in rules if compensated else (_charge, *rules):
        reason = rule(prototype, assignment)
        if reason:
            return reason
    try:
        scaling = scale_cell(prototype, assignment.elements)
    except ValueError as error:
        return f"no volume prediction: {error}"
    factor = scaling.volume_factor
    if not 1.0 / MAX_VOLUME_CHANGE <= factor <= MAX_VOLUME_CHANGE:
        return f"volume change too large: {factor:.2f} of the source's volume"
    candidate = Variant(prototype, assignment, scaling)
    return short_contact(candidate) or bond_length(candidate) or candidate


def _charge(prototype: Prototype, assignment: Assignment) -> str | None:
    charge = assignment.total_charge(prototype)
    return f"not charge neutral: {charge:+d} per formula unit" if charge else None


def _anion_row(prototype: Prototype, assignment: Assignment) -> str | None:
    for name, label in prototype.labels.items():
        element = assignment.elements[name]
        if (element in FIRST_ROW) != (label.element in FIRST_ROW):
            return f"anion of another row: {element} for {label.element}"
    return None


def _electron_transfer(prototype: Prototype, assignment: Assignment) -> str | None:
    for cation, anion in bonded_labels(prototype):
        m, x = assignment.elements[cation], assignment.elements[anion]
        gap = _electronegativity(x) - _electronegativity(m)
        if gap < MIN_ELECTRONEGATIVITY_GAP or (m, assignment.charges[cation], x) in OXIDISING:
            return f"cation not compatible with anion: {m}–{x} would not keep its charges"
    return None


def _has_radii(prototype: Prototype, assignment: Assignment) -> str | None:
    for name, element in assignment.elements.items():
        if _known_radius(prototype, assignment, name) is None:
            return f"no ionic radius: {element} with charge {assignment.charges[name]:+d}"
    return None


def _radius_ratio(prototype: Prototype, assignment: Assignment) -> str | None:
    for cation, anion in bonded_labels(prototype):
        number = prototype.labels[cation].coordination or 0
        ratio = _radius(prototype, assignment, cation) / _radius(prototype, assignment, anion)
        low, high = RADIUS_RATIO.get(number, (0.0, math.inf))
        if not low <= ratio <= high:
            m, x = assignment.elements[cation], assignment.elements[anion]
            return f"radius mismatch: {m}/{x} = {ratio:.2f} for {number}-fold coordination"
    return None


def short_contact(candidate: Variant) -> str | None:
    """Reason if two sites, periodic images included, come closer than a fraction of their radii.

    The fraction is 0.7, between anions 0.75. Between two cations the radii are covalent (ionic ones
    describe no contact there), otherwise ionic.
    """
    pairs, names = contacts(candidate.prototype), tuple(candidate.prototype.labels)
    limits = np.array([[_closest_allowed(candidate, a, b) for b in names] for a in names])
    first, second = pairs.site_label[pairs.first], pairs.site_label[pairs.second]
    distances = candidate.distances_A
    worst = int(np.argmin(distances / limits[first, second]))
    limit = limits[first[worst], second[worst]]
    if distances[worst] >= limit:
        return None
    a, b = (candidate.assignment.elements[names[k[worst]]] for k in (first, second))
    return f"short contact: {a}–{b} {distances[worst]:.2f} Å, below {limit:.2f} Å"


def bond_length(candidate: Variant) -> str | None:
    """Reason if the mean bond of a framework cation is outside 0.8–1.25 of its ionic radii."""
    pairs, names = contacts(candidate.prototype), tuple(candidate.prototype.labels)
    distances = candidate.distances_A
    first, second = pairs.site_label[pairs.first], pairs.site_label[pairs.second]
    for cation, anion in bonded_labels(candidate.prototype):
        bonds = pairs.is_bond & (first == names.index(cation)) & (second == names.index(anion))
        ratio = distances[bonds].mean() / _contact_radii(candidate, cation, anion)
        if not BOND_LENGTH[0] <= ratio <= BOND_LENGTH[1]:
            m, x = (candidate.assignment.elements[name] for name in (cation, anion))
            return f"bond length: mean {m}–{x} is {ratio:.2f} of the ionic radii"
    return None


def _closest_allowed(candidate: Variant, a: str, b: str) -> float:
    """Shortest distance (Å) that two labels may have."""
    charges = candidate.assignment.charges
    anions = charges[a] < 0 and charges[b] < 0
    fraction = SHORT_ANION_CONTACT if anions else SHORT_CONTACT
    return fraction * _contact_radii(candidate, a, b)


def _contact_radii(candidate: Variant, a: str, b: str) -> float:
    """Sum of radii (Å) against which the distance of two labels is judged."""
    prototype, assignment = candidate.prototype, candidate.assignment
    if assignment.charges[a] > 0 and assignment.charges[b] > 0:
        return covalent_radius_A(assignment.elements[a]) + covalent_radius_A(assignment.elements[b])
    return _radius(prototype, assignment, a) + _radius(prototype, assignment, b)


def _radius(prototype: Prototype, assignment: Assignment, name: str) -> float:
    radius = _known_radius(prototype, assignment, name)
    if radius is None:
        raise ValueError(f"no ionic radius of {assignment.elements[name]}: rule it out first")
    return radius


def _known_radius(prototype: Prototype, assignment: Assignment, name: str) -> float | None:
    charge = assignment.charges[name]
    # Shannon's anion radii are six-fold; the mobile species is taken four-fold.
    default = 6 if charge < 0 else 4
    number = prototype.labels[name].coordination or default
    return ionic_radius_A(assignment.elements[name], charge, number)


@cache
def covalent_radius_A(element: str) -> float:
    """Covalent radius in Å (Cordero et al. 2008, 10.1039/b801115j), as tabulated by pymatgen."""
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius

    return float(CovalentRadius.radius[element])


@cache
def _electronegativity(element: str) -> float:
    from pymatgen.core import Element

    return float(Element(element).X)


def candidate_id(prototype: Prototype, assignment: Assignment) -> str:
    """Name of a candidate, kept or dropped: ``PROTOTYPE_FORMULA``."""
    return f"{prototype.name}_{prototype.formula_of(assignment.elements)}"
