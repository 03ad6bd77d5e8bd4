"""Candidates by charge-neutral substitution into prototypes, as for Li8SiSe6 in Yang et al. 2025.

(npj Comput. Mater. 2025, 10.1038/s41524-025-01559-9.) Fractional coordinates stay those of the
prototype; only the cell is scaled. Such a structure is a starting point for relaxation, not a
prediction of stability. The plausibility rules below remove what no relaxation would save.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from ..data.prototypes import Prototype, expand, load_prototypes
from ..data.records import Provenance, Quarantined, StructureRecord
from .lattice_scaling import label_geometry, scaled_volume_factor
from .substitution import Assignment, assignments, ionic_radius_A

MAX_VOLUME_CHANGE: Final[float] = 1.5
"""Beyond this factor, up or down, the fractional coordinates of the source mean little."""
SHORT_CONTACT: Final[float] = 0.7
"""Shortest contact allowed, in units of the sum of radii (see :func:`short_contact`)."""
BOND_STRETCH: Final[tuple[float, float]] = (0.8, 1.25)
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
OXIDISING: Final[frozenset[tuple[str, int, str]]] = frozenset({("Fe", 3, "I"), ("V", 5, "Te")})
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
    volume_factor: float

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
    for rule in (_charge, _electron_transfer, _radius_ratio):
        reason = rule(prototype, assignment)
        if reason:
            return reason
    try:
        factor = scaled_volume_factor(prototype, assignment.elements)
    except ValueError as error:
        return f"no volume prediction: {error}"
    if not 1.0 / MAX_VOLUME_CHANGE <= factor <= MAX_VOLUME_CHANGE:
        return f"volume change too large: {factor:.2f} of the source's volume"
    for check in _GEOMETRY_RULES:
        reason = check(prototype, assignment, factor ** (1.0 / 3.0))
        if reason:
            return reason
    return _Candidate(prototype, assignment, factor)


def _charge(prototype: Prototype, assignment: Assignment) -> str | None:
    charge = assignment.total_charge(prototype)
    return f"not charge neutral: {charge:+d} per formula unit" if charge else None


def _electron_transfer(prototype: Prototype, assignment: Assignment) -> str | None:
    for cation, anion in _bonded_pairs(prototype):
        m, x = assignment.elements[cation], assignment.elements[anion]
        gap = _electronegativity(x) - _electronegativity(m)
        if gap < MIN_ELECTRONEGATIVITY_GAP or (m, assignment.charges[cation], x) in OXIDISING:
            return f"cation not compatible with anion: {m}–{x} would not keep its charges"
    return None


def _radius_ratio(prototype: Prototype, assignment: Assignment) -> str | None:
    for cation, anion in _bonded_pairs(prototype):
        number = prototype.labels[cation].coordination or 0
        inner, outer = _radius(prototype, assignment, cation), _radius(prototype, assignment, anion)
        if inner is None or outer is None:
            return f"no ionic radius: {assignment.elements[cation if inner is None else anion]}"
        low, high = RADIUS_RATIO[number]
        if not low <= inner / outer <= high:
            m, x = assignment.elements[cation], assignment.elements[anion]
            return f"radius mismatch: {m}/{x} = {inner / outer:.2f} for {number}-fold coordination"
    return None


def short_contact(prototype: Prototype, assignment: Assignment, scale: float) -> str | None:
    """Reason if two sites, periodic images included, come closer than 0.7 × their radii.

    Between two cations the radii are covalent (ionic ones describe no contact there), otherwise
    ionic; ``scale`` is the linear factor on the cell of the source.
    """
    geometry = label_geometry(prototype)
    for i, first in enumerate(geometry.labels):
        for j, second in enumerate(geometry.labels[: i + 1]):
            distance = scale * geometry.nearest_A[i, j]
            limit = SHORT_CONTACT * _contact_radii(prototype, assignment, first, second)
            if distance < limit:
                a, b = assignment.elements[second], assignment.elements[first]
                return f"short contact: {a}–{b} {distance:.2f} Å, below {limit:.2f} Å"
    return None


def _bond_stretch(prototype: Prototype, assignment: Assignment, scale: float) -> str | None:
    for cation, shell in label_geometry(prototype).shells.items():
        for anion, mean, _ in shell:
            radii = _contact_radii(prototype, assignment, cation, anion)
            ratio = scale * mean / radii
            if not BOND_STRETCH[0] <= ratio <= BOND_STRETCH[1]:
                m, x = assignment.elements[cation], assignment.elements[anion]
                return f"bond length: mean {m}–{x} is {ratio:.2f} of the ionic radii"
    return None


_GEOMETRY_RULES: Final[tuple[Callable[[Prototype, Assignment, float], str | None], ...]] = (
    short_contact,
    _bond_stretch,
)


def _contact_radii(prototype: Prototype, assignment: Assignment, a: str, b: str) -> float:
    """Sum of radii (Å) against which the distance of two labels is judged."""
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


@cache
def _bonded_pairs(prototype: Prototype) -> tuple[tuple[str, str], ...]:
    shells = label_geometry(prototype).shells
    return tuple((cation, anion) for cation, shell in shells.items() for anion, _, _ in shell)


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
    return abs(math.log(candidate.volume_factor))


def _candidate_id(prototype: Prototype, assignment: Assignment) -> str:
    return f"{prototype.name}_{prototype.formula_of(assignment.elements)}"


def _quarantined(prototype: Prototype, assignment: Assignment, reason: str) -> Quarantined:
    return Quarantined(_candidate_id(prototype, assignment), prototype.name, "policy", reason)


def _record(candidate: _Candidate) -> StructureRecord:
    prototype = candidate.prototype
    if candidate.assignment.elements == prototype.default_elements:
        return expand(prototype, candidate.assignment.elements)
    provenance = Provenance(
        f"generated by substitution into {prototype.name}, cell scaled with DLS; not relaxed",
        prototype.licence,
        note=f"prototype from: {prototype.source}",
    )
    return expand(
        prototype,
        candidate.assignment.elements,
        volume_factor=candidate.volume_factor,
        provenance=provenance,
    )
