"""One data block of a CIF as plain values: what stands in it, read once and not yet judged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ..errors import StructureError
from ..identifiers import printable
from ..records import MAX_COORDINATE, MAX_EDGE_A
from .formula_sum import half_unit, parse_formula
from .symbols import Ion, element_of, element_of_label, is_vacancy

MAX_SITES: Final[int] = 2000
"""Larger cells are refused: they are simulation snapshots, not crystals to screen."""

MAX_OVER: Final[float] = 1.1
"""Occupancies up to this are taken as full: refinements overshoot by a few percent."""

_SHORTEST_EDGE: Final[float] = 0.05
"""Of any unit that a file may use: a short edge in nm has 0.2."""

_SITE_TAGS: Final[tuple[str, ...]] = (
    "fract_x",
    "fract_y",
    "fract_z",
    "?label",
    "?type_symbol",
    "?occupancy",
    "?calc_flag",
    "?attached_hydrogens",
    "?symmetry_multiplicity",
    "?site_symmetry_multiplicity",
    "?site_symmetry_order",
)
_CATEGORY = re.compile(
    r"^(_cell|_chemical_formula|_space_group_symop|_space_group|_symmetry_equiv|_symmetry)_"
)
_FRACTION = re.compile(r"([+-]?\d+)/(\d+)")


@dataclass(frozen=True, kw_only=True)
class AtomRow:
    """One row of the table of sites.

    Parameters
    ----------
    label : str
    element : str
    charge : float or None
        Oxidation state by the file, e.
    frac : tuple of 3 floats
    occupancy : float
        In (0, 1.1]; 1 where the file gives ``.`` or ``?``.
    occupancy_error : float
        Half a unit of its last digit; 0 where it is full.
    multiplicity : int or None
        Equivalent positions in the cell, as the file gives them.
    order : int or None
        Order of the site symmetry, as the file gives it.
    attached_hydrogens : float
        Hydrogen atoms without a position that belong to the site.
    """

    label: str
    element: str
    charge: float | None
    frac: tuple[float, float, float]
    occupancy: float
    occupancy_error: float
    multiplicity: int | None
    order: int | None
    attached_hydrogens: float


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Rows that hold nothing: dummy atoms, vacancies, sites with occupancy 0."""

    dummies: tuple[str, ...] = ()
    vacancies: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """One remark for each kind, with how many and the first label."""
        kinds = (
            ("dummy atoms", self.dummies),
            ("vacancies listed as sites", self.vacancies),
            ("sites with occupancy 0", self.empty),
        )
        return tuple(
            f"{what} left out: {len(labels)} (the first {labels[0]})"
            for what, labels in kinds
            if labels
        )


