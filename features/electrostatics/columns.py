"""Electrostatics of formal charges: site energies of isolated anions and mobile ions.

Yang 2025 (10.1038/s41524-025-01559-9) contrasts isolated anions by their Ewald site energies. Its
convention could not be established, so its numbers are matched in order only; here the site energy
is ½ q φ of the full cell, which does not depend on the choice of supercell and sums to the total.
On partly occupied or mixed sites every site carries its average charge (mean field, as in
pymatgen's ``EwaldSummation``); an atom's energy is that of its own charge in this potential.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.elements import SYMBOLS
from ...data.errors import FeatureError
from ...data.records import FloatArray
from ..core.atoms import weighted_mean, weighted_spread
from ..core.columns import Column, Notes, Values
from ..core.prepared import PreparedStructure, once_per_structure
from ..isolated.definition import ANION_ELEMENTS, find_isolated_anions
from .ewald import ewald_potentials_V

_FAMILY = "electrostatics"
_YANG = "Yang 2025, 10.1038/s41524-025-01559-9; Ewald 1921"
_EWALD = "Ewald 1921"
_CHARGED = "cell not neutral"
_NO_ISOLATED = "no isolated anion, or cell not neutral"

NEUTRALITY: Final[float] = 0.01
"""Net charge over positive charge that rounded occupancies may leave; a background offsets it."""


def _column(name: str, unit: str, definition: str, nan_means: str, **options: object) -> Column:
    source = _YANG if "isolated" in name or "contrast" in name else _EWALD
    options = {"cost": "medium", **options}
    return Column(name, unit, definition, source, _FAMILY, nan_means=nan_means, **options)  # type: ignore[arg-type]


COLUMNS: Final[tuple[Column, ...]] = (
    _column(
        "ewald_contrast_eV",
        "eV",
        "highest minus lowest Ewald site energy ½ q φ over the isolated anions; 0 where all are "
        "equivalent",
        _NO_ISOLATED,
        lower=0,
    ),
    _column(
        "ewald_contrast_per_q2_eV",
        "eV",
        "highest minus lowest site energy divided by the squared formal charge of the anion, over "
        "the isolated anions",
        _NO_ISOLATED,
        lower=0,
    ),
    _column("ewald_isolated_min_eV", "eV", "lowest site energy of an isolated anion", _NO_ISOLATED),
    _column(
        "ewald_isolated_mean_eV",
        "eV",
        "mean site energy of the isolated anions, weighted by occupancy",
        _NO_ISOLATED,
    ),
    _column(
        "ewald_isolated_bonded_difference_V",
        "V",
        "mean potential at the isolated anions minus that at the other anions",
        "no isolated anion, no other anion, or cell not neutral",
    ),
    _column(
        "madelung_energy_eV_atom",
        "eV/atom",
        "electrostatic energy of the formal charges per atom",
        _CHARGED,
    ),
    _column(
        "ewald_mobile_mean_eV",
        "eV",
        "mean site energy of the mobile ions, weighted by occupancy",
        _CHARGED,
    ),
    _column(
        "ewald_mobile_spread_eV",
        "eV",
        "standard deviation of the site energy over the mobile ions",
        _CHARGED,
        lower=0,
    ),
    _column(
        "ewald_mobile_range_eV",
        "eV",
        "highest minus lowest site energy of the mobile ions",
        _CHARGED,
        lower=0,
    ),
    _column(
        "ewald_anion_spread_V",
        "V",
        "standard deviation of the potential over the anions",
        _CHARGED,
        lower=0,
    ),
    *(
        _column(
            f"ewald_isolated_{e}_eV",
            "eV",
            f"mean site energy of the isolated {e} anions",
            f"no isolated {e} anion, or cell not neutral",
        )
        for e in ANION_ELEMENTS
    ),
)


@once_per_structure
def site_potentials_V(prepared: PreparedStructure) -> FloatArray:
    """Electrostatic potential at every atom, shape (n_atoms,), V.

    Raises
    ------
    FeatureError
        If the charges of the cell leave more than 1 % of the positive charge.
    """
    atoms, charge = prepared.atoms, prepared.atoms.occupancy * prepared.roles.oxidation
    net, positive = float(charge.sum()), float(charge[charge > 0].sum())
    if abs(net) > NEUTRALITY * positive:
        raise FeatureError(f"{atoms.id}: the cell carries a net charge of {net:+.3g} e")
    on_site = np.bincount(atoms.site, weights=charge, minlength=prepared.record.n_sites)
    potential = ewald_potentials_V(atoms.lattice, prepared.record.frac, on_site.astype(np.float64))
    return np.asarray(potential[atoms.site], dtype=np.float64)


def site_energies_eV(prepared: PreparedStructure) -> FloatArray:
    """Ewald site energy ½ q φ of every atom, shape (n_atoms,), eV; raises as the potentials do.

    For an ordered structure they sum to the electrostatic energy of the cell; otherwise the sum
    weighted by occupancy does.
    """
    return 0.5 * prepared.roles.oxidation * site_potentials_V(prepared)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Electrostatic columns; see the catalogue for each."""
    energy, potential = site_energies_eV(prepared), site_potentials_V(prepared)
    weight, roles = prepared.atoms.occupancy, prepared.roles
    total = float((weight * energy).sum())
    mobile = roles.is_mobile
    values: Values = {
        "madelung_energy_eV_atom": total / float(weight.sum()),
        "ewald_mobile_mean_eV": weighted_mean(energy[mobile], weight[mobile]),
        "ewald_mobile_spread_eV": weighted_spread(energy[mobile], weight[mobile]),
        "ewald_mobile_range_eV": float(np.ptp(energy[mobile])),
        "ewald_anion_spread_V": weighted_spread(potential[roles.is_anion], weight[roles.is_anion]),
    }
    return values | _isolated_values(prepared, energy, potential)


def _isolated_values(
    prepared: PreparedStructure, energy: FloatArray, potential: FloatArray
) -> Values:
    isolated, weight = find_isolated_anions(prepared).is_isolated, prepared.atoms.occupancy
    if not isolated.any():
        return {}
    reduced = energy[isolated] / prepared.roles.oxidation[isolated] ** 2
    values: Values = {
        "ewald_contrast_eV": float(np.ptp(energy[isolated])),
        "ewald_contrast_per_q2_eV": float(np.ptp(reduced)),
        "ewald_isolated_min_eV": float(energy[isolated].min()),
        "ewald_isolated_mean_eV": weighted_mean(energy[isolated], weight[isolated]),
    }
    others = prepared.roles.is_anion & ~isolated
    if others.any():
        values["ewald_isolated_bonded_difference_V"] = float(
            weighted_mean(potential[isolated], weight[isolated])
            - weighted_mean(potential[others], weight[others])
        )
    for z in np.unique(prepared.atoms.z[isolated]):
        members = isolated & (prepared.atoms.z == z)
        name = f"ewald_isolated_{SYMBOLS[z - 1]}_eV"
        if SYMBOLS[z - 1] in ANION_ELEMENTS:
            values[name] = weighted_mean(energy[members], weight[members])
    return values
