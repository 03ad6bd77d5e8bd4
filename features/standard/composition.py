"""Composition features on arrays: Magpie statistics, stoichiometry, valence orbitals, ionicity.

Ward et al. 2016, 10.1038/npjcompumats.2016.28. The element table is matminer's ``MagpieData``,
read once; a batch is fractions × table with one grouped reduction per statistic. The numbers are
matminer's (``ElementProperty('magpie')``, ``Stoichiometry``, ``ValenceOrbital``, ``IonProperty``)
without its imputation: an element without a tabulated value gives NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER, SYMBOLS
from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from ..core.columns import Column, Notes, Values
from ..core.elements import N_ELEMENTS, electronegativities
from ..core.prepared import PreparedStructure

_FAMILY = "composition"
_WARD = "Ward 2016, 10.1038/npjcompumats.2016.28"

MAGPIE_PROPERTIES: Final[dict[str, str]] = {
    "Number": "1",
    "MendeleevNumber": "1",
    "AtomicWeight": "u",
    "MeltingT": "K",
    "Column": "1",
    "Row": "1",
    "CovalentRadius": "pm",
    "Electronegativity": "1",
    "NsValence": "1",
    "NpValence": "1",
    "NdValence": "1",
    "NfValence": "1",
    "NValence": "1",
    "NsUnfilled": "1",
    "NpUnfilled": "1",
    "NdUnfilled": "1",
    "NfUnfilled": "1",
    "NUnfilled": "1",
    "GSvolume_pa": "Å³",
    "GSbandgap": "eV",
    "GSmagmom": "µB",
    "SpaceGroupNumber": "1",
}
"""Element properties of Ward 2016 with their unit, in matminer's order."""

STATISTICS: Final[dict[str, str]] = {
    "minimum": "smallest",
    "maximum": "largest",
    "range": "largest minus smallest",
    "mean": "composition-weighted mean of",
    "avg_dev": "composition-weighted mean absolute deviation of",
    "mode": "value at the most abundant element (smallest, where several are) of",
}

STOICHIOMETRY_NORMS: Final[tuple[int, ...]] = (0, 2, 3, 5, 7, 10)
ORBITALS: Final[tuple[str, ...]] = ("s", "p", "d", "f")

_VALENCE = [list(MAGPIE_PROPERTIES).index(f"N{o}Valence") for o in (*ORBITALS, "")]
_MISSING = "an element has no tabulated value"


def _columns() -> tuple[Column, ...]:
    source = f"{_WARD}; table and numbers of matminer, not imputed"
    magpie = [
        Column(
            f"magpie_{prop}_{statistic}",
            unit,
            f"{words} Magpie {prop} over the elements",
            source,
            _FAMILY,
            lower=0 if statistic in ("range", "avg_dev") else None,
            nan_means=_MISSING,
        )
        for prop, unit in MAGPIE_PROPERTIES.items()
        for statistic, words in STATISTICS.items()
    ]
    norms = [
        Column(
            f"stoichiometry_norm_{p}",
            "1",
            f"{p}-norm of the atomic fractions" if p else "number of elements",
            f"{_WARD}, as matminer Stoichiometry",
            _FAMILY,
            lower=0,
            upper=1 if p else None,
        )
        for p in STOICHIOMETRY_NORMS
    ]
    return (*magpie, *norms, *_valence_columns(), *_ionic_columns())


def _valence_columns() -> list[Column]:
    source = f"{_WARD}, as matminer ValenceOrbital"
    mean = [
        Column(
            f"valence_{o}_mean",
            "1",
            f"{o} valence electrons per atom",
            source,
            _FAMILY,
            lower=0,
            nan_means=_MISSING,
        )
        for o in ORBITALS
    ]
    share = [
        Column(
            f"valence_{o}_fraction",
            "1",
            f"share of the valence electrons in {o} orbitals",
            source,
            _FAMILY,
            lower=0,
            upper=1,
            nan_means=_MISSING,
        )
        for o in ORBITALS
    ]
    return mean + share


