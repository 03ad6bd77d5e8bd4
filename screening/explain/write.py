"""Write an explanation: a page, a picture and the structure, under names that are safe anywhere."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from markupsafe import Markup

from ...data.atomic import write_text_atomic
from ...data.convert import to_pymatgen
from ...data.elements import SYMBOLS
from ...data.errors import FeatureError, RoleError
from ...data.records import StructureRecord
from ...features.core.prepared import PreparedStructure, prepare
from ...features.isolated.definition import find_isolated_anions
from ..pages.report import asset, content_security_policy, environment
from ..pages.scene import build_scene
from ..pages.svg import scene_svg
from ..pages.view import json_for_script
from ..results.read import EXPLANATIONS
from . import text as explain_text
from .contributions import Explanation
from .picture import View, view_of
from .volumes import write_cubes

_LONGEST: Final[int] = 80


@dataclass(frozen=True, kw_only=True)
class ExplanationFiles:
    """What was written."""

    page: Path
    structure: Path
    picture: Path | None = None
    """None where the structure cannot be drawn."""
    undrawn: str = ""
    """Why not."""
    cubes: dict[str, Path] = field(default_factory=dict)
    """``similarity`` and ``bvse``, where they were asked for and could be made."""
    without: dict[str, str] = field(default_factory=dict)
    """Why a map, a path or a cube file is not there."""


def safe_name(record_id: str) -> str:
    """A file name from a stranger's id: letters, digits, ``._-``; a hash where that loses any."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", record_id).lstrip(".-")[:_LONGEST]
    if plain and plain == record_id:
        return plain
    digest = hashlib.sha256(record_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def write_explanation(
    folder: Path, found: Explanation, record: StructureRecord, cubes: bool = False
) -> ExplanationFiles:
    """Write ``explain/ID.html``, ``.svg`` and ``.cif`` below a run's folder.

    Parameters
    ----------
    folder : path
        Of the run.
    found : Explanation
    record : StructureRecord
        The structure that it explains.
    cubes : bool
        Also ``ID.similarity.cube`` and ``ID.bvse.cube`` (:mod:`.volumes`).
    """
    base = folder / EXPLANATIONS / safe_name(record.id)
    page, structure, picture = (base.with_name(f"{base.name}.{e}") for e in ("html", "cif", "svg"))
    view, prepared = View(), None
    try:
        prepared = prepare(record, found.mobile)
        scene = build_scene(prepared)
        view = view_of(prepared, scene)
        write_text_atomic(picture, scene_svg(scene))
    except (FeatureError, RoleError) as error:
        picture.unlink(missing_ok=True)
        view = View(caption=str(error))
    write_text_atomic(structure, vesta_cif(record, prepared))
    made: tuple[dict[str, Path], dict[str, str]] = ({}, {})
    if cubes and prepared is not None:
        made = write_cubes(prepared, base)
    write_text_atomic(page, render_explanation(found, view, structure))
    return ExplanationFiles(
        page=page,
        structure=structure,
        picture=picture if view.svg else None,
        undrawn="" if view.svg else view.caption,
        cubes=made[0],
        without={**view.without, **made[1]},
    )


def render_explanation(found: Explanation, view: View, structure: Path) -> str:
    """The page as text; jinja2 escapes every value but the picture, which is escaped already.

    Parameters
    ----------
    found : Explanation
    view : View
        From :func:`.picture.view_of`.
    structure : path
        As it stands in the command that hands the structure to AIMD.
    """
    decades = [s.decades for s in found.families] + [s.decades for s in found.columns]
    scripts = [asset("3Dmol-min.js"), asset("viewer.js"), asset("explain.js")]
    return (
        environment()
        .get_template("explain.html.j2")
        .render(
            found=found,
            text=explain_text,
            view=view,
            structure=str(structure),
            largest=max(map(abs, decades), default=0.0) or 1.0,
            policy=content_security_policy(scripts),
            style=Markup(asset("report.css")),
            scripts=[Markup(script) for script in scripts],
            page_data=json_for_script(view.packed),
        )
    )


def vesta_cif(record: StructureRecord, prepared: PreparedStructure | None) -> str:
    """The structure as CIF; isolated anions have labels of their own, ``S_iso1``.

    VESTA and others group sites by label: isolated anions can be drawn apart.
    """
    import gemmi
    from pymatgen.io.cif import CifWriter

    structure = to_pymatgen(record)
    text = str(CifWriter(structure, significant_figures=10))
    isolated = set() if prepared is None else _isolated_species(prepared)
    if not isolated:
        return text
    document = gemmi.cif.read_string(text)
    labels = document[0].find_loop("_atom_site_label")
    rows = [site for site, content in enumerate(structure) for _ in content.species]
    for row, site in enumerate(rows):
        element = labels[row].rstrip("0123456789_")
        if (site, element) in isolated:
            labels[row] = f"{element}_iso{row}"
    return str(document.as_string())


def _isolated_species(prepared: PreparedStructure) -> set[tuple[int, str]]:
    """Site and element of every isolated anion."""
    found = find_isolated_anions(prepared)
    atoms = prepared.atoms
    pairs = zip(atoms.site[found.is_isolated], atoms.z[found.is_isolated], strict=True)
    return {(int(site), SYMBOLS[int(z) - 1]) for site, z in pairs}
