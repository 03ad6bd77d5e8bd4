"""A periodic table of a screen: in which company the fast candidates are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

CELL: Final[float] = 40.0
_FEWEST: Final[int] = 3
"""Below so many candidates a mean says little: the cell is hatched."""
_LOW, _HIGH = (0xF1, 0xF4, 0xF8), (0xD9, 0x48, 0x0F)
_DARK_TEXT_UP_TO: Final[float] = 0.62


@dataclass(frozen=True, kw_only=True)
class ElementCell:
    """One element, in pixels.

    Parameters
    ----------
    mean : float or None
        Mean ``p_fast`` of the candidates that hold it; None where none does.
    count : int
    fill : str
        Colour; darker is faster.
    is_dark : bool
        Letters are white.
    is_few : bool
        So few candidates that the mean says little.
    """

    symbol: str
    x: float
    y: float
    mean: float | None
    count: int
    fill: str
    is_dark: bool
    is_few: bool


@dataclass(frozen=True)
class ElementMap:
    """Cells, the colour scale's end, and the size of the drawing in pixels."""

    cells: list[ElementCell]
    highest: float
    width: float = 18 * CELL
    height: float = 9.4 * CELL


def build_element_map(rows: Sequence[dict[str, Any]], mobile: str) -> ElementMap:
    """Mean chance of being fast of the candidates that hold each element.

    Parameters
    ----------
    rows : sequence of dict
        Of :func:`.view.table_rows`: ``elements`` and ``p_fast``.
    mobile : str
        In every candidate: its cell shows the mean of all.
    """
    chances: dict[str, list[float]] = {}
    for row in rows:
        for element in row["elements"]:
            chances.setdefault(element, []).append(float(row["p_fast"]))
    means = {element: sum(p) / len(p) for element, p in chances.items()}
    trusted = [m for e, m in means.items() if len(chances[e]) >= _FEWEST and e != mobile]
    highest = max([*trusted, 0.05])
    cells = [_cell(*place, chances, means, highest) for place in _places()]
    return ElementMap(cells, highest)


def _cell(
    symbol: str,
    column: int,
    line: float,
    chances: dict[str, list[float]],
    means: dict[str, float],
    highest: float,
) -> ElementCell:
    count, mean = len(chances.get(symbol, ())), means.get(symbol)
    share = 0.0 if mean is None else min(mean / highest, 1.0)
    fill = "#" + "".join(
        f"{round(a + share * (b - a)):02x}" for a, b in zip(_LOW, _HIGH, strict=True)
    )
    return ElementCell(
        symbol=symbol,
        x=(column - 1) * CELL,
        y=(line - 1) * CELL,
        mean=mean,
        count=count,
        fill="#ffffff" if mean is None else fill,
        is_dark=share > _DARK_TEXT_UP_TO,
        is_few=0 < count < _FEWEST,
    )


def _places() -> list[tuple[str, int, float]]:
    """Symbol, column and line of the elements to radium and the actinides' first five."""
    from pymatgen.core import Element

    found = []
    for z in range(1, 95):
        element = Element.from_Z(z)
        if 57 <= z <= 71 or z >= 89:
            line = 8.4 if z <= 71 else 9.4
            found.append((element.symbol, z - (57 if z <= 71 else 89) + 3, line))
        else:
            found.append((element.symbol, element.group, float(element.row)))
    return found
