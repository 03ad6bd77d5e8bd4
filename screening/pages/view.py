"""What the page shows of a scene and of a row: markup and plain data, all of it escaped."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from .scene import ROLE_NAMES, Role, Scene, SceneSite
from .svg import RADII_A, cell_lines, describe_scene, scene_svg, shades, view_rotation

_NUMBER: Final = re.compile(r"(\d+(?:\.\d+)?)")
_FULL: Final[float] = 0.995
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
    return Card(row, Markup(scene_svg(scene, legend=False)), describe_scene(scene), key)


def table_rows(ranking: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the ranking with flags as a list, formula as markup and the known relative."""
    rows = ranking.to_dict("records")
    low = float(ranking["log10_sigma_300K_low"].min())
    span = float(ranking["log10_sigma_300K_high"].max()) - low or 1.0
    for row in rows:
        row["flags"] = [flag for flag in str(row["flags"]).split(";") if flag]
        row["formula_html"] = formula_html(str(row["formula"]))
        row["known"] = _known(row)
        ends = ("log10_sigma_300K_low", "log10_sigma_300K_S_cm", "log10_sigma_300K_high")
        row["bar"] = [round(100.0 * (row[name] - low) / span, 1) for name in ends]
    return rows


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
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def viewer_data(scene: Scene) -> dict[str, Any]:
    """A scene for the viewer: right, up, towards the reader; Å, centred.

    ``spheres`` holds x, y, z, radius, colour, opacity, label of each site; polyhedra and cages are
    triangles and edges between sites; ``net`` has a last number that is 0 where the edge ends half
    way to a partner outside.
    """
    rotation = view_rotation(scene)
    centre = 0.5 * scene.block_A.sum(axis=0)
    colours = shades(scene)

    def placed(points: Any) -> list[float]:
        turned = (np.asarray(points, dtype=np.float64).reshape(-1, 3) - centre) @ rotation
        # Adding zero turns -0.0 into 0.0.
        return [float(x) + 0.0 for x in np.round(turned, 3).ravel()]

    return {
        "spheres": [
            [
                *placed(site.position_A),
                RADII_A[site.role],
                colours[site.role, site.species[0].element],
                1.0 if site.occupancy > _FULL else 0.6,
                site_label(site),
                site.role,
            ]
            for site in scene.sites
        ],
        "bonds": [[p.center, m] for p in scene.polyhedra for m in p.members],
        "polyhedra": {
            "faces": [f for p in scene.polyhedra for f in p.faces],
            "edges": [e for p in scene.polyhedra for e in p.edges],
        },
        "cages": {
            "faces": [f for c in scene.cages for f in c.faces],
            "edges": [e for c in scene.cages for e in c.edges],
            "bare": [[c.center, round(c.radius_A, 3)] for c in scene.cages if not c.faces],
        },
        "net": [[*placed([e.start_A, e.end_A]), int(e.is_whole)] for e in scene.net],
        "cell": [placed(line) for line in cell_lines(scene)],
    }


def site_label(site: SceneSite) -> str:
    """What is on a site, as plain text."""
    by_role: dict[Role, list[str]] = {}
    for s in site.species:
        share = "" if s.occupancy > _FULL else f" {s.occupancy:.2f}"
        by_role.setdefault(s.role, []).append(f"{s.element}{share}")
    named = [f"{' + '.join(elements)}, {ROLE_NAMES[role]}" for role, elements in by_role.items()]
    return f"{'; '.join(named)} (site {site.site})"
