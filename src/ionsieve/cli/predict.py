"""``ionsieve predict``: apply a saved model to structures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .model_options import Compositions, Json, Mobile
from .option_groups import WorkerOptions, takes_options

if TYPE_CHECKING:
    import pandas as pd


@takes_options
def predict(
    where: WorkerOptions,
    model: Path = typer.Argument(..., metavar="MODEL", help="Folder written by train."),
    inputs: list[Path] = typer.Argument(
        None, metavar="[INPUT…]", help="CIF or POSCAR files, or folders of them."
    ),
    compositions: Compositions = None,
    temperature: float = typer.Option(300.0, "--temperature", help="Temperature, K."),
    out: Path = typer.Option(..., "--out", "-o", help="CSV or Parquet file to write."),
    explain: bool = typer.Option(
        False, "--explain", help="Also write contributions by feature family beside it."
    ),
    mobile: Mobile = "Li",
    json: Json = False,
) -> None:
    """Predict with interval, exceedance probability and domain distance.

    Columns: id, formula, prediction, low, high, p_exceeds, domain_distance, composition_distance,
    spread, family_disagreement, note. The note says where an ordered cell stands for a structure,
    and where there is none: a row of --compositions, or a structure that descriptors cannot take,
    is answered from composition and cell alone. What cannot be predicted is listed in
    OUT.quarantine.csv with the reason. composition_distance is empty for a model that was saved
    without formulas.
    """
    from ..data.errors import InputError
    from ..models import load_model
    from ..models.trust.domain import composition_distance
    from .model_inputs import feature_inputs, write_quarantine
    from .progress import stage_progress

    if out.suffix not in (".csv", ".parquet"):
        raise InputError(f"--out {out}: end it in .csv or .parquet")
    loaded = load_model(model)
    with stage_progress(quiet=json) as advance, where.beside(out) as shared:
        data = feature_inputs(
            inputs or [],
            compositions or [],
            mobile,
            advance,
            workers=where.workers,
            shared=shared,
        )
    answer = loaded.predict(data.features, temperature).rename_axis("id")
    formulas = data.structures["formula"].reindex(answer.index)
    answer.insert(0, "formula", formulas)
    place = answer.columns.get_loc("domain_distance") + 1
    known = loaded.training_formulas
    distance = composition_distance(list(formulas), known) if known else float("nan")
    answer.insert(place, "composition_distance", distance)
    answer["note"] = [data.note(str(name)) for name in answer.index]
    _write(answer, out)
    if explain:
        from ..features.catalogue import catalogue
        from ..models.explanation.contributions import contributions, family_contributions

        shares = contributions(loaded, data.features, temperature)
        families = {c.name: c.family for c in catalogue()}
        _write(family_contributions(shares, families).rename_axis("id"), _beside(out, "families"))
        _write(shares.rename_axis("id"), _beside(out, "contributions"))
    write_quarantine(out.with_name(f"{out.stem}.quarantine.csv"), data.quarantined)
    if json:
        import json as json_module

        result = {
            "out": str(out),
            "quantity": loaded.quantity,
            "unit": loaded.target.unit,
            "temperature_K": temperature,
            "n_predicted": len(answer),
            "n_without_structure": len(data.without_structure),
            "n_quarantined": len(data.quarantined),
        }
        typer.echo(json_module.dumps(result, sort_keys=True))
    else:
        typer.echo(f"{len(answer)} predicted ({loaded.quantity}, {loaded.target.unit})")
        typer.echo(f"{data.summary()}; see {out}")


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.stem}.{what}{out.suffix}")


def _write(table: pd.DataFrame, path: Path) -> None:
    from ..data.atomic import write_bytes_atomic
    from ..data.csv_text import csv_text

    is_parquet = path.suffix == ".parquet"
    content = table.to_parquet() if is_parquet else csv_text(table, index=True).encode()
    write_bytes_atomic(path, content)
