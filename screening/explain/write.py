"""Write an explanation: a page, a picture and the structure, under names that are safe anywhere."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from ...data.atomic import write_text_atomic
from ...data.convert import to_pymatgen
from ...data.errors import FeatureError, RoleError
from ...data.records import StructureRecord
from ..pages.scene import build_scene
from ..pages.svg import describe_scene, scene_svg
from ..results.read import EXPLANATIONS
from . import text as explain_text
from .contributions import Explanation

_LONGEST: Final[int] = 80


@dataclass(frozen=True)
class ExplanationFiles:
    """What was written."""

    page: Path
    structure: Path
    picture: Path | None
    """None where the structure cannot be drawn."""
    undrawn: str = ""
    """Why not."""


def safe_name(record_id: str) -> str:
    """A file name from a stranger's id: letters, digits, ``._-``; a hash where that loses any."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", record_id).lstrip(".-")[:_LONGEST]
    if plain and plain == record_id:
        return plain
    digest = hashlib.sha256(record_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def write_explanation(
    folder: Path, found: Explanation, record: StructureRecord
) -> ExplanationFiles:
    """Write ``explain/ID.html``, ``.svg`` and ``.cif`` below a run's folder.

    Parameters
    ----------
    folder : path
        Of the run.
    found : Explanation
    record : StructureRecord
        The structure that it explains.
    """
    base = folder / EXPLANATIONS / safe_name(record.id)
    page, structure, picture = (base.with_name(f"{base.name}.{e}") for e in ("html", "cif", "svg"))
    write_text_atomic(structure, _cif(record))
    svg, caption = "", ""
    try:
        scene = build_scene(record, found.mobile)
        svg, caption = scene_svg(scene), describe_scene(scene)
        write_text_atomic(picture, svg)
        written = ExplanationFiles(page, structure, picture)
    except (FeatureError, RoleError) as error:
        picture.unlink(missing_ok=True)
        written = ExplanationFiles(page, structure, None, str(error))
    write_text_atomic(page, render_explanation(found, svg, caption or written.undrawn, structure))
    return written


def render_explanation(found: Explanation, svg: str, caption: str, structure: Path) -> str:
    """The page as text; jinja2 escapes every value but the picture, which is escaped already.

    Parameters
    ----------
    found : Explanation
    svg : str
        From :func:`.scene_svg.scene_svg`, or empty.
    caption : str
    structure : path
        As it stands in the command that hands the structure to AIMD.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = files("ionsieve.screening").joinpath("templates", "explain.html.j2").read_text("utf-8")
    decades = [s.decades for s in found.families] + [s.decades for s in found.columns]
    largest = max(map(abs, decades), default=0.0)
    return environment.from_string(source).render(
        found=found, text=explain_text, svg=Markup(svg), caption=caption, structure=str(structure),
        largest=largest or 1.0,
    )  # fmt: skip


def _cif(record: StructureRecord) -> str:
    from pymatgen.io.cif import CifWriter

    return str(CifWriter(to_pymatgen(record), significant_figures=10))
