"""Tables of compositions: materials that were measured, but whose structure is not at hand.

A CSV with ``id`` and ``composition``, and where known the cell (``a``, ``b``, ``c`` in Å,
``alpha``, ``beta``, ``gamma`` in degrees; ``a_A``, ``alpha_deg`` … mean the same) and
``space_group``, a symbol or a number. The composition is that of the cell or of a formula unit:
which of the two, the volume tells. A row that cannot be used is quarantined with its number and
what to do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..elements import ATOMIC_NUMBER
from ..errors import InputError, StructureError
from ..identifiers import no_formula, printable
from ..records import MAX_EDGE_A, Quarantined

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS: Final[int] = 1_000_000
MAX_CHARACTERS: Final[int] = 200
"""Of one composition; no formula is longer, and parsers of nested brackets grow with it."""
MAX_AMOUNT: Final[float] = 1e5

CELL: Final = ("a", "b", "c", "alpha", "beta", "gamma")
_ALIASES: Final = {
    **{name: (name, f"{name}_A") for name in CELL[:3]},
    **{name: (name, f"{name}_deg") for name in CELL[3:]},
}
_FORMULA: Final = re.compile(r"[A-Za-z0-9.()\s]+")
_SUBSCRIPTS: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉[]{}", "0123456789()()")

_PACKING_RADII_A: Final[dict[str, float]] = {
    **{"N": 1.46, "O": 1.40, "F": 1.33, "S": 1.84, "Cl": 1.81, "Se": 1.98, "Br": 1.96},
    **{"Te": 2.21, "I": 2.20, "H": 1.40, "P": 2.00, "As": 2.10},
    **{"K": 1.38, "Rb": 1.52, "Cs": 1.67, "Sr": 1.18, "Ba": 1.35, "Tl": 1.50, "Pb": 1.19},
    "La": 1.03,
}
"""Ionic radii of anions and of cations of their size (Shannon 1976, 10.1107/S0567739476001551;
P, As: covalent anions, rounded), Å: they fill the cell, the others lie between them."""
_ALWAYS_ANIONS: Final = ("O", "N", "F", "Cl", "Br", "I", "Se", "Te")
_CATION_VOLUME_A3: Final[dict[str, float]] = {"Li": 8.0, "Na": 20.0}
"""Room of an alkali ion beyond one for each anion, from Li2O, Li2S, Na2O: the first lie between."""
_LOOSENESS: Final[float] = 1.2
"""Cell volume over the close-packed volume of those ions: 1.09–1.41 for 90 % of 478 lithium
conductors (OBELiX)."""
_UNITS: Final = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96)
_UNITS_HEXAGONAL: Final = (1, 2, 3, 4, 6, 9, 12, 18, 24, 36)
"""Formula units of a cell that symmetry favours, the second for cells with an angle of 120°."""
_AS_GIVEN: Final[float] = 1.7
"""A volume within this factor of the expected one is that of the composition as it stands."""


@dataclass(frozen=True, kw_only=True)
class CompositionRecord:
    """A material of which composition, and perhaps cell volume and space group, are known.

    Parameters
    ----------
    id : str
    amounts : mapping
        Element symbol → atoms, of the cell where ``volume_A3`` is known.
    volume_A3 : float, optional
        Of the cell, Å³.
    space_group_number : int, optional
    note : str
        What was made of the row: formula units of the cell, a space group that is unknown.
    file : str
        Where it was read.
    """

    id: str
    amounts: Mapping[str, float]
    volume_A3: float | None = None
    space_group_number: int | None = None
    note: str = ""
    file: str = ""


@dataclass
class Compositions:
    """Every row of a table, in ``records`` or in ``quarantined``."""

    records: list[CompositionRecord] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)


def read_compositions(path: str | Path) -> Compositions:
    """Read a CSV of compositions.

    Raises
    ------
    InputError
        If the file is no table, lacks a column, or no row of it can be used; a single bad row is
        quarantined.
    """
    import pandas as pd

    source = Path(path)
    if not source.is_file():
        raise InputError(f"{source}: no such file")
    try:
        table = pd.read_csv(source, dtype=str, keep_default_na=False, nrows=MAX_ROWS + 1)
    except (ValueError, OSError, UnicodeError) as error:
        raise InputError(f"{source}: not a readable CSV ({_one_line(error)})") from None
    if len(table) > MAX_ROWS:
        raise InputError(f"{source}: more than {MAX_ROWS:,} rows; split the file")
    return compositions_of(table, printable(source))


def compositions_of(table: pd.DataFrame, name: str, id_column: str = "id") -> Compositions:
    """Compositions of a table in memory.

    Parameters
    ----------
    table : DataFrame
        Cells may be text or numbers; empty text and NaN both mean "not given".
    name : str
        What to call the table in messages.
    id_column : str
        Column that names the materials.

    Raises
    ------
    InputError
        See :func:`read_compositions`.
    """
    for column in (id_column, "composition"):
        if column not in table.columns:
            raise InputError(
                f"{name}: column {column!r} is missing; give {id_column}, composition and, where "
                f"known, {', '.join(CELL)}, space_group"
            )
    if table.empty:
        raise InputError(f"{name}: the table has no rows")
    found = Compositions()
    seen: set[str] = set()
    for number, row in enumerate(table.to_dict("records"), start=1):
        given = {str(key): _text(value) for key, value in row.items()}
        row_id = no_formula(printable(given[id_column])) or f"row-{number}"
        try:
            if not given[id_column]:
                raise StructureError(f"{id_column} is empty; name the material")
            if row_id in seen:
                raise StructureError(f"the id {row_id!r} belongs to an earlier row; rename one")
            seen.add(row_id)
            found.records.append(_record(row_id, given, name))
        except StructureError as error:
            found.quarantined.append(Quarantined(row_id, name, "read", f"row {number}: {error}"))
    if not found.records:
        first = found.quarantined[0].reason
        raise InputError(f"{name}: no row can be used; {first}")
    return found


def parse_composition(text: str) -> dict[str, float]:
    """Amounts by element of a chemical formula.

    Parameters
    ----------
    text : str
        Such as ``Li7La3Zr2O12``, ``Li10(Ge0.776Sn0.224)P2S12`` or ``Li7 Bi1 O6``.

    Raises
    ------
    StructureError
        If it is none; with what to do.
    """
    from pymatgen.core import Composition

    plain = text.strip().translate(_SUBSCRIPTS)
    if not plain:
        raise StructureError("composition is empty; give a formula such as Li7La3Zr2O12")
    shown = repr(text[:60])
    if len(plain) > MAX_CHARACTERS:
        raise StructureError(f"composition {shown}… is longer than {MAX_CHARACTERS} characters")
    if not _FORMULA.fullmatch(plain):
        raise StructureError(
            f"composition {shown} holds more than elements, numbers and brackets; write numbers "
            "for variables such as x, and one formula for a mixture or hydrate"
        )
    try:
        parsed = Composition(plain).get_el_amt_dict()
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, IndexError):
        raise StructureError(f"composition {shown} is no chemical formula") from None
    amounts: dict[str, float] = {}
    for symbol, amount in parsed.items():
        element = "H" if symbol in ("D", "T") else str(symbol)
        if element not in ATOMIC_NUMBER:
            raise StructureError(f"composition {shown}: {element!r} is no element")
        if not 0 < amount <= MAX_AMOUNT or not math.isfinite(amount):
            raise StructureError(
                f"composition {shown}: {amount:g} {element}; amounts must be above 0 and at most "
                f"{MAX_AMOUNT:g}"
            )
        amounts[element] = amounts.get(element, 0.0) + float(amount)
    if not amounts:
        raise StructureError(f"composition {shown} holds no element")
    return dict(sorted(amounts.items(), key=lambda item: ATOMIC_NUMBER[item[0]]))


def _record(row_id: str, given: Mapping[str, str], name: str) -> CompositionRecord:
    amounts = parse_composition(given["composition"])
    notes = []
    volume = _volume_A3(given)
    if volume is not None:
        units = formula_units(amounts, volume, _is_hexagonal(given))
        amounts = {element: n * units for element, n in amounts.items()}
        if units > 1:
            notes.append(f"{units} formula units in the cell, by its volume")
    group = _space_group(given, notes)
    return CompositionRecord(
        id=row_id,
        amounts=amounts,
        volume_A3=volume,
        space_group_number=group,
        note="; ".join(notes),
        file=name,
    )


def formula_units(amounts: Mapping[str, float], volume_A3: float, hexagonal: bool = False) -> int:
    """How many times a cell of this volume holds a composition.

    The anions, and cations of their size, fill a cell nearly as closely as spheres do: their
    close-packed volume times 1.2 is that of the cell within a fifth for most ionic crystals. A
    composition that fits within a factor of 1.7 stands for the cell as it is.

    Parameters
    ----------
    amounts : mapping
        Element symbol → atoms of the composition.
    volume_A3 : float
        Of the cell, Å³.
    hexagonal : bool
        The cell has hexagonal axes.
    """
    expected = _expected_volume_A3(amounts)
    if not expected:
        return 1
    ratio = volume_A3 / expected
    if ratio <= _AS_GIVEN:
        return 1
    possible = _UNITS_HEXAGONAL if hexagonal else _UNITS
    return min(possible, key=lambda units: abs(math.log(ratio / units)))


def _expected_volume_A3(amounts: Mapping[str, float]) -> float:
    packed = _packed_elements(amounts)
    spheres = sum(amounts[e] * (2 * _PACKING_RADII_A[e]) ** 3 / math.sqrt(2) for e in packed)
    between = sum(amounts[e] for e in packed)
    alkali = 0.0
    for element, room in _CATION_VOLUME_A3.items():
        n = amounts.get(element, 0.0)
        alkali += room * max(n - between, 0.0)
        between = max(between - n, 0.0)
    return _LOOSENESS * spheres + alkali


def _packed_elements(amounts: Mapping[str, float]) -> set[str]:
    """Elements that take room: P in phosphates, S in sulfates and H in hydroxides do not."""
    anions = {e for e in amounts if e in _ALWAYS_ANIONS}
    if "S" in amounts and "O" not in amounts:
        anions.add("S")
    if "H" in amounts and not anions & {"O", "N"}:
        anions.add("H")
    if not anions:
        anions = {e for e in amounts if e in ("P", "As", "S")}
    return anions | {e for e in amounts if e in ("K", "Rb", "Cs", "Sr", "Ba", "Tl", "Pb", "La")}


def _volume_A3(given: Mapping[str, str]) -> float | None:
    texts = [next((given[a] for a in _ALIASES[n] if given.get(a)), "") for n in CELL]
    if not any(texts):
        return None
    numbers = []
    for name, text in zip(CELL, texts, strict=True):
        if not text:
            raise StructureError(
                f"{name} is empty; give the whole cell ({', '.join(CELL)}) or none of it"
            )
        numbers.append(_number(name, text))
    lengths, angles = numbers[:3], numbers[3:]
    if not all(0.5 <= x <= MAX_EDGE_A for x in lengths) or not all(0 < x < 180 for x in angles):
        shown = ", ".join(f"{x:g}" for x in numbers)
        raise StructureError(f"the cell {shown} is impossible; give Å and degrees")
    u, v, w = (math.cos(math.radians(x)) for x in angles)
    square = 1 - u * u - v * v - w * w + 2 * u * v * w
    if square <= 1e-6:
        raise StructureError(f"the angles {', '.join(f'{x:g}' for x in angles)} close no cell")
    return math.prod(lengths) * math.sqrt(square)


def _is_hexagonal(given: Mapping[str, str]) -> bool:
    return any(abs(float(given.get(name) or 0) - 120) < 0.01 for name in _ALIASES["gamma"])


def _space_group(given: Mapping[str, str], notes: list[str]) -> int | None:
    for column in ("space_group_number", "space_group"):
        text = given.get(column, "")
        if not text:
            continue
        number = _space_group_number(text)
        if number is not None:
            return number
        notes.append(f"space group {text[:20]!r} is unknown and left out")
    return None


def _space_group_number(text: str) -> int | None:
    import gemmi

    if re.fullmatch(r"\d{1,3}(\.0+)?", text):
        number = int(float(text))
        return number if 1 <= number <= 230 else None
    found = gemmi.find_spacegroup_by_name(text.replace("_", "").strip()[:40])
    return None if found is None else int(found.number)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise StructureError(f"{name} {text[:20]!r} is no number") from None
    if not math.isfinite(value):
        raise StructureError(f"{name} is {value}; give a number")
    return value


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value).strip()


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:200]


__all__: Sequence[str] = (
    "CompositionRecord",
    "Compositions",
    "compositions_of",
    "formula_units",
    "parse_composition",
    "read_compositions",
)
