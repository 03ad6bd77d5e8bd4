"""``ionsieve evaluate``: held-out scores of a model and of naive baselines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from .model_inputs import LabelledInputs


def evaluate(
    labels: Path = typer.Option(..., "--labels", help="Label table, CSV or Parquet."),
    structures: list[Path] = typer.Option(
        ..., "--structures", help="CIF or POSCAR files or folders; ids are names without ending."
    ),
    target: str = typer.Option(
        "sigma_S_cm", help="sigma_S_cm, diffusivity_cm2_s, t_onset_K or diffuses."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the results."),
    tune: int = typer.Option(0, "--tune", min=0, help="Tuning trials inside each training fold."),
    groups: str = typer.Option(
        "family", help="What is held out together: formula, chemsys, family, doi or cluster."
    ),
    folds: int = typer.Option(5, min=0, help="Folds over groups; 0 leaves one group out."),
    kind: str | None = typer.Option(None, help="aimd, mlip_md or experiment, if labels mix them."),
    threshold: float = typer.Option(1e-3, help="Threshold of the event, S/cm or cm²/s."),
    temperature: float | None = typer.Option(
        None, "--temperature", help="Temperature of the event, K; onsets need one (default 1000)."
    ),
    ablation: bool = typer.Option(False, "--ablation", help="Also what each family adds."),
    learning_curve: bool = typer.Option(False, "--learning-curve", help="Also with fewer groups."),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Same seed, same folds and scores."),
    mobile: str = typer.Option("Li", help="Mobile species: Li, Na, K, Ag or Cu."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Hold out whole groups, predict them, and write metrics.json, predictions.csv and card.md.

    Every score stands beside those of naive baselines on the same folds and carries a 95 %
    bootstrap interval over groups. With --tune the search is nested in each training fold.
    """
    from ..models.evaluation import MODEL_NAME, baselines, evaluate_grouped
    from ..models.report import write_evaluation
    from .model_inputs import labelled_inputs, run_context, write_quarantine
    from .progress import stage_progress

    with stage_progress(quiet=json) as advance:
        data = labelled_inputs(labels, structures, target, kind, groups, mobile, advance)
        factory = _factory(data.quantity, tune, seed, threshold, out)
        options: dict[str, Any] = {
            "n_folds": folds or None,
            "quantity": data.quantity,
            "threshold": threshold,
            "temperature_K": _event_temperature(data.quantity, temperature),
            "seed": seed,
        }
        found = evaluate_grouped(
            data.inputs.features,
            data.labels,
            {MODEL_NAME: factory, **baselines(data.quantity)},
            **options,
        )
    context = run_context(seed, groups, labels, str(data.labels["kind"].iloc[0]))
    context |= {"tuning_trials": tune, "notes": data.notes}
    write_evaluation(out, found, context)
    write_quarantine(out / "quarantine.csv", data.inputs.quarantined)
    if ablation:
        _write_ablation(out, data, factory, options)
    if learning_curve:
        _write_learning_curve(out, data, factory, options)
    _show(out, str(found), data.notes, json)


def _event_temperature(quantity: str, given: float | None) -> float | None:
    if given is None and quantity in ("t_onset_K", "diffuses"):
        return 1000.0
    return given


def _factory(quantity: str, tune: int, seed: int, threshold: float, out: Path) -> Any:
    from ..models import make_model
    from ..models.tuning import TunedModel

    if not tune:
        return lambda: make_model(quantity, seed=seed, threshold=threshold)
    storage = out / "tuning.sqlite"
    return lambda: TunedModel(quantity, tune, storage, seed=seed, threshold=threshold)


def _write_ablation(out: Path, data: LabelledInputs, factory: Any, options: dict[str, Any]) -> None:
    from ..data.atomic import write_text_atomic
    from ..features.catalogue import catalogue
    from ..models.ablation import ablate

    families = {c.name: c.family for c in catalogue()}
    found = ablate(data.inputs.features, data.labels, families, factory, **options)
    _append(out, "What each descriptor family adds", found.gains.reset_index(names="variant"))
    write_text_atomic(out / "ablation.csv", found.gains.to_csv())


def _write_learning_curve(
    out: Path, data: LabelledInputs, factory: Any, options: dict[str, Any]
) -> None:
    from ..data.atomic import write_text_atomic
    from ..models.ablation import learning_curve

    found = learning_curve(data.inputs.features, data.labels, factory, **options)
    table = found.table().reset_index(names="share of training groups")
    _append(out, "Learning curve", table)
    write_text_atomic(out / "learning_curve.csv", table.to_csv(index=False))


def _append(out: Path, title: str, table: pd.DataFrame) -> None:
    from ..data.atomic import write_text_atomic
    from ..models.report import markdown_table

    card = (out / "card.md").read_text(encoding="utf-8")
    lines = [f"## {title}", "", *markdown_table(table.round(3)), ""]
    write_text_atomic(out / "card.md", card + "\n" + "\n".join(lines))


def _show(out: Path, table: str, notes: list[str], as_json: bool) -> None:
    if as_json:
        typer.echo((out / "metrics.json").read_text(encoding="utf-8").strip())
        return
    for note in notes:
        typer.echo(note)
    typer.echo(table)
    typer.echo(f"Card, metrics and predictions: {out}")
