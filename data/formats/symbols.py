"""Element symbols as files write them: the one place where a text becomes an element.

An element is its symbol, with a charge or a mass number if need be; nothing else. ``OH``, ``H2O``,
``Ni0.8Co0.2`` or ``Li/Na`` are no elements, and the first letters of a word are not its element.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final, NamedTuple

from ..elements import ATOMIC_NUMBER
from ..errors import StructureError
from ..identifiers import printable

ISOTOPES: Final[dict[str, str]] = {"D": "H", "T": "H"}
"""Symbols of isotopes and their element."""

_VACANCIES: Final[frozenset[str]] = frozenset({"vac", "va", "vacancy", "void", "□", "☐"})
_LAST_IN_CRYSTALS: Final[int] = 98
"""Heavier elements have never been seen in a crystal structure: ``CN`` is cyanide, not Cn."""

_SYMBOL = re.compile(
    r"(?P<mass>\d{1,3})?(?P<letters>[A-Za-z]{1,2})"
    r"(?P<charge>\d+(\.\d+)?[+-]|[+-]\d+(\.\d+)?|[+-]+)?(?P<number>\d+)?"
)
_LABEL = re.compile(r"[A-Za-z]+")


class Ion(NamedTuple):
    """An element and the charge that stands with it, in units of e."""

    element: str
    charge: float | None = None


def is_vacancy(text: str, formula: Container[str] = ()) -> bool:
    """True for the words that stand for an empty site, such as ``Vac1`` or ``□``.

    ``Va`` is none where the formula holds vanadium.
    """
    word = text.strip().rstrip("0123456789+-").lower()
    return word in _VACANCIES and not (word == "va" and "V" in formula)


def element_of(text: str, formula: Container[str] = ()) -> Ion | None:
    """The element of a type symbol with optional mass number and charge; None if it is none.

    Parameters
    ----------
    text : str
        Such as ``Li``, ``Li+``, ``O2-``, ``Fe+3``, ``7Li``, ``D``. Capitals are read (``LI``)
        where one of the letters is no element; ``CO`` only where the formula holds Co and does
        not hold both C and O, and a number without a sign (``Li1``) where it holds the element.
    formula : container of str
        Elements of the formula sum, empty where the file has none.
    """
    match = _SYMBOL.fullmatch(text.strip())
    if match is None:
        return None
    letters, charge = match["letters"], _charge(match["charge"])
    element = _exact(letters) or _capitals(letters, formula)
    if element is None or (match["number"] is not None and element not in formula):
        return None
    return Ion(element, charge)


def required_element(symbol: object, record_id: str) -> str:
    """The element of a symbol in a structured file.

    Raises
    ------
    StructureError
        If it is none.
    """
    ion = element_of(str(symbol))
    if ion is None:
        shown = printable(str(symbol))[:40]
        raise StructureError(f"{record_id}: a site holds {shown!r}, no element")
    return ion.element


def _capitals(letters: str, formula: Container[str]) -> str | None:
    element = _exact(letters.capitalize())
    if element is None or len(letters) == 1 or letters.islower():
        return element
    parts = [_exact(letter.upper()) for letter in letters]
    if None in parts:
        return element
    apart = all(part in formula for part in parts)
    return element if element in formula and not apart else None


def element_of_label(label: str, formula: Container[str] = ()) -> str | None:
    """The element that a site's label names, where the file has no type symbols.

    ``Li1``, ``Co2``, ``LiA`` and ``CL1`` name one. ``CO1``, ``HO1``, ``Ow`` or ``OH1`` may name
    an element of two letters or one of one: the only one that the formula holds is taken.
    """
    match = _LABEL.match(label.strip())
    if match is None or is_vacancy(match[0]):
        return None
    first, second = match[0][0], match[0][1:2]
    one, two = _exact(first.upper()), _exact((first + second).capitalize()) if second else None
    if not second or (two is not None and second.islower()):
        return two or one
    if two is not None and (one is None or _exact(second) is None):
        return two
    held = [element for element in (two, one) if element is not None and element in formula]
    return held[0] if len(held) == 1 else None


def _exact(letters: str) -> str | None:
    element = ISOTOPES.get(letters, letters)
    number = ATOMIC_NUMBER.get(element)
    return element if number is not None and number <= _LAST_IN_CRYSTALS else None


def _charge(text: str | None) -> float | None:
    if text is None:
        return None
    sign = -1.0 if "-" in text else 1.0
    digits = text.strip("+-")
    return sign * (float(digits) if digits else len(text))
