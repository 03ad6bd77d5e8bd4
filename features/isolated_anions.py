"""The isolated anions of one structure, one record each, for reading and for plotting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.elements import SYMBOLS
from ..data.errors import FeatureError
from ..data.records import FloatArray
from .core.prepared import PreparedStructure, StructureLike, as_prepared
from .electrostatics.columns import site_energies_eV
from .isolated.definition import find_isolated_anions
from .isolated.site_symmetry import host_site_symmetry
from .similarity.compare import acsf_enrichment


@dataclass(frozen=True, kw_only=True)
class IsolatedAnion:
    """One isolated anion; a mixed site gives one record for each of its isolated species.

    Attributes
    ----------
    index : int
        Site in the structure given.
    element : str
    occupancy : float
    oxidation_state : float
        Formal charge, e.
    site_symmetry : str
        Point group (Schoenflies) of the site with the mobile ions removed, tolerance 0.1 Å and 5°.
    site_symmetry_order : float
    margin : float
        Smallest distance to a framework cation over the covalent radius sum; infinite without one.
    is_ambiguous : bool
        Margin within ``AMBIGUOUS`` of :mod:`.isolated.definition`.
    nearest_framework_cation_A : float, Å
        Distance to the nearest framework cation; infinite without one.
    clearance_A : float, Å
        Smallest distance less ``BOND_RATIO`` × the covalent radius sum: the room beyond the
        longest bond.
    mobile_coordination : float
        Mobile ions within ``CAGE_RATIO`` × the covalent radius sum, weighted by occupancy.
    ewald_site_energy_eV : float, eV
        ½ q φ with formal charges; NaN where the cell is not neutral.
    acsf_enrichment : float
        Share of the mobile-like void nearest to it over its share of all void; NaN without void.
    """

    index: int
    element: str
    occupancy: float
    oxidation_state: float
    site_symmetry: str
    site_symmetry_order: float
    margin: float
    is_ambiguous: bool
    nearest_framework_cation_A: float
    clearance_A: float
    mobile_coordination: float
    ewald_site_energy_eV: float
    acsf_enrichment: float


def isolated_anions(structure: StructureLike, mobile: str = "Li") -> list[IsolatedAnion]:
    """Find the isolated anions of a structure.

    Parameters
    ----------
    structure : pymatgen Structure, StructureRecord or PreparedStructure
        Ordered or disordered.
    mobile : {'Li', 'Na', 'K', 'Ag', 'Cu'}
        Mobile species; a prepared structure keeps its own.

    Returns
    -------
    list of IsolatedAnion
        In site order; empty where every anion is bonded to a framework cation.

    Raises
    ------
    RoleError
        If the mobile species is absent or no anion can be assigned.

    Notes
    -----
    Yang 2025, 10.1038/s41524-025-01559-9. In an antistructure (no framework cation) every anion
    is isolated: see the column ``isolated_class``.
    """
    prepared = as_prepared(structure, mobile)
    atoms, found = prepared.atoms, find_isolated_anions(prepared)
    if not found.is_isolated.any():
        return []
    symmetry, energy = host_site_symmetry(prepared), _energies(prepared)
    enrichment = _enrichment(prepared)
    return [
        IsolatedAnion(
            index=int(atoms.site[atom]),
            element=SYMBOLS[atoms.z[atom] - 1],
            occupancy=float(atoms.occupancy[atom]),
            oxidation_state=float(prepared.roles.oxidation[atom]),
            site_symmetry=symmetry.label[atoms.site[atom]],
            site_symmetry_order=float(symmetry.order[atoms.site[atom]]),
            margin=float(found.margin[atom]),
            is_ambiguous=bool(found.is_ambiguous[atom]),
            nearest_framework_cation_A=float(found.nearest_framework_cation_A[atom]),
            clearance_A=float(found.clearance_A[atom]),
            mobile_coordination=float(found.mobile_coordination[atom]),
            ewald_site_energy_eV=float(energy[atom]),
            acsf_enrichment=float(enrichment[atom]),
        )
        for atom in np.flatnonzero(found.is_isolated)
    ]


def _energies(prepared: PreparedStructure) -> FloatArray:
    try:
        return site_energies_eV(prepared)
    except FeatureError:
        return np.full(len(prepared.atoms.z), np.nan)


def _enrichment(prepared: PreparedStructure) -> FloatArray:
    try:
        return acsf_enrichment(prepared)
    except FeatureError:
        return np.full(len(prepared.atoms.z), np.nan)
