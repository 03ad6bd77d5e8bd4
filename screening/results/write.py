"""Write a screen to a folder: ranking, quarantine, what the run used, report."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.atomic import (
    only_writer,
    remove_leftovers,
    write_json_atomic,
    write_text_atomic,
)
from ...data.csv_text import csv_text
from ...data.errors import InputError
from ...data.identifiers import printable
from ...data.libraries import version_of
from ...data.sources.files import identifier_of
from ...data.sources.paths import reader_of
from ...data.store.open import is_store
from ...data.store.store import MANIFEST
from ...data.table_file import open_table
from ...data.units import ROOM_TEMPERATURE_K
from ..pages.report import (
    CALIBRATION,
    TEMPERATURES,
    TOP_STRUCTURES,
    calibration_frame,
    render_report,
)
from ..screen.follow_up import follow_up_commands
from ..screen.landmarks import landmarks
from ..screen.pipeline import NothingToRank, ScreenResult
from ..screen.ranking import DECIMALS, RANKING_COLUMNS
from ..screen.record_list import ChosenRecords
from ..screen.training import TrainedModel
from .optimade import OPTIMADE, SERVER, server_settings, write_optimade
from .read import EXPLANATIONS, FEATURES, RANKING, RUN, report_data

_PACKAGES: Final[tuple[str, ...]] = (
    "ionsieve",
    "dscribe",
    "matminer",
    "numba",
    "numpy",
    "optuna",
    "pandas",
    "pymatgen",
    "scikit-learn",
    "scipy",
    "spglib",
    "xgboost",
)


REPORT: Final[str] = "report.html"
COST: Final[str] = "cost.json"
"""CPU time and memory of all processes, by stage."""
BLOCK_ROWS: Final[int] = 10_000
"""Rows written at a time."""
WORK: Final[str] = ".work"
"""Descriptors of an unfinished screen, below the output folder."""


def write_screen(
    result: ScreenResult, out: str | Path, inputs: list[str], top_structures: int = TOP_STRUCTURES
) -> dict[str, Any]:
    """Write every output file; each is replaced whole or not at all.

    Parameters
    ----------
    result : ScreenResult
    out : path
    inputs : list of str
    top_structures : int
        How many of the best the report draws.

    Returns
    -------
    dict
        The content of ``run.json``.
    """
    folder = prepared_folder(out)
    # Present means finished: what is being replaced is no finished run.
    (folder / RUN).unlink(missing_ok=True)
    _remove_explanations(folder)
    digest = _write_ranking(folder, result.ranking)
    _write_blocks(folder / FEATURES, _in_order(result))
    _write_blocks(folder / TEMPERATURES, result.answers.temperature_blocks(BLOCK_ROWS))
    records = ChosenRecords(result.described.records, result.order)
    write_optimade(folder / OPTIMADE, result.ranking, records)
    write_json_atomic(folder / SERVER, server_settings())
    _write_left_out(folder, result)
    calibration = calibration_frame(result.trained.model.held_out_)
    write_text_atomic(folder / CALIBRATION, csv_text(calibration))
    run = run_facts(result, inputs, digest)
    # As it will be read: the page is made of files alone, so that it can be made again.
    run = json.loads(json.dumps({**run, "top_structures": top_structures}, sort_keys=True))
    result.meter.stage("report")
    write_report(folder, run, result.ranking)
    # In a file of its own: all others are the same, byte for byte, whenever a screen is repeated.
    write_json_atomic(folder / COST, result.meter.cost())
    write_json_atomic(folder / RUN, run)
    return run


def write_nothing(nothing: NothingToRank, out: str | Path) -> None:
    """Tables of a screen that left no structure: an empty ranking, and where everything went.

    Parameters
    ----------
    nothing : NothingToRank
    out : path
    """
    folder = prepared_folder(out)
    (folder / RUN).unlink(missing_ok=True)
    _remove_explanations(folder)
    for stale in (RANKING, FEATURES, TEMPERATURES, OPTIMADE, SERVER, REPORT, CALIBRATION):
        (folder / stale).unlink(missing_ok=True)
    write_text_atomic(folder / "ranking.csv", ",".join(RANKING_COLUMNS) + "\n")
    _write_left_out(folder, nothing)


def _write_left_out(folder: Path, result: ScreenResult | NothingToRank) -> None:
    """``quarantine.csv``, ``funnel.csv`` and ``filtered.csv``."""
    tables = {
        "quarantine.csv": result.quarantine,
        "funnel.csv": result.funnel,
        "filtered.csv": result.filtered.rename(columns={"stage": "filter"}),
    }
    for name, table in tables.items():
        _write_blocks(folder / name, _blocks(table))


def _remove_explanations(folder: Path) -> None:
    """Pages of ``ionsieve explain`` with their files: they speak of the ranking being replaced."""
    for page in (folder / EXPLANATIONS).glob("*.html"):
        for suffix in (".cif", ".svg", ".similarity.cube", ".bvse.cube", ".html"):
            page.with_suffix(suffix).unlink(missing_ok=True)


def write_report(folder: Path, run: dict[str, Any], ranking: pd.DataFrame | None = None) -> Path:
    """Make ``report.html`` from the other files of a run's folder.

    Parameters
    ----------
    folder : path
    run : dict
        Content of ``run.json``.
    ranking : DataFrame, optional
        Content of ``ranking.parquet``, where it is in memory already.

    Raises
    ------
    InputError
        If a file is absent or damaged.
    """
    page = folder / REPORT
    write_text_atomic(page, render_report(report_data(folder, run, ranking)))
    return page


def prepared_folder(out: str | Path) -> Path:
    """The output folder, made if need be.

    Raises
    ------
    InputError
        If the path is a file or cannot be written to.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give --out a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror})") from None
    return folder


