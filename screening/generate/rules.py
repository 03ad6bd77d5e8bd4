"""Rules of a substitution design: which species may take which label, and how likely that is.

Two rules offer species. ``mined``: all ions of the data-mined table of Hautier et al. (Inorg. Chem.
50, 656 (2011), 10.1021/ic102031h, pymatgen's ``SubstitutionProbability``). ``pools``: the lists of
:mod:`.substitution`, element by charge and coordination. Either way radius, probability and charge
decide which of them are used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Any, Final, Literal, NamedTuple, get_args

from ...data.elements import ATOMIC_NUMBER
from ...data.embedded.prototypes import Prototype, SiteLabel
from ...data.errors import InputError
from .substitution import MOBILE_SPECIES, Assignment, allowed_elements, ionic_radius_A

Rule = Literal["mined", "pools"]

NOT_OFFERED: Final[frozenset[str]] = frozenset({
    "H", "C", "He", "Ne", "Ar", "Kr", "Xe", "Rn", "Tc", "Pm", "Po", "At", "Fr", "Ra", "Ac", "Th",
    "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Ru", "Rh", "Pd", "Os", "Ir", "Pt", "Re", "Au",
    "Be", "Hg", "Tl",
})  # fmt: skip
"""Used only when named: molecular, radioactive, too rare or too toxic (:mod:`.substitution`)."""


class Species(NamedTuple):
    """An element with its formal charge."""

    element: str
    charge: int

    def __str__(self) -> str:
        size = abs(self.charge) if abs(self.charge) > 1 else ""
        return f"{self.element}{size}{'+' if self.charge > 0 else '-'}"


@dataclass(frozen=True, kw_only=True)
class SubstitutionRules:
    """What may be substituted.

    Parameters
    ----------
    mobile : str
        Mobile species of the candidates; put on the mobile label of every prototype.
    rule : {'mined', 'pools'}
        Where species come from (see the module).
    elements, exclude : tuple of str
        Only these; never these. Empty ``elements``: any but :data:`NOT_OFFERED`.
    sites : tuple of str
        Labels (``M``, ``Y2``) or elements of the prototype that may change; empty: all.
    separate_sites : bool
        Labels of one species change one by one; otherwise together, as a sulfide becomes a
        selenide.
    max_substitutions : int
        Species changed at once, the mobile one not counted.
    min_probability : float
        Smallest data-mined probability of the whole substitution.
    max_radius_mismatch_A : float
        Largest difference of Shannon radii, old and new, Å.
    aliovalent : bool
        Let the number of mobile ions make up for a change of charge.
    max_mobile_change : float
        Largest share of the mobile ions that may be added or taken for it.
    max_combinations : int
        More combinations than this are an error, not a long wait.
    """

    mobile: str = "Li"
    rule: Rule = "mined"
    elements: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    separate_sites: bool = False
    max_substitutions: int = 2
    min_probability: float = 1e-4
    max_radius_mismatch_A: float = 0.45
    aliovalent: bool = False
    max_mobile_change: float = 0.5
    max_combinations: int = 20_000

    def __post_init__(self) -> None:
        if self.mobile not in MOBILE_SPECIES:
            raise InputError(
                f"mobile species {self.mobile!r} is not one of {', '.join(MOBILE_SPECIES)}"
            )
        if self.rule not in get_args(Rule):
            raise InputError(f"rule {self.rule!r}: use one of {', '.join(get_args(Rule))}")
        if strange := [e for e in (*self.elements, *self.exclude) if e not in ATOMIC_NUMBER]:
            raise InputError(f"{strange[0]!r} is no element; give symbols, such as Si")
        for name, low, high in (
            ("max_substitutions", 1, 10),
            ("min_probability", 0, 1),
            ("max_radius_mismatch_A", 0, 5),
            ("max_mobile_change", 0, 1),
            ("max_combinations", 1, 10_000_000),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} {getattr(self, name)}: must be from {low} to {high}")


class Refused(NamedTuple):
    """Something the rules do not allow."""

    id: str
    substitution: str
    reason: str
    """``KIND: DETAIL``."""


@dataclass(frozen=True, kw_only=True)
class Substitution:
    """One choice of species for all labels, with what speaks for it."""

    assignment: Assignment
    changes: tuple[tuple[Species, Species], ...]
    """Old and new species, the mobile one included where it changes."""
    probability: float
    """Data-mined, NaN where a species is not in the table."""
    radius_mismatch_A: float
    """Largest over the changed labels, the mobile one not counted."""
    charge: int
    """Per formula unit, to be made up by mobile ions."""

    @property
    def text(self) -> str:
        """Such as ``P5+→Si4+, Cl-→Br-``."""
        return ", ".join(f"{old}→{new}" for old, new in self.changes) or "none"


def substitutions(
    prototype: Prototype, rules: SubstitutionRules
) -> Iterator[Substitution | Refused]:
    """Every substitution that the rules consider, allowed or refused with its reason.

    Parameters
    ----------
    prototype : Prototype
    rules : SubstitutionRules

    Raises
    ------
    InputError
        If ``sites`` names nothing of the prototype, or the combinations are too many.
    """
    groups = _groups(prototype, rules)
    options: list[list[Species]] = []
    for group in groups:
        allowed: list[Species] = []
        for species, reason in _offered(prototype, group, rules):
            if reason:
                old = _species(prototype.labels[group[0]])
                yield Refused(f"{prototype.name}:{'+'.join(group)}", f"{old}→{species}", reason)
            else:
                allowed.append(species)
        options.append(allowed)
    _check_number(prototype, [len(allowed) for allowed in options], rules)
    for number in range(0 if _mobile_changes(prototype, rules) else 1, rules.max_substitutions + 1):
        for chosen in combinations(range(len(groups)), number):
            for taken in product(*(options[k] for k in chosen)):
                changed = {n: s for k, s in zip(chosen, taken, strict=True) for n in groups[k]}
                yield _judged(prototype, changed, rules)


def radius_A(label: SiteLabel, species: Species) -> float | None:
    """Shannon radius of a species on a label, Å; anions six-fold, mobile ions four-fold."""
    number = label.coordination or (6 if species.charge < 0 else 4)
    return ionic_radius_A(species.element, species.charge, number)


def probability(changes: Mapping[Species, Species] | list[tuple[Species, Species]]) -> float:
    """Product of the conditional probabilities of all species, unchanged ones included.

    As ``SubstitutionProbability.cond_prob_list`` of pymatgen, on which its ``Substitutor`` puts
    its threshold. NaN where a species is not in the table.
    """
    pairs = changes.items() if isinstance(changes, Mapping) else changes
    table = _table()
    found = 1.0
    for old, new in pairs:
        a, b = _as_pymatgen(new), _as_pymatgen(old)
        if a not in table.species or b not in table.species:
            return math.nan
        found *= float(table.cond_prob(a, b))
    return found


@cache
def _table() -> Any:
    from pymatgen.core.structure_prediction.substitution_probability import (
        SubstitutionProbability,
    )

    return SubstitutionProbability()


@cache
def _as_pymatgen(species: Species) -> Any:
    from pymatgen.core import Species as PymatgenSpecies

    return PymatgenSpecies(species.element, species.charge)


@cache
def _mined() -> tuple[Species, ...]:
    """Ions of the data-mined table, in the order of charge and atomic number."""
    found = [Species(s.symbol, int(s.oxi_state)) for s in _table().species]
    return tuple(sorted(found, key=lambda s: (s.charge, ATOMIC_NUMBER[s.element])))


def _species(label: SiteLabel) -> Species:
    return Species(label.element, label.oxidation)


def _groups(prototype: Prototype, rules: SubstitutionRules) -> list[list[str]]:
    """Labels that change together."""
    known = {*prototype.labels, *(label.element for label in prototype.labels.values())}
    if unknown := [site for site in rules.sites if site not in known]:
        raise InputError(
            f"{prototype.name}: no site {unknown[0]!r}; its labels are "
            + ", ".join(f"{n} ({_species(label)})" for n, label in prototype.labels.items())
        )
    groups: dict[object, list[str]] = {}
    for name, label in prototype.labels.items():
        named = not rules.sites or name in rules.sites or label.element in rules.sites
        if label.role != "mobile" and named:
            # A label that was named by itself is wanted by itself.
            alone = rules.separate_sites or name in rules.sites
            groups.setdefault(name if alone else _species(label), []).append(name)
    return list(groups.values())


def _offered(
    prototype: Prototype, group: list[str], rules: SubstitutionRules
) -> Iterator[tuple[Species, str]]:
    """Species of the rule for a group of labels, each with the reason against it or nothing."""
    labels = [prototype.labels[name] for name in group]
    old = _species(labels[0])
    for species in _candidates(labels[0], rules):
        if species.element in (old.element, rules.mobile):
            continue
        if species.element in rules.exclude or (
            not rules.elements and species.element in NOT_OFFERED
        ):
            yield species, "element excluded: never used unless named"
        elif rules.elements and species.element not in rules.elements:
            yield species, "element excluded: not among the elements asked for"
        elif species.charge != old.charge and not _may_change_charge(prototype, rules):
            yield species, f"charge: {species.charge:+d} for {old.charge:+d}"
        else:
            yield species, _against_radius(labels, species, rules)


def _candidates(label: SiteLabel, rules: SubstitutionRules) -> list[Species]:
    sign = 1 if label.oxidation > 0 else -1
    if rules.rule == "mined":
        return [s for s in _mined() if s.charge * sign > 0]
    charges = [q for q in range(sign, 7 * sign, sign) if abs(q - label.oxidation) <= 1]
    return [Species(e, q) for q in charges for e in allowed_elements(label, q)]


def _may_change_charge(prototype: Prototype, rules: SubstitutionRules) -> bool:
    """By mobile ions, or by another label that changes at the same time."""
    return rules.aliovalent or (rules.max_substitutions > 1 and len(prototype.labels) > 2)


def _against_radius(labels: list[SiteLabel], species: Species, rules: SubstitutionRules) -> str:
    mismatch = max(_mismatch(label, species) for label in labels)
    if math.isnan(mismatch):
        return f"no ionic radius: {species}"
    if mismatch > rules.max_radius_mismatch_A:
        return (
            f"radius mismatch: {mismatch:.2f} Å between {_species(labels[0])} and {species}, "
            f"more than {rules.max_radius_mismatch_A:g} Å"
        )
    return ""


def _mismatch(label: SiteLabel, species: Species) -> float:
    old, new = radius_A(label, _species(label)), radius_A(label, species)
    return math.nan if old is None or new is None else abs(new - old)


def _mobile_changes(prototype: Prototype, rules: SubstitutionRules) -> bool:
    return any(
        label.role == "mobile" and label.element != rules.mobile
        for label in prototype.labels.values()
    )


def _check_number(prototype: Prototype, sizes: list[int], rules: SubstitutionRules) -> None:
    total = sum(
        math.prod(chosen)
        for number in range(1, rules.max_substitutions + 1)
        for chosen in combinations(sizes, number)
    )
    if total > rules.max_combinations:
        raise InputError(
            f"{prototype.name}: {total:,} combinations, more than {rules.max_combinations:,}; "
            "name elements or sites, lower max_substitutions or max_radius_mismatch_A, or raise "
            "max_combinations"
        )


def _judged(
    prototype: Prototype, changed: Mapping[str, Species], rules: SubstitutionRules
) -> Substitution | Refused:
    chosen = {}
    for name, label in prototype.labels.items():
        mobile = Species(rules.mobile, label.oxidation)
        chosen[name] = mobile if label.role == "mobile" else changed.get(name, _species(label))
    # Unchanged species count: pymatgen's threshold is on all of them.
    pairs = list(dict.fromkeys((_species(prototype.labels[n]), s) for n, s in chosen.items()))
    assignment = Assignment(
        {n: s.element for n, s in chosen.items()}, {n: s.charge for n, s in chosen.items()}
    )
    found = Substitution(
        assignment=assignment,
        changes=tuple(pair for pair in pairs if pair[0] != pair[1]),
        probability=probability(pairs),
        radius_mismatch_A=max(
            (_mismatch(prototype.labels[n], s) for n, s in changed.items()), default=0.0
        ),
        charge=assignment.total_charge(prototype),
    )
    if reason := _against(found, rules):
        name = f"{prototype.name}_{prototype.formula_of(assignment.elements)}"
        return Refused(name, found.text, reason)
    return found


def _against(found: Substitution, rules: SubstitutionRules) -> str:
    if found.charge and not rules.aliovalent:
        return f"not charge neutral: {found.charge:+d} per formula unit"
    if found.probability < rules.min_probability:
        return f"probability: {found.probability:.1e}, below {rules.min_probability:g}"
    if rules.rule == "mined" and math.isnan(found.probability):
        return "probability: a species is not in the data-mined table; use the rule 'pools'"
    return ""
