"""``ionsieve benchmark``: score anyone's predictions on the embedded tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .model_options import Json, Seed

if TYPE_CHECKING:
    from ..models.evaluation.benchmark import BenchmarkResult


def benchmark(
    predictions: Path | None = typer.Argument(
        None, metavar="[PREDICTIONS]", help="CSV with id, log10_sigma_S_cm and perhaps low, high."
    ),
    on: str = typer.Option("experiment", "--on", help="Table: experiment or aimd."),
    template: bool = typer.Option(False, "--template", help="Write the file to fill in."),
    leaderboard: Path | None = typer.Option(
        None, "--leaderboard", metavar="FOLDER", help="Score a folder of submissions as one page."
    ),
    method: str | None = typer.Option(
        None, "--method", help="Name of the method; default: file name."
    ),
    out: Path | None = typer.Option(
        None, "--out", "-o", help="File to write: the template, the page, or the scores as JSON."
    ),
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Score predictions beside baselines on fixed joined folds.

    Predictions are log10 of the conductivity in S/cm, one for each row of the template. Train on
    the other folds only: the column fold says which. Papers that share a composition lie in one
    fold. Bounds are scored as bounds, intervals by how often they hold.
    """
    from ..data.embedded.benchmark import checked_table
    from ..data.errors import InputError

    wanted = sum([predictions is not None, template, leaderboard is not None])
    if wanted != 1:
        raise InputError("give one of PREDICTIONS, --template and --leaderboard FOLDER")
    table = checked_table(on)
    if template:
        _write_template(table, out)
        return
    if leaderboard is not None:
        _write_page(leaderboard, out)
        return
    assert predictions is not None
    from ..data.atomic import write_json_atomic
    from ..models.evaluation.benchmark import read_predictions, score_predictions

    name = method or predictions.stem
    result = score_predictions(read_predictions(predictions, table), table, name, seed)
    if out is not None:
        write_json_atomic(out, result.as_dict())
    if json:
        import json as json_module

        typer.echo(json_module.dumps(result.as_dict(), sort_keys=True, allow_nan=False))
    else:
        _show(result)


def _write_template(table: str, out: Path | None) -> None:
    from ..data.atomic import write_text_atomic
    from ..data.csv_text import csv_text
    from ..data.embedded.benchmark import benchmark_template, checked_table
    from ..data.errors import InputError

    target = out or Path(f"benchmark_{table}.csv")
    if target.exists():
        raise InputError(f"{target} exists and may be filled in already; choose another --out")
    rows = benchmark_template(checked_table(table))
    write_text_atomic(target, csv_text(rows))
    typer.echo(f"{len(rows)} rows to fill in: {target} (log10_sigma_S_cm, and low and high if any)")
    typer.echo(f"Next: ionsieve benchmark {target} --on {table}")


def _write_page(folder: Path, out: Path | None) -> None:
    from ..data.atomic import write_text_atomic
    from ..models.evaluation.leaderboard import leaderboard as page

    text = page(folder)
    if out is None:
        typer.echo(text, nl=False)
        return
    write_text_atomic(out, text)
    typer.echo(f"Leaderboard: {out}")


def _show(result: BenchmarkResult) -> None:
    from rich.table import Table

    from .progress import console

    table = Table(
        title=f"{result.on}: {result.n_rows} rows, {result.n_groups} groups, folds {result.folds}",
        title_justify="left",
    )
    for heading in ("method", "MAE", "Spearman", "AUC", "holds", "width", "landmarks", "Δ MAE"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for name, scores in result.scores.items():
        table.add_row(
            name,
            str(scores["mae"]),
            *(_cell(scores[key].value, f"{scores[key].value:.2f}") for key in ("spearman", "auc")),
            _cell(scores["coverage"].value, f"{scores['coverage'].value:.0%}"),
            _cell(scores["median_width"].value, f"{scores['median_width'].value:.1f}"),
            _cell(result.landmarks[name], f"{result.landmarks[name]:.0%}"),
            str(result.differences[name]) if name in result.differences else "",
        )
    console().print(table)
    _show_landmarks(result)
    typer.echo(
        "labels and predictions in log10 of S/cm, MAE and width in decades; Spearman within "
        "temperature; Δ MAE: this method minus the other, below zero where it is better; brackets: "
        "95 % of a bootstrap over groups"
    )


def _show_landmarks(result: BenchmarkResult) -> None:
    from rich.table import Table

    from .progress import console

    table = Table(title=f"landmarks, {result.method}", title_justify="left")
    for heading in ("known conductor", "known to be", "label", "prediction"):
        table.add_column(heading, justify="right" if heading in ("label", "prediction") else "left")
    for one in result.landmark_answers:
        numbers = (f"{v:.2f}".replace("-", "−") for v in (one.label, one.prediction))
        table.add_row(one.formula, one.known, *numbers)
    console().print(table)


def _cell(value: float, text: str) -> str:
    return "–" if math.isnan(value) else text
