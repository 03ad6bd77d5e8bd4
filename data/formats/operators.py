"""Symmetry operators as arrays: lists completed to groups, the number of a group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..records import FloatArray

LARGEST_GROUP: Final[int] = 192
"""Operators of the largest space group in its conventional cell, F m -3 m."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Symmetry:
    """A space group in one setting.

    Parameters
    ----------
    source : str
        Where it comes from, for messages.
    number : int
        In International Tables; 0 where not known.
    rotations : array (n, 3, 3), int
        Acting on columns of fractional coordinates.
    translations : array (n, 3)
    n_centrings : int
        Pure translations among the operators.
    """

    source: str
    number: int
    rotations: NDArray[np.int64]
    translations: FloatArray
    n_centrings: int

    @property
    def order(self) -> int:
        """Number of operators modulo lattice translations of the cell."""
        return len(self.rotations)

    @property
    def primitive_order(self) -> int:
        """Number of operators for a primitive cell."""
        return self.order // self.n_centrings


@lru_cache(maxsize=4096)
def operator_of(text: str) -> Any:
    """gemmi's operator; None if the text is none."""
    import gemmi

    try:
        operator = gemmi.Op("".join(text.split()).lower())
    except (ValueError, RuntimeError):
        return None
    return operator.wrap() if abs(operator.det_rot()) == operator.DEN**3 else None


@lru_cache(maxsize=1024)
def closed_group(triplets: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """All products of the operators, and how many different ones were given."""
    import gemmi

    # The identity is often left out, and is no operator that anybody would miss.
    given = dict.fromkeys(["x,y,z", *(operator_of(t).triplet() for t in triplets)])
    group = gemmi.GroupOps([gemmi.Op(t) for t in given])
    endless = ("x,y,z",) * (LARGEST_GROUP + 1)
    try:
        group.add_missing_elements()
    except (ValueError, RuntimeError):
        # gemmi gives up on lists whose products do not end.
        return endless, len(given)
    # gemmi completes rotations, not pure translations.
    shifts = _closed_shifts([tuple(c) for c in group.cen_ops], [op.rot for op in group.sym_ops])
    if len(shifts) * len(group.sym_ops) > LARGEST_GROUP:
        return endless, len(given)
    closed = dict.fromkeys(
        op.translated(list(shift)).wrap().triplet() for shift in shifts for op in group.sym_ops
    )
    return tuple(closed), len(given)


def _closed_shifts(shifts: list[Any], rotations: list[Any]) -> list[Any]:
    """Translations with their sums and rotated images, in 24ths of the cell edges."""
    found = dict.fromkeys(shifts)
    turned = np.array(rotations, dtype=np.int64) // 24
    pending = list(found)
    while pending and len(found) <= LARGEST_GROUP:
        shift = np.array(pending.pop())
        others = np.array(list(found))
        for new in map(tuple, (np.concatenate([others + shift, turned @ shift]) % 24).tolist()):
            if new not in found:
                found[new] = None
                pending.append(new)
    return list(found)


@lru_cache(maxsize=1024)
def number_of(triplets: tuple[str, ...]) -> int:
    """Number in International Tables where gemmi's tables hold the setting, else 0."""
    import gemmi

    found = gemmi.find_spacegroup_by_ops(gemmi.GroupOps([gemmi.Op(t) for t in triplets]))
    return 0 if found is None else int(found.number)


@lru_cache(maxsize=1024)
def symmetry_of(source: str, number: int, triplets: tuple[str, ...]) -> Symmetry:
    """Operators as arrays, the identity first.

    Parameters
    ----------
    source : str
        Where they come from, for messages.
    number : int
        In International Tables; 0 where not known.
    triplets : tuple of str
        Of a complete group, such as ``-x,y+1/2,-z``.
    """
    import gemmi

    operators = [gemmi.Op(t) for t in triplets]
    rotations = np.array([op.rot for op in operators], dtype=np.int64) // gemmi.Op.DEN
    translations = np.array([op.tran for op in operators], dtype=np.float64) / gemmi.Op.DEN
    identity = (rotations == np.eye(3, dtype=np.int64)).all(axis=(1, 2))
    # The identity first: its image of a site is the site as given.
    order = np.lexsort((np.arange(len(identity)), np.abs(translations).sum(axis=1), ~identity))
    for array in (rotations, translations):
        array.flags.writeable = False
    return Symmetry(
        source=source,
        number=number,
        rotations=rotations[order],
        translations=translations[order],
        n_centrings=int(identity.sum()),
    )
