"""Filters as data: a YAML or TOML file, checked on reading, applied to columns by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ...data.elements import ATOMIC_NUMBER
from ...data.errors import InputError
from ...data.settings_text import read_settings_text, yaml_value
from ...features.catalogue import catalogue

STORE_COLUMNS: Final[tuple[str, ...]] = (
    "id",
    "formula",
    "elements",
    "n_elements",
    "n_sites",
    "space_group",
    "is_ordered",
    "volume_A3",
    "e_above_hull_eV_atom",
    "band_gap_eV",
    "energy_eV_atom",
    "li_window_low_V",
    "li_window_high_V",
    "source",
    "licence",
)
"""Columns that are known before any descriptor is computed."""

MOBILE: Final[str] = "MOBILE"
_BOUNDS = ("min", "max")
_LISTS = ("in", "not_in", "contains", "lacks")
_KNOWN = {"name", "column", "unknown", "reason", *_BOUNDS, *_LISTS}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """One condition on one column.

    Parameters
    ----------
    name : str
        Stage in the funnel.
    column : str
        Column of the store, or a descriptor.
    minimum, maximum : float, optional
        Both included.
    within, without : tuple, optional
        Values allowed; values refused.
    contains, lacks : tuple of str, optional
        For ``elements``: all of these; none of these.
    keep_unknown : bool
        What has no value in the column passes.
    reason : str
        Why a structure falls out.
    """

    name: str
    column: str
    minimum: float | None = None
    maximum: float | None = None
    within: tuple[Any, ...] | None = None
    without: tuple[Any, ...] | None = None
    contains: tuple[str, ...] | None = None
    lacks: tuple[str, ...] | None = None
    keep_unknown: bool = False
    reason: str = ""

    @property
    def needs_features(self) -> bool:
        """True if the column is a descriptor."""
        return self.column not in STORE_COLUMNS

    def as_dict(self) -> dict[str, Any]:
        """As in a table of filters, from which it can be read again."""
        given = {
            "min": self.minimum,
            "max": self.maximum,
            "in": self.within,
            "not_in": self.without,
            "contains": self.contains,
            "lacks": self.lacks,
        }
        conditions = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in given.items()
            if value is not None
        }
        unknown = "keep" if self.keep_unknown else "drop"
        named = {"name": self.name, "column": self.column}
        return {**named, **conditions, "unknown": unknown, "reason": self.reason}

    def passes(self, value: Any) -> bool:
        """Whether a value of the column passes."""
        if is_unknown(value):
            return self.keep_unknown
        return (
            (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
            and (self.within is None or value in self.within)
            and (self.without is None or value not in self.without)
            and (self.contains is None or set(self.contains) <= set(value))
            and (self.lacks is None or not set(self.lacks) & set(value))
        )


def is_unknown(value: Any) -> bool:
    """Whether a column says nothing: absent, empty or not a number."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def default_filters(mobile: str) -> tuple[Filter, ...]:
    """The filters of Yang 2025 (``filters_default.yaml``)."""
    text = files("ionsieve.screening").joinpath("filters_default.yaml").read_text("utf-8")
    return parse_filters(yaml_value(text, "filters_default.yaml"), "filters_default.yaml", mobile)


def load_filters(path: str | Path, mobile: str) -> tuple[Filter, ...]:
    """Read a table of filters.

    Parameters
    ----------
    path : path
        YAML (.yaml, .yml) or TOML (.toml).
    mobile : str
        What ``MOBILE`` stands for.

    Raises
    ------
    InputError
        If the file cannot be read, or a filter has an unknown key, column or value.
    """
    return parse_filters(read_settings_text(path), str(path), mobile)


def parse_filters(content: Any, where: str, mobile: str) -> tuple[Filter, ...]:
    """Check a table of filters.

    Raises
    ------
    InputError
        With the place and what is allowed there.
    """
    entries = content.get("filters") if isinstance(content, Mapping) else None
    if not isinstance(entries, list) or set(content) != {"filters"}:
        raise InputError(f"{where}: needs one key 'filters' with a list of filters")
    parsed = tuple(
        _filter(entry, f"{where}: filter {number}", mobile)
        for number, entry in enumerate(entries, start=1)
    )
    names = [one.name for one in parsed]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{where}: two filters are named {twice[0]!r}")
    return parsed


def _filter(entry: Any, where: str, mobile: str) -> Filter:
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: must be a table with name, column and a condition")
    if unknown := sorted(map(str, set(entry) - _KNOWN)):
        raise InputError(
            f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KNOWN))}"
        )
    name, column = _text(entry, "name", where), _text(entry, "column", where)
    _check_column(column, where)
    if not set(entry) & {*_BOUNDS, *_LISTS}:
        raise InputError(f"{where} ({name}): no condition; give one of min, max, in, not_in …")
    return Filter(
        name=name,
        column=column,
        minimum=_number(entry, "min", where),
        maximum=_number(entry, "max", where),
        within=_list(entry, "in", where),
        without=_list(entry, "not_in", where),
        contains=_elements(entry, "contains", where, mobile),
        lacks=_elements(entry, "lacks", where, mobile),
        keep_unknown=_unknown(entry, where),
        reason=str(entry.get("reason") or f"fails filter {name}"),
    )


def _check_column(column: str, where: str) -> None:
    known = [*STORE_COLUMNS, *(c.name for c in catalogue())]
    if column not in known:
        from difflib import get_close_matches

        close = get_close_matches(column, known, 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise InputError(f"{where}: no column {column!r}{hint}")


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {key} must be a text")
    return value


def _number(entry: Mapping[str, Any], key: str, where: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InputError(f"{where}: {key} must be a number, not {value!r}")
    if entry["column"] in ("elements", "id", "formula", "source", "licence"):
        raise InputError(f"{where}: {key} does not apply to {entry['column']}")
    return float(value)


def _list(entry: Mapping[str, Any], key: str, where: str) -> tuple[Any, ...] | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(v, str | int | float) for v in value):
        raise InputError(f"{where}: {key} must be a list of texts or numbers, not {value!r}")
    return tuple(value)


def _elements(
    entry: Mapping[str, Any], key: str, where: str, mobile: str
) -> tuple[str, ...] | None:
    value = _list(entry, key, where)
    if value is None:
        return None
    if entry["column"] != "elements":
        raise InputError(f"{where}: {key} applies to the column elements only")
    symbols = tuple(mobile if symbol == MOBILE else str(symbol) for symbol in value)
    if strange := [s for s in symbols if s not in ATOMIC_NUMBER]:
        raise InputError(f"{where}: {key} names {strange[0]!r}, which is no element")
    return symbols


def _unknown(entry: Mapping[str, Any], where: str) -> bool:
    value = entry.get("unknown", "drop")
    if value not in ("keep", "drop"):
        raise InputError(f"{where}: unknown must be 'keep' or 'drop', not {value!r}")
    return bool(value == "keep")


def split_by_cost(filters: Sequence[Filter]) -> tuple[list[Filter], list[Filter]]:
    """Filters on the store's columns, and those that need descriptors, each in their order."""
    cheap = [one for one in filters if not one.needs_features]
    return cheap, [one for one in filters if one.needs_features]


def families_of(filters: Iterable[Filter]) -> tuple[str, ...]:
    """Descriptor families that the filters look at."""
    columns = {one.column for one in filters if one.needs_features}
    return tuple(sorted({c.family for c in catalogue() if c.name in columns}))
