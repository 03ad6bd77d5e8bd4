"""The catalogue: one entry per output column, from which docs and checks are generated.

A descriptor family is one module with one public function ``compute(prepared, notes)`` and one
:class:`Column` per output. Nothing is typed twice: column order, units, ranges and the docs page
all come from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from importlib import import_module, metadata
from typing import Final, cast

from ..data.code_digest import code_digest
from ..data.errors import FeatureError
from .core.columns import DSCRIBE, EXTRA, Column, Compute, ComputeBatch, Family

_MODULES: Final[dict[str, str]] = {
    "isolated_anions": ".isolated.columns",
    "isolated_net": ".isolated.net_columns",
    "electrostatics": ".electrostatics.columns",
    "li_metal": ".electrostatics.li_metal",
    "frustration": ".frustration.columns",
    "composition": ".standard.composition",
    "element_fractions": ".standard.element_fractions",
    "density": ".standard.density",
    "symmetry": ".standard.symmetry",
    "voronoi_order": ".standard.voronoi_order",
    "bond_order": ".standard.bond_order",
    "radial": ".standard.radial",
    "anion_packing": ".standard.packing",
    "similarity": ".similarity.columns",
    "bvse": ".bvse.columns",
}
"""Family name → module that defines ``COLUMNS`` and ``compute``; order is column order."""

FAMILY_NAMES: Final[tuple[str, ...]] = tuple(_MODULES)


STANDARD_FAMILIES: Final[tuple[str, ...]] = tuple(
    name
    for name, module in _MODULES.items()
    if module.startswith(".standard.") and name != "anion_packing"
)
"""Families that every materials-informatics toolkit has; the physics is measured against them."""


def family(name: str) -> Family:
    """The family of that name.

    Raises
    ------
    FeatureError
        If there is none; the message lists those that exist.
    """
    if name == DSCRIBE:
        from .dscribe_extra import dscribe_family

        return dscribe_family()
    if is_extra(name):
        from .matminer_extra import extra_family

        return extra_family(name)
    if name not in _MODULES:
        raise FeatureError(f"no feature family {name!r}; choose from {', '.join(FAMILY_NAMES)}")
    module = import_module(_MODULES[name], package=__package__)
    batch = cast("ComputeBatch | None", getattr(module, "compute_batch", None))
    return Family(name, tuple(module.COLUMNS), cast(Compute, module.compute), batch)


def family_modules(names: Iterable[str]) -> tuple[str, ...]:
    """Full module names of families, for processes that import them ahead."""
    return tuple(f"{__package__}{_module_of(name)}" for name in names)


def _module_of(name: str) -> str:
    if name == DSCRIBE:
        return ".dscribe_extra"
    return ".matminer_extra" if is_extra(name) else _MODULES[name]


def is_extra(name: str) -> bool:
    """Whether a family name means a featurizer of matminer (:mod:`.matminer_extra`)."""
    return name.startswith(EXTRA)


def families(names: Iterable[str] | None = None) -> tuple[Family, ...]:
    """Families in catalogue order, then those of matminer; all but these by default."""
    wanted = dict.fromkeys(FAMILY_NAMES if names is None else names)
    others = [name for name in wanted if name not in FAMILY_NAMES]
    own = (family(name) for name in FAMILY_NAMES if name in wanted)
    return (*own, *(family(name) for name in others))


def catalogue(names: Iterable[str] | None = None) -> tuple[Column, ...]:
    """Every column of the chosen families, in output order."""
    return tuple(column for f in families(names) for column in f.columns)


def feature_set_hash(columns: Sequence[Column]) -> str:
    """Identity of a feature set: names and definitions, 12 hex digits."""
    text = "\n".join(f"{c.name}\t{c.unit}\t{c.definition}" for c in columns)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def descriptor_code(names: Iterable[str] | None = None) -> str:
    """Hash of the code and tables that values of the chosen families depend on.

    Equal structures, families and hashes give equal values: what was computed may be used again.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    chosen = FAMILY_NAMES if names is None else tuple(names)
    own = code_digest(f"{__package__}.rows", *family_modules(chosen))
    extras = [name for name in chosen if is_extra(name) or name == DSCRIBE]
    if not extras:
        return own
    versions = [metadata.version(package) for package in ("matminer", "dscribe")]
    return hashlib.sha256("\n".join([own, *versions, *extras]).encode()).hexdigest()
