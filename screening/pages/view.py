"""What the page shows of a scene and of a row: markup and plain data, all of it escaped."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from markupsafe import Markup, escape

from .scene import ROLE_NAMES, Role, Scene, SceneSite
from .svg import describe_scene, scene_svg, shades

_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)")
_FULL: Final[float] = 0.995
ANIONS: Final[tuple[str, ...]] = ("O", "S", "Se", "Te", "N", "F", "Cl", "Br", "I")
P_EXPERIMENT: Final[str] = "p_fast_experiment"
SIGMA_EXPERIMENT: Final[str] = "log10_sigma_300K_experiment_S_cm"
_KNOWN: Final[dict[str, str]] = {"same": "same as {}", "isostructural": "type of {}"}


@dataclass(frozen=True)
class Card:
    """One of the best candidates with its picture."""

    row: dict[str, Any]
    picture: Markup
    caption: str
    key: list[tuple[str, str, str]]
    """Colour, element and role of what is drawn."""


def card(row: dict[str, Any], scene: Scene) -> Card:
    """Picture and caption of a ranked structure."""
    key = [(colour, element, ROLE_NAMES[role]) for (role, element), colour in shades(scene).items()]
    # The SVG is ours and escaped all that came from outside.
    return Card(row, Markup(scene_svg(scene, legend=False, small=True)), describe_scene(scene), key)


def table_rows(ranking: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the ranking as the page shows them.

    Besides the columns: ``flags`` as a list, the formula as markup, the known relative, elements,
    the most frequent anion, and places along the interval bars in percent. Columns that a ranking
    of another version lacks are empty.
    """
    rows = ranking.to_dict("records")
    low = float(ranking["log10_sigma_300K_low"].min())
    span = float(ranking["log10_sigma_300K_high"].max()) - low or 1.0
    for row in rows:
        row["flags"] = [flag for flag in str(row.get("flags", "")).split(";") if flag]
        row["formula_html"] = formula_html(str(row["formula"]))
        row["known"] = _known(row)
        amounts = amounts_of(str(row["formula"]))
        row["elements"] = sorted(amounts)
        row["anion"] = main_anion(amounts)
        row["follow_up"] = _number_or_none(row.get("follow_up"))
        row["core_hours"] = _number_or_none(row.get("core_hours"))
        row["p_experiment"] = _number_or_none(row.get(P_EXPERIMENT))
        row["sigma_experiment"] = _number_or_none(row.get(SIGMA_EXPERIMENT))
        row["follow_up_reason"] = str(row.get("follow_up_reason") or "")
        row["flag_reasons"] = str(row.get("flag_reasons") or "")
        ends = ("log10_sigma_300K_low", "log10_sigma_300K_S_cm", "log10_sigma_300K_high")
        row["bar"] = [round(100.0 * (row[name] - low) / span, 1) for name in ends]
    return rows


def _number_or_none(value: Any) -> float | int | None:
    return None if value is None or pd.isna(value) else value


def amounts_of(formula: str) -> dict[str, float]:
    """Atoms of each element in a formula; empty for text that is none."""
    from pymatgen.core import Composition

    try:
        return {str(e): float(n) for e, n in Composition(formula).get_el_amt_dict().items()}
    except (ValueError, KeyError):
        return {}


def main_anion(amounts: dict[str, float]) -> str:
    """The most frequent element that is an anion as a rule, ``other`` without one."""
    present = [(n, element) for element, n in amounts.items() if element in ANIONS]
    return max(present)[1] if present else "other"


def bar_position(ranking: pd.DataFrame, value: float) -> float:
    """Where a value lies along the interval bars, percent; may lie outside."""
    low = float(ranking["log10_sigma_300K_low"].min())
    span = float(ranking["log10_sigma_300K_high"].max()) - low or 1.0
    return round(100.0 * (value - low) / span, 1)


def _known(row: dict[str, Any]) -> str:
    relation = _KNOWN.get(str(row.get("known_relation", "")))
    if relation:
        return relation.format(row.get("known_structure", ""))
    return "formula" if row.get("known_formula") else ""


def formula_html(formula: str) -> Markup:
    """A formula with subscripts, to four digits."""
    parts = _NUMBER.split(formula)
    return Markup("").join(
        Markup("<sub>{}</sub>").format(f"{float(part):.4g}") if k % 2 else escape(part)
        for k, part in enumerate(parts)
    )


def json_for_script(value: Any) -> Markup:
    """JSON that can stand inside a script element: nothing in it can end the element."""
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&'\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def site_label(site: SceneSite) -> str:
    """What is on a site, as plain text."""
    by_role: dict[Role, list[str]] = {}
    for s in site.species:
        share = "" if s.occupancy > _FULL else f" {s.occupancy:.2f}"
        by_role.setdefault(s.role, []).append(f"{s.element}{share}")
    named = [f"{' + '.join(elements)}, {ROLE_NAMES[role]}" for role, elements in by_role.items()]
    return f"{'; '.join(named)} (site {site.site})"
