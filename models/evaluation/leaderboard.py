"""The leaderboard: submissions in a folder, scored on the fixed folds, as one Markdown page.

A submission is a folder: ``about.yaml`` with ``method``, ``description``, ``reference`` (may be
empty) and ``folds`` (how the folds were kept: ``held_out`` or ``not_trained_on_these_labels``), and
``experiment.csv`` or ``aimd.csv`` or both, in the format of ``ionsieve benchmark --template``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...data.embedded.benchmark import TABLES, Table, benchmark_baselines, benchmark_rows
from ...data.errors import InputError
from ..trust.metrics import Score
from .benchmark import (
    THRESHOLD_S_CM,
    BenchmarkResult,
    check_predictions,
    read_predictions,
    score_predictions,
)

FOLDS_KEPT: Final[dict[str, str]] = {
    "held_out": "trained on the other folds",
    "not_trained_on_these_labels": "not trained on these labels",
}
_FIELDS: Final = ("method", "description", "reference", "folds")
_LONGEST: Final[int] = 300


@dataclass(frozen=True, kw_only=True)
class LeaderboardEntry:
    """A method and where its predictions are."""

    method: str
    description: str
    reference: str
    folds: str
    folder: Path


def read_submission(folder: Path) -> LeaderboardEntry:
    """Read and check ``about.yaml``.

    Raises
    ------
    InputError
        With the file, the field and the remedy.
    """
    import yaml

    path = folder / "about.yaml"
    if not path.is_file():
        raise InputError(f"{path}: missing; say method, description, reference and folds there")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeError) as error:
        raise InputError(f"{path}: not readable YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict) or set(content) != set(_FIELDS):
        raise InputError(f"{path}: give exactly {', '.join(_FIELDS)}")
    values = {name: str(content[name] or "") for name in _FIELDS}
    for name, text in values.items():
        if len(text) > _LONGEST or "\n" in text:
            raise InputError(f"{path}: {name} must be one line of at most {_LONGEST} characters")
    if not values["method"]:
        raise InputError(f"{path}: method is empty; name the method")
    if values["folds"] not in FOLDS_KEPT:
        raise InputError(f"{path}: folds must be {' or '.join(FOLDS_KEPT)}")
    return LeaderboardEntry(folder=folder, **values)


def leaderboard(folder: str | Path) -> str:
    """The page in Markdown: every submission and every baseline, best first.

    Parameters
    ----------
    folder : path
        Of submissions, one folder each.

    Raises
    ------
    InputError
        If the folder is missing, or a submission is not one; the first fault is named.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder of submissions")
    found = [read_submission(path) for path in sorted(root.iterdir()) if path.is_dir()]
    parts = [_HEAD]
    for on in TABLES:
        entries = [s for s in found if (s.folder / f"{on}.csv").is_file()]
        parts += _section(on, entries)
    return "\n".join(parts) + "\n"


def _section(on: Table, entries: list[LeaderboardEntry]) -> list[str]:
    results: dict[str, BenchmarkResult] = {}
    about: dict[str, LeaderboardEntry | None] = {}
    for entry in entries:
        answers = read_predictions(entry.folder / f"{on}.csv", on)
        results[entry.method] = score_predictions(answers, on, entry.method, beside_baselines=False)
        about[entry.method] = entry
    for method, rows in benchmark_baselines(on).groupby("method", sort=False):
        if str(method) not in results:
            answers = check_predictions(rows.drop(columns="method"), on, str(method))
            results[str(method)] = score_predictions(
                answers, on, str(method), beside_baselines=False
            )
            about[str(method)] = None
    order = sorted(results, key=lambda name: results[name].scores[name]["mae"].value)
    asked = benchmark_rows(on)
    lines = [
        f"## {on}",
        "",
        f"{len(asked)} rows, {asked['group'].nunique()} joined groups, "
        f"folds `{results[order[0]].folds}`; fast: above {THRESHOLD_S_CM[on]:g} S/cm.",
        "",
        "| method | MAE, decades | Spearman within temperature | AUC | interval holds | width | "
        "landmarks | folds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(name, results[name], about[name]) for name in order]
    return [*lines, ""]


def _row(name: str, result: BenchmarkResult, entry: LeaderboardEntry | None) -> str:
    scores: Mapping[str, Score] = result.scores[name]
    title = _escaped(name)
    if entry is not None:
        reference = f" ({_escaped(entry.reference)})" if entry.reference else ""
        title = f"**{title}**: {_escaped(entry.description)}{reference}"
    kept = FOLDS_KEPT["held_out" if entry is None else entry.folds]
    cells = [
        title,
        _interval(scores["mae"]),
        _interval(scores["spearman"]),
        _interval(scores["auc"]),
        _percent(scores["coverage"].value),
        _shown(scores["median_width"].value, ".1f"),
        _percent(result.landmarks[name]),
        kept,
    ]
    return f"| {' | '.join(cells)} |"


def _interval(score: Score) -> str:
    shown = f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]"
    return "–" if math.isnan(score.value) else shown


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.0f} %"


def _shown(value: float, pattern: str) -> str:
    return "–" if math.isnan(value) else format(value, pattern)


def _escaped(text: str) -> str:
    """Text of a stranger in a Markdown table: no markup, no cell ends."""
    return text.translate(_PLAIN)


_PLAIN: Final[dict[int, str]] = {
    **{ord(c): f"\\{c}" for c in "\\`*_{}[]()#+!~"},
    **{ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;", ord("|"): "&#124;"},
}

_HEAD: Final[str] = """# Leaderboard

Predictions of ionic conductivity on the embedded tables, on fixed folds: what is predicted was
never trained on, nor a paper that shares a composition with it (experiment), nor its family (AIMD).
Intervals in brackets are 95 % of a bootstrap over groups; labels that are bounds count in AUC and
landmarks, not in the mean absolute error. *Landmarks*: pairs of a material known to be fast and one
known to be slow that are ordered right. Methods without a description are baselines that ship with
ionsieve; how its own model does, with the evidence of other kinds, stands in
[accuracy](accuracy.md).

Enter: `ionsieve benchmark --template --on experiment` writes the file to fill in;
`ionsieve benchmark FILE --on experiment` scores it. Put it into a folder below
`benchmarks/submissions/` with an `about.yaml`, and write this page anew with
`ionsieve benchmark --leaderboard benchmarks/submissions --out docs/leaderboard.md`.
"""
