"""Candidates by charge-neutral substitution into prototypes, as for Li8SiSe6 in Yang et al. 2025.

(npj Comput. Mater. 2025, 10.1038/s41524-025-01559-9.) Coordinates stay those of the prototype but
for the cell's scale and the bonds inside isolated polyhedra (:mod:`.lattice_scaling`). Such a
structure is a starting point for relaxation, not a prediction of stability. The plausibility rules
below remove what no relaxation would save.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np

from ..data.prototypes import Prototype, expand, load_prototypes
from ..data.records import FloatArray, Provenance, Quarantined, StructureRecord
from .lattice_scaling import Scaling, bonded_labels, contacts, scale_cell
from .substitution import Assignment, assignments, ionic_radius_A

MAX_VOLUME_CHANGE: Final[float] = 1.5
"""Beyond this factor, up or down, the fractional coordinates of the source mean little."""
SHORT_CONTACT: Final[float] = 0.7
"""Shortest contact allowed, in units of the sum of radii: covalent between cations, else ionic."""
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
a quarter, no lower limit up to four-fold because small cations bond covalently (PS4: 0.09)."""
MIN_ELECTRONEGATIVITY_GAP: Final[float] = 0.1
"""A bonded anion must be more electronegative than its cation by this (Pauling scale)."""
FIRST_ROW: Final[frozenset[str]] = frozenset({"N", "O", "F"})
"""These take other coordinations than their heavier homologues, and scaling a cell from one to the
other misses the volume by 30–40 % (Li2S to Li2O, Li3P to Li3N), so they are never exchanged."""
OXIDISING: Final[frozenset[tuple[str, int, str]]] = frozenset(
    {("Fe", 3, "I"), ("Fe", 3, "Te"), ("V", 5, "Te")}
)
"""Cation, charge, anion that exchange electrons when bonded: FeI3 does not exist."""


