"""Which elements may take which label: pools by charge and coordination, Shannon radii.

A pool lists elements that are known in solids with that charge and coordination number. Left out
everywhere: noble gases, H and C (their compounds are molecular), radioactive elements (Tc, Pm,
Po, At and beyond, Ac and beyond), the platinum metals, Re, Os and Au (too rare to screen for), and
Be, Hg and Tl (volatile or so toxic that nobody would make a battery of them). As, Cd and Pb are
toxic too but kept: known conductors contain them; leave them out by ``exclude``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Final, NamedTuple

from ...data.embedded.prototypes import Prototype, SiteLabel
from ...data.errors import InputError

MOBILE_SPECIES: Final[tuple[str, ...]] = ("Li", "Na", "K", "Ag", "Cu")
"""Monovalent ions whose conduction can be screened."""


class Pool(NamedTuple):
    """Elements interchangeable at one charge in a range of coordination numbers."""

    charge: int
    coordination: tuple[int, int]
    elements: tuple[str, ...]


_LANTHANIDES: Final[tuple[str, ...]] = (
    "La", "Ce", "Pr", "Nd", "Sm", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu",
)  # fmt: skip
"""Without Eu, which is divalent beside all but the smallest anions, and radioactive Pm."""

CATION_POOLS: Final[tuple[Pool, ...]] = (
    Pool(5, (4, 4), ("P", "As", "Sb", "V", "Nb", "Ta")),
    Pool(5, (6, 6), ("Sb", "Nb", "Ta")),
    Pool(4, (3, 4), ("Si", "Ge", "Sn", "Ti", "Zr", "Hf")),
    Pool(4, (6, 6), ("Ge", "Sn", "Ti", "Zr", "Hf")),
    Pool(3, (2, 3), ("B",)),
    # A stereochemically active lone pair is kept: these three only replace each other.
    Pool(3, (3, 3), ("As", "Sb", "Bi")),
    Pool(3, (4, 4), ("Al", "Ga", "In", "Fe")),
    Pool(3, (6, 6), ("Al", "Ga", "In", "Sc", "Y", "Ti", "V", "Cr", "Fe", "Bi", *_LANTHANIDES)),
    Pool(3, (8, 8), ("La", "Pr", "Nd", "Sm", "Gd")),
    Pool(2, (4, 4), ("Mg", "Mn", "Fe", "Co", "Zn", "Cd")),
    Pool(2, (6, 6), ("Mg", "Ca", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Zn", "Cd")),
    Pool(2, (8, 8), ("Ca", "Sr", "Ba", "Eu", "Pb")),
)

ANIONS: Final[Mapping[int, tuple[str, ...]]] = {
    -1: ("F", "Cl", "Br", "I"),
    -2: ("O", "S", "Se", "Te"),
    -3: ("N", "P", "As"),
}

PNICTIDE_RADIUS_A: Final[Mapping[str, float]] = {"P": 2.12, "As": 2.22}
"""Pauling's crystal radii of P3− and As3− (The Nature of the Chemical Bond, 3rd ed., 1960,
Table 13-3), which Shannon does not list."""


@dataclass(frozen=True)
class Assignment:
    """One choice of element and formal charge for every label of a prototype."""

    elements: Mapping[str, str]
    charges: Mapping[str, int]

    def total_charge(self, prototype: Prototype) -> int:
        """Formal charge per formula unit, units of e."""
        return sum(self.charges[n] * label.count for n, label in prototype.labels.items())


def assignments(
    prototype: Prototype, mobile: str = "Li", exclude: Collection[str] = ()
) -> Iterator[Assignment]:
    """Every choice of elements that the pools offer, charge neutral or not, in a fixed order.

    Labels whose source element is the same anion take the same element, so that a sulfide becomes
    a selenide as a whole. A label pair listed under the prototype's ``charge_exchange`` is free of
    that and also offered the neighbouring charge: the caller keeps the neutral ones.

    Parameters
    ----------
    prototype : Prototype
    mobile : str
        Element on the mobile label, one of ``MOBILE_SPECIES``.
    exclude : collection of element symbols
        Elements never used.

    Raises
    ------
    InputError
        If ``mobile`` is not a monovalent ion offered here.
    """
    if mobile not in MOBILE_SPECIES:
        raise InputError(f"mobile species {mobile!r} is not one of {', '.join(MOBILE_SPECIES)}")
    groups = _tied_labels(prototype)
    choices = [
        [s for s in _options(prototype, group[0], mobile) if s[0] not in exclude]
        for group in groups
    ]
    for species in product(*choices):
        chosen = {n: s for group, s in zip(groups, species, strict=True) for n in group}
        yield Assignment(
            {name: chosen[name][0] for name in prototype.labels},
            {name: chosen[name][1] for name in prototype.labels},
        )


def allowed_elements(label: SiteLabel, charge: int) -> tuple[str, ...]:
    """Elements that may take a label at a charge; the source's own element is always among them.

    Parameters
    ----------
    label : SiteLabel
    charge : int
        Formal charge, units of e; may differ from the label's own by a charge exchange.
    """
    if charge < 0:
        return ANIONS.get(charge, ())
    fitting = [
        pool.elements
        for pool in CATION_POOLS
        if pool.charge == charge
        and pool.coordination[0] <= (label.coordination or 0) <= pool.coordination[1]
        and (charge != label.oxidation or label.element in pool.elements)
    ]
    own = (label.element,) if charge == label.oxidation else ()
    return tuple(dict.fromkeys((*own, *(e for pool in fitting for e in pool))))


@cache
def ionic_radius_A(element: str, charge: int, coordination: int) -> float | None:
    """Shannon ionic radius (Acta Cryst. A32, 751, 1976), high spin, at the nearest coordination.

    Parameters
    ----------
    element : str
    charge : int
        Formal charge, units of e.
    coordination : int
        Coordination number wanted; the closest tabulated one is taken, the larger on a tie.

    Returns
    -------
    float or None
        Å; None where the element is not tabulated with this charge.
    """
    if charge == -3 and element in PNICTIDE_RADIUS_A:
        return PNICTIDE_RADIUS_A[element]
    from pymatgen.core import Element

    table = Element(element).data["Shannon radii"].get(str(charge), {})
    known = {_ROMAN[key]: spins for key, spins in table.items() if key in _ROMAN}
    if not known:
        return None
    closest = min(known, key=lambda number: (abs(number - coordination), -number))
    return max(float(spin["ionic_radius"]) for spin in known[closest].values())


_ROMAN: Final[dict[str, int]] = {
    "II": 2, "III": 3, "IIIPY": 3, "IV": 4, "IVSQ": 4, "IVPY": 4, "V": 5, "VI": 6, "VII": 7,
    "VIII": 8, "IX": 9, "X": 10, "XI": 11, "XII": 12, "XIV": 14,
}  # fmt: skip


def _tied_labels(prototype: Prototype) -> list[list[str]]:
    """Groups of labels that take one element together."""
    free = {name for pair in prototype.charge_exchange for name in pair}
    groups: dict[object, list[str]] = {}
    for name, label in prototype.labels.items():
        tied = label.oxidation < 0 and name not in free
        groups.setdefault(label.element if tied else ("free", name), []).append(name)
    return list(groups.values())


def _options(prototype: Prototype, name: str, mobile: str) -> list[tuple[str, int]]:
    """(element, charge) choices of one label, the source's own charge first."""
    label = prototype.labels[name]
    if label.role == "mobile":
        return [(mobile, label.oxidation)]
    charges = [label.oxidation]
    for cation, anion in prototype.charge_exchange:
        if name in (cation, anion):
            charges.append(label.oxidation + (1 if name == anion else -1))
    return [(element, q) for q in charges for element in allowed_elements(label, q)]
