"""Settings as data: a dataclass is the schema; files and ``key=value`` fill it, checked.

Order of precedence: defaults < file < ``--set`` < options given on the command line. Keys of a
dataclass inside another one are dotted, as ``flags.out_of_domain``; a file may nest them.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import InputError
from .settings_text import read_settings_text, shown, yaml_value

Schema = TypeVar("Schema")


class Layer(NamedTuple):
    """Values of one origin."""

    where: str
    """For messages: the file, ``--set``, the option."""
    values: Mapping[str, Any]
    """Dotted keys."""


def setting(default: Any, help: str, low: float | None = None, high: float | None = None) -> Any:
    """A field of a schema that says what it means and where its limits are.

    Parameters
    ----------
    default : value
    help : str
        One line; the command line shows it.
    low, high : float, optional
        Smallest and largest value (:func:`check_limits`).
    """
    return field(default=default, metadata={"help": help, "low": low, "high": high})


def check_limits(settings: Any) -> None:
    """Check every field that states limits.

    Raises
    ------
    InputError
        For a value beyond them; names the field and both limits.
    """
    for one in fields(settings):
        low, high = one.metadata.get("low"), one.metadata.get("high")
        value = getattr(settings, one.name)
        if low is not None and high is not None and not low <= value <= high:
            raise InputError(f"{one.name} {value}: must be from {low} to {high}")


def keys_of(schema: type) -> dict[str, Any]:
    """Dotted keys of a schema with their types, in the order of the fields."""
    return dict(_keys(schema))


def _keys(schema: type) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(schema)
    for one in fields(schema):
        kind = hints[one.name]
        if is_dataclass(kind):
            yield from ((f"{one.name}.{key}", k) for key, k in _keys(kind))  # type: ignore[arg-type]
        else:
            yield one.name, kind


def resolved(schema: type[Schema], layers: Iterable[Layer]) -> Schema:
    """Fill a schema; later layers win.

    Raises
    ------
    InputError
        For an unknown key, with the nearest ones, or a value of the wrong type; with its origin.
    """
    known = keys_of(schema)
    chosen: dict[str, Any] = {}
    for where, values in layers:
        for key, value in values.items():
            if key not in known:
                raise InputError(f"{where}: unknown setting {shown(key)}{_nearest(key, known)}")
            chosen[key] = _typed(value, known[key], f"{where}: {key}")
    return _built(schema, chosen)


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    # The last part alone, too: 'out_of_domain' is meant for 'flags.out_of_domain'.
    tails = {name.rsplit(".", 1)[-1]: name for name in known}
    close = get_close_matches(key, known, 3, 0.5)
    close += [tails[t] for t in get_close_matches(key, tails, 2, 0.6) if tails[t] not in close]
    if not close:
        return f"; known are {', '.join(known)}"
    return f"; did you mean {' or '.join(close[:3])}?"


def _built(schema: type[Schema], chosen: Mapping[str, Any], prefix: str = "") -> Schema:
    hints = get_type_hints(schema)
    values = {}
    for one in fields(schema):  # type: ignore[arg-type]
        name = prefix + one.name
        if is_dataclass(hints[one.name]):
            inner: Any = hints[one.name]
            values[one.name] = _built(inner, chosen, f"{name}.")
        elif name in chosen:
            values[one.name] = chosen[name]
        elif one.default is MISSING and one.default_factory is MISSING:
            raise InputError(f"setting {name!r} is missing")
    return schema(**values)


def read_settings_file(path: str | Path, schema: type) -> Layer:
    """Values of a YAML or TOML (.toml) file, nested tables as dotted keys.

    Raises
    ------
    InputError
        If it cannot be read or is no table of settings.
    """
    file = Path(path)
    content = read_settings_text(file)
    if content is None:
        return Layer(str(file), {})
    if not isinstance(content, dict):
        raise InputError(f"{file}: must hold a table of settings, such as 'seed: 1'")
    return Layer(str(file), dict(_flat(content, keys_of(schema))))


def _flat(
    content: Mapping[Any, Any], known: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        name = f"{prefix}{key}"
        is_group = any(k.startswith(f"{name}.") for k in known)
        if isinstance(value, Mapping) and is_group:
            yield from _flat(value, known, f"{name}.")
        else:
            yield name, value


def assignments(texts: Iterable[str]) -> Layer:
    """Values of ``key=value`` texts; values are read as YAML, so ``[1, 2]`` is a list.

    Raises
    ------
    InputError
        If a text has no ``=`` or its value is not readable.
    """
    values = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set {text[:80]}: give key=value")
        try:
            values[key.strip()] = yaml_value(value, "")
        except InputError:
            raise InputError(f"--set {text[:80]}: the value is not readable; quote it") from None
    return Layer("--set", values)


def as_nested(settings: Any) -> dict[str, Any]:
    """A filled schema as plain nested values, in the order of its fields."""
    found = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        found[one.name] = as_nested(value) if is_dataclass(value) else _plain(value)
    return found


def _plain(value: Any) -> Any:
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _typed(value: Any, kind: Any, where: str) -> Any:
    """The value as its type wants it."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        others = [k for k in inner if k is not type(None)]
        if len(others) == 1:
            return _typed(value, others[0], where)
        for option in others:
            try:
                return _typed(value, option, where)
            except InputError:
                continue
        raise InputError(f"{where}: {shown(value)} is not possible here")
    if origin is Literal:
        if value not in inner:
            raise InputError(f"{where}: {shown(value)}; use one of {', '.join(map(str, inner))}")
        return value
    if origin is tuple:
        return _typed_tuple(value, inner, where)
    return _typed_scalar(value, kind, where)


def _typed_tuple(value: Any, inner: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    if isinstance(value, str) and inner[0] is str:
        # As on the command line: a,b,c.
        value = [word.strip() for word in value.split(",") if word.strip()]
    if not isinstance(value, list | tuple):
        raise InputError(f"{where}: must be a list, not {shown(value)}")
    if inner[-1] is Ellipsis:
        return tuple(_typed(v, inner[0], where) for v in value)
    if len(value) != len(inner):
        raise InputError(f"{where}: must be a list of {len(inner)}, not {shown(value)}")
    return tuple(_typed(v, k, where) for v, k in zip(value, inner, strict=True))


def _typed_scalar(value: Any, kind: Any, where: str) -> Any:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    wrong = InputError(f"{where}: must be {names.get(kind, kind)}, not {shown(value)}")
    if kind is float and isinstance(value, str):
        # YAML takes 1e-3 for a text.
        try:
            value = float(value)
        except ValueError:
            raise wrong from None
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if math.isnan(value):
            raise wrong
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind in (bool, str) and isinstance(value, kind):
        return value
    raise wrong
