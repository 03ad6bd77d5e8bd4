"""Static frustration columns: chemical, structural, and proxies of dynamical frustration."""

from __future__ import annotations

from typing import Final

from ..core.columns import Column, Notes, Values
from ..core.prepared import PreparedStructure
from ..isolated.definition import CAGE_RATIO
from .chemical import anion_character_values, bond_valence_values, symmetry_mismatch_values
from .structural import coordination_values, occupancy_values, rotation_values

_FAMILY = "frustration"
_WOOD = "Wood 2021, 10.1098/rsta.2019.0467"
_BRESE = f"{_WOOD}; bond valences O'Keeffe & Brese 1991, 10.1021/ja00009a002"
_SHELL = f"{CAGE_RATIO:.2f} × the covalent radius sum"
_NO_SHELL = f"no mobile ion has an anion within {_SHELL}"
_NO_CATION = "no framework cation"
_LN2 = 0.6931471805599454


def _column(
    name: str,
    unit: str,
    definition: str,
    source: str = _WOOD,
    lower: float | None = 0,
    **rest: object,
) -> Column:
    rest = {"cost": "medium", **rest}
    return Column(name, unit, definition, source, _FAMILY, lower=lower, **rest)  # type: ignore[arg-type]


_CHEMICAL: Final[tuple[Column, ...]] = (
    _column(
        "mobile_bond_valence_mean_e",
        "e",
        "mean over mobile ions of the sum of bond valences to anions within 6 Å",
        _BRESE,
    ),
    _column(
        "mobile_bond_valence_spread_e",
        "e",
        "standard deviation over mobile ions of that sum",
        _BRESE,
    ),
    _column(
        "mobile_bond_variation",
        "1",
        "standard deviation over mean of the bond valence of mobile ion–anion pairs within "
        f"{_SHELL}",
        _BRESE,
        nan_means=_NO_SHELL,
    ),
    _column(
        "global_instability_index_e",
        "e",
        "root mean square over all atoms of bond-valence sum less formal charge",
        "Salinas-Sanchez 1992, 10.1016/0022-4596(92)90094-C; O'Keeffe & Brese 1991",
    ),
    _column(
        "anion_polarizability_mean_A3",
        "Å³",
        "mean electronic polarisability of the anions, free-ion values",
        "Pauling 1927, 10.1098/rspa.1927.0035",
        nan_means="an anion without tabulated value, such as N or P",
    ),
    _column(
        "anion_polarizability_max_A3",
        "Å³",
        "largest electronic polarisability among the anions, free-ion values",
        "Pauling 1927, 10.1098/rspa.1927.0035",
        nan_means="an anion without tabulated value, such as N or P",
    ),
    _column(
        "anion_polarizability_spread_A3",
        "Å³",
        "standard deviation of the electronic polarisability over the anions: mixing",
        "Pauling 1927, 10.1098/rspa.1927.0035",
        nan_means="an anion without tabulated value, such as N or P",
    ),
    _column(
        "anion_electronegativity_spread",
        "1",
        "standard deviation of the Pauling electronegativity over the anions",
    ),
    _column(
        "framework_electronegativity_contrast",
        "1",
        "mean Pauling electronegativity of the anions minus that of the framework cations",
        lower=None,
        nan_means=_NO_CATION,
    ),
    _column(
        "polyanion_symmetry_mismatch",
        "1",
        "mean over framework cations of ln (order of the ideal point group of their coordination "
        "number / order of their site symmetry without mobile ions, 0.1 Å and 5°)",
        lower=None,
        nan_means="no framework cation with 3, 4, 5, 6, 8, 9 or 12 anions, or symmetry not found",
    ),
)

_STRUCTURAL: Final[tuple[Column, ...]] = (
    _column(
        "occupancy_entropy_kB",
        "k_B",
        "configurational entropy per mobile site from the occupancies P of the structure, "
        "mean of −P ln P − (1 − P) ln (1 − P); 0 for an ordered structure",
        f"{_WOOD}, eq. 3.1",
        upper=_LN2,
    ),
    _column(
        "mobile_partial_fraction",
        "1",
        "share of the mobile ions on partly occupied sites",
        "ionsieve",
        upper=1,
    ),
    _column(
        "anion_mixing_entropy_kB",
        "k_B",
        "−Σ x ln x over the shares x of the anion elements in the composition",
        "ionsieve",
    ),
    _column(
        "host_site_mixing_entropy_kB",
        "k_B",
        "mean over framework cation and anion sites of −Σ P ln P over the species there and what "
        "is left empty",
        "ionsieve",
    ),
    _column(
        "anion_site_mixing_entropy_kB",
        "k_B",
        "mean over anion sites of −Σ P ln P over the species there and what is left empty",
        "ionsieve",
    ),
    _column(
        "anion_coordination_breadth",
        "1",
        f"standard deviation over anions of the number of mobile ions within {_SHELL}",
    ),
    _column(
        "mobile_coordination_mean",
        "1",
        f"mean number of anions within {_SHELL} of a mobile ion",
        nan_means=_NO_SHELL,
    ),
    _column(
        "mobile_coordination_breadth",
        "1",
        "standard deviation of that number over the mobile ions",
        nan_means=_NO_SHELL,
    ),
    _column(
        "mobile_polyhedron_distortion",
        "1",
        "mean over mobile ions of Σ |d − mean d| / (n mean d) over the anions around it",
        "Baur 1974, 10.1107/S0567740874004560, eq. 4",
        nan_means=_NO_SHELL,
    ),
    _column(
        "mobile_off_center_A",
        "Å",
        "mean distance of a mobile ion from the centroid of the anions around it",
        "ionsieve",
        nan_means=_NO_SHELL,
    ),
)

_DYNAMICAL: Final[tuple[Column, ...]] = (
    _column(
        "rotatable_polyanion_count",
        "1",
        "finite bonded units of the host, per primitive cell of the full structure, none of whose "
        "anions is shared between two framework cations",
    ),
    _column(
        "rotatable_cation_fraction",
        "1",
        "share of the framework cations in such units",
        upper=1,
        nan_means=_NO_CATION,
    ),
    _column(
        "framework_dimension",
        "1",
        "dimensions in which the bonds of the host (framework cation–anion, covalent contacts) are "
        "endless",
        "ionsieve",
        upper=3,
    ),
    _column(
        "framework_bond_valence_mean_e",
        "e",
        "mean bond valence of framework cation–anion bonds",
        _BRESE,
        nan_means=_NO_CATION,
    ),
    _column(
        "framework_bond_valence_density_e_A3",
        "e/Å³",
        "bond valence of framework cation–anion bonds per volume: a static proxy of the stiffness "
        "of the framework",
        _BRESE,
        nan_means=_NO_CATION,
    ),
)

COLUMNS: Final[tuple[Column, ...]] = (*_CHEMICAL, *_STRUCTURAL, *_DYNAMICAL)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Static frustration columns; see the catalogue for each."""
    return (
        bond_valence_values(prepared)
        | anion_character_values(prepared, notes)
        | symmetry_mismatch_values(prepared)
        | occupancy_values(prepared)
        | coordination_values(prepared)
        | rotation_values(prepared)
    )
