"""The formula sum of a file: elements with their numbers and how exact these are."""

from __future__ import annotations

import re

from .symbols import element_of

_TERM = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d*)?|\.\d+)?(?:\(\d+\))?")


def parse_formula(text: str) -> dict[str, tuple[float, float]] | None:
    """Element → (number, half a unit of its last digit) of ``Li0.9 Mn O2``; None if it is no sum.

    Deuterium and tritium count as hydrogen.
    """
    found: dict[str, tuple[float, float]] = {}
    for term in text.replace(",", " ").split():
        position = 0
        while position < len(term):
            match = _TERM.match(term, position)
            ion = element_of(match[1]) if match else None
            if match is None or ion is None:
                return None
            count, error = _count(match[2])
            before = found.get(ion.element, (0.0, 0.0))
            found[ion.element] = (before[0] + count, before[1] + error)
            position = match.end()
    # An element with the number 0 is not there.
    return {element: n for element, n in found.items() if n[0] > 0} or None


def _count(text: str | None) -> tuple[float, float]:
    if text is None:
        return 1.0, 0.0
    return float(text), half_unit(text)


def half_unit(text: str) -> float:
    """Half a unit of the last digit behind the point; 0 for whole numbers."""
    digits = text.partition("(")[0].partition(".")[2]
    return 0.5 * 10.0 ** -len(digits) if digits.strip("0") else 0.0
