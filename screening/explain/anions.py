"""The isolated anions, net and cages of one structure, for people: equal anions are one line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from ...data.elements import ATOMIC_NUMBER
from ...data.errors import FeatureError
from ...features.core.elements import slater_radii_A
from ...features.core.prepared import PreparedStructure
from ...features.isolated.definition import find_isolated_anions
from ...features.isolated.net import isolated_nets
from ...features.isolated_anions import IsolatedAnion, isolated_anions


@dataclass(frozen=True, kw_only=True)
class AnionGroup:
    """Isolated anions that are alike in everything shown.

    Attributes
    ----------
    count : int
        Sites in the cell given.
    margin : float
        Smallest distance to a framework cation over the covalent radius sum; infinite without one.
    is_ambiguous : bool
        Margin between 1.15 and 1.40.
    ewald_site_energy_eV : float, eV
        None where the cell is not neutral.
    """

    element: str
    count: int
    occupancy: float
    oxidation_state: float
    site_symmetry: str
    margin: float
    is_ambiguous: bool
    nearest_framework_cation_A: float
    mobile_coordination: float
    ewald_site_energy_eV: float | None


@dataclass(frozen=True, kw_only=True)
class Net:
    """The net of the isolated anions of one element, or of all (``element`` empty).

    Attributes
    ----------
    critical_A : float or None, Å
        2 (r_mobile + r_X), at which cages touch; of all together each pair has its own.
    cage_radius_A : float or None, Å
        r_mobile + r_X.
    dimension : int
        In how many dimensions the net is endless at the critical distance.
    cage_score : float
        Above 1, cages overlap throughout the crystal.
    """

    element: str
    critical_A: float | None
    cage_radius_A: float | None
    nearest_A: float
    percolation_3d_A: float
    dimension: int
    cage_score: float


def anion_groups(prepared: PreparedStructure) -> tuple[AnionGroup, ...]:
    """Isolated anions by element and surroundings, most strongly bound first."""
    counts = Counter(map(_group_of_one, isolated_anions(prepared)))
    groups = [replace(group, count=n) for group, n in counts.items()]
    return tuple(sorted(groups, key=lambda g: (_order(g.ewald_site_energy_eV), g.element)))


def _group_of_one(anion: IsolatedAnion) -> AnionGroup:
    """Rounded beyond what coordinates from a file are worth, so that equivalent sites agree."""
    energy = anion.ewald_site_energy_eV
    return AnionGroup(
        element=anion.element,
        count=1,
        occupancy=round(anion.occupancy, 3),
        oxidation_state=round(anion.oxidation_state, 2),
        site_symmetry=anion.site_symmetry,
        margin=round(anion.margin, 2),
        is_ambiguous=anion.is_ambiguous,
        nearest_framework_cation_A=round(anion.nearest_framework_cation_A, 2),
        mobile_coordination=round(anion.mobile_coordination, 2),
        ewald_site_energy_eV=None if np.isnan(energy) else round(energy, 2),
    )


def _order(energy: float | None) -> float:
    return np.inf if energy is None else energy


def n_ambiguous_bonded(prepared: PreparedStructure) -> int:
    """Anions taken for bonded although their margin, 1.15 to 1.40, leaves it open."""
    found = find_isolated_anions(prepared)
    return int((found.is_ambiguous & ~found.is_isolated).sum())


def nets(prepared: PreparedStructure) -> tuple[Net, ...]:
    """All isolated anions together, then by element; empty without any or without their radii."""
    try:
        found = isolated_nets(prepared)
    except FeatureError:
        return ()
    radii = slater_radii_A()
    result = []
    for element, net in found.items():
        cage = None
        if element:
            mobile = ATOMIC_NUMBER[prepared.roles.mobile]
            cage = float(radii[mobile] + radii[ATOMIC_NUMBER[element]])
        result.append(
            Net(
                element=element,
                critical_A=None if cage is None else 2 * cage,
                cage_radius_A=cage,
                nearest_A=net.nearest_A,
                percolation_3d_A=net.percolation_3d_A,
                dimension=net.dimension,
                cage_score=net.cage_score,
            )
        )
    return tuple(result)
