"""The catalogue: one entry per output column, from which docs and checks are generated.

A descriptor family is one module with one public function ``compute(prepared, notes)`` and one
:class:`Column` per output. Nothing is typed twice: column order, units, ranges and the docs page
all come from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Literal, cast

from ..data.errors import FeatureError
from .prepared import PreparedStructure

Value = float | str | bool
Values = dict[str, Value]
Notes = list[str]
"""Reasons for NaN, appended by a family as ``"family: reason"``."""
Compute = Callable[[PreparedStructure, Notes], Values]
ComputeBatch = Callable[[Sequence[PreparedStructure], Sequence[Notes]], list[Values]]
"""Optional ``compute_batch``: the same values for many structures at once, one ``Notes`` each."""

DType = Literal["float", "bool", "category"]
Cost = Literal["low", "medium", "high"]


@dataclass(frozen=True)
class Column:
    """One output column.

    Parameters
    ----------
    name : str
        Column name; carries its unit where it has one.
    unit : str
        Unit, or ``1`` for pure numbers.
    definition : str
        One sentence that lets a reader recompute it.
    source : str
        Paper and equation, library, or ``ionsieve``.
    family : str
        Family it belongs to.
    lower, upper : float or None
        Range it cannot leave; None where unbounded.
    nan_means : str
        What NaN says; empty where it never is NaN.
    cost : {'low', 'medium', 'high'}
        Below 0.5 ms, below 5 ms, above.
    dtype : {'float', 'bool', 'category'}
        ``category`` columns describe; models do not read them.
    """

    name: str
    unit: str
    definition: str
    source: str
    family: str
    lower: float | None = None
    upper: float | None = None
    nan_means: str = ""
    cost: Cost = "low"
    dtype: DType = "float"


@dataclass(frozen=True)
class Family:
    """A descriptor family: its columns and the functions that compute them."""

    name: str
    columns: tuple[Column, ...]
    compute: Compute
    compute_batch: ComputeBatch | None = None


_MODULES: Final[dict[str, str]] = {
    "isolated_anions": ".isolated_columns",
    "isolated_net": ".net_columns",
    "electrostatics": ".electrostatics",
    "li_metal": ".li_metal",
    "frustration": ".frustration",
    "composition": ".composition",
    "density": ".density",
    "symmetry": ".symmetry",
    "voronoi_order": ".voronoi_order",
    "bond_order": ".bond_order",
    "radial": ".radial",
    "anion_packing": ".packing",
    "similarity": ".similarity_columns",
    "bvse": ".bvse_columns",
}
"""Family name → module that defines ``COLUMNS`` and ``compute``; order is column order."""

FAMILY_NAMES: Final[tuple[str, ...]] = tuple(_MODULES)


def family(name: str) -> Family:
    """The family of that name.

    Raises
    ------
    FeatureError
        If there is none; the message lists those that exist.
    """
    if name not in _MODULES:
        raise FeatureError(f"no feature family {name!r}; choose from {', '.join(FAMILY_NAMES)}")
    module = import_module(_MODULES[name], package=__package__)
    batch = cast("ComputeBatch | None", getattr(module, "compute_batch", None))
    return Family(name, tuple(module.COLUMNS), cast(Compute, module.compute), batch)


def family_modules(names: Iterable[str]) -> tuple[str, ...]:
    """Full module names of families, for processes that import them ahead."""
    return tuple(f"{__package__}{_MODULES[name]}" for name in names)


def families(names: Iterable[str] | None = None) -> tuple[Family, ...]:
    """Families in catalogue order; all of them by default."""
    wanted = set(FAMILY_NAMES if names is None else names)
    for name in sorted(wanted - set(FAMILY_NAMES)):
        family(name)
    return tuple(family(name) for name in FAMILY_NAMES if name in wanted)


def catalogue(names: Iterable[str] | None = None) -> tuple[Column, ...]:
    """Every column of the chosen families, in output order."""
    return tuple(column for f in families(names) for column in f.columns)


def feature_set_hash(columns: Sequence[Column]) -> str:
    """Identity of a feature set: names and definitions, 12 hex digits."""
    text = "\n".join(f"{c.name}\t{c.unit}\t{c.definition}" for c in columns)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
