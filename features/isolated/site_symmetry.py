"""Site symmetry of the host: the point group of each site once the mobile ions are taken out.

Yang 2025 (10.1038/s41524-025-01559-9) labels isolated anions by the symmetry of their surroundings.
Those labels are the site symmetries of the structure without mobile ions at a tolerance of 0.1 Å
and 5° (Li6NI3 is cubic around N only at that angle tolerance). Where the host has no operations
within that tolerance but its exact ones, these are counted; else the search is moyopy's, which
weighs the doubtful ones.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER
from ...data.records import FloatArray
from ..core.prepared import PreparedStructure, once_per_structure
from ..void.host import Host, host_of

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

ROTATIONS: Final[dict[str, tuple[int, ...]]] = {
    "C1": (0, 0, 0, 0, 0, 0, 0, 0, 0),
    "Ci": (0, 0, 0, 0, 1, 0, 0, 0, 0),
    "C2": (1, 0, 0, 0, 0, 0, 0, 0, 0),
    "Cs": (0, 0, 0, 0, 0, 1, 0, 0, 0),
    "C2h": (1, 0, 0, 0, 1, 1, 0, 0, 0),
    "D2": (3, 0, 0, 0, 0, 0, 0, 0, 0),
    "C2v": (1, 0, 0, 0, 0, 2, 0, 0, 0),
    "D2h": (3, 0, 0, 0, 1, 3, 0, 0, 0),
    "C4": (1, 0, 2, 0, 0, 0, 0, 0, 0),
    "S4": (1, 0, 0, 0, 0, 0, 0, 2, 0),
    "C4h": (1, 0, 2, 0, 1, 1, 0, 2, 0),
    "D4": (5, 0, 2, 0, 0, 0, 0, 0, 0),
    "C4v": (1, 0, 2, 0, 0, 4, 0, 0, 0),
    "D2d": (3, 0, 0, 0, 0, 2, 0, 2, 0),
    "D4h": (5, 0, 2, 0, 1, 5, 0, 2, 0),
    "C3": (0, 2, 0, 0, 0, 0, 0, 0, 0),
    "S6": (0, 2, 0, 0, 1, 0, 2, 0, 0),
    "D3": (3, 2, 0, 0, 0, 0, 0, 0, 0),
    "C3v": (0, 2, 0, 0, 0, 3, 0, 0, 0),
    "D3d": (3, 2, 0, 0, 1, 3, 2, 0, 0),
    "C6": (1, 2, 0, 2, 0, 0, 0, 0, 0),
    "C3h": (0, 2, 0, 0, 0, 1, 0, 0, 2),
    "C6h": (1, 2, 0, 2, 1, 1, 2, 0, 2),
    "D6": (7, 2, 0, 2, 0, 0, 0, 0, 0),
    "C6v": (1, 2, 0, 2, 0, 6, 0, 0, 0),
    "D3h": (3, 2, 0, 0, 0, 4, 0, 0, 2),
    "D6h": (7, 2, 0, 2, 1, 7, 2, 0, 2),
    "T": (3, 8, 0, 0, 0, 0, 0, 0, 0),
    "Th": (3, 8, 0, 0, 1, 3, 8, 0, 0),
    "O": (9, 8, 6, 0, 0, 0, 0, 0, 0),
    "Td": (3, 8, 0, 0, 0, 6, 0, 6, 0),
    "Oh": (9, 8, 6, 0, 1, 9, 8, 6, 0),
}
"""Rotations by 2, 3, 4, 6 and those with inversion, −1, m, −3, −4, −6, in each point group."""

_LABEL: Final[dict[tuple[int, ...], str]] = {counts: name for name, counts in ROTATIONS.items()}
_ORDER: Final[dict[str, int]] = dict(POINT_GROUPS.values())
# Slots of the counts above by trace, from −3 to 3, of proper and improper matrices; the first, that
# is left out, is the identity.
_PROPER: Final = np.array([0, 0, 1, 2, 3, 4, 0])
_IMPROPER: Final = np.array([5, 9, 8, 7, 6, 0, 0])
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
    if prepared.record.is_ordered:
        host = host_of(prepared)
        # Charges, which tell more atoms apart, are not looked at here.
        kinds = set(zip(host.z.tolist(), host.oxidation.tolist(), strict=True))
        if host.symmetry.is_clear and len(kinds) == len(set(host.z.tolist())):
            return _of_atoms(host)
    return _by_search(prepared)


def _of_atoms(host: Host) -> SiteSymmetry:
    """From the operations of the host that leave each atom in place."""
    rotation, image = host.symmetry.rotation, host.symmetry.image
    trace = rotation.trace(axis1=1, axis2=2) + 3
    sense = np.linalg.det(rotation) > 0
    slot = np.where(sense, _PROPER[trace], _IMPROPER[trace])
    stays = (image == np.arange(image.shape[1])).astype(np.int64)
    counts = stays.T @ (slot[:, None] == np.arange(1, 10)).astype(np.int64)
    of_host = [_LABEL[tuple(row)] for row in counts.tolist()]
    label = tuple(of_host[k] if k >= 0 else "" for k in host.host_of_atom.tolist())
    return SiteSymmetry(label, np.array([_ORDER.get(name, np.nan) for name in label]))


def _by_search(prepared: PreparedStructure) -> SiteSymmetry:
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
