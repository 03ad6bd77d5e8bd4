"""Where candidates lie in structure and composition, for as many as do not fit in memory.

The embedding of :func:`.selection.diversity_embedding`, never held whole: descriptors are read in
blocks, once for the means, once for the spreads, and once for each candidate that is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

import numpy as np

from ...data.elements import ATOMIC_NUMBER
from .scores import FloatArray, IntArray

ReadRows = Callable[[range], FloatArray]
"""Descriptors of the rows of a range, shape (rows, p); NaN where not defined."""
_BLOCK: Final[int] = 10_000
_KEPT: Final[int] = 16
"""Candidates whose distances are kept: a batch that is chosen anew has most of them again."""


class Embedding(Protocol):
    """Places of n candidates."""

    def __len__(self) -> int: ...

    def squared_distances(self, index: int) -> FloatArray:
        """Of one candidate to all, shape (n,); its distance to itself is 0."""


class BlockEmbedding:
    """Places of candidates whose descriptors are read in blocks.

    Parameters
    ----------
    read : callable
        Descriptors of neighbouring rows.
    fractions : sparse matrix (n, elements)
        Atomic fractions, from :func:`element_fractions_of`.
    order : array (n,), optional
        Row of each candidate, where candidates stand in another order than their rows.
    block : int
        Rows read at a time.
    """

    def __init__(
        self,
        read: ReadRows,
        fractions: Any,
        order: IntArray | None = None,
        block: int = _BLOCK,
    ) -> None:
        self._read, self._fractions, self._block = read, fractions, block
        self._order = np.arange(fractions.shape[0]) if order is None else order
        self._known: dict[int, FloatArray] = {}
        self._learn_descriptors()
        self._learn_fractions()

    def __len__(self) -> int:
        return len(self._order)

    def squared_distances(self, index: int) -> FloatArray:
        """Of one candidate to all, shape (n,)."""
        if index not in self._known:
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[index] = self._computed(index)
        return self._known[index]

    def _computed(self, index: int) -> FloatArray:
        place = int(self._order[index])
        own, own_shares = self._scaled(range(place, place + 1)), self._shares(place, place + 1)
        found = np.empty(len(self))
        for rows in self._ranges():
            apart = ((self._scaled(rows) - own) ** 2).sum(axis=1)
            shares = (self._shares(rows.start, rows.stop) - own_shares) ** 2
            found[rows.start : rows.stop] = apart + self._share_weight * shares.sum(axis=1)
        return found[self._order]

    def _ranges(self) -> Iterator[range]:
        for start in range(0, len(self), self._block):
            yield range(start, min(start + self._block, len(self)))

    def _learn_descriptors(self) -> None:
        """Means and spreads; a column that says the same of all, or nothing, is left out."""
        width = self._read(range(0)).shape[1]
        count, total = np.zeros(width), np.zeros(width)
        low, high = np.full(width, np.inf), np.full(width, -np.inf)
        for rows in self._ranges():
            values = self._read(rows)
            known = ~np.isnan(values)
            count += known.sum(axis=0)
            total += np.where(known, values, 0.0).sum(axis=0)
            low = np.fmin(low, np.where(known, values, np.inf).min(axis=0))
            high = np.fmax(high, np.where(known, values, -np.inf).max(axis=0))
        self._columns = np.flatnonzero(low < high)
        self._mean = total[self._columns] / count[self._columns]
        self._scale = np.ones(len(self._columns))
        squares = np.zeros(len(self._columns))
        for rows in self._ranges():
            squares += (self._scaled(rows) ** 2).sum(axis=0)
        # Every column adds its variance, which is then 1: half of the total for all of them.
        spread = np.sqrt(squares / max(len(self), 1))
        self._scale = np.sqrt(0.5 / max(len(self._columns), 1)) / spread

    def _learn_fractions(self) -> None:
        n = max(len(self), 1)
        mean = np.asarray(self._fractions.sum(axis=0)).ravel() / n
        # Centring moves all alike: distances need the total variance only.
        total = float(self._fractions.multiply(self._fractions).sum()) / n - float(mean @ mean)
        self._share_weight = 0.5 / total if total > 1e-12 else 1.0

    def _scaled(self, rows: range) -> FloatArray:
        centred = self._read(rows)[:, self._columns] - self._mean
        return np.nan_to_num(centred) * self._scale

    def _shares(self, start: int, stop: int) -> FloatArray:
        return np.asarray(self._fractions[start:stop].toarray(), dtype=np.float64)


def element_fractions_of(formulas: Sequence[str]) -> tuple[Any, IntArray]:
    """Atomic fractions by element, and chemical systems as numbers.

    Parameters
    ----------
    formulas : sequence of str, length n

    Returns
    -------
    (sparse matrix (n, elements), array (n,))
        Equal numbers mean equal sets of elements.
    """
    from pymatgen.core import Composition
    from scipy.sparse import csr_array

    shares: list[float] = []
    columns: list[int] = []
    ends = [0]
    systems: dict[tuple[int, ...], int] = {}
    numbers = np.empty(len(formulas), dtype=np.int64)
    for i, formula in enumerate(formulas):
        amounts = Composition(formula).get_el_amt_dict()
        total = sum(amounts.values())
        own = [ATOMIC_NUMBER[element] - 1 for element in amounts]
        shares += [amount / total for amount in amounts.values()]
        columns += own
        ends.append(len(columns))
        numbers[i] = systems.setdefault(tuple(sorted(own)), len(systems))
    shape = (len(formulas), len(ATOMIC_NUMBER))
    return csr_array((shares, columns, ends), shape=shape), numbers


__all__ = ["BlockEmbedding", "Embedding", "ReadRows", "element_fractions_of"]
