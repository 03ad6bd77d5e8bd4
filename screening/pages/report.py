"""The HTML report: one self-contained page that works offline, everything in it escaped.

The page may run its own three scripts and nothing else: a Content-Security-Policy lists their
hashes and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...data.errors import FeatureError, RoleError
from ...data.records import StructureRecord
from ..batch.reasons import general_reason
from .plots import build_coverage, build_parity, build_scatter
from .scene import Scene, build_scene
from .view import bar_position, card, formula_html, json_for_script, table_rows, viewer_data

TABLE_ROWS: Final[int] = 1000
"""Rows shown in the page; the CSV and Parquet files hold all of them."""

TOP_STRUCTURES: Final[int] = 20
"""Structures drawn in the page unless asked otherwise."""

CALIBRATION: Final[str] = "model_calibration.csv"
CALIBRATION_COLUMNS: Final[dict[str, str]] = {
    "left_out": "left_out",
    "structure_id": "structure_id",
    "temperature_K": "temperature_K",
    "label_lower": "label_lower_log10_S_cm",
    "label_upper": "label_upper_log10_S_cm",
    "prediction": "predicted_log10_S_cm",
    "low": "low_log10_S_cm",
    "high": "high_log10_S_cm",
}
"""Columns of a model's held-out predictions and their names in the file, which carry the unit."""

_QUARANTINE_ROWS: Final[int] = 200
_REASON_ROWS: Final[int] = 12
_LEFT_OUT: Final[dict[str, str]] = {
    "leave_material_out": "one structure left out, its relatives stay",
    "leave_group_out": "a whole structure family left out",
}
_SHORT: Final[dict[str, str]] = {
    "leave_material_out": "a structure left out",
    "leave_group_out": "a family left out",
}


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything that the page shows, as plain values that a finished run has on disk.

    Attributes
    ----------
    ranking, funnel, quarantine : DataFrame
        ``ranking.parquet``, ``funnel.csv``, ``quarantine.csv``.
    run : dict
        ``run.json``.
    calibration : DataFrame
        ``model_calibration.csv``; without rows its plots are left out, and the page says so.
    scenes : tuple of Scene
        Of the best structures, in order of rank (:func:`top_scenes`).
    undrawn : dict
        Id → why there is no picture of one of the best.
    """

    ranking: pd.DataFrame
    funnel: pd.DataFrame
    quarantine: pd.DataFrame
    run: dict[str, Any]
    calibration: pd.DataFrame = field(default_factory=lambda: calibration_frame(pd.DataFrame()))
    scenes: tuple[Scene, ...] = ()
    undrawn: dict[str, str] = field(default_factory=dict)


def calibration_frame(held_out: pd.DataFrame) -> pd.DataFrame:
    """Held-out predictions of a model under names that carry the unit, for the run folder.

    Parameters
    ----------
    held_out : DataFrame
        :attr:`ionsieve.models.StructureModel.held_out_` of a conductivity.
    """
    table = held_out.reindex(columns=list(CALIBRATION_COLUMNS)).rename(columns=CALIBRATION_COLUMNS)
    return table.round(6)


def top_scenes(
    records: Iterable[StructureRecord], ids: Sequence[str], mobile: str
) -> tuple[tuple[Scene, ...], dict[str, str]]:
    """Scenes of chosen structures, in the order of ``ids``, and why others have none.

    Parameters
    ----------
    records : iterable of StructureRecord
    ids : sequence of str
        Of the structures wanted, best first.
    mobile : str
    """
    wanted = set(ids)
    found = {record.id: record for record in records if record.id in wanted}
    scenes, undrawn = [], {}
    for record_id in ids:
        if record_id not in found:
            undrawn[record_id] = "its structure was not kept"
            continue
        try:
            scenes.append(build_scene(found[record_id], mobile))
        except (FeatureError, RoleError) as error:
            undrawn[record_id] = str(error)
    return tuple(scenes), undrawn


def render_report(data: ReportData) -> str:
    """The page as text; jinja2 escapes every value that goes into it."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["formula"] = lambda text: formula_html(str(text))
    environment.filters["signed"] = lambda value: f"{value:.2f}".replace("-", "−")
    scripts = [_asset("3Dmol-min.js"), _asset("viewer.js"), _asset("report.js")]
    return environment.from_string(_asset("report.html.j2")).render(
        policy=content_security_policy(scripts),
        style=Markup(_asset("report.css")),
        licence=_asset("3Dmol-LICENSE.txt"),
        scripts=[Markup(script) for script in scripts],
        **_tables(data),
        **_plots(data),
        **_structures(data),
    )


