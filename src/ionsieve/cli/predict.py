"""``ionsieve predict``: apply a saved model to structures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from .model_options import Compositions, Json, Mobile
from .option_groups import WorkerOptions, takes_options

if TYPE_CHECKING:
    import pandas as pd

    from ..models import StructureModel
    from .input_blocks import BlockInputs
    from .model_inputs import FeatureInputs, Tally


@takes_options
def predict(
    where: WorkerOptions,
    model: Path = typer.Argument(..., metavar="MODEL", help="Folder written by train."),
    inputs: list[Path] = typer.Argument(
        None, metavar="[INPUT…]", help="CIF or POSCAR files, or folders of them; stores."
    ),
    compositions: Compositions = None,
    features: Path = typer.Option(
        None,
        help="Folder of descriptors that featurize wrote for these structures; what it lacks is "
        "computed.",
    ),
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
    from ..data.table_file import TABLE_ENDINGS
    from ..models import load_model
    from .input_blocks import BlockInputs
    from .progress import stage_progress

    if out.suffix not in TABLE_ENDINGS:
        raise InputError(f"--out {out}: end it in {' or '.join(TABLE_ENDINGS)}")
    loaded = load_model(model)
    given_rows = None
    if features is not None:
        from ..screening.batch.given_rows import GivenRows

        given_rows = GivenRows(features, mobile)
    with stage_progress(quiet=json) as advance, where.beside(out) as shared:
        given = BlockInputs(
            structures=inputs or [],
            compositions=compositions or [],
            mobile=mobile,
            workers=where.workers,
            advance=advance,
            shared=shared,
            given=given_rows,
        )
        tally = write_predictions(loaded, given, temperature, out, explain)
    if json:
        import json as json_module

        result = {
            "out": str(out),
            "quantity": loaded.quantity,
            "unit": loaded.target.unit,
            "temperature_K": temperature,
            "n_predicted": tally.n_used,
            "n_without_structure": tally.n_bare,
            "n_quarantined": len(tally.quarantined),
        } | ({} if given_rows is None else {"n_features_given": given_rows.taken})
        typer.echo(json_module.dumps(result, sort_keys=True))
    else:
        typer.echo(f"{tally.n_used} predicted ({loaded.quantity}, {loaded.target.unit})")
        if given_rows is not None:
            typer.echo(f"descriptors of {given_rows.taken} structures from {features}")
        typer.echo(f"{tally.summary()}; see {out}")


def write_predictions(
    model: StructureModel, inputs: BlockInputs, temperature_K: float, out: Path, explain: bool
) -> Tally:
    """Predict block by block; files appear whole when all is done, or not at all.

    Parameters
    ----------
    model : StructureModel
    inputs : BlockInputs
    temperature_K : float
    out : path
        CSV or Parquet; what is set aside stands in OUT.quarantine.csv beside it.
    explain : bool
        Also write contributions of features and of families.

    Raises
    ------
    InputError
        If nothing can be predicted.
    """
    from contextlib import ExitStack

    from ..data.errors import InputError
    from ..data.table_file import open_table
    from .model_inputs import Tally, write_quarantine

    tally = Tally()
    with ExitStack() as stack:
        table = stack.enter_context(open_table(out, index=True))
        parts = [stack.enter_context(open_table(_beside(out, w), True)) for w in _WHY if explain]
        for block in inputs.blocks():
            tally.add(block)
            if len(block.features):
                table.add(_answer(model, block, temperature_K))
                for file, shares in zip(
                    parts, _explained(model, block, temperature_K), strict=False
                ):
                    file.add(shares)
        if not tally.n_used:
            first = tally.quarantined[0].reason if tally.quarantined else ""
            reason = f"; first: {first}" if first else ""
            raise InputError(
                f"no material among {len(tally.quarantined)} inputs can be used{reason}"
            )
    write_quarantine(out.with_name(f"{out.stem}.quarantine.csv"), tally.quarantined)
    return tally


_WHY: Final = ("families", "contributions")


def _answer(model: StructureModel, block: FeatureInputs, temperature_K: float) -> pd.DataFrame:
    from ..models.trust.domain import composition_distance

    answer = model.predict(block.features, temperature_K).rename_axis("id")
    formulas = block.structures["formula"].reindex(answer.index)
    answer.insert(0, "formula", formulas)
    known = model.training_formulas
    distance = composition_distance(list(formulas), known) if known else float("nan")
    answer.insert(answer.columns.get_loc("domain_distance") + 1, "composition_distance", distance)
    answer["note"] = [block.note(str(name)) for name in answer.index]
    return answer


def _explained(
    model: StructureModel, block: FeatureInputs, temperature_K: float
) -> Iterator[pd.DataFrame]:
    """Shares of families, then of features; computed when asked for."""
    from ..features.catalogue import catalogue
    from ..models.explanation.contributions import contributions, family_contributions

    shares = contributions(model, block.features, temperature_K)
    families = {c.name: c.family for c in catalogue()}
    yield family_contributions(shares, families).rename_axis("id")
    yield shares.rename_axis("id")


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.stem}.{what}{out.suffix}")
