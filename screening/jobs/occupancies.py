"""Partial occupancies → whole numbers of atoms in a supercell, neutral and without overlaps.

An integer programme: the numbers of every species on every orbit, nearest to the occupancies, that
together carry no charge and leave room between alternatives of one split position.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...data.disorder.arrangements import capacity, too_close
from ...data.records import FloatArray, IntArray

Key = tuple[str, float]
"""Element and charge, e."""
Content = Mapping[int, Mapping[Key, float]]
"""Occupancy of each species on each orbit."""

_FULL: Final[float] = 0.999
ROUNDING_CHARGE_E: Final[float] = 0.5
"""Net charge that averaged oxidation states may leave in a cell; whole ones leave none."""
MOST_CHARGE: Final[float] = 0.02
"""Net charge over positive charge beyond which oxidation states do not fit the crystal."""
_CHARGE_PRICE: Final[float] = 10.0
_MEAN_PRICE: Final[float] = 0.01
_HOST_WEIGHT: Final[float] = 1.5
"""A change of the host counts so much more than one of the mobile ions, which move anyway."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeNumbers:
    """Atoms in a supercell.

    Parameters
    ----------
    multiple : int
        Primitive cells in it.
    counts : dict
        For each orbit, the number of each species.
    largest_change : float
        Of an occupancy.
    composition_change : float
        Half the sum over elements of the changes of their atomic fractions.
    charge_e : float
        Net formal charge that is left.
    """

    multiple: int
    counts: dict[int, dict[Key, int]]
    largest_change: float
    composition_change: float
    charge_e: float

    @property
    def n_atoms(self) -> int:
        """Atoms in the cell."""
        return sum(sum(amounts.values()) for amounts in self.counts.values())


