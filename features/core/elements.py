"""Element data that descriptors share: covalent radii, bond-valence parameters, oxidation states.

Sources: covalent radii, Cordero et al. 2008 (10.1039/b801115j) through ase; soft bond-valence
radii, O'Keeffe & Brese 1991 (10.1021/ja00009a002), and the statistics of oxidation states against
bond-valence sums in the ICSD, both through pymatgen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER, SYMBOLS
from ...data.records import FloatArray

N_ELEMENTS: Final[int] = len(SYMBOLS) + 1
"""Tables are indexed by atomic number, so entry 0 is unused."""


_LAST_CORDERO = 96


@lru_cache(maxsize=1)
def covalent_radii_A() -> FloatArray:
    """Covalent radii by atomic number, Å, shape (119,); NaN where Cordero gives none."""
    from ase.data import covalent_radii

    radii = np.full(N_ELEMENTS, np.nan)
    # Cordero ends at curium; beyond it ase repeats a placeholder (which is also the value of Pa).
    radii[1 : _LAST_CORDERO + 1] = covalent_radii[1 : _LAST_CORDERO + 1]
    return radii


@lru_cache(maxsize=1)
def slater_radii_A() -> FloatArray:
    """Slater atomic radii (1964, 10.1063/1.1725697) by atomic number, Å, NaN where missing."""
    return _pymatgen_table("Atomic radius")


@lru_cache(maxsize=1)
def atomic_masses_amu() -> FloatArray:
    """Atomic masses through pymatgen, so that densities equal pymatgen's, by atomic number."""
    return _pymatgen_table("Atomic mass")


@lru_cache(maxsize=1)
def electronegativities() -> FloatArray:
    """Pauling electronegativities through pymatgen, by atomic number; NaN for light noble gases."""
    return _pymatgen_table("X")


def _pymatgen_table(key: str) -> FloatArray:
    """An element property by atomic number, shape (119,); NaN where there is none."""
    from pymatgen.core import Element

    table = np.full(N_ELEMENTS, np.nan)
    for symbol, z in ATOMIC_NUMBER.items():
        value = Element(symbol).data.get(key)
        table[z] = value if isinstance(value, int | float) else np.nan
    return table


ANION_POLARIZABILITY_A3: Final[dict[str, float]] = {
    "H": 10.1,
    "O": 3.88,
    "F": 1.04,
    "S": 10.2,
    "Cl": 3.66,
    "Se": 10.5,
    "Br": 4.77,
    "Te": 14.0,
    "I": 7.10,
}
"""Electronic polarisability of the free anions H⁻, O²⁻, F⁻ …, Å³: Pauling 1927, Proc. R. Soc. Lond.
A 114, 181 (10.1098/rspa.1927.0035). It gives none for N³⁻, P³⁻ and C⁴⁻."""


@dataclass(frozen=True)
class OxidationStatistics:
    """How an element's oxidation states show in bond-valence sums (ICSD, via pymatgen)."""

    states: FloatArray
    bvs_mean: FloatArray
    bvs_std: FloatArray
    log_prior: FloatArray


@dataclass(frozen=True, kw_only=True)
class BondValenceTable:
    """Everything the assignment of oxidation states needs, indexed by atomic number."""

    r_A: FloatArray
    c: FloatArray
    electronegativity: FloatArray
    is_anion_former: np.ndarray
    statistics: dict[int, OxidationStatistics]


# Few ICSD entries make a meaninglessly sharp or undefined spread: never trust it below this.
_MIN_STD = 0.4
_UNCOMMON = 0.02
_RARE = 0.002


@lru_cache(maxsize=1)
def bond_valence_table() -> BondValenceTable:
    """Bond-valence radii, electronegativities and oxidation-state statistics."""
    from pymatgen.analysis.bond_valence import BV_PARAMS, ELECTRONEG
    from pymatgen.core import Element

    r, c = (np.full(N_ELEMENTS, np.nan) for _ in range(2))
    former = np.zeros(N_ELEMENTS, dtype=bool)
    for symbol, z in ATOMIC_NUMBER.items():
        element = Element(symbol)
        parameters = BV_PARAMS.get(element)
        if parameters is not None:
            r[z], c[z] = parameters["r"], parameters["c"]
        former[z] = element in ELECTRONEG
    statistics = {z: _statistics(z, symbol) for symbol, z in ATOMIC_NUMBER.items()}
    return BondValenceTable(
        r_A=r,
        c=c,
        electronegativity=electronegativities(),
        is_anion_former=former,
        statistics=statistics,
    )


def _statistics(z: int, symbol: str) -> OxidationStatistics:
    from pymatgen.analysis.bond_valence import ICSD_BV_DATA, PRIOR_PROB
    from pymatgen.core import Element

    rows = {
        float(species.oxi_state): (data["mean"], data["std"], PRIOR_PROB[species])
        for species, data in ICSD_BV_DATA.items()
        if species.symbol == symbol and species.oxi_state not in (0, None)
    }
    total = sum(count for *_, count in rows.values()) or 1.0
    # States that chemistry names but the ICSD statistics lack get a small prior, not zero.
    element = Element(symbol)
    for states, share in (
        (element.common_oxidation_states, _UNCOMMON),
        (element.oxidation_states, _RARE),
    ):
        for state in states:
            rows.setdefault(float(state), (float(state), 1.0, share * total))
    # Sodides and potassides need a cryptand: in a solid electrolyte an alkali metal is a cation.
    states = sorted(s for s in rows if s > 0 or (s < 0 and not element.is_alkali))
    counts = np.array([rows[s][2] for s in states], dtype=np.float64)
    return OxidationStatistics(
        states=np.array(states),
        bvs_mean=np.array([rows[s][0] for s in states]),
        bvs_std=np.maximum([rows[s][1] for s in states], _MIN_STD) if states else np.array([]),
        log_prior=np.log(np.maximum(counts / total, 1e-4)),
    )