@contextmanager
def work_folder(out: Path) -> Iterator[Path]:
    """Folder for what an interrupted screen takes up again, held by one process.

    Raises
    ------
    InputError
        If another screen is writing to ``out``.
    """
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    with only_writer(out / ".lock"):
        remove_leftovers(out)
        yield work


def removed_work(work: Path) -> None:
    """The results are written: nothing is left to take up again."""
    shutil.rmtree(work, ignore_errors=True)


def run_facts(result: ScreenResult, inputs: list[str], ranking_sha256: str) -> dict[str, Any]:
    """What the run used and what came out, as plain values."""
    return {
        "inputs": [printable(p) for p in inputs] or ["embedded candidates"],
        "input_sha256": {printable(p): _digest(Path(p)) for p in inputs},
        "settings": result.settings.as_dict(),
        "counts": result.counts,
        "funnel": result.funnel.to_dict("records"),
        "quarantine_by_stage": _value_counts(result.quarantine["stage"]),
        "known_counts": _value_counts(result.ranking["known_relation"]),
        "isolated_class_counts": _value_counts(result.ranking["isolated_class"]),
        "flag_counts": _flag_counts(result.ranking["flags"]),
        "follow_up": asdict(result.follow_up),
        "follow_up_commands": follow_up_commands(
            "DIR", asdict(result.follow_up), result.settings.mobile
        ),
        "known": known_conductors(result.ranking, result.trained.labels),
        "landmarks": textbook_conductors(result.trained),
        "ranking_columns": list(result.ranking.columns),
        "nan_notes": result.notes,
        "model": {
            "key": result.trained.key,
            "label_kind": "aimd",
            "label_mobile": result.trained.range.mobile,
            "labels_by_mobile": _labels_by_mobile(result.trained.labels),
            "coverage": result.trained.model.coverage,
            "training": result.trained.model.training_,
            # In one order, whether the model was trained now or came from the cache.
            "held_out": json.loads(json.dumps(result.trained.model.evaluation_, sort_keys=True)),
        },
        "ranking_sha256": ranking_sha256,
        "cost_file": COST,
        "versions": {**{p: _version(p) for p in _PACKAGES}, "python": platform.python_version()},
    }


def _labels_by_mobile(labels: pd.DataFrame) -> dict[str, int]:
    """Labels of each mobile species; a table of the user's own need not say."""
    return _value_counts(labels["mobile"]) if "mobile" in labels else {}