class CifBlock:
    """Values of a block by tag.

    Parameters
    ----------
    block : gemmi.cif.Block
    """

    def __init__(self, block: Any) -> None:
        self.raw = block

    def text(self, *tags: str) -> str | None:
        """The first of several tags with a value that is not ``?`` or ``.``."""
        import gemmi

        for tag in _both_ways(tags):
            value = self.raw.find_value(tag)
            if value is not None and not gemmi.cif.is_null(value):
                text = " ".join(gemmi.cif.as_string(value).split())
                if text and text not in "?.":
                    return text
        return None

    def number(self, *tags: str) -> float | None:
        """The number of the first tag that has one; None where the file says nothing."""
        text = self.text(*tags)
        value = math.nan if text is None else _number(text)
        return None if math.isnan(value) else value

    def column(self, *tags: str) -> list[str]:
        """Values of the first tag that is there, loop or not, without quotes."""
        import gemmi

        for tag in _both_ways(tags):
            if values := list(self.raw.find_values(tag)):
                return [gemmi.cif.as_string(value) for value in values]
        return []

    @cached_property
    def cell(self) -> tuple[float, ...]:
        """a, b, c in Å and α, β, γ in degrees; NaN where missing."""
        lengths = (self.number(f"_cell_length_{k}") for k in "abc")
        angles = (self.number(f"_cell_angle_{k}") for k in ("alpha", "beta", "gamma"))
        return tuple(math.nan if v is None else v for v in (*lengths, *angles))

    @cached_property
    def formula(self) -> dict[str, tuple[float, float]] | None:
        """Formula sum: element → (number, half a unit of its last digit); None if not given.

        Whole numbers are exact. A sum that cannot be read counts as not given; see
        :attr:`unread_formula`.
        """
        text = self.text("_chemical_formula_sum")
        return None if text is None else parse_formula(text)

    @property
    def unread_formula(self) -> str | None:
        """The formula sum where it is no list of elements and numbers."""
        return self.text("_chemical_formula_sum") if self.formula is None else None

    @property
    def elements(self) -> frozenset[str]:
        """Elements of the formula sum."""
        return frozenset(self.formula or ())

    def sites(self, record_id: str) -> tuple[list[AtomRow], LeftOut]:
        """Rows with an atom, and those without one.

        Raises
        ------
        StructureError
            With the label, for what is no element, no number, or no occupancy.
        """
        prefix = "_atom_site_" if self.raw.find_values("_atom_site_fract_x") else "_atom_site."
        table = self.raw.find(prefix, list(_SITE_TAGS))
        if len(table) > MAX_SITES:
            raise StructureError(
                f"{record_id}: {len(table)} sites in the cell, more than {MAX_SITES}; "
                "give a unit cell"
            )
        rows: list[AtomRow] = []
        left: dict[str, list[str]] = {"dummies": [], "vacancies": [], "empty": []}
        for number, values in enumerate(_cells(table), start=1):
            label = printable(values["label"] or values["type_symbol"] or f"number {number}")[:40]
            if (values["calc_flag"] or "").lower() == "dum":
                left["dummies"].append(label)
            elif is_vacancy(values["type_symbol"] or values["label"] or "", self.elements):
                left["vacancies"].append(label)
            else:
                occupancy = _occupancy(values["occupancy"], label, record_id)
                if occupancy[0] == 0.0:
                    left["empty"].append(label)
                else:
                    rows.append(self._row(values, occupancy, label, record_id))
        return rows, LeftOut(**{kind: tuple(labels) for kind, labels in left.items()})

    def _row(
        self,
        values: dict[str, str | None],
        occupancy: tuple[float, float],
        label: str,
        record_id: str,
    ) -> AtomRow:
        ion = self._ion(values, label, record_id)
        frac = tuple(_number(values[k] or "?") for k in ("fract_x", "fract_y", "fract_z"))
        if not all(map(math.isfinite, frac)):
            raise StructureError(f"{record_id}: site {label} has no coordinates that are numbers")
        if max(map(abs, frac)) > MAX_COORDINATE:
            raise StructureError(
                f"{record_id}: site {label} has the coordinate {max(map(abs, frac)):.3g}, whose "
                "digits say nothing about its place in the cell"
            )
        stated = values["symmetry_multiplicity"] or values["site_symmetry_multiplicity"]
        return AtomRow(
            label=label,
            element=ion.element,
            charge=self._oxidation.get(values["type_symbol"] or "", ion.charge or None),
            frac=(frac[0], frac[1], frac[2]),
            occupancy=occupancy[0],
            occupancy_error=occupancy[1],
            multiplicity=_whole(stated),
            order=_whole(values["site_symmetry_order"]),
            attached_hydrogens=max(0.0, _finite(values["attached_hydrogens"])),
        )

    def _ion(self, values: dict[str, str | None], label: str, record_id: str) -> Ion:
        symbol = values["type_symbol"]
        if symbol is not None:
            ion = element_of(symbol, self.elements)
            if ion is None:
                raise StructureError(
                    f"{record_id}: site {label} is {printable(symbol)[:40]!r}, no element; give "
                    "one element symbol a row"
                )
            return ion
        element = element_of_label(values["label"] or "", self.elements)
        if element is None:
            raise StructureError(
                f"{record_id}: site {label} has no type symbol, and its label does not name one "
                "element; add _atom_site_type_symbol"
            )
        return Ion(element)

    @cached_property
    def _oxidation(self) -> dict[str, float]:
        import gemmi

        names = ("symbol", "oxidation_number")
        prefix = "_atom_type_" if self.raw.find_values("_atom_type_symbol") else "_atom_type."
        table = self.raw.find(prefix, list(names))
        numbers = {gemmi.cif.as_string(s): _number(n) for s, n in table}
        return {symbol: number for symbol, number in numbers.items() if math.isfinite(number)}

    def check_cell(self, record_id: str) -> None:
        """Refuse a cell that is no cell.

        Raises
        ------
        StructureError
            With the six parameters.
        """
        lengths, angles = self.cell[:3], self.cell[3:]
        shown = ", ".join(f"{p:g}" for p in self.cell)
        if not all(_SHORTEST_EDGE < p <= MAX_EDGE_A for p in lengths) or not all(
            map(math.isfinite, angles)
        ):
            raise StructureError(
                f"{record_id}: cell parameters are missing or impossible ({shown})"
            )
        possible = all(0 < a < 180 for a in angles) and sum(angles) < 360
        if not possible or 2 * max(angles) >= sum(angles):
            raise StructureError(
                f"{record_id}: the angles of the cell do not close to a volume ({shown})"
            )


def _both_ways(tags: Sequence[str]) -> Iterator[str]:
    """Names of the first CIF dictionaries, and of those since 2014 (``_cell.length_a``)."""
    for tag in tags:
        yield tag
        yield _CATEGORY.sub(r"\1.", tag, count=1)


def _cells(table: Any) -> Iterator[dict[str, str | None]]:
    import gemmi

    names = [tag.removeprefix("?") for tag in _SITE_TAGS]
    for row in table:
        values: dict[str, str | None] = dict.fromkeys(names)
        for place, name in enumerate(names):
            if row.has(place) and not gemmi.cif.is_null(row[place]):
                values[name] = gemmi.cif.as_string(row[place]).strip() or None
        yield values


def _occupancy(text: str | None, label: str, record_id: str) -> tuple[float, float]:
    """Occupancy and half a unit of its last digit; ``.`` and ``?`` mean full by the dictionary."""
    if text is None:
        return 1.0, 0.0
    value = _number(text)
    if not math.isfinite(value):
        raise StructureError(
            f"{record_id}: {printable(text)[:40]!r} is no occupancy (site {label}); give a number "
            "in (0, 1]"
        )
    if not 0 <= value <= MAX_OVER:
        raise StructureError(
            f"{record_id}: site {label} has occupancy {value:g}; it must be in (0, 1]"
        )
    return value, 0.0 if value == 1.0 else half_unit(text)


def _number(text: str) -> float:
    """A CIF number with or without its uncertainty, or a fraction; NaN if it is none."""
    import gemmi

    if match := _FRACTION.fullmatch(text.strip()):
        return int(match[1]) / int(match[2]) if int(match[2]) else math.nan
    return float(gemmi.cif.as_number(text.strip()))


def _finite(text: str | None) -> float:
    value = math.nan if text is None else _number(text)
    return value if math.isfinite(value) else 0.0


def _whole(text: str | None) -> int | None:
    value = _finite(text)
    return int(value) if value >= 1 and value == int(value) and value <= 10_000 else None
