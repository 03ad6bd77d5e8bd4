"""Stability against the mobile metal, and the voltage window, from the energies of a phase diagram.

The reduction and oxidation limits follow from energies as in Zhu, He & Mo 2015
(10.1021/acsami.5b07517), here for the compound itself rather than for what it decomposes to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from ..errors import FeatureError

if TYPE_CHECKING:
    from pymatgen.analysis.phase_diagram import PDEntry

_SAME_AMOUNT: Final[float] = 1e-6


@dataclass(frozen=True, kw_only=True)
class VoltageStep:
    """One plateau of the voltage profile.

    Attributes
    ----------
    voltage_V : float
        Against the mobile metal.
    metal_from, metal_to : float
        Mobile atoms per atom of the compound between which the plateau lies.
    phases : tuple of str
        Phases at its upper end, with the most metal.
    """

    voltage_V: float
    metal_from: float
    metal_to: float
    phases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
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
    profile : tuple of VoltageStep
        Plateaus from the metal-free host to what is in equilibrium with the metal, the highest
        voltage first.
    """

    formula: str
    energy_above_hull_eV_atom: float
    reduction_limit_V: float
    oxidation_limit_V: float
    reaction_energy_eV_atom: float
    metal_uptake: float
    products: tuple[str, ...]
    profile: tuple[VoltageStep, ...]

    def profile_text(self) -> str:
        """Plateaus in one line, such as ``0.53 V: Li2S + Li3N``, the highest voltage first."""
        return "; ".join(f"{s.voltage_V:.3f} V: {' + '.join(s.phases)}" for s in self.profile)


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

    try:
        diagram = PhaseDiagram([*entries, PDEntry(compound.composition, compound.energy)])
    except ValueError as error:
        raise FeatureError(
            f"{compound.composition.reduced_formula}: entries do not span it ({error})"
        ) from error
    return stability_on(diagram, compound, mobile)


def stability_on(diagram: Any, compound: PDEntry, mobile: str = "Li") -> MetalStability:
    """As :func:`metal_stability`, on a pymatgen ``PhaseDiagram`` that holds the compound.

    Raises
    ------
    FeatureError
        If it is no compound of the mobile species.
    """
    from pymatgen.core import Composition, Element

    metal = Element(mobile)
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

    def phases(x: float) -> tuple[str, ...]:
        mixture = host + Composition({metal: x})
        names = (e.composition.reduced_formula for e in diagram.get_decomposition(mixture))
        return tuple(sorted(names))

    return MetalStability(
        formula=whole.reduced_formula,
        energy_above_hull_eV_atom=float(diagram.get_e_above_hull(compound, check_stable=False)),
        reduction_limit_V=max((slope for slope, x in slopes if x > x0), default=0.0),
        oxidation_limit_V=min((slope for slope, x in slopes if x < x0), default=float("inf")),
        reaction_energy_eV_atom=(e_full - e0) / n,
        metal_uptake=uptake if uptake > _SAME_AMOUNT else 0.0,
        products=phases(max(x_full, x0)),
        profile=tuple(
            VoltageStep(
                voltage_V=(low_e - high_e) / (high_x - low_x),
                metal_from=low_x / n,
                metal_to=high_x / n,
                phases=phases(high_x),
            )
            for (low_x, low_e), (high_x, high_e) in pairwise(kinks)
            if high_x - low_x > _SAME_AMOUNT * n
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
