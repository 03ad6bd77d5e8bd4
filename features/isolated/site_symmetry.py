"""Site symmetry of the host: the point group of each site once the mobile ions are taken out.

Yang 2025 (10.1038/s41524-025-01559-9) labels isolated anions by the symmetry of their surroundings.
Those labels are the site symmetries of the structure without mobile ions at a tolerance of 0.1 Å
and 5° (Li6NI3 is cubic around N only at that angle tolerance). The search is moyopy's.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER
from ...data.records import FloatArray
from ..core.prepared import PreparedStructure, once_per_structure

# moyopy logs that operations of a pseudo-symmetric supercell do not fit its input cell; only site
# symbols are read here, so without a handler of the application this stays quiet.
logging.getLogger("moyo").addHandler(logging.NullHandler())

SYMPREC_A: Final[float] = 0.1
ANGLE_TOLERANCE_RAD: Final[float] = float(np.radians(5.0))

POINT_GROUPS: Final[dict[str, tuple[str, int]]] = {
    "1": ("C1", 1),
    "-1": ("Ci", 2),
    "2": ("C2", 2),
    "m": ("Cs", 2),
    "2/m": ("C2h", 4),
    "222": ("D2", 4),
    "mm2": ("C2v", 4),
    "mmm": ("D2h", 8),
    "4": ("C4", 4),
    "-4": ("S4", 4),
    "4/m": ("C4h", 8),
    "422": ("D4", 8),
    "4mm": ("C4v", 8),
    "-42m": ("D2d", 8),
    "4/mmm": ("D4h", 16),
    "3": ("C3", 3),
    "-3": ("S6", 6),
    "32": ("D3", 6),
    "3m": ("C3v", 6),
    "-3m": ("D3d", 12),
    "6": ("C6", 6),
    "-6": ("C3h", 6),
    "6/m": ("C6h", 12),
    "622": ("D6", 12),
    "6mm": ("C6v", 12),
    "-6m2": ("D3h", 12),
    "6/mmm": ("D6h", 24),
    "23": ("T", 12),
    "m-3": ("Th", 24),
    "432": ("O", 24),
    "-43m": ("Td", 24),
    "m-3m": ("Oh", 48),
}
"""Hermann–Mauguin symbol → Schoenflies label and group order."""

_OTHER_SETTINGS = {"2mm": "mm2", "m2m": "mm2", "-4m2": "-42m", "-62m": "-6m2", "312": "32"}


@dataclass(frozen=True, eq=False)
class SiteSymmetry:
    """Point group of every site of the record; empty label and NaN on purely mobile sites.

    Attributes
    ----------
    label : tuple of str, length n_sites
        Schoenflies labels.
    order : array (n_sites,)
        Group orders.
    reason : str
        Why there are none, where the symmetry search failed.
    """

    label: tuple[str, ...]
    order: FloatArray
    reason: str = ""


def schoenflies(oriented: str) -> tuple[str, int]:
    """Schoenflies label and order from an oriented site symbol such as ``-4m.2`` or ``..m``."""
    plain = oriented.replace(".", "")
    return POINT_GROUPS[_OTHER_SETTINGS.get(plain, plain)]


@once_per_structure
def host_site_symmetry(prepared: PreparedStructure) -> SiteSymmetry:
    """Site symmetries of the structure without mobile ions.

    Sites are equal when they hold the same species with the same occupancies (mobile species left
    out, oxidation states ignored).
    """
    import moyopy

    record = prepared.record
    host = [
        tuple(
            (s.element, round(s.occupancy, 4))
            for s in content
            if not _is_mobile(s.element, prepared)
        )
        for content in record.species
    ]
    sites = [index for index, content in enumerate(host) if content]
    kinds = {content: k for k, content in enumerate(dict.fromkeys(host), start=1)}
    label, order = [""] * record.n_sites, np.full(record.n_sites, np.nan)
    cell = moyopy.Cell(
        record.lattice.tolist(), record.frac[sites].tolist(), [kinds[host[s]] for s in sites]
    )
    try:
        dataset = moyopy.MoyoDataset(
            cell, symprec=SYMPREC_A, angle_tolerance=ANGLE_TOLERANCE_RAD, rotate_basis=False
        )
    except ValueError as error:
        return SiteSymmetry(tuple(label), order, f"no site symmetry found ({error})")
    for site, symbol in zip(sites, dataset.site_symmetry_symbols, strict=True):
        label[site], order[site] = schoenflies(symbol)
    return SiteSymmetry(tuple(label), order)


def _is_mobile(element: str, prepared: PreparedStructure) -> bool:
    return ATOMIC_NUMBER[element] == ATOMIC_NUMBER[prepared.roles.mobile]
