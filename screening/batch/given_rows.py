"""Descriptors that ``ionsieve featurize`` wrote, found again by the structures that they are of.

A row is found by its key: structure with its id, mobile species, families and code. Rows of another
version or species are never taken. Of each file only the keys stay in memory (12 bytes a row).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...data.errors import InputError
from ...data.records import StructureRecord
from ...features.catalogue import FAMILY_NAMES
from ...features.rows import FeatureRow
from .shards import read_keys, read_shard
from .shared_rows import feature_row
from .store_parts import layout_of


class GivenRows:
    """Rows of a folder of descriptors.

    Parameters
    ----------
    folder : path
        What ``ionsieve featurize --out`` was given.
    mobile : str
        Mobile species.
    chosen : sequence of str, optional
        Descriptor families; all by default.

    Raises
    ------
    InputError
        If the folder holds no descriptors of these families and this species, or a file is damaged.
    """

    def __init__(
        self, folder: str | Path, mobile: str = "Li", chosen: Sequence[str] | None = None
    ) -> None:
        self.chosen = tuple(chosen or FAMILY_NAMES)
        self.layout = layout_of(self.chosen, mobile)
        self.folder = Path(folder) / f"{self.layout.settings.partition(chr(9))[0]}-{mobile}"
        self.files = sorted(self.folder.glob("features-*.parquet"))
        if not self.files:
            raise InputError(
                f"{folder}: no descriptors of all families for {mobile} here; run 'ionsieve "
                f"featurize … --out {folder}' first"
            )
        keys = [_numbers(read_keys(path)) for path in self.files]
        joined = np.concatenate(keys)
        order = np.argsort(joined, kind="stable")
        self._keys = joined[order]
        self._file = np.repeat(np.arange(len(keys), dtype=np.int32), [len(k) for k in keys])[order]
        self.taken = 0
        """Rows that were found so far."""

    def rows(self, records: Sequence[StructureRecord]) -> dict[int, FeatureRow]:
        """Rows by the place of their structure; what is not here is left out.

        Parameters
        ----------
        records : sequence of StructureRecord

        Raises
        ------
        InputError
            If it is none of the first that are asked for: the folder is of other structures or of
            another version, and computing them all anew is not what was wanted.
        """
        names = [self.layout.key(record) for record in records]
        wanted = _numbers(names)
        place = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        here = np.flatnonzero(self._keys[place] == wanted)
        found: dict[int, FeatureRow] = {}
        for file in np.unique(self._file[place[here]]):
            stored = read_shard(self.files[file], self.layout)
            for i in here[self._file[place[here]] == file].tolist():
                found[i] = feature_row(stored[names[i]], self.chosen)
        if records and not found and not self.taken:
            raise InputError(
                f"{self.folder}: holds descriptors of none of these structures; they are of "
                "others or of another version of ionsieve: run 'ionsieve featurize' again, or "
                "leave the folder out"
            )
        self.taken += len(found)
        return found


def _numbers(keys: Sequence[str]) -> np.ndarray:
    """Keys of 16 hexadecimal digits as numbers, shape (n,)."""
    joined = bytes.fromhex("".join(keys))
    return np.frombuffer(joined, dtype=">u8").astype(np.uint64)
