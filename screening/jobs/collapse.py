"""Did a crystal survive its relaxation? Volume, coordination and symmetry of the host.

The mobile ions may go where they like. A host that changes its volume by a third, loses its bonds
or flows apart is not the crystal that was screened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.records import FloatArray, StructureRecord
from ...features.core.elements import covalent_radii_A

SHRUNK, SWOLLEN = 0.70, 1.40
"""Volume after over volume before. Guessed volumes of substituted prototypes err by 10 to 15 %."""
KEPT_BONDS: Final[float] = 0.70
"""Share of the host's bonds, of all before or after, that stand before and after."""
BOND_RATIO: Final[float] = 1.25
"""Host atoms within this times the sum of covalent radii are bonded."""
DISPLACED_A: Final[float] = 1.2
"""Root mean square displacement of host atoms, strain taken out, Å."""
ANION_FORMERS: Final[frozenset[str]] = frozenset(
    ("B", "C", "N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I", "H")
)
_SYMPREC_A: Final[float] = 0.1


@dataclass(frozen=True, kw_only=True)
class Survival:
    """What a relaxation did to a crystal.

    Parameters
    ----------
    volume_ratio : float
        After over before.
    kept_bonds : float
        Share of the host's bonds that stand before and after; 1 where it had none.
    displacement_A : float
        Root mean square displacement of host atoms, strain and drift taken out, Å.
    space_group_before, space_group_after : str
        Of the host, tolerance 0.1 Å; empty where not found.
    fault : str
        Why it fell apart; empty where it did not.
    """

    volume_ratio: float
    kept_bonds: float
    displacement_A: float
    space_group_before: str
    space_group_after: str
    fault: str = ""

    @property
    def fell_apart(self) -> bool:
        """True if it is not the crystal any more that was screened."""
        return bool(self.fault)


def survival(before: StructureRecord, after: StructureRecord, mobile: str) -> Survival:
    """Compare a cell with its relaxed self.

    Parameters
    ----------
    before, after : StructureRecord
        Ordered; the same sites in the same order.
    mobile : str
        Mobile species; all other sites are the host.
    """
    host = np.array([content[0].element != mobile for content in before.species])
    ratio = after.volume_A3 / before.volume_A3
    kept = _kept_bonds(before, after, host)
    moved = _displacement_A(before, after, host)
    groups = _space_group(before, host), _space_group(after, host)
    return Survival(
        volume_ratio=ratio,
        kept_bonds=kept,
        displacement_A=moved,
        space_group_before=groups[0],
        space_group_after=groups[1],
        fault=_fault(ratio, kept, moved, groups),
    )


def _fault(ratio: float, kept: float, moved_A: float, groups: tuple[str, str]) -> str:
    if not SHRUNK <= ratio <= SWOLLEN:
        return (
            f"its volume changed by {100 * (ratio - 1):+.0f} %, beyond "
            f"{100 * (SHRUNK - 1):+.0f} to {100 * (SWOLLEN - 1):+.0f} %"
        )
    if kept < KEPT_BONDS:
        return (
            f"only {100 * kept:.0f} % of the host's bonds stand before and after, less than "
            f"{100 * KEPT_BONDS:.0f} %"
        )
    if moved_A > DISPLACED_A:
        lost = f", {groups[0]} became {groups[1]}" if groups[0] != groups[1] else ""
        return (
            f"host atoms moved by {moved_A:.1f} Å (root mean square), more than "
            f"{DISPLACED_A:g} Å{lost}"
        )
    return ""


def _images(record: StructureRecord) -> FloatArray:
    grid = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return np.asarray(grid @ record.lattice)


def _bonds(record: StructureRecord, host: np.ndarray) -> np.ndarray:
    """Number of bonds between host sites i and j, all images counted, shape (n, n).

    One end must be an anion former: contacts between metals of a dense host are no bonds.
    """
    sites = np.flatnonzero(host)
    radii = covalent_radii_A()[record.dominant_atomic_numbers[sites]]
    forms_anions = np.array([record.species[i][0].element in ANION_FORMERS for i in sites])
    positions = record.frac[sites] @ record.lattice
    difference = positions[None] - positions[:, None]
    reach = BOND_RATIO * (radii[:, None] + radii[None])
    reach = np.where(forms_anions[:, None] | forms_anions[None], reach, 0.0)
    count = np.zeros(reach.shape, dtype=np.int64)
    for shift in _images(record):
        distance = np.linalg.norm(difference + shift, axis=2)
        count += (distance < reach) & (distance > 0.1)
    return count


def _kept_bonds(before: StructureRecord, after: StructureRecord, host: np.ndarray) -> float:
    first, second = _bonds(before, host), _bonds(after, host)
    either = np.maximum(first, second).sum()
    return float(np.minimum(first, second).sum() / either) if either else 1.0


def _displacement_A(before: StructureRecord, after: StructureRecord, host: np.ndarray) -> float:
    """In the relaxed cell, so that strain does not count; a drift of all host atoms neither."""
    if not host.any():
        return 0.0
    moved = after.frac[host] - before.frac[host]
    # The drift is a mean on a circle: half a cell one way is half a cell the other way.
    moved -= np.angle(np.exp(2j * np.pi * moved).mean(axis=0)) / (2 * np.pi)
    moved -= np.rint(moved)
    moved -= moved.mean(axis=0)
    return float(np.sqrt((np.linalg.norm(moved @ after.lattice, axis=1) ** 2).mean()))


def _space_group(record: StructureRecord, host: np.ndarray) -> str:
    import spglib

    if not host.any():
        return ""
    numbers = record.dominant_atomic_numbers[host]
    found = spglib.get_spacegroup((record.lattice, record.frac[host], numbers), symprec=_SYMPREC_A)
    return str(found or "")