@dataclass(frozen=True)
class GenerationResult:
    """Candidates kept, and every one dropped with its reason: generated = kept + dropped."""

    records: tuple[StructureRecord, ...]
    dropped: tuple[Quarantined, ...]

    @property
    def n_generated(self) -> int:
        """Number of element assignments considered."""
        return len(self.records) + len(self.dropped)

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        """Number dropped by kind of reason, most frequent first."""
        kinds = Counter(entry.reason.split(":", 1)[0] for entry in self.dropped)
        return dict(sorted(kinds.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, eq=False)
class _Candidate:
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
        return _candidate_id(self.prototype, self.assignment)


def embedded_candidates(mobile: str = "Li") -> GenerationResult:
    """Candidates from all embedded prototypes.

    Parameters
    ----------
    mobile : str
        Element put on the mobile label: Li, Na, K, Ag or Cu.

    Returns
    -------
    GenerationResult
        Always in the same order, with the same ids.
    """
    return generate(load_prototypes().values(), mobile)


def generate(
    prototypes: Iterable[Prototype], mobile: str = "Li", exclude: Collection[str] = ()
) -> GenerationResult:
    """Substitute into prototypes, scale the cells, drop what is implausible or a duplicate.

    Parameters
    ----------
    prototypes : iterable of Prototype
    mobile : str
        Element put on the mobile label.
    exclude : collection of element symbols
        Elements never used.

    Returns
    -------
    GenerationResult
        Records carry the id ``PROTOTYPE_FORMULA``. The source's own composition keeps the cell of
        the source; all others are scaled.

    Raises
    ------
    InputError
        If ``mobile`` is not a monovalent ion offered here.
    """
    kept: list[_Candidate] = []
    dropped: list[Quarantined] = []
    for prototype in prototypes:
        for assignment in assignments(prototype, mobile, exclude):
            judged = _judge(prototype, assignment)
            if isinstance(judged, str):
                dropped.append(_quarantined(prototype, assignment, judged))
            else:
                kept.append(judged)
    unique, duplicates = _without_duplicates(kept)
    records = tuple(_record(candidate) for candidate in unique)
    return GenerationResult(records, (*dropped, *duplicates))


def _judge(prototype: Prototype, assignment: Assignment) -> _Candidate | str:
    """Return the candidate, or the first reason against it."""
    for rule in (_charge, _anion_row, _electron_transfer, _radius_ratio):
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
    candidate = _Candidate(prototype, assignment, scaling)
    return _short_contact(candidate) or _bond_length(candidate) or candidate


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


def _radius_ratio(prototype: Prototype, assignment: Assignment) -> str | None:
    for cation, anion in bonded_labels(prototype):
        number = prototype.labels[cation].coordination or 0
        inner, outer = _radius(prototype, assignment, cation), _radius(prototype, assignment, anion)
        if inner is None or outer is None:
            return f"no ionic radius: {assignment.elements[cation if inner is None else anion]}"
        low, high = RADIUS_RATIO[number]
        if not low <= inner / outer <= high:
            m, x = assignment.elements[cation], assignment.elements[anion]
            return f"radius mismatch: {m}/{x} = {inner / outer:.2f} for {number}-fold coordination"
    return None


def _short_contact(candidate: _Candidate) -> str | None:
    """Reason if two sites, periodic images included, come closer than 0.7 × their radii.

    Between two cations the radii are covalent (ionic ones describe no contact there), otherwise
    ionic.
    """
    pairs, names = contacts(candidate.prototype), tuple(candidate.prototype.labels)
    radii = np.array([[_contact_radii(candidate, a, b) for b in names] for a in names])
    first, second = pairs.site_label[pairs.first], pairs.site_label[pairs.second]
    distances = candidate.distances_A
    worst = int(np.argmin(distances / radii[first, second]))
    limit = SHORT_CONTACT * radii[first[worst], second[worst]]
    if distances[worst] >= limit:
        return None
    a, b = (candidate.assignment.elements[names[k[worst]]] for k in (first, second))
    return f"short contact: {a}–{b} {distances[worst]:.2f} Å, below {limit:.2f} Å"


def _bond_length(candidate: _Candidate) -> str | None:
    """Reason if the mean bond of a framework cation is far from its ionic radii."""
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


def _contact_radii(candidate: _Candidate, a: str, b: str) -> float:
    """Sum of radii (Å) against which the distance of two labels is judged."""
    prototype, assignment = candidate.prototype, candidate.assignment
    if assignment.charges[a] > 0 and assignment.charges[b] > 0:
        return _covalent_radius(assignment.elements[a]) + _covalent_radius(assignment.elements[b])
    radii = [_radius(prototype, assignment, label) for label in (a, b)]
    return math.fsum(radius for radius in radii if radius is not None)


def _radius(prototype: Prototype, assignment: Assignment, name: str) -> float | None:
    charge = assignment.charges[name]
    # Shannon's anion radii are six-fold; the mobile species is taken four-fold.
    default = 6 if charge < 0 else 4
    number = prototype.labels[name].coordination or default
    return ionic_radius_A(assignment.elements[name], charge, number)


@cache
def _covalent_radius(element: str) -> float:
    """Covalent radius in Å (Cordero et al. 2008, 10.1039/b801115j), as tabulated by pymatgen."""
    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius

    return float(CovalentRadius.radius[element])


@cache
def _electronegativity(element: str) -> float:
    from pymatgen.core import Element

    return float(Element(element).X)


def _without_duplicates(
    candidates: list[_Candidate],
) -> tuple[list[_Candidate], list[Quarantined]]:
    """Of equal structure type and formula keep the one whose source needed the least scaling."""
    best: dict[tuple[str, str], _Candidate] = {}
    for candidate in candidates:
        key = _identity(candidate)
        rival = best.get(key)
        if rival is None or _strain(candidate) < _strain(rival):
            best[key] = candidate
    unique = [c for c in candidates if best[_identity(c)] is c]
    duplicates = [
        _quarantined(c.prototype, c.assignment, f"duplicate: same as {best[_identity(c)].id}")
        for c in candidates
        if best[_identity(c)] is not c
    ]
    return unique, duplicates


def _identity(candidate: _Candidate) -> tuple[str, str]:
    formula = candidate.prototype.formula_of(candidate.assignment.elements)
    return candidate.prototype.structure_type, formula


def _strain(candidate: _Candidate) -> float:
    return abs(math.log(candidate.scaling.volume_factor))


def _candidate_id(prototype: Prototype, assignment: Assignment) -> str:
    return f"{prototype.name}_{prototype.formula_of(assignment.elements)}"


def _quarantined(prototype: Prototype, assignment: Assignment, reason: str) -> Quarantined:
    return Quarantined(_candidate_id(prototype, assignment), prototype.name, "policy", reason)


def _record(candidate: _Candidate) -> StructureRecord:
    prototype = candidate.prototype
    if candidate.assignment.elements == prototype.default_elements:
        return expand(prototype, candidate.assignment.elements)
    record = expand(
        prototype,
        candidate.assignment.elements,
        charges=candidate.assignment.charges,
        volume_factor=candidate.scaling.volume_factor,
        provenance=Provenance(
            f"generated by substitution into {prototype.name}, cell scaled with DLS; not relaxed",
            prototype.licence,
            note=f"prototype from: {prototype.source}",
        ),
    )
    # Fractional shifts are taken in the source's cell, where the bond vectors were measured.
    moved = (candidate.scaling.stretch - 1.0)[:, None] * contacts(prototype).bonds_A
    shifts = moved @ np.linalg.inv(prototype.primitive.lattice)
    return replace(record, frac=record.frac + shifts)