class Occupancies:
    """What the orbits of a primitive cell hold, and how it becomes whole.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)
    orbit : array (n,)
        Orbit of each site.
    content : mapping
        Occupancy of each species on each orbit.
    mobile : str
        Mobile species.
    room : float
        Share of the places between overlapping alternatives that may be filled; below 1 where
        geometry leaves less than counting says.
    """

    def __init__(
        self,
        lattice: FloatArray,
        frac: FloatArray,
        orbit: IntArray,
        content: Content,
        mobile: str,
        room: float = 1.0,
    ) -> None:
        self.content, self.mobile = content, mobile
        self.sites = {o: int((orbit == o).sum()) for o in content}
        self._places = _places(lattice, frac, orbit, content, room)
        self._atoms = sum(self.sites[o] * sum(amounts.values()) for o, amounts in content.items())

    @property
    def is_ordered(self) -> bool:
        """True if every orbit is full of one species."""
        return all(len(a) == 1 and abs(sum(a.values()) - 1.0) < 1e-3 for a in self.content.values())

    @property
    def crowded(self) -> list[str]:
        """Elements whose alternatives lie so close that they hold far fewer atoms than refined."""
        return sorted(
            {
                key[0]
                for orbits, places in self._places
                for o in orbits
                for key in self.content[o]
                if places < 0.8 * sum(self.sites[p] * sum(self.content[p].values()) for p in orbits)
            }
        )

    def fewest_atoms(self, multiple: int) -> int:
        """About the number of atoms in so many primitive cells, from below."""
        return math.floor(0.9 * multiple * self._atoms)

    def whole(self, multiple: int) -> WholeNumbers | None:
        """Whole numbers nearest to the occupancies; None where there are none.

        A charge that no change of numbers can take away is left, within 2 % of the positive charge:
        it is the oxidation states that do not fit then, and DFT knows nothing of them.
        """
        keys = [(o, key) for o, amounts in self.content.items() for key in amounts]
        solution = self._solve(keys, multiple)
        if solution is None:
            return None
        counts: dict[int, dict[Key, int]] = {o: {} for o in self.content}
        for (o, key), n in zip(keys, solution, strict=True):
            counts[o][key] = int(n)
        charge = sum(key[1] * n for a in counts.values() for key, n in a.items())
        positive = sum(key[1] * n for a in counts.values() for key, n in a.items() if key[1] > 0)
        if abs(charge) > max(ROUNDING_CHARGE_E, MOST_CHARGE * positive) and not self.is_ordered:
            return None
        return WholeNumbers(
            multiple=multiple,
            counts=counts,
            largest_change=self._largest_change(counts, multiple),
            composition_change=self._composition_change(counts),
            charge_e=float(charge),
        )

    def _solve(self, keys: list[tuple[int, Key]], multiple: int) -> IntArray | None:
        """Variables: numbers n, their changes d, the largest change, charge above and below 0."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        n = len(keys)
        sites = np.array([multiple * self.sites[o] for o, _ in keys], dtype=np.float64)
        wanted = sites * np.array([self.content[o][key] for o, key in keys])
        weight = np.array([1.0 if k[0] == self.mobile else _HOST_WEIGHT for _, k in keys]) / sites
        identity, zero = np.eye(n), np.zeros((n, 3))
        worst = zero.copy()
        worst[:, 0] = 1.0
        charges = np.array([key[1] for _, key in keys])
        rows = [
            # d ≥ w |n − wanted|, largest ≥ d.
            (np.hstack([-weight[:, None] * identity, identity, zero]), -weight * wanted, np.inf),
            (np.hstack([weight[:, None] * identity, identity, zero]), weight * wanted, np.inf),
            (np.hstack([np.zeros((n, n)), -identity, worst]), np.zeros(n), np.inf),
            (np.hstack([charges, np.zeros(n), [0.0, -1.0, 1.0]])[None], np.zeros(1), 0.0),
        ]
        for members, most, full in self._limits(keys, multiple):
            row = np.hstack([members.astype(float), np.zeros(n + 3)])[None]
            rows.append((row, np.array([most if full else 0.0]), float(most)))
        price = np.concatenate(
            [np.zeros(n), np.full(n, _MEAN_PRICE / n), [1.0, _CHARGE_PRICE, _CHARGE_PRICE]]
        )
        upper = np.concatenate([sites, np.full(n + 3, np.inf)])
        found = milp(
            price,
            integrality=np.concatenate([np.ones(n), np.zeros(n + 3)]),
            bounds=Bounds(0.0, upper),
            constraints=[LinearConstraint(a, low, high) for a, low, high in rows],
            options={"time_limit": 5.0},
        )
        return None if found.x is None else np.rint(found.x[:n]).astype(np.int64)

    def _limits(
        self, keys: list[tuple[int, Key]], multiple: int
    ) -> list[tuple[NDArray[np.bool_], int, bool]]:
        """Which numbers share how many places, and whether all of those are filled."""
        owner = np.array([o for o, _ in keys])
        limits = []
        for o, amounts in self.content.items():
            full = sum(amounts.values()) >= _FULL and not self._is_split(o)
            limits.append((owner == o, multiple * self.sites[o], full))
        for orbits, places in self._places:
            limits.append((np.isin(owner, sorted(orbits)), math.floor(multiple * places), False))
        return limits

    def _is_split(self, orbit: int) -> bool:
        return any(orbit in orbits for orbits, _ in self._places)

    def _largest_change(self, counts: dict[int, dict[Key, int]], multiple: int) -> float:
        return max(
            abs(n / (multiple * self.sites[o]) - self.content[o][key])
            for o, amounts in counts.items()
            for key, n in amounts.items()
        )

    def _composition_change(self, counts: dict[int, dict[Key, int]]) -> float:
        before: dict[str, float] = {}
        after: dict[str, float] = {}
        for o, amounts in counts.items():
            for key, n in amounts.items():
                after[key[0]] = after.get(key[0], 0.0) + n
                share = self.sites[o] * self.content[o][key]
                before[key[0]] = before.get(key[0], 0.0) + share
        total = sum(before.values()), sum(after.values())
        return 0.5 * sum(abs(after[e] / total[1] - before[e] / total[0]) for e in before)


def _places(
    lattice: FloatArray, frac: FloatArray, orbit: IntArray, content: Content, room: float
) -> list[tuple[set[int], float]]:
    """Sets of orbits whose sites exclude each other, and how many of them can be filled a cell."""
    from scipy.sparse.csgraph import connected_components

    partial = np.array([sum(content[int(o)].values()) < _FULL for o in orbit])
    sites = np.flatnonzero(partial)
    if not len(sites):
        return []
    excluded = too_close(lattice, frac)[np.ix_(sites, sites)]
    labels = np.array([orbit[i] for i in sites])
    names = sorted({int(o) for o in labels})
    touching = np.zeros((len(names), len(names)), dtype=bool)
    for i, j in zip(*np.nonzero(excluded), strict=True):
        touching[names.index(int(labels[i])), names.index(int(labels[j]))] = True
    n_sets, which = connected_components(touching, directed=False)
    found = []
    for number in range(n_sets):
        orbits = {name for name, own in zip(names, which, strict=True) if own == number}
        own_sites = np.isin(labels, sorted(orbits))
        block = excluded[np.ix_(own_sites, own_sites)]
        if block.any():
            found.append((orbits, room * capacity(block)))
    return found
