"""Space groups by Hall symbol, Hermann–Mauguin symbol and number, in all their settings.

The tables are gemmi's; spellings of the databases are turned into theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from ..identifiers import printable
from .operators import Symmetry, number_of, symmetry_of

_SHORT_MONOCLINIC: Final = re.compile(
    r"([PABCIF])\s*((?:2|21|m|[a-en]|2/m|21/m|2/[a-en]|21/[a-en]))", re.IGNORECASE
)
_BRACKETED_NUMBER: Final = re.compile(r"\(\s*(?:no\.?|#)\s*\d+\s*\)", re.IGNORECASE)
_ORIGIN_IN_WORDS: Final = re.compile(
    r"\(?\s*origin(?:\s+choice)?\s*(?:at\s*)?:?\s*([12])\s*\)?", re.IGNORECASE
)
_AXES_IN_WORDS: Final = re.compile(
    r"\(?\s*(hexagonal|rhombohedral)(?:\s+axes)?\s*\)?$", re.IGNORECASE
)


@lru_cache(maxsize=1024)
def groups_of_hall(symbol: str) -> tuple[Symmetry, ...]:
    """The group of a Hall symbol, in whatever setting; empty if it is none."""
    import gemmi

    text = symbol.strip().replace("''", '"').replace("_", " ")
    try:
        group = gemmi.symops_from_hall(text)
    except (ValueError, RuntimeError):
        return ()
    triplets = tuple(op.wrap().triplet() for op in group)
    source = f"Hall symbol {printable(symbol)[:40]!r}"
    return (symmetry_of(source, number_of(triplets), triplets),)


@lru_cache(maxsize=1024)
def groups_of_name(name: str, code: str) -> tuple[Symmetry, ...]:
    """Settings that a Hermann–Mauguin symbol may mean, the usual first."""
    found = [group for text in _spellings(name) for group in _lookups(text)]
    # What other unique axes are tried for must be the same group.
    unique = {group.hall: group for group in found if group.number == found[0].number}
    source = f"{printable(' '.join(name.split()))[:40]!r}"
    return tuple(_from_group(group, source) for group in _in_setting(list(unique.values()), code))


@lru_cache(maxsize=1024)
def groups_of_number(number: float, code: str) -> tuple[Symmetry, ...]:
    """Settings of a number in International Tables: of the code, else the usual ones."""
    import gemmi

    settings = [g for g in gemmi.spacegroup_table() if g.number == number]
    reference = [g for g in settings if g.is_reference_setting()]
    if not reference:
        return ()
    same_name = [g for g in settings if g.hm == reference[0].hm]
    chosen = _in_setting(settings, code) if code else same_name
    return tuple(_from_group(g, f"number {number:g}") for g in _usual_first(chosen or same_name))


def _from_group(group: Any, source: str) -> Symmetry:
    triplets = tuple(op.wrap().triplet() for op in group.operations())
    shown = source if len(source) > 3 else group.hm
    extension = group.ext.strip("\0 ")
    return symmetry_of(
        f"{shown} (setting {extension})" if extension else shown, int(group.number), triplets
    )


def _spellings(name: str) -> Iterator[str]:
    """The name in the spelling of gemmi's tables.

    Known are underscores of screw axes, overbars (``3̅``, ``3~``), a number in brackets, settings
    as ``(origin choice 2)``, ``:2``, and the letters of ICSD: S and Z for the first and the second
    origin, H and R for the axes.
    """
    text = re.sub(r"([0-9])[\u0304\u0305~]", r"-\1", name.strip())
    text = _BRACKETED_NUMBER.sub("", text)
    text = _ORIGIN_IN_WORDS.sub(r":\1", text)
    text = _AXES_IN_WORDS.sub(lambda match: f":{match[1][0].upper()}", text)
    text = " ".join(text.replace("_", "").replace("$", "").split())
    text = re.sub(r"\s*:\s*", ":", text)
    text = re.sub(r"[\s:]+[Zz]$", ":2", re.sub(r"[\s:]+[Ss]$", ":1", text))
    yield text
    if " " not in text and text[:1].islower():
        yield text[0].upper() + text[1:]


def _lookups(text: str) -> Iterator[Any]:
    """Groups of a name: as gemmi finds it, its other origins and axes, other unique axes."""
    import gemmi

    found = gemmi.find_spacegroup_by_name(text)
    if found is not None:
        explicit = re.search(r"(:[12HhRr]|[\s:][HhRr])$", text)
        same = [
            g for g in gemmi.spacegroup_table() if g.hm == found.hm and g.number == found.number
        ]
        yield from [found] if explicit else _usual_first(same)
    short = re.fullmatch(
        r"([PABCIF])\s*(2|21|m|[a-en]|2/m|21/m|2/[a-en]|21/[a-en])", text, re.IGNORECASE
    )
    if short:
        lattice, axis = short[1].upper(), short[2].lower()
        for full in (f"{lattice} 1 {axis} 1", f"{lattice} 1 1 {axis}", f"{lattice} {axis} 1 1"):
            if (other := gemmi.find_spacegroup_by_name(full)) is not None:
                yield other


def _usual_first(groups: Sequence[Any]) -> list[Any]:
    """Second origin before the first, as in refinements; hexagonal axes before rhombohedral."""
    return sorted(groups, key=lambda g: g.ext in ("1", "R"))


def _in_setting(groups: list[Any], code: str) -> list[Any]:
    """Those of a coordinate system code such as ``2``, ``h``, ``b1`` or ``-cba``, if any are."""
    wanted = code.strip().lower()
    if not wanted:
        return groups
    chosen = [
        g
        for g in groups
        if wanted
        in (g.ext.strip("\0 ").lower(), g.qualifier.lower(), f"{g.ext}{g.qualifier}".lower())
    ]
    return chosen or groups
