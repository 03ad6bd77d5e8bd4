"""Substitution design: prototypes and rules → new structures, each with the reasons for it.

Coordinates are those of the prototype but for the cell's scale and the bonds inside isolated
polyhedra (:mod:`.lattice_scaling`). A change of charge can be made up by mobile ions: taken from
the mobile sites, or put on mobile sites that the prototype leaves empty; which ones is decided by
the electrostatic energy of formal charges (:mod:`ionsieve.data.ordering`). Nothing is relaxed, and
nothing here says that a candidate is stable.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import gcd

import numpy as np

from ...data.disorder.ordering import ordered_cells
from ...data.embedded.prototypes import Prototype, expand
from ...data.errors import StructureError
from ...data.records import SiteSpecies, StructureRecord
from ...data.store.duplicates import Shape, same_structure, shape_of
from ...features.core.neighbors import neighbor_list
from .plausibility import SHORT_CONTACT, Variant, covalent_radius_A, judge
from .prototypes import record_of
from .rules import Refused, Species, Substitution, SubstitutionRules, substitutions
from .template import Template

_REACH_A = 4.0
"""Beyond the longest distance that two radii can forbid."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """One candidate and what speaks for it."""

    record: StructureRecord
    prototype: Prototype
    substitution: Substitution
    volume_factor: float
    """Volume over that of the prototype."""
    mobile_change: int
    """Mobile ions per primitive cell of the prototype, new minus old."""

    @property
    def why(self) -> str:
        """The reasons in one line."""
        chosen = self.substitution
        parts = [
            "probability not tabulated"
            if math.isnan(chosen.probability)
            else f"data-mined probability {chosen.probability:.1e}",
            f"radii within {chosen.radius_mismatch_A:.2f} Å",
            f"volume {self.volume_factor:.2f} of the prototype's",
        ]
        if self.mobile_change:
            what = "added on empty sites" if self.mobile_change > 0 else "taken out"
            parts.append(f"{abs(self.mobile_change)} mobile ions a cell {what} for neutrality")
        return "; ".join(parts)


@dataclass
class DesignResult:
    """Candidates, best probability first, and everything refused."""

    designs: list[Design] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    @property
    def refused_by_kind(self) -> dict[str, int]:
        """Number refused by kind of reason, most frequent first."""
        counts: dict[str, int] = defaultdict(int)
        for entry in self.refused:
            counts[entry.reason.split(":", 1)[0]] += 1
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def design(
    templates: Iterable[Template],
    rules: SubstitutionRules,
    on_progress: Callable[[int], None] | None = None,
) -> DesignResult:
    """Apply the rules to every template.

    Parameters
    ----------
    templates : iterable of Template
    rules : SubstitutionRules
    on_progress : callable, optional
        Called with the number of substitutions looked at.

    Returns
    -------
    DesignResult
        In a fixed order; of equal structures the most probable one is kept.
    """
    result = DesignResult()
    found: list[Design] = []
    templates = list(templates)
    tried = 0
    for template in templates:
        for item in substitutions(template.prototype, rules):
            tried += 1
            if on_progress:
                on_progress(tried)
            made = item if isinstance(item, Refused) else _made(template, item, rules)
            if isinstance(made, Refused):
                result.refused.append(made)
            else:
                found.append(made)
    found.sort(key=lambda d: (-_rank(d), d.prototype.name, d.record.id))
    result.designs, twins = _unique(found, [_source(t.prototype) for t in templates])
    result.refused += twins
    return result


def _rank(made: Design) -> float:
    probability = made.substitution.probability
    return -1.0 if math.isnan(probability) else round(probability, 12)


def _source(prototype: Prototype) -> StructureRecord:
    return expand(prototype, prototype.default_elements)


def _made(template: Template, chosen: Substitution, rules: SubstitutionRules) -> Design | Refused:
    """One substitution as a structure, or why not."""
    prototype = template.prototype
    name = f"{prototype.name}_{prototype.formula_of(chosen.assignment.elements)}"
    judged = judge(prototype, chosen.assignment, compensated=bool(chosen.charge))
    if isinstance(judged, str):
        return Refused(name, chosen.text, judged)
    record = record_of(judged)
    if not chosen.charge:
        return Design(
            record=record,
            prototype=prototype,
            substitution=chosen,
            volume_factor=judged.scaling.volume_factor,
            mobile_change=0,
        )
    return _compensated(template, judged, record, chosen, rules)


def _compensated(
    template: Template,
    candidate: Variant,
    record: StructureRecord,
    chosen: Substitution,
    rules: SubstitutionRules,
) -> Design | Refused:
    """Take out or add mobile ions until the cell is neutral."""
    prototype = template.prototype
    labels = prototype.primitive.labels
    mobile = [n for n, label in prototype.labels.items() if label.role == "mobile"]
    sites = [i for i, name in enumerate(labels) if name in mobile]
    state = chosen.assignment.charges[mobile[0]]
    total = sum(chosen.assignment.charges[name] for name in labels)
    wanted = len(sites) - total // state
    reason = _against_change(template, len(sites), wanted, total % state, rules)
    if not reason:
        try:
            filled = _filled(template, record, sites, wanted, Species(rules.mobile, state))
            reason = _short(filled)
        except StructureError as error:
            reason = f"no order of the mobile ions: {error}"
    if reason:
        name = f"{prototype.name}_{prototype.formula_of(chosen.assignment.elements)}"
        return Refused(name, chosen.text, reason)
    named = replace(filled, id=f"{prototype.name}_{_formula(filled)}")
    factor = candidate.scaling.volume_factor
    return Design(
        record=named,
        prototype=prototype,
        substitution=chosen,
        volume_factor=factor,
        mobile_change=wanted - len(sites),
    )


def _against_change(
    template: Template, present: int, wanted: int, rest: int, rules: SubstitutionRules
) -> str:
    if rest:
        return "mobile ions: their charge cannot make up for the change"
    if wanted < 1 or abs(wanted - present) > rules.max_mobile_change * present:
        return (
            f"mobile ions: {wanted} wanted for {present} in the cell, a change of more than "
            f"{rules.max_mobile_change:.0%}"
        )
    if wanted > present + len(template.vacant_frac):
        return (
            f"mobile ions: {wanted - present} more wanted, and the prototype has "
            f"{len(template.vacant_frac)} empty mobile sites"
        )
    return ""


def _filled(
    template: Template, record: StructureRecord, sites: list[int], wanted: int, mobile: Species
) -> StructureRecord:
    """The wanted number of mobile ions on the sites, with the lowest electrostatic energy."""
    room = template.vacant_frac if wanted > len(sites) else np.zeros((0, 3))
    content = (
        SiteSpecies(mobile.element, wanted / (len(sites) + len(room)), float(mobile.charge)),
    )
    species = [content if i in sites else c for i, c in enumerate(record.species)]
    partial = replace(
        record, species=(*species, *[content] * len(room)), frac=np.vstack([record.frac, room])
    )
    found = ordered_cells(partial, 1)[0].record
    return replace(found, id=record.id)


def _short(record: StructureRecord) -> str:
    """Reason if mobile ions that were put on empty sites come too close to others.

    Covalent radii throughout: ions on empty sites have neighbours of both signs.
    """
    pairs = neighbor_list(record.lattice, record.frac, _REACH_A)
    symbols = [content[0].element for content in record.species]
    radii = np.array([covalent_radius_A(symbol) for symbol in symbols])
    limit = SHORT_CONTACT * (radii[pairs.center] + radii[pairs.neighbor])
    worst = int(np.argmin(pairs.distance_A / limit))
    if pairs.distance_A[worst] >= limit[worst]:
        return ""
    a, b = symbols[pairs.center[worst]], symbols[pairs.neighbor[worst]]
    return f"short contact: {a}–{b} {pairs.distance_A[worst]:.2f} Å, below {limit[worst]:.2f} Å"


def _formula(record: StructureRecord) -> str:
    """Formula unit, elements in the order of their sites; safe as part of a file name."""
    counts: dict[str, int] = {}
    for content in record.species:
        counts[content[0].element] = counts.get(content[0].element, 0) + 1
    divisor = gcd(*counts.values())
    return "".join(f"{e}{n // divisor if n > divisor else ''}" for e, n in counts.items())


def _unique(
    found: Sequence[Design], sources: Sequence[StructureRecord]
) -> tuple[list[Design], list[Refused]]:
    """Of equal structures the first; names made unique; the prototypes themselves left out."""
    seen: dict[str, list[tuple[str, Shape]]] = defaultdict(list)
    for source in sources:
        shape = shape_of(source)
        seen[shape.key].append((f"the prototype {source.id}", shape))
    kept: list[Design] = []
    twins: list[Refused] = []
    names: dict[str, int] = defaultdict(int)
    for made in found:
        shape = shape_of(made.record)
        others = seen[shape.key] if shape.key else []
        twin = next((name for name, other in others if same_structure(other, shape)), None)
        if twin:
            twins.append(
                Refused(made.record.id, made.substitution.text, f"duplicate: same as {twin}")
            )
            continue
        names[made.record.id] += 1
        if names[made.record.id] > 1:
            record = replace(made.record, id=f"{made.record.id}-{names[made.record.id]}")
            made = replace(made, record=record)
        others.append((made.record.id, shape))
        kept.append(made)
    return kept, twins
