"""Voronoi-weighted order: heterogeneity, coordination, chemical order, local differences.

Ward et al. 2017, 10.1103/PhysRevB.96.024104, with the numbers of matminer's
``StructuralHeterogeneity``, ``CoordinationNumber`` (effective, by area), ``ChemicalOrdering``,
``MaximumPackingEfficiency`` and ``LocalPropertyDifference``, all from one tessellation. Every
quantity is a smooth function of face areas, so faces that rounding opens at degenerate vertices do
not matter. Sites of mixed occupancy count with the fractions of their elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER, SYMBOLS
from ...data.records import FloatArray, IntArray, StructureRecord
from ..core.columns import Column, Notes, Values
from ..core.neighbors import end_to_end
from ..core.prepared import PreparedStructure
from .composition import MAGPIE_PROPERTIES, magpie_table

if TYPE_CHECKING:
    from .voronoi import Tessellation

_FAMILY = "voronoi_order"
_WARD = "Ward 2017, 10.1103/PhysRevB.96.024104, as matminer"
_NAN = "a site is partly empty, so that Voronoi cells are not defined"
_GAP = _NAN + "; or an element has no tabulated value"

STATISTICS: Final[dict[str, str]] = {
    "minimum": "smallest",
    "maximum": "largest",
    "range": "largest minus smallest",
    "mean": "mean",
    "avg_dev": "mean absolute deviation of",
}
SHELLS: Final[tuple[int, ...]] = (1, 2, 3)


def _column(name: str, unit: str, definition: str, source: str, nan: str = _NAN) -> Column:
    signed = "ordering" not in name
    return Column(
        name,
        unit,
        definition,
        f"{_WARD} {source}",
        _FAMILY,
        lower=0 if signed else None,
        nan_means=nan,
        cost="medium",
    )


def _columns() -> tuple[Column, ...]:
    geometry = [
        _column(
            "max_packing_efficiency",
            "1",
            "volume of spheres that reach the nearest face of each Voronoi cell over cell volume",
            "MaximumPackingEfficiency",
        ),
        *(
            _column(
                f"relative_bond_length_{s}",
                "1",
                f"{STATISTICS[s]} of the area-weighted mean neighbour distance of the sites, "
                "over its mean",
                "StructuralHeterogeneity",
            )
            for s in ("avg_dev", "maximum", "minimum")
        ),
        *(
            _column(
                f"neighbor_distance_variation_{s}",
                "1",
                f"{words} of the area-weighted mean absolute deviation of a site's neighbour "
                "distances, over their mean",
                "StructuralHeterogeneity",
            )
            for s, words in STATISTICS.items()
        ),
        _column(
            "relative_cell_size_avg_dev",
            "1",
            "mean absolute deviation of the Voronoi cell volumes over their mean",
            "StructuralHeterogeneity",
        ),
        *(
            _column(
                f"effective_coordination_{s}",
                "1",
                f"{words} over the sites of (Σ area)² / Σ area² of the Voronoi faces",
                "CoordinationNumber (ward-prb-2017)",
            )
            for s, words in STATISTICS.items()
        ),
    ]
    return (*geometry, *_ordering_columns(), *_difference_columns())


def _ordering_columns() -> list[Column]:
    return [
        _column(
            f"chemical_ordering_shell_{n}",
            "1",
            "mean |Warren–Cowley parameter| over sites and elements, neighbours reached in "
            f"{n} Voronoi step(s) without return, weighted by the product of face areas over the "
            "largest of each cell; 0 for a single element",
            "ChemicalOrdering",
        )
        for n in SHELLS
    ]


def _difference_columns() -> list[Column]:
    return [
        _column(
            f"local_difference_{prop}_{s}",
            unit,
            f"{words} over the sites of the area-weighted mean |difference| of Magpie {prop} "
            "between a site and its Voronoi neighbours",
            "LocalPropertyDifference (ward-prb-2017), not imputed",
            _GAP,
        )
        for prop, unit in MAGPIE_PROPERTIES.items()
        for s, words in STATISTICS.items()
    ]


COLUMNS: Final[tuple[Column, ...]] = _columns()
_NAMES: Final[tuple[str, ...]] = tuple(c.name for c in COLUMNS)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Voronoi-weighted order columns; see the catalogue for each."""
    return compute_batch([prepared], [notes])[0]


