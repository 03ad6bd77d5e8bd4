"""Compatibility with the alkali metal: the antistructure rule, and windows from phase diagrams.

Yu 2024 (10.1021/jacs.4c02170): a compound in which every element but the mobile one sits at its
lowest valence has nothing left to reduce, so it is stable against the metal. The rule is
sufficient, not necessary. With phase-diagram entries, the reduction and oxidation limits follow
from energies (as in Zhu, He & Mo 2015, 10.1021/acsami.5b07517).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..data.elements import SYMBOLS
from ..data.errors import FeatureError
from .catalogue import Column, Notes, Values
from .prepared import PreparedStructure
from .roles import MOBILE_SPECIES

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PDEntry

_FAMILY = "li_metal"
_YU = "Yu 2024, 10.1021/jacs.4c02170"
_NEUTRALITY: Final[float] = 0.02
_SAME_AMOUNT: Final[float] = 1e-6

COLUMNS: Final[tuple[Column, ...]] = (
    Column(
        "is_antistructure",
        "1",
        "1 where every element but the mobile one is an anion former, all at their lowest common "
        "valence make the compound neutral (within 2 % for refined occupancies), else 0",
        _YU,
        _FAMILY,
        0,
        1,
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
    """
    others = [e for e, n in composition.items() if e != mobile and n > 0]
    if not others or any(lowest_valence(e) >= 0 for e in others):
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


@dataclass(frozen=True)
class MetalStability:
    """Stability of a compound against the mobile metal and against losing it.

    Attributes
    ----------
    formula : str
    energy_above_hull_eV_atom : float
    reduction_limit_V, oxidation_limit_V : float
        Voltages against the metal between which no reaction that takes up or gives off the
        mobile species is favourable; 0 V: stable against the metal. Infinite oxidation limit:
        nothing to oxidise among the entries.
    reaction_energy_eV_atom : float
        Energy of full reaction with the metal per atom of the compound; 0 where none is taken up.
    metal_uptake : float
        Mobile atoms taken up in it per atom of the compound.
    products : tuple of str
        Phases in equilibrium with the metal.
    """

    formula: str
    energy_above_hull_eV_atom: float
    reduction_limit_V: float
    oxidation_limit_V: float
    reaction_energy_eV_atom: float
    metal_uptake: float
    products: tuple[str, ...]


def metal_stability(
    compound: PDEntry, entries: Iterable[PDEntry], mobile: str = "Li"
) -> MetalStability:
    """Voltage window and reaction with the mobile metal, from phase-diagram entries.

    Parameters
    ----------
    compound : pymatgen PDEntry or ComputedEntry
        Composition and energy, eV per formula; need not be on the hull.
    entries : iterable of such entries
        All competing phases, elements included.
    mobile : str
        Mobile species.

    Raises
    ------
    FeatureError
        If the entries lack the elemental phases of the compound.

    Notes
    -----
    With the other elements fixed, the hull energy E(x) is convex in the amount x of the mobile
    species, with kinks x_k. The limits are the extreme slopes from the compound (x_0, E_0) to
    kinks with less (oxidation) or more (reduction) of it. For a compound on the hull these are
    the limits of the grand potential diagram; for a metastable one they are those of the compound
    itself, not of what it would decompose to. One mobile atom carries one electron.
    """
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition, Element

    metal = Element(mobile)
    try:
        diagram = PhaseDiagram([*entries, PDEntry(compound.composition, compound.energy)])
    except ValueError as error:
        raise FeatureError(
            f"{compound.composition.reduced_formula}: entries do not span it ({error})"
        ) from error
    whole = compound.composition
    if metal not in whole or len(whole) == 1:
        raise FeatureError(f"{whole.reduced_formula}: not a compound of {mobile}")
    host = Composition({e: n for e, n in whole.items() if e != metal})
    kinks = _hull_kinks(diagram, host, metal)
    x0, n = float(whole[metal]), float(whole.num_atoms)
    e0 = float(compound.energy - diagram.get_reference_energy(whole))
    slopes = [((e - e0) / (x0 - x), x) for x, e in kinks if abs(x - x0) > _SAME_AMOUNT * n]
    x_full, e_full = kinks[-1]
    uptake = (x_full - x0) / n
    full = host + Composition({metal: max(x_full, x0)})
    return MetalStability(
        formula=whole.reduced_formula,
        energy_above_hull_eV_atom=float(diagram.get_e_above_hull(compound, check_stable=False)),
        reduction_limit_V=max((slope for slope, x in slopes if x > x0), default=0.0),
        oxidation_limit_V=min((slope for slope, x in slopes if x < x0), default=float("inf")),
        reaction_energy_eV_atom=(e_full - e0) / n,
        metal_uptake=uptake if uptake > _SAME_AMOUNT else 0.0,
        products=tuple(
            sorted(e.composition.reduced_formula for e in diagram.get_decomposition(full))
        ),
    )


def _hull_kinks(diagram: Any, host: Any, metal: Any) -> list[tuple[float, float]]:
    """Amount of metal and hull formation energy (eV) where the phases change, host fixed."""
    from pymatgen.core import Composition

    kinks = []
    for mixture in diagram.get_critical_compositions(host, Composition({metal: 1.0})):
        host_atoms = float(mixture.num_atoms - mixture[metal])
        if host_atoms < _SAME_AMOUNT:
            continue
        x = float(mixture[metal]) * float(host.num_atoms) / host_atoms
        here = host + Composition({metal: x})
        kinks.append((x, float(diagram.get_hull_energy(here) - diagram.get_reference_energy(here))))
    return sorted(kinks)
