"""Columns of the isolated-anion net (Yang 2025)."""

from __future__ import annotations

from typing import Final

from ..core.columns import Column, Notes, Values
from ..core.prepared import PreparedStructure
from .definition import ANION_ELEMENTS, leading_element
from .net import AnionNet, isolated_nets

_FAMILY = "isolated_net"
_YANG = "Yang 2025, 10.1038/s41524-025-01559-9; percolation by ionsieve"
_NO_ANION = "no isolated anion"

_LENGTHS: Final[dict[str, str]] = {
    "nearest": "distance between nearest {}isolated anions, periodic images included",
    "percolation_1d": "shortest distance at which the net of {}isolated anions is endless in one "
    "dimension",
    "percolation_2d": "shortest distance at which the net of {}isolated anions is endless in two "
    "dimensions",
    "percolation_3d": "shortest distance at which the net of {}isolated anions is endless in three "
    "dimensions",
}


def _column(name: str, unit: str, definition: str, nan_means: str, **options: object) -> Column:
    return Column(name, unit, definition, _YANG, _FAMILY, lower=0, nan_means=nan_means, **options)  # type: ignore[arg-type]


def _element_columns(element: str) -> tuple[Column, ...]:
    missing = f"no isolated {element} anion"
    lengths = (
        _column(f"isolated_{key}_{element}_A", "Å", text.format(f"{element} "), missing)
        for key, text in _LENGTHS.items()
    )
    dimension = _column(
        f"isolated_net_dimension_{element}",
        "1",
        f"dimensions in which the net of isolated {element} anions is endless at the critical "
        f"distance 2 (r_mobile + r_{element}), Slater radii",
        missing,
        upper=3,
    )
    return (*lengths, dimension)


COLUMNS: Final[tuple[Column, ...]] = (
    *(
        _column(f"isolated_{key}_A", "Å", text.format("all "), _NO_ANION)
        for key, text in _LENGTHS.items()
    ),
    _column(
        "isolated_net_dimension",
        "1",
        "dimensions in which the net of the leading isolated anion (the element of the strongest "
        "formal charge, then the most abundant) is endless at the critical distance "
        "2 (r_mobile + r_X), Slater radii",
        _NO_ANION,
        upper=3,
    ),
    _column(
        "isolated_net_dimension_all",
        "1",
        "dimensions in which the net of all isolated anions is endless with every pair joined up "
        "to 2 r_mobile + r_X + r_Y, Slater radii",
        _NO_ANION,
        upper=3,
    ),
    _column(
        "isolated_cage_score",
        "1",
        "1 / smallest λ with which all isolated anions joined up to λ (2 r_mobile + r_X + r_Y) are "
        "endless in three dimensions: above 1, cages overlap throughout the crystal",
        _NO_ANION,
    ),
    _column(
        "isolated_cage_score_leading",
        "1",
        "isolated_cage_score of the net of the leading isolated anion alone",
        _NO_ANION,
    ),
    *(column for element in ANION_ELEMENTS for column in _element_columns(element)),
)


def compute(prepared: PreparedStructure, notes: Notes) -> Values:
    """Net columns; see the catalogue for each."""
    nets = isolated_nets(prepared)
    if not nets:
        return {}
    together, leading = nets[""], nets[leading_element(prepared)]
    values = _lengths(together, "") | {
        "isolated_net_dimension": float(leading.dimension),
        "isolated_net_dimension_all": float(together.dimension),
        "isolated_cage_score": together.cage_score,
        "isolated_cage_score_leading": leading.cage_score,
    }
    for element in ANION_ELEMENTS:
        if element in nets:
            values |= _lengths(nets[element], f"_{element}")
            values[f"isolated_net_dimension_{element}"] = float(nets[element].dimension)
    return values


def _lengths(net: AnionNet, suffix: str) -> Values:
    return {f"isolated_{key}{suffix}_A": float(getattr(net, f"{key}_A")) for key in _LENGTHS}
