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
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from ...data.errors import FeatureError, RoleError
from ...data.records import StructureRecord
from ..batch.reasons import general_reason
from .elements import build_element_map
from .landmarks import build_landmarks, build_textbook, label_text, pairs_in_order
from .packed import PackedScenes, pack_scenes
from .plots import build_coverage, build_parity, build_scatter
from .scene import Scene, build_scene
from .text import chance_text, hours_text, signed_text
from .view import P_EXPERIMENT, bar_position, card, formula_html, json_for_script, table_rows

BoolArray = NDArray[np.bool_]

TABLE_ROWS: Final[int] = 1000
"""Rows shown in the page; the CSV and Parquet files hold all of them."""

TOP_STRUCTURES: Final[int] = 20
"""Structures shown as pictures in the page unless asked otherwise."""

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


TEMPERATURES: Final[str] = "temperatures.parquet"
TEMPERATURE_COLUMNS: Final[tuple[str, ...]] = (
    "id",
    "temperature_K",
    "log10_sigma_S_cm",
    "log10_sigma_low",
    "log10_sigma_high",
)
"""Predictions at several temperatures: log10 of S/cm with the 90 % interval."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Tests of the ranking against materials from outside its training data, as a table."""

    text: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
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
    temperatures : DataFrame
        ``temperatures.parquet``, for the Arrhenius sketches.
    scenes : tuple of Scene
        Of the structures that can be viewed, best first.
    undrawn : dict
        Id → why there is no picture.
    n_pictures : int
        How many of the best are shown as pictures, too.
    quality : Quality, optional
        Left out, the page says that there is none.
    """

    ranking: pd.DataFrame
    funnel: pd.DataFrame
    quarantine: pd.DataFrame
    run: dict[str, Any]
    calibration: pd.DataFrame = field(default_factory=lambda: calibration_frame(pd.DataFrame()))
    temperatures: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(TEMPERATURE_COLUMNS))
    )
    scenes: tuple[Scene, ...] = ()
    undrawn: dict[str, str] = field(default_factory=dict)
    n_pictures: int = TOP_STRUCTURES
    quality: Quality | None = None


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
    scripts = [asset("3Dmol-min.js"), asset("viewer.js"), asset("report.js")]
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            policy=content_security_policy(scripts),
            style=Markup(asset("report.css")),
            licence=asset("3Dmol-LICENSE.txt"),
            scripts=[Markup(script) for script in scripts],
            **_answer(data),
            **_tables(data),
            **_plots(data),
        )
    )


def environment() -> Environment:
    """Templates of this room, with everything escaped and nothing undefined."""
    found = Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters["formula"] = lambda text: formula_html(str(text))
    found.filters["signed"] = signed_text
    found.filters["chance"] = chance_text
    found.filters["hours"] = hours_text
    found.filters["label"] = label_text
    return found


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


def asset(name: str) -> str:
    """Text of a file in ``templates``."""
    return files("ionsieve.screening").joinpath("templates", name).read_text("utf-8")


def _answer(data: ReportData) -> dict[str, Any]:
    """The first screen: the shortlist with its pictures, and the structures behind every row."""
    rows = {str(row["id"]): row for row in table_rows(data.ranking[in_page(data.ranking)])}
    best = list(rows)[: data.n_pictures]
    scenes = {scene.id: scene for scene in data.scenes if scene.id in rows}
    listed = data.ranking[data.ranking["follow_up"].notna()].sort_values("follow_up")
    known = data.run["known"]
    packed = pack_scenes(scenes[i] for i in _drawn_first(listed["id"].tolist(), list(scenes)))
    return {
        "rows": list(rows.values()),
        "shortlist": [_pick(rows[i], scenes) for i in listed["id"]],
        "commands": follow_up_lines(data.run),
        "gallery": [card(rows[i], scenes[i]) for i in best if i in scenes],
        "undrawn": {
            i: why for i, why in data.undrawn.items() if i in list(rows)[: data.n_pictures]
        },
        "n_unpacked": len(packed.left_out),
        "known": known,
        "known_median": float(np.median([one["rank"] for one in known])) if known else 0.0,
        "landmarks": build_landmarks(known, rows, _threshold(data)),
        "elements": build_element_map(list(rows.values()), data.run["settings"]["mobile"]),
        "page_data": json_for_script(_page_data(data, rows, packed)),
    }


def in_page(ranking: pd.DataFrame) -> BoolArray:
    """Which rows stand in the page: the best, and the shortlist wherever it comes from."""
    best = np.arange(len(ranking)) < TABLE_ROWS
    return np.asarray(best | ranking["follow_up"].notna().to_numpy(dtype=bool))


def _drawn_first(listed: list[str], ids: list[str]) -> list[str]:
    """The shortlist must have its structures in the page; then the ranking, from the best."""
    return list(dict.fromkeys([i for i in listed if i in set(ids)] + ids))


def _pick(row: dict[str, Any], scenes: dict[str, Scene]) -> dict[str, Any]:
    scene = scenes.get(str(row["id"]))
    return {"row": row, "picture": None if scene is None else card(row, scene).picture}


def follow_up_lines(run: dict[str, Any]) -> list[str]:
    """Commands that start the shortlist, as ``run.json`` keeps them; DIR is the page's folder."""
    return [str(line) for line in run["follow_up_commands"]]


