"""Which simulation cell is worth its cost: size against what it does to a crystal's occupancies.

Of the cells whose periodic images keep their distance, the smallest within 0.06 of the occupancies
sets the price. A larger one, up to twice as dear, is taken where it comes so much nearer to the
occupancies that the doubling pays: 0.06 of an occupancy is worth one doubling of the cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from ...data.disorder.arrangements import CLOSEST_A
from ...data.errors import StructureError
from ...data.records import FloatArray
from .occupancies import Occupancies, WholeNumbers
from .supercell import IMAGE_SHARE, Supercell, best_of_multiple

GOOD_CHANGE: Final[float] = 0.06
"""Change of an occupancy that is tolerated as it is, and that is worth one doubling of the cost."""
CHANGES: Final[tuple[float, ...]] = (GOOD_CHANGE, 0.12, 0.25)
"""Changes tolerated one after the other, where nothing less fits a cell that may be run."""
MOST_COST: Final[float] = 2.0
COST_EXPONENT: Final[float] = 1.84
"""Of the cost in the number of atoms: (N V)^0.92, as measured with GPAW."""


@dataclass(frozen=True, kw_only=True)
class CellOption:
    """One cell that a crystal could be simulated in.

    Parameters
    ----------
    multiple : int
        Primitive cells in it.
    n_atoms : int
    image_distance_A : float
        Distance of an atom from its nearest periodic image, Å.
    occupancy_change : float
        Largest change of an occupancy that whole atoms bring.
    composition_change : float
        Half the sum over elements of the changes of their atomic fractions.
    relative_cost : float
        Against the smallest cell that would do.
    chosen : bool
    """

    multiple: int
    n_atoms: int
    image_distance_A: float
    occupancy_change: float
    composition_change: float
    relative_cost: float
    chosen: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class CellChoice:
    """The cell that is worth it, and those that were weighed.

    Parameters
    ----------
    cell : Supercell
    numbers : WholeNumbers
        Atoms of each kind on each orbit.
    options : tuple of CellOption
        In order of size; one is marked as chosen.
    """

    cell: Supercell
    numbers: WholeNumbers
    options: tuple[CellOption, ...]


@dataclass(frozen=True, eq=False)
class _Fit:
    cell: Supercell
    numbers: WholeNumbers

    @property
    def n_atoms(self) -> int:
        return self.numbers.n_atoms


def choose_cell(
    record_id: str,
    lattice: FloatArray,
    occupancies: Occupancies,
    target_A: float,
    max_atoms: int,
) -> CellChoice:
    """Weigh the supercells of a crystal against each other.

    Parameters
    ----------
    record_id : str
    lattice : array (3, 3), Å
        Primitive cell.
    occupancies : Occupancies
        What its orbits hold.
    target_A : float
        Wanted distance of periodic images, Å; 0.9 of it is enough.
    max_atoms : int

    Raises
    ------
    StructureError
        If no cell of at most ``max_atoms`` atoms holds whole numbers of atoms near the occupancies.
    """
    for change in CHANGES:
        found = list(_near(lattice, occupancies, target_A, max_atoms, change))
        if found:
            return _best(found, change, found[0].n_atoms)
    for change in CHANGES:
        # No cell has distant images within the atoms allowed: the one that comes closest.
        small = list(_any(lattice, occupancies, target_A, max_atoms, change))
        if small:
            widest = max(small, key=lambda fit: round(fit.cell.image_distance_A, 6))
            return _best([widest], change, widest.n_atoms)
    if crowded := occupancies.crowded:
        raise StructureError(
            f"{record_id}: its {' and '.join(crowded)} positions lie closer than {CLOSEST_A} Å to "
            "each other with occupancies too high to be kept apart; check the structure"
        )
    raise StructureError(
        f"{record_id}: no cell of at most {max_atoms} atoms holds whole numbers of atoms within "
        f"{CHANGES[-1]:g} of the occupancies; allow more atoms or give an ordered structure"
    )


def _near(
    lattice: FloatArray, occupancies: Occupancies, target_A: float, max_atoms: int, change: float
) -> Iterator[_Fit]:
    """Cells with distant images, in order of size, up to twice the cost of the first."""
    volume = abs(float(_determinant(lattice)))
    # The densest packing of spheres: no smaller cell can keep its images apart.
    least = max(1, math.ceil((IMAGE_SHARE * target_A) ** 3 / (math.sqrt(2.0) * volume) - 1e-9))
    limit = math.inf
    for multiple in range(least, max_atoms + 1):
        if multiple > limit or occupancies.fewest_atoms(multiple) > max_atoms:
            return
        cell = best_of_multiple(lattice, multiple, target_A)
        if not cell.near_target:
            continue
        numbers = occupancies.whole(multiple)
        if numbers is None or numbers.largest_change > change or numbers.n_atoms > max_atoms:
            continue
        if math.isinf(limit):
            limit = multiple * MOST_COST ** (1.0 / COST_EXPONENT)
        yield _Fit(cell, numbers)
        if occupancies.is_ordered:
            # A larger cell of an ordered crystal is dearer and nothing else.
            return


def _any(
    lattice: FloatArray, occupancies: Occupancies, target_A: float, max_atoms: int, change: float
) -> Iterator[_Fit]:
    for multiple in range(1, max_atoms + 1):
        if occupancies.fewest_atoms(multiple) > max_atoms:
            return
        numbers = occupancies.whole(multiple)
        if numbers is None or numbers.largest_change > change or numbers.n_atoms > max_atoms:
            continue
        yield _Fit(best_of_multiple(lattice, multiple, target_A), numbers)


def _determinant(lattice: FloatArray) -> float:
    import numpy as np

    return float(np.linalg.det(lattice))


def _best(found: list[_Fit], change: float, smallest: int) -> CellChoice:
    def cost(fit: _Fit) -> float:
        return float((fit.n_atoms / smallest) ** COST_EXPONENT)

    def price(fit: _Fit) -> float:
        return math.log2(cost(fit)) + fit.numbers.largest_change / GOOD_CHANGE

    allowed = [fit for fit in found if cost(fit) <= MOST_COST]
    chosen = min(allowed or found[:1], key=price)
    options = [
        CellOption(
            multiple=fit.numbers.multiple,
            n_atoms=fit.n_atoms,
            image_distance_A=round(fit.cell.image_distance_A, 3),
            occupancy_change=round(fit.numbers.largest_change, 4),
            composition_change=round(fit.numbers.composition_change, 4),
            relative_cost=round(cost(fit), 3),
        )
        for fit in found
    ]
    place = found.index(chosen)
    options[place] = replace(options[place], chosen=True)
    return CellChoice(cell=chosen.cell, numbers=chosen.numbers, options=tuple(options))


__all__ = ["CellChoice", "CellOption", "choose_cell"]
