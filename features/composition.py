"""Composition features: Magpie statistics of element properties, from matminer.

Ward et al. 2016, 10.1038/npjcompumats.2016.28, through matminer's element tables.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any, Final

from ..data.elements import SYMBOLS
from .catalogue import Column, Notes, Values
from .prepared import PreparedStructure

_SOURCE = "Ward 2016, 10.1038/npjcompumats.2016.28, by matminer"


@lru_cache(maxsize=1)
def _magpie() -> Any:
    from matminer.featurizers.composition.composite import ElementProperty

    # matminer announces its imputation setting; here missing element data stay NaN.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ElementProperty.from_preset("magpie", impute_nan=False)


def _column_name(label: str) -> str:
    statistic, prop = re.fullmatch(r"MagpieData (\w+) (\w+)", label).groups()  # type: ignore[union-attr]
    return f"magpie_{prop}_{statistic}"


def _columns() -> tuple[Column, ...]:
    labels = _magpie().feature_labels()
    return tuple(
        Column(
            _column_name(label),
            "as in Magpie",
            f"{label.removeprefix('MagpieData ')} over the composition",
            _SOURCE,
            "composition",
            nan_means="an element has no tabulated value",
        )
        for label in labels
    )


COLUMNS: Final[tuple[Column, ...]] = _columns()


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Magpie statistics of the composition, occupancies counted."""
    amounts = {
        SYMBOLS[z - 1]: float(prepared.atoms.occupancy[prepared.atoms.z == z].sum())
        for z in sorted(set(prepared.atoms.z.tolist()))
    }
    values = _magpie_values(tuple(amounts.items()))
    return {c.name: v for c, v in zip(COLUMNS, values, strict=True)}


@lru_cache(maxsize=4096)
def _magpie_values(amounts: tuple[tuple[str, float], ...]) -> tuple[float, ...]:
    from pymatgen.core import Composition

    return tuple(float(v) for v in _magpie().featurize(Composition(dict(amounts))))
