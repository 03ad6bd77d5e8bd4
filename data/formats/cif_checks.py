"""What a CIF says of itself, compared with what was read from it.

Formula sum and Z, multiplicities, cell volume, attached hydrogens. A reading that disagrees is
refused where the difference would make it another compound, and carries a note otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from .cif_block import AtomRow, CifBlock
from .cif_sites import Expansion
from .operators import Symmetry
from .plausible import CROWDED_A3, SPACIOUS_A3

RATIO_NOTE: Final[float] = 0.02
"""Relative difference from the formula beyond rounding that is worth a remark."""

RATIO_REFUSED: Final[float] = 0.25
"""Relative difference from the formula beyond which the sites are another compound."""

TRACE: Final[float] = 0.01
"""Share of all atoms below which a missing element is a dopant and gets a remark only."""

VOLUME_NOTE: Final[float] = 0.005
VOLUME_REFUSED: Final[float] = 0.05


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One difference between the file's own statements.

    Parameters
    ----------
    text : str
    grave : bool
        The structure would be another one: not to be used.
    """

    text: str
    grave: bool


def disagreements(
    block: CifBlock, rows: Sequence[AtomRow], symmetry: Symmetry, cell: Expansion, volume_A3: float
) -> list[Disagreement]:
    """Everything in which a reading differs from what the file says of itself.

    Parameters
    ----------
    block : CifBlock
    rows : sequence of AtomRow
    symmetry : Symmetry
    cell : Expansion
    volume_A3 : float
        Of the cell, Å³.
    """
    return [
        *_formula(block, cell, volume_A3),
        *_multiplicities(rows, symmetry, cell),
        *_hydrogens(block, rows, cell),
    ]


def cell_disagreements(block: CifBlock, volume_A3: float) -> list[Disagreement]:
    """The volume that the file gives against that of its cell parameters."""
    stated = block.number("_cell_volume")
    if stated is None or stated <= 0:
        return []
    difference = abs(stated - volume_A3) / volume_A3
    if difference <= VOLUME_NOTE:
        return []
    text = f"its cell has {volume_A3:.5g} Å³, but the file says {stated:.5g}"
    return [Disagreement(text=text, grave=difference > VOLUME_REFUSED)]


def _formula(block: CifBlock, cell: Expansion, volume_A3: float) -> list[Disagreement]:
    formula = block.formula
    if formula is None:
        text = block.unread_formula
        if text is None:
            return []
        return [Disagreement(text=f"formula sum {text[:60]!r} cannot be compared", grave=False)]
    stated_units = _stated_units(block, formula)
    found = [*_composition(formula, cell, stated_units)]
    return found or _formula_units(formula, cell, stated_units, volume_A3)


def _stated_units(block: CifBlock, formula: dict[str, tuple[float, float]]) -> tuple[float, ...]:
    """Numbers of formula units that the file may mean: Z, or 1 where the sum is of the cell."""
    units = block.number("_cell_formula_units_Z")
    if units is None or units <= 0:
        return ()
    # Some programs give the sum of the whole cell beside Z: then every number is divisible by it.
    whole_cell = all(abs(n / units - round(n / units)) < 1e-6 for n, _ in formula.values())
    return (units, 1.0) if whole_cell else (units,)


def _composition(
    formula: dict[str, tuple[float, float]], cell: Expansion, stated_units: Sequence[float]
) -> list[Disagreement]:
    """Ratios of the elements, at the scale that fits most of them."""
    if not any(e in cell.content for e in formula):
        text = _other(formula, cell, 1.0, [*formula, *cell.content])
        return [Disagreement(text=text, grave=True)]
    scale = _scale(formula, cell, stated_units)
    total = scale * sum(count for count, _ in formula.values())
    found: dict[bool, list[str]] = {True: [], False: []}
    for element in dict.fromkeys([*formula, *cell.content]):
        count, error = formula.get(element, (0.0, 0.0))
        stated, read = scale * count, cell.content.get(element, 0.0)
        rounding = 1.2 * (scale * error + cell.uncertainty.get(element, 0.0)) + 1e-3
        beyond = abs(stated - read) - rounding
        if beyond <= RATIO_NOTE * stated:
            continue
        missing = min(stated, read) == 0.0
        trace = max(stated, read) < TRACE * total
        found[beyond > RATIO_REFUSED * stated and not (missing and trace)].append(element)
    return [
        Disagreement(text=_other(formula, cell, scale, elements), grave=grave)
        for grave, elements in found.items()
        if elements
    ]


