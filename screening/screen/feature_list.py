"""Descriptors of candidates by their places: in memory while they are few, in a file when many.

The file holds eight bytes a number, row by row, so that any rows are read without the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from ...data.records import FloatArray, IntArray
from .record_list import BLOCK
from .scratch_file import ScratchFile


class FeatureList:
    """Rows of a table that arrives in blocks, for reading in any order.

    Parameters
    ----------
    folder : path, optional
        Where the file is made, if there is need of one. None: all of it stays in memory.
    block : int
        So many rows stay in memory.
    """

    def __init__(self, folder: Path | None, block: int = BLOCK) -> None:
        self._folder, self.block = folder, block
        self._held: pd.DataFrame | None = None
        self._file: ScratchFile | None = None
        self._columns: list[str] = []
        self._words: dict[str, list[str]] = {}
        self.ids: list[str] = []

    def add(self, part: pd.DataFrame) -> None:
        """Put rows behind the others; all parts have the same columns.

        Parameters
        ----------
        part : DataFrame
            Index = id; numbers as float64, everything else is text.
        """
        if self._held is None:
            self._held, self._columns = part.iloc[:0], list(part.columns)
            self._words = {c: [] for c in part if not is_numeric_dtype(part[c])}
        stays = self._folder is None or len(self.ids) + len(part) <= self.block
        if stays:
            self._held = pd.concat([self._held, part]) if len(self._held) else part
        else:
            if self._file is None:
                assert self._folder is not None
                self._file = ScratchFile(self._folder)
                self._write(self._file, self._held)
                self._held = self._held.iloc[:0]
            self._write(self._file, part)
        self.ids += part.index.astype(str).tolist()

    def _write(self, file: ScratchFile, part: pd.DataFrame) -> None:
        rows = np.empty((len(part), len(self._columns)))
        for j, name in enumerate(self._columns):
            rows[:, j] = self._codes(name, part[name]) if name in self._words else part[name]
        file.append(rows.tobytes())

    def _codes(self, name: str, texts: pd.Series) -> list[int]:
        """Places of the words in the list of the column, which grows."""
        words = self._words[name]
        known = {word: i for i, word in enumerate(words)}
        codes = [known.setdefault(str(text), len(known)) for text in texts]
        words += list(known)[len(words) :]
        return codes

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_in_file(self) -> bool:
        """Whether there are more than memory shall hold."""
        return self._file is not None

    @property
    def columns(self) -> list[str]:
        """Names, in their order."""
        return self._columns

    def rows(self, places: IntArray | range, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Some rows, in the order asked for.

        Parameters
        ----------
        places : array (n,) or range
        columns : sequence of str, optional
            All by default.

        Returns
        -------
        DataFrame (n, columns)
            Index = id.
        """
        wanted = self._columns if columns is None else list(columns)
        if self._file is None:
            assert self._held is not None
            return self._held.iloc[places][wanted]
        numbers = self._read(self._file, places)
        where = {name: j for j, name in enumerate(self._columns)}
        data = {
            name: self._texts(name, numbers[:, where[name]])
            if name in self._words
            else numbers[:, where[name]]
            for name in wanted
        }
        index = pd.Index([self.ids[i] for i in places], name="id", dtype=object)
        return pd.DataFrame(data, index=index)

    def _texts(self, name: str, codes: FloatArray) -> NDArray[np.object_]:
        return np.array(self._words[name], dtype=object)[codes.astype(np.int64)]

    def _read(self, file: ScratchFile, places: IntArray | range) -> FloatArray:
        width = 8 * len(self._columns)
        if isinstance(places, range) and places.step == 1:
            content = file.read(width * places.start, width * len(places))
        else:
            content = b"".join(file.read(width * int(i), width) for i in places)
        return np.frombuffer(content, dtype=np.float64).reshape(-1, len(self._columns))

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """All rows in their order, some of them in memory at a time."""
        for start in range(0, len(self), self.block):
            yield self.rows(range(start, min(start + self.block, len(self))), columns)

    def table(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """All rows in memory, of some columns; of a file, a block is read at a time."""
        if self._file is None:
            return self.rows(range(len(self)), columns)
        return pd.concat(self.blocks(columns))