def _page_data(
    data: ReportData, rows: dict[str, dict[str, Any]], packed: PackedScenes
) -> dict[str, Any]:
    """What the scripts read: structures, and what of a row stands in no cell."""
    curves = _curves(data.temperatures)
    return {
        "temperatures_K": sorted({int(t) for t in data.temperatures["temperature_K"]}),
        "threshold": _threshold(data),
        "scenes": packed.streams,
        "rows": {
            str(row["rank"]): {
                "scene": packed.places.get(i),
                "next": row["follow_up_reason"],
                "why": row["flag_reasons"],
                "t": curves.get(i),
            }
            for i, row in rows.items()
        },
    }


def _curves(temperatures: pd.DataFrame) -> dict[str, list[int]]:
    """Hundredths of a decade: predictions at all temperatures, then lower, then upper ends."""
    columns = ["log10_sigma_S_cm", "log10_sigma_low", "log10_sigma_high"]
    ordered = temperatures.sort_values(["id", "temperature_K"], kind="stable")
    return {
        str(name): [int(v) for v in np.rint(100.0 * part[columns].to_numpy().T.ravel())]
        for name, part in ordered.groupby("id", sort=False)
    }


def _threshold(data: ReportData) -> float:
    return float(np.log10(data.run["settings"]["threshold_S_cm"]))


def _tables(data: ReportData) -> dict[str, Any]:
    shown = data.ranking[in_page(data.ranking)]
    flagged = data.ranking["flags"].fillna("") != ""
    return {
        "run": data.run,
        "threshold_bar": bar_position(shown, _threshold(data)),
        "threshold_mS_cm": 1e3 * data.run["settings"]["threshold_S_cm"],
        "n_ranked": len(data.ranking),
        "n_new": len(data.ranking) - data.run["follow_up"]["n_known"],
        "n_flagged": int(flagged.sum()),
        "has_experiment": P_EXPERIMENT in data.ranking,
        "classes": _classes(data.ranking),
        "has_known": "known_relation" in data.ranking,
        "funnel": _funnel(data.funnel),
        "quarantine": data.quarantine.head(_QUARANTINE_ROWS).to_dict("records"),
        "n_quarantined": len(data.quarantine),
        "reasons": _reasons(data.quarantine),
        "noted": _noted(data.ranking),
        "verdicts": verdicts(data.run["model"]["held_out"]),
        "scores_by_method": _scores_by_method(data.run["model"]["held_out"]),
        "quality": data.quality,
        "textbook": build_textbook(data.run.get("landmarks", [])),
        "textbook_pairs": pairs_in_order(data.run.get("landmarks", [])),
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


def _noted(ranking: pd.DataFrame) -> list[dict[str, Any]]:
    """Ranked structures with a remark, best first; none in rankings of before there were any."""
    if "note" not in ranking:
        return []
    noted = ranking[ranking["note"].fillna("").astype(str).str.len() > 0]
    return noted[["rank", "id", "formula", "note"]].to_dict("records")


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
    table = data.calibration
    ways = sorted(table["left_out"].unique(), reverse=True) if len(table) else []
    return {
        "scatter": build_scatter(data.ranking, _threshold(data), in_page(data.ranking)),
        "parities": [(way, build_parity(table[table["left_out"] == way])) for way in ways],
        "coverage": build_coverage(table, data.run["model"].get("coverage", 0.9)) if ways else None,
    }