def _ionic_columns() -> list[Column]:
    source = f"{_WARD}, as matminer IonProperty"
    words = "1 − exp(−(X_a − X_b)²/4) with Pauling electronegativities X"
    return [
        Column(
            "ionic_character_max",
            "1",
            f"largest {words} over pairs of elements",
            source,
            _FAMILY,
            lower=0,
            upper=1,
            nan_means="an element has no Pauling electronegativity",
        ),
        Column(
            "ionic_character_mean",
            "1",
            f"sum over pairs of elements of fraction_a × fraction_b × ({words})",
            source,
            _FAMILY,
            lower=0,
            upper=1,
            nan_means="an element has no Pauling electronegativity",
        ),
    ]


COLUMNS: Final[tuple[Column, ...]] = _columns()
_NAMES: Final[tuple[str, ...]] = tuple(c.name for c in COLUMNS)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Composition columns, occupancies counted; see the catalogue for each."""
    return compute_batch([prepared], [notes])[0]


def compute_batch(prepared: Sequence[PreparedStructure], notes: Sequence[Notes]) -> list[Values]:
    """As :func:`compute` for many structures at once, with one list of notes each."""
    amounts = np.array([_amounts(p) for p in prepared])
    group, z = np.nonzero(amounts)
    start = np.searchsorted(group, np.arange(len(prepared))).astype(np.int64)
    rows = _batch(z.astype(np.int64), amounts[group, z], start).tolist()
    for k in set(group[_has_gap()[z]].tolist()):
        notes[k].extend(_note_on_gaps(np.flatnonzero(amounts[k])))
    return [dict(zip(_NAMES, row, strict=True)) for row in rows]


def _amounts(prepared: PreparedStructure) -> FloatArray:
    atoms = prepared.atoms
    amounts = np.bincount(atoms.z, weights=atoms.occupancy, minlength=N_ELEMENTS)
    return amounts.astype(np.float64)


@lru_cache(maxsize=1)
def _has_gap() -> np.ndarray:
    """True for elements with a missing property, by atomic number."""
    return np.asarray(~np.isfinite(magpie_table()).all(axis=1))


def _note_on_gaps(present: IntArray) -> list[str]:
    missing = present[_has_gap()[present]]
    names = ", ".join(SYMBOLS[k - 1] for k in missing)
    return [f"{_FAMILY}: the Magpie table has gaps for {names}"] if names else []


def magpie_matrix(compositions: Sequence[Mapping[str, float]]) -> FloatArray:
    """All composition features of many compositions at once.

    Parameters
    ----------
    compositions : sequence of mappings, length n
        Element symbol → amount (any scale, above 0).

    Returns
    -------
    array (n, len(COLUMNS))
        Units and order as in ``COLUMNS``.

    Raises
    ------
    FeatureError
        If a composition is empty or holds an unknown element or an amount not above 0.

    Examples
    --------
    >>> row = magpie_matrix([{"Li": 3, "N": 1}])[0]
    >>> names = [c.name for c in COLUMNS]
    >>> float(row[names.index("magpie_Number_mean")])
    4.0
    """
    sizes = np.array([len(c) for c in compositions], dtype=np.int64)
    if len(sizes) == 0:
        return np.empty((0, len(COLUMNS)))
    if not sizes.all():
        raise FeatureError(f"composition {int(np.argmin(sizes))} is empty")
    try:
        z = np.array([ATOMIC_NUMBER[e] for c in compositions for e in c], dtype=np.int64)
    except KeyError as error:
        raise FeatureError(f"{error.args[0]!r} is not an element symbol") from None
    amount = np.array([a for c in compositions for a in c.values()], dtype=np.float64)
    if not (amount > 0).all():
        raise FeatureError(f"amounts must be above 0, got {amount[~(amount > 0)][0]}")
    return _batch(z, amount, np.concatenate([[0], np.cumsum(sizes)[:-1]]))


@lru_cache(maxsize=1)
def magpie_table() -> FloatArray:
    """Element × property, shape (119, 22), indexed by atomic number; NaN where Magpie has none.

    Raises
    ------
    FeatureError
        If matminer's element data cannot be found.
    """
    spec = find_spec("matminer")
    if spec is None or not spec.submodule_search_locations:
        raise FeatureError("matminer is not installed; its element table is needed")
    folder = (
        Path(spec.submodule_search_locations[0]) / "utils" / "data_files" / "magpie_elementdata"
    )
    table = np.full((N_ELEMENTS, len(MAGPIE_PROPERTIES)), np.nan)
    for column, prop in enumerate(MAGPIE_PROPERTIES):
        # One line per element from hydrogen on; "Missing" and absent lines mean no value.
        lines = (folder / f"{prop}.table").read_text().split("\n")[: len(SYMBOLS)]
        table[1 : len(lines) + 1, column] = [_number(line) for line in lines]
    table.flags.writeable = False
    return table


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _batch(z: IntArray, amount: FloatArray, start: IntArray) -> FloatArray:
    """Features of compositions laid end to end; composition k begins at ``start[k]``."""
    size = np.concatenate([start[1:], [len(z)]]) - start
    group = np.repeat(np.arange(len(start)), size)
    fraction = amount / np.add.reduceat(amount, start)[group]
    values = magpie_table()[z]
    blocks = [
        _magpie_statistics(values, fraction, start, group).reshape(len(start), -1),
        _stoichiometry(fraction, start),
        _valence(values, fraction, start),
        _ionic_character(z, fraction, start, size),
    ]
    return np.concatenate(blocks, axis=1)


def _magpie_statistics(
    values: FloatArray, fraction: FloatArray, start: IntArray, group: IntArray
) -> FloatArray:
    """Shape (n, properties, statistics). NaN propagates through each reduction."""
    weight = fraction[:, None]
    low = np.minimum.reduceat(values, start)
    high = np.maximum.reduceat(values, start)
    mean = np.add.reduceat(weight * values, start)
    deviation = np.add.reduceat(weight * np.abs(values - mean[group]), start)
    # As matminer: amounts within 1e-5 relative of the largest count as equally abundant.
    largest = np.maximum.reduceat(fraction, start)[group]
    abundant = (np.abs(fraction - largest) <= 1e-8 + 1e-5 * largest)[:, None]
    mode = np.minimum.reduceat(np.where(abundant, values, np.inf), start)
    found = np.empty((*low.shape, len(STATISTICS)))
    for k, statistic in enumerate((low, high, high - low, mean, deviation, mode)):
        found[:, :, k] = statistic
    return found


def _stoichiometry(fraction: FloatArray, start: IntArray) -> FloatArray:
    norms = [
        np.add.reduceat(fraction**p, start) ** (1.0 / p if p else 1.0) for p in STOICHIOMETRY_NORMS
    ]
    return np.array(norms).T


def _valence(values: FloatArray, fraction: FloatArray, start: IntArray) -> FloatArray:
    mean = np.add.reduceat(fraction[:, None] * values[:, _VALENCE], start)
    return np.concatenate([mean[:, :-1], mean[:, :-1] / mean[:, -1:]], axis=1)


def _ionic_character(
    z: IntArray, fraction: FloatArray, start: IntArray, size: IntArray
) -> FloatArray:
    """Largest and fraction-weighted ionic character over pairs, by padding to a square."""
    slot = start[:, None] + np.minimum(np.arange(size.max()), size[:, None] - 1)
    inside = np.arange(size.max()) < size[:, None]
    x = electronegativities()[z][slot]
    # Padding repeats the last element with weight 0: it adds only character 0 to itself
    # and what the last element already has with the others.
    weight = np.where(inside, fraction[slot], 0.0)
    character = 1.0 - np.exp(-0.25 * (x[:, :, None] - x[:, None, :]) ** 2)
    mean = 0.5 * np.einsum("ni,nj,nij->n", weight, weight, character)
    single = size == 1
    largest = np.where(single, 0.0, character.max(axis=(1, 2)))
    return np.array([largest, np.where(single, 0.0, mean)]).T