def content_security_policy(scripts: Sequence[str]) -> str:
    """Allow these scripts by their hash, inline style, and nothing from anywhere else."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return files("ionsieve.screening").joinpath("templates", name).read_text("utf-8")


def _tables(data: ReportData) -> dict[str, Any]:
    shown = data.ranking.head(TABLE_ROWS)
    threshold = float(np.log10(data.run["settings"]["threshold_S_cm"]))
    return {
        "run": data.run,
        "rows": table_rows(shown),
        "threshold_bar": bar_position(shown, threshold),
        "threshold_mS_cm": 1e3 * data.run["settings"]["threshold_S_cm"],
        "n_ranked": len(data.ranking),
        "classes": _classes(data.ranking),
        "has_known": "known_relation" in data.ranking,
        "funnel": _funnel(data.funnel),
        "quarantine": data.quarantine.head(_QUARANTINE_ROWS).to_dict("records"),
        "n_quarantined": len(data.quarantine),
        "reasons": _reasons(data.quarantine),
        "verdicts": verdicts(data.run["model"]["held_out"]),
        "scores_by_method": _scores_by_method(data.run["model"]["held_out"]),
        "left_out": _LEFT_OUT,
        "short": _SHORT,
    }


def _classes(ranking: pd.DataFrame) -> list[str]:
    """Classes that occur, in one order."""
    present = set(ranking["isolated_class"].astype(str))
    return [name for name in ("framework", "antistructure", "zintl", "none") if name in present]


def _funnel(funnel: pd.DataFrame) -> list[dict[str, Any]]:
    """Stages with the widths of their bars, percent of what came in."""
    total = max(float((funnel["kept"] + funnel["dropped"]).max()), 1.0) if len(funnel) else 1.0
    stages = funnel.to_dict("records")
    for stage in stages:
        stage["kept_width"] = round(100.0 * stage["kept"] / total, 2)
        stage["dropped_width"] = round(100.0 * stage["dropped"] / total, 2)
    return [{str(name): value for name, value in stage.items()} for stage in stages]


def _reasons(quarantine: pd.DataFrame) -> list[tuple[str, str, int]]:
    """The most frequent reasons: stage, reason without its numbers, how often."""
    counts: dict[tuple[str, str], int] = {}
    for row in quarantine.itertuples():
        # What follows the first colon names the case.
        reason = general_reason(str(row.reason), str(row.id)).split(": ")[0]
        counts[str(row.stage), reason] = counts.get((str(row.stage), reason), 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(stage, reason, n) for (stage, reason), n in ordered[:_REASON_ROWS]]


def _scores_by_method(held_out: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Rows of the score table: the model first, then the naive methods."""
    return [
        (scheme, method, methods[method])
        for scheme, methods in held_out.items()
        for method in sorted(methods, key=lambda name: (name != "model", name))
    ]


def verdicts(held_out: dict[str, Any]) -> list[str]:
    """For each way of leaving out, whether the model beats naive guesses.

    It beats the temperature alone where the whole interval of its error lies below the error of
    that guess. A naive method that does as well is named.
    """
    found = []
    for scheme, methods in held_out.items():
        errors = {m: s["mae"][0] for m, s in methods.items() if s["mae"][0] is not None}
        if not {"model", "temperature only"} <= errors.keys():
            continue
        _, low, high = methods["model"]["mae"]
        error, naive = errors["model"], errors["temperature only"]
        interval = "" if low is None else f" (95 %: {low:.2f} to {high:.2f})"
        what = _LEFT_OUT.get(scheme, scheme.replace("_", " "))
        found.append(
            f"With {what}: the model {_comparison(error, high, naive)} a guess from the "
            f"temperature alone; mean error {error:.2f}{interval} against {naive:.2f} decades"
            f"{_as_good(errors)}."
        )
    return found


def _comparison(error: float, high: float | None, naive: float) -> str:
    if high is not None and high < naive:
        return "beats"
    return "cannot be told apart from" if error < naive else "does not beat"


def _as_good(errors: dict[str, float]) -> str:
    """Naive methods besides the temperature that do no worse than the model."""
    others = sorted(
        (error, name)
        for name, error in errors.items()
        if name not in ("model", "temperature only") and error <= errors["model"]
    )
    return "".join(f"; the {name} does as well ({error:.2f})" for error, name in others)


def _plots(data: ReportData) -> dict[str, Any]:
    threshold = float(np.log10(data.run["settings"]["threshold_S_cm"]))
    table = data.calibration
    ways = sorted(table["left_out"].unique(), reverse=True) if len(table) else []
    return {
        "scatter": build_scatter(data.ranking, threshold),
        "parities": [(way, build_parity(table[table["left_out"] == way])) for way in ways],
        "coverage": build_coverage(table, data.run["model"].get("coverage", 0.9)) if ways else None,
    }


def _structures(data: ReportData) -> dict[str, Any]:
    rows = {str(row["id"]): row for row in table_rows(data.ranking.head(TABLE_ROWS))}
    drawn = [scene for scene in data.scenes if scene.id in rows]
    return {
        "cards": [card(rows[scene.id], scene) for scene in drawn],
        "drawn_ids": {scene.id for scene in drawn},
        "undrawn": data.undrawn,
        "scene_data": json_for_script([viewer_data(scene) for scene in drawn]),
    }