def compute_batch(prepared: Sequence[PreparedStructure], notes: Sequence[Notes]) -> list[Values]:
    """As :func:`compute` for many structures at once."""
    from .chemical_ordering import chemical_ordering
    from .voronoi import tessellation

    cells = [tessellation(p) for p in prepared]
    contents = [site_fractions(p.record) for p in prepared]
    size = np.array([len(share) for share, _ in contents])
    ordering = [chemical_ordering(c, s) for c, (s, _) in zip(cells, contents, strict=True)]
    differences = [
        _differences(c, share, elements, own)
        for c, (share, elements), own in zip(cells, contents, notes, strict=True)
    ]
    volume_A3 = np.array([p.record.volume_A3 for p in prepared])
    rows = np.concatenate(
        [
            _geometry(cells, size, volume_A3),
            np.array(ordering),
            site_statistics(np.concatenate(differences), size).reshape(len(cells), -1),
        ],
        axis=1,
    )
    return [dict(zip(_NAMES, row, strict=True)) for row in rows.tolist()]


def site_fractions(record: StructureRecord) -> tuple[FloatArray, IntArray]:
    """Fraction of each element on each site, shape (n_sites, n_elements), and atomic numbers."""
    elements = np.array([ATOMIC_NUMBER[e] for e in record.elements])
    if record.has_whole_sites:
        return (record.dominant_atomic_numbers[:, None] == elements).astype(np.float64), elements
    share = np.zeros((record.n_sites, len(elements)))
    slot = {e: k for k, e in enumerate(record.elements)}
    for site, content in enumerate(record.species):
        for s in content:
            share[site, slot[s.element]] += s.occupancy
    return share / share.sum(axis=1, keepdims=True), elements


def site_statistics(values: FloatArray, size: IntArray) -> FloatArray:
    """The five statistics over the sites of each structure.

    Parameters
    ----------
    values : array (n_sites, n_quantities)
        Of one structure after the other.
    size : array (n_structures,)
        Sites of each.

    Returns
    -------
    array (n_structures, n_quantities, 5)
    """
    first, count = np.cumsum(size) - size, size[:, None]
    low, high = np.minimum.reduceat(values, first), np.maximum.reduceat(values, first)
    mean = np.add.reduceat(values, first) / count
    away = np.abs(values - np.repeat(mean, size, axis=0))
    return np.stack([low, high, high - low, mean, np.add.reduceat(away, first) / count], axis=-1)


def _geometry(cells: Sequence[Tessellation], size: IntArray, volume_A3: FloatArray) -> FloatArray:
    """Columns before the chemical order, (n_structures, 15)."""
    start = end_to_end([c.start for c in cells])[:-1]
    area = np.concatenate([c.area_A2 for c in cells])
    distance = np.concatenate([c.distance_A for c in cells])
    faces = np.diff(np.append(start, len(area)))
    total = np.add.reduceat(area, start)
    # The face to the nearest neighbour always exists: their midpoint lies in both cells.
    nearest = np.minimum.reduceat(distance, start)
    length = np.add.reduceat(area * distance, start) / total
    away = np.abs(distance - np.repeat(length, faces))
    spread = np.add.reduceat(area * away, start) / total / length
    coordination = total**2 / np.add.reduceat(area**2, start)
    first = np.cumsum(size) - size
    relative = length / np.repeat(np.add.reduceat(length, first) / size, size)
    volume = np.concatenate([c.cell_volume_A3 for c in cells])
    of_site = np.stack([relative, volume, spread, coordination], axis=1)
    found = site_statistics(of_site, size)
    packed = np.add.reduceat(np.pi / 6.0 * nearest**3, first) / volume_A3
    return np.column_stack(
        [
            packed,
            found[:, 0, 4],
            found[:, 0, 1],
            found[:, 0, 0],
            found[:, 2],
            found[:, 1, 4] / found[:, 1, 3],
            found[:, 3],
        ]
    )


def _differences(
    cells: Tessellation, share: FloatArray, elements: IntArray, notes: Notes
) -> FloatArray:
    """Local property difference of each site, shape (n_sites, properties)."""
    table = magpie_table()[elements]
    gaps = ~np.isfinite(table).all(axis=1)
    if gaps.any():
        names = ", ".join(SYMBOLS[z - 1] for z in elements[gaps])
        notes.append(f"{_FAMILY}: the Magpie table has gaps for {names}")
    contrast = np.abs(table[:, None, :] - table[None, :, :])
    # around[i, e]: share of site i's surface that faces element e.
    facing = cells.area_A2[:, None] * share[cells.neighbor]
    around = np.add.reduceat(facing, cells.start[:-1])
    around /= around.sum(axis=1, keepdims=True)
    pairs = (share[:, :, None] * around[:, None, :]).reshape(len(share), -1)
    return np.asarray(pairs @ contrast.reshape(-1, contrast.shape[2]))
