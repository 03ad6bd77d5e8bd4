"""Arrow columns straight from Python lists, by their buffers.

``pyarrow.array`` would do the same, but imports pandas on the way: a quarter of the memory that
an ingest needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def table_of(rows: Sequence[Mapping[str, Any]], schema: Any) -> Any:
    """Arrow table of dictionaries.

    Parameters
    ----------
    rows : sequence of mapping
        Every one with all names of the schema; None is null.
    schema : pyarrow Schema
        Of texts, whole and floating numbers, truth values, and lists of them.
    """
    import pyarrow as pa

    columns = [column([row[field.name] for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def column(values: Sequence[Any], kind: Any) -> Any:
    """One Arrow array of a type.

    Parameters
    ----------
    values : sequence
        None is null; a list column takes sequences without nulls inside.
    kind : pyarrow DataType
    """
    import pyarrow as pa

    validity = _validity(values)
    if pa.types.is_list(kind):
        lists = [() if v is None else v for v in values]
        inner = column([x for v in lists for x in v], kind.value_type)
        buffers = [validity, _offsets([len(v) for v in lists])]
        return pa.Array.from_buffers(kind, len(values), buffers, children=[inner])
    if pa.types.is_string(kind):
        texts = [b"" if v is None else str(v).encode() for v in values]
        buffers = [validity, _offsets([len(t) for t in texts]), pa.py_buffer(b"".join(texts))]
        return pa.Array.from_buffers(kind, len(values), buffers)
    if pa.types.is_boolean(kind):
        return pa.Array.from_buffers(
            kind, len(values), [validity, _bits([bool(v) for v in values])]
        )
    numbers = np.array([0 if v is None else v for v in values], dtype=kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(numbers.tobytes())])


def _validity(values: Sequence[Any]) -> Any:
    present = [v is not None for v in values]
    return None if all(present) else _bits(present)


def _bits(values: Sequence[bool]) -> Any:
    import pyarrow as pa

    packed = np.packbits(np.array(values, dtype=np.uint8), bitorder="little")
    return pa.py_buffer(packed.tobytes())


def _offsets(lengths: Sequence[int]) -> Any:
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if offsets[-1] >= 2**31:
        raise ValueError("more than 2 GB in one column of a block")
    return pa.py_buffer(offsets.astype(np.int32).tobytes())
