"""An index on disk of vectors that lie near each other, in groups.

Vectors of a group are compared all at once, by a few of their numbers first and by all where those
agree. The groups looked at last are held in memory, as far as they fit.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]

TOLERANCE: Final[float] = 1.0
MOST_HELD_BYTES: Final[int] = 200_000_000
_BYTES_OF_GROUP: Final[int] = 1000
"""Of its objects, whatever they hold: most groups have one vector."""
_FIRST: Final[int] = 32
"""Numbers compared first: in orderings of one lattice hardly two agree in all of them."""


class NearbyIndex:
    """Vectors by group, in a table of a database; its owner commits.

    Parameters
    ----------
    database : sqlite3.Connection
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database
        database.execute(
            "CREATE TABLE IF NOT EXISTS vectors "
            "(n INTEGER PRIMARY KEY, name TEXT, vector BLOB, block INTEGER)"
        )
        database.execute("CREATE INDEX IF NOT EXISTS by_name ON vectors (name)")
        self._held: OrderedDict[str, _Group] = OrderedDict()
        self._held_bytes = 0

    def forget_from(self, block: int) -> None:
        """Remove the vectors of this block and later ones."""
        self._db.execute("DELETE FROM vectors WHERE block >= ?", (block,))
        self._held.clear()
        self._held_bytes = 0

    def near(self, group: str, vector: Vector) -> list[int]:
        """Numbers of the vectors of a group that differ nowhere by more than the tolerance.

        Parameters
        ----------
        group : str
            All its vectors have one length.
        vector : array (m,)

        Returns
        -------
        list of int
            Ascending.
        """
        return self._group(group, len(vector)).near(vector)

    def add(self, group: str, n: int, vector: Vector, block: int) -> None:
        """Take note of a vector under a number larger than those before."""
        row = (n, group, vector.astype(np.float32).tobytes(), block)
        self._db.execute("INSERT INTO vectors VALUES (?, ?, ?, ?)", row)
        self._group(group, len(vector), (n, vector))

    def _group(self, name: str, length: int, new: tuple[int, Vector] | None = None) -> _Group:
        held = self._held.get(name)
        before = 0 if held is None else held.n_bytes
        if held is None:
            held = self._held[name] = self._read(name, length)
        elif new is not None:
            held.append(*new)
        # Counted along: there may be as many groups as structures.
        self._held_bytes += held.n_bytes - before
        self._held.move_to_end(name)
        while len(self._held) > 1 and self._held_bytes > MOST_HELD_BYTES:
            _, oldest = self._held.popitem(last=False)
            self._held_bytes -= oldest.n_bytes
        return held

    def _read(self, name: str, length: int) -> _Group:
        group = _Group(length)
        query = "SELECT n, vector FROM vectors WHERE name = ? ORDER BY n"
        for n, content in self._db.execute(query, (name,)):
            group.append(n, np.frombuffer(content, dtype=np.float32))
        return group


class _Group:
    """Vectors of one group in memory, in arrays that double when they are full."""

    def __init__(self, length: int) -> None:
        self.numbers: list[int] = []
        self._step = max(1, length // _FIRST)
        self._all = np.empty((1, length), dtype=np.float32)
        self._first = np.empty((1, len(range(0, length, self._step))), dtype=np.float32)

    @property
    def n_bytes(self) -> int:
        return _BYTES_OF_GROUP + self._all.nbytes + self._first.nbytes

    def append(self, n: int, vector: Vector) -> None:
        k = len(self.numbers)
        if k == len(self._all):
            self._all, self._first = (np.concatenate([a, a]) for a in (self._all, self._first))
        self._all[k], self._first[k] = vector, vector[:: self._step]
        self.numbers.append(n)

    def near(self, vector: Vector) -> list[int]:
        known = len(self.numbers)
        apart = np.abs(self._first[:known] - vector[:: self._step]).max(axis=1, initial=0.0)
        rows = np.flatnonzero(apart <= TOLERANCE)
        apart = np.abs(self._all[rows] - vector).max(axis=1, initial=0.0)
        return [self.numbers[k] for k in rows[apart <= TOLERANCE]]
