"""Objects of a JSON file of any size, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..errors import InputError
from .streams import CORRUPT, BoundedReader, open_stream

_LISTS: Final[frozenset[str]] = frozenset({"entries", "structures", "data"})
"""Keys whose value is the list of structures."""

_CHUNK = 8192
"""Bytes read at once: no deeper can a file nest before the reader looks at it."""

_OWN: Final[frozenset[str]] = frozenset(
    {
        "lattice",
        "sites",
        "charge",
        "structure",
        "species",
        "frac",
        "energy",
        "composition",
        "attributes",
        "lattice_vectors",
        "species_at_sites",
    }
)
"""Keys of a single structure or entry."""


def iter_json_objects(path: Path) -> Iterator[tuple[str | None, Any]]:
    """Yield (key, object): a list of objects, one under ``entries``, a mapping, a single one.

    The key is that of the mapping, None in a list, empty for a single object. Memory holds one.

    Raises
    ------
    InputError
        If the file is broken (after the objects before that place), or holds no structures.
    """
    import ijson

    try:
        layout = _layout(path)
        with open_stream(path) as stream:
            if layout == "{}":
                pairs = ijson.kvitems(stream, "", use_float=True, buf_size=_CHUNK)
            else:
                key = None if layout else ""
                pairs = (
                    (key, v) for v in ijson.items(stream, layout, use_float=True, buf_size=_CHUNK)
                )
            for key, value in pairs:
                stream.entry_done()
                yield key, value
    except ijson.JSONError as error:
        raise InputError(f"not valid JSON: {_first_line(error)}") from None
    except CORRUPT as error:
        raise InputError(f"the file is damaged or ends early ({_first_line(error)})") from None
    except (ValueError, OverflowError) as error:
        raise InputError(f"not valid JSON: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    """Parsers append the text around an error, which may be binary: keep the message only."""
    text = error.args[0] if error.args else error
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return (shown.splitlines() or [type(error).__name__])[0][:200]


def _layout(path: Path) -> str:
    """Where the structures are: an ijson prefix, or ``{}`` for a mapping from ids."""
    import ijson

    with open_stream(path) as stream:
        events = ijson.basic_parse(stream, use_float=True, buf_size=_CHUNK)
        first = next(events, (None, None))[0]
        if first == "start_array":
            return "item"
        if first != "start_map":
            raise InputError("holds neither a list nor an object of structures")
        return _layout_of_object(events, stream)


def _layout_of_object(events: Iterator[tuple[str, Any]], stream: BoundedReader) -> str:
    depth, key, parent = 1, "", ""
    for event, value in events:
        if event == "map_key" and depth == 1:
            stream.entry_done()
            key = value
            if key in _OWN:
                return ""
        elif event == "map_key" and depth == 2 and parent == "map" and value in _OWN:
            return "{}"
        elif event in ("start_map", "start_array"):
            if depth == 1:
                parent = event.removeprefix("start_")
                if key in _LISTS and parent == "array":
                    return f"{key}.item"
            depth += 1
        elif event in ("end_map", "end_array"):
            depth -= 1
    raise InputError("holds no structures: no list 'entries', 'structures' or 'data', no object")