def _scale(
    formula: dict[str, tuple[float, float]], cell: Expansion, stated_units: Sequence[float]
) -> float:
    """Formula units in the cell: the ratio that fits most elements.

    Of several, the one that the file states; else that of the elements with most atoms.
    """
    both = [e for e in formula if e in cell.content]
    ratios = np.array([cell.content[e] / formula[e][0] for e in both])
    near = np.abs(ratios[:, None] - ratios) <= RATIO_NOTE * ratios[:, None]
    agree = near.sum(axis=1)
    for units in stated_units:
        fits = np.abs(ratios - units) <= RATIO_NOTE * units
        if fits.sum() == agree.max():
            return units
    atoms = np.array([cell.content[e] for e in both])
    best = int(np.lexsort((atoms, agree))[-1])
    return float(np.median(ratios[near[best]]))


def _other(
    formula: dict[str, tuple[float, float]],
    cell: Expansion,
    scale: float,
    elements: Sequence[str],
) -> str:
    parts = [
        f"{element} {cell.content.get(element, 0.0):.4g} instead of "
        f"{scale * formula.get(element, (0.0, 0.0))[0]:.4g}"
        for element in dict.fromkeys(elements)
    ]
    return f"its sites differ from the formula sum ({', '.join(parts[:4])} in the cell)"


def _formula_units(
    formula: dict[str, tuple[float, float]],
    cell: Expansion,
    stated_units: Sequence[float],
    volume_A3: float,
) -> list[Disagreement]:
    """Number of formula units against Z."""
    read = _scale(formula, cell, stated_units)
    # Occupancies printed with few digits move the content as a whole, too.
    if not stated_units or any(abs(read - units) <= 0.05 * units for units in stated_units):
        return []
    per_atom = volume_A3 / sum(cell.content.values())
    text = (
        f"the file says Z = {stated_units[0]:g}, but its sites make {read:.3g} formula units "
        f"({per_atom:.3g} Å³ an atom)"
    )
    return [Disagreement(text=text, grave=not CROWDED_A3 <= per_atom <= SPACIOUS_A3)]


def _multiplicities(
    rows: Sequence[AtomRow], symmetry: Symmetry, cell: Expansion
) -> list[Disagreement]:
    wrong = []
    for row, read in zip(rows, cell.multiplicities, strict=True):
        if row.multiplicity is not None and row.multiplicity != read:
            wrong.append((row.label, row.multiplicity, read))
        elif row.order is not None and row.order * read != symmetry.order:
            wrong.append((row.label, symmetry.order // row.order, read))
    if not wrong:
        return []
    factors = {(stated / read) for _, stated, read in wrong}
    if len(wrong) == len(rows) and len(factors) == 1 and symmetry.n_centrings > 1:
        factor = factors.pop()
        # Multiplicities of the primitive cell, or of rhombohedral axes, tell nothing new.
        if abs(factor * symmetry.n_centrings - 1.0) < 1e-9:
            return []
    label, stated, read = wrong[0]
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    text = f"site {label} has multiplicity {stated} by the file, {read} by its symmetry{more}"
    return [Disagreement(text=text, grave=False)]


def _hydrogens(block: CifBlock, rows: Sequence[AtomRow], cell: Expansion) -> list[Disagreement]:
    """Hydrogen atoms counted on other sites: without positions unless the formula has them all."""
    attached = [row for row in rows if row.attached_hydrogens > 0 and row.element != "H"]
    if not attached:
        return []
    first = f"{attached[0].attached_hydrogens:g} on {attached[0].label}"
    text = f"hydrogen atoms without positions are attached to sites ({first})"
    if "H" not in cell.content:
        return [Disagreement(text=text, grave=True)]
    # Some programs count hydrogen here although it is listed; the formula tells.
    return [] if block.formula is not None else [Disagreement(text=text, grave=False)]
