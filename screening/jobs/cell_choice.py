"""Which simulation cell is worth its cost: size against what it does to a crystal's occupancies."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


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
