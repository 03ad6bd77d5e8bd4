"""A table that arrives in parts, as one CSV or Parquet file: memory holds one part."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from .atomic import open_atomic
from .csv_text import csv_text
from .errors import InputError

if TYPE_CHECKING:
    import pandas as pd

TABLE_ENDINGS: Final[tuple[str, ...]] = (".csv", ".parquet")


class TableFile:
    """A file under way; made by :func:`open_table`."""

    def __init__(self, stream: IO[bytes], is_parquet: bool, index: bool, compression: str) -> None:
        self._stream, self._is_parquet, self._index = stream, is_parquet, index
        self._compression = compression
        self._writer: Any = None
        self._has_header = False

    def add(self, part: pd.DataFrame) -> None:
        """Write rows behind those of the parts before, which had the same columns."""
        if self._is_parquet:
            self._add_parquet(part)
        else:
            text = csv_text(part, self._index)
            header, _, rows = text.partition("\n")
            self._stream.write((rows if self._has_header else f"{header}\n{rows}").encode())
            self._has_header = True

    def _add_parquet(self, part: pd.DataFrame) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = None if self._writer is None else self._writer.schema
        table = pa.Table.from_pandas(part, schema=schema, preserve_index=self._index)
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._stream, table.schema, compression=self._compression
            )
        self._writer.write_table(table)

    def close(self) -> None:
        """Write what ends the file."""
        if self._writer is not None:
            self._writer.close()


@contextlib.contextmanager
def open_table(path: Path, index: bool = False, compression: str = "snappy") -> Iterator[TableFile]:
    """A table to write in parts; it replaces ``path`` when the block ends well, and not otherwise.

    The text of a CSV does not depend on the parts. Each part of a Parquet file is a row group.

    Parameters
    ----------
    path : Path
        Ending in .csv or .parquet.
    index : bool
        With the index as a column.
    compression : str
        Of a Parquet file.

    Raises
    ------
    InputError
        If the ending says another format.
    """
    if path.suffix not in TABLE_ENDINGS:
        raise InputError(f"{path}: end it in {' or '.join(TABLE_ENDINGS)}")
    with open_atomic(path) as stream:
        table = TableFile(stream, path.suffix == ".parquet", index, compression)
        yield table
        table.close()
