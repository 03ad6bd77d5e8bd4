"""Compatibility with the alkali metal: the antistructure rule.

Yu 2024 (10.1021/jacs.4c02170): a compound in which every element but the mobile one sits at its
lowest valence has nothing left to reduce, so it is stable against the metal. The rule is
sufficient, not necessary. Where energies are known, :mod:`ionsieve.data.metal_window` has the
limits themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from ...data.elements import SYMBOLS
from ..core.columns import Column, Notes, Values
from ..core.prepared import PreparedStructure
from ..core.roles import MOBILE_SPECIES
from ..isolated.definition import ZINTL_ANIONS

_FAMILY = "li_metal"
_YU = "Yu 2024, 10.1021/jacs.4c02170"
_NEUTRALITY: Final[float] = 0.02

COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        "is_antistructure",
        "1",
        "1 where every element but the mobile one is an anion former, all at their lowest common "
        "valence make the compound neutral (within 2 % for refined occupancies), and not all of "
        "them are metals or metalloids (Zintl phases conduct electrons), else 0",
        _YU,
        _FAMILY,
        lower=0,
        upper=1,
        dtype="bool",
    ),
    Column(
        "lowest_valence_excess_e",
        "e/atom",
        "charge of the mobile ions plus that of all other elements at their lowest common valence "
        "(0 for metals), per atom: 0 for an antistructure, negative where elements can be reduced",
        _YU,
        _FAMILY,
    ),
)


@lru_cache(maxsize=256)
def lowest_valence(element: str) -> float:
    """Lowest common oxidation state of an element; 0 where it is a metal that none reduces below.

    Common states as in pymatgen, boron taken as reducible to 0.
    """
    from pymatgen.core import Element

    return float(min((*Element(element).common_oxidation_states, 0)))


def lowest_valence_charge(composition: Mapping[str, float], mobile: str = "Li") -> float:
    """Charge of a composition with the mobile species at +1 and all else at its lowest valence, e.

    Parameters
    ----------
    composition : mapping of str to float
        Atoms by element, in any normalisation.
    mobile : {'Li', 'Na', 'K', 'Ag', 'Cu'}
    """
    others = sum(n * lowest_valence(e) for e, n in composition.items() if e != mobile)
    return composition.get(mobile, 0.0) * MOBILE_SPECIES[mobile][0] + others


def is_antistructure(composition: Mapping[str, float], mobile: str = "Li") -> bool:
    """Antistructure rule of Yu 2024: everything but the mobile species at its lowest valence.

    Parameters
    ----------
    composition : mapping of str to float
        Atoms by element, in any normalisation.
    mobile : {'Li', 'Na', 'K', 'Ag', 'Cu'}

    Notes
    -----
    A metal can always be reduced further, so that its lowest valence is 0 and Li3InCl6 is none.
    Zintl phases (Li3Sb, Li3As) keep the rule and stand lithium, but conduct electrons: they are no
    electrolytes, and Yu 2024 means none of them.
    """
    others = [e for e, n in composition.items() if e != mobile and n > 0]
    if not others or any(lowest_valence(e) >= 0 for e in others):
        return False
    if all(e in ZINTL_ANIONS for e in others):
        return False
    charge = lowest_valence_charge(composition, mobile)
    return abs(charge) <= _NEUTRALITY * composition.get(mobile, 0.0)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Antistructure columns; see the catalogue for each."""
    atoms = prepared.atoms
    amounts = np.bincount(atoms.z, weights=atoms.occupancy)
    composition = {SYMBOLS[z - 1]: float(amounts[z]) for z in np.flatnonzero(amounts)}
    charge = lowest_valence_charge(composition, prepared.roles.mobile)
    return {
        "is_antistructure": is_antistructure(composition, prepared.roles.mobile),
        "lowest_valence_excess_e": charge / float(amounts.sum()),
    }