def known_conductors(ranking: pd.DataFrame, labels: pd.DataFrame) -> list[dict[str, Any]]:
    """Ranked structures that are conductors of the AIMD table, best first, with their labels.

    Of each the label nearest to 300 K: ``temperature_K`` and ``log10_sigma_S_cm``, or
    ``log10_sigma_lower_S_cm`` and ``log10_sigma_upper_S_cm`` where it is a bound.
    """
    found = []
    distance = (labels["temperature_K"] - ROOM_TEMPERATURE_K).abs()
    nearest = labels.loc[distance.sort_values(kind="stable").index]
    by_structure = nearest.drop_duplicates("structure_id").set_index("structure_id")
    for row in ranking[ranking["known_relation"] == "same"].to_dict("records"):
        label = by_structure.loc[row["known_structure"]]
        found.append(
            {
                **{name: row[name] for name in ("id", "formula", "rank", "p_fast")},
                "known_structure": row["known_structure"],
                "temperature_K": float(label["temperature_K"]),
                "log10_sigma_S_cm": _log10(label["value"]),
                "log10_sigma_lower_S_cm": _log10(label["lower"]),
                "log10_sigma_upper_S_cm": _log10(label["upper"]),
            }
        )
    return found


def textbook_conductors(trained: TrainedModel) -> list[dict[str, Any]]:
    """Answers of the model of measurements for textbook conductors; none where it is not there."""
    if trained.experiment is None:
        return []
    rows = landmarks(trained.experiment).round(DECIMALS).to_dict("records")
    return [
        {str(k): None if isinstance(v, float) and np.isnan(v) else v for k, v in row.items()}
        for row in rows
    ]


def _log10(value: Any) -> float | None:
    return None if pd.isna(value) else round(float(np.log10(value)), 4)


def _value_counts(values: pd.Series) -> dict[str, int]:
    counts = values[values.notna() & (values != "")].value_counts()
    return {str(k): int(v) for k, v in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))}


def _flag_counts(flags: pd.Series) -> dict[str, int]:
    """How often each flag is raised; few rows of a large screen carry any."""
    return _value_counts(flags[flags != ""].str.split(";").explode())


def _write_ranking(folder: Path, ranking: pd.DataFrame) -> str:
    """Both files of the ranking; returns the SHA-256 of the CSV."""
    _write_blocks(folder / "ranking.csv", _blocks(ranking))
    _write_blocks(folder / RANKING, _blocks(ranking))
    with (folder / "ranking.csv").open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_blocks(path: Path, blocks: Iterable[pd.DataFrame]) -> None:
    with open_table(path, compression="zstd") as table:
        for block in blocks:
            table.add(block)


def _blocks(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """A table in blocks: as text or as Arrow, one exists at a time."""
    for start in range(0, max(len(table), 1), BLOCK_ROWS):
        yield table.iloc[start : start + BLOCK_ROWS]


def _in_order(result: ScreenResult) -> Iterator[pd.DataFrame]:
    """Descriptors in the order of the ranking, with their ids as a column."""
    for start in range(0, max(len(result.order), 1), BLOCK_ROWS):
        rows = result.described.features.rows(result.order[start : start + BLOCK_ROWS])
        yield rows.rename_axis("id").reset_index()


def _files_of(path: Path) -> list[tuple[Path, str]]:
    """The files of an input with their identifiers; of a folder, those that a source reads."""
    if not path.is_dir():
        return [(path, path.name)]
    files = sorted(p for p in path.rglob("*") if not p.is_dir() and reader_of(p))
    return [(p, identifier_of(p.relative_to(path))) for p in files]


def _digest(path: Path) -> str:
    """Hash of a file, of a store's description, or of a folder's structure files by identifier."""
    if is_store(path):
        path = path / MANIFEST
    files = _files_of(path)
    digest = hashlib.sha256()
    for file, identifier in files:
        digest.update(identifier.encode() + b"\0")
        # A file that cannot be read stands in quarantine; the hash notes its name alone.
        with contextlib.suppress(OSError):
            digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version_of(package)
    except PackageNotFoundError:
        return "absent"
