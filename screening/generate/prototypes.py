"""Candidates by charge-neutral substitution into prototypes, as for Li8SiSe6 in Yang et al. 2025.

(npj Comput. Mater. 2025, 10.1038/s41524-025-01559-9.) Coordinates stay those of the prototype but
for the cell's scale and the bonds inside isolated polyhedra (:mod:`.lattice_scaling`). Such a
structure is a starting point for relaxation, not a prediction of stability. The plausibility rules
below remove what no relaxation would save.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from ...data.embedded.prototypes import Prototype, expand, load_prototypes
from ...data.records import Provenance, Quarantined, StructureRecord
from .lattice_scaling import contacts
from .plausibility import Variant, candidate_id, judge
from .substitution import Assignment, assignments


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
    kept: list[Variant] = []
    dropped: list[Quarantined] = []
    for prototype in prototypes:
        for assignment in assignments(prototype, mobile, exclude):
            judged = judge(prototype, assignment)
            if isinstance(judged, str):
                dropped.append(_quarantined(prototype, assignment, judged))
            else:
                kept.append(judged)
    unique, duplicates = _without_duplicates(kept)
    records = tuple(record_of(candidate) for candidate in unique)
    return GenerationResult(records, (*dropped, *duplicates))


def _without_duplicates(
    candidates: list[Variant],
) -> tuple[list[Variant], list[Quarantined]]:
    """Of equal structure type and formula keep the one whose source needed the least scaling."""
    best: dict[tuple[str, str], Variant] = {}
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


def _identity(candidate: Variant) -> tuple[str, str]:
    formula = candidate.prototype.formula_of(candidate.assignment.elements)
    return candidate.prototype.structure_type, formula


def _strain(candidate: Variant) -> float:
    return abs(math.log(candidate.scaling.volume_factor))


def _quarantined(prototype: Prototype, assignment: Assignment, reason: str) -> Quarantined:
    return Quarantined(candidate_id(prototype, assignment), prototype.name, "policy", reason)


def record_of(candidate: Variant) -> StructureRecord:
    """The structure of a candidate; the source's own elements give the source itself."""
    prototype = candidate.prototype
    if candidate.assignment.elements == prototype.default_elements:
        return expand(prototype, candidate.assignment.elements)
    record = expand(
        prototype,
        candidate.assignment.elements,
        charges=candidate.assignment.charges,
        volume_factor=candidate.scaling.volume_factor,
        provenance=Provenance(
            source=f"generated by substitution into {prototype.name}, "
            "cell scaled with DLS; not relaxed",
            licence=prototype.licence,
            note=f"prototype from: {prototype.source}",
        ),
    )
    # Fractional shifts are taken in the source's cell, where the bond vectors were measured.
    moved = (candidate.scaling.stretch - 1.0)[:, None] * contacts(prototype).bonds_A
    shifts = moved @ np.linalg.inv(prototype.primitive.lattice)
    return replace(record, frac=record.frac + shifts)
