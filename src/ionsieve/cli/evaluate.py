"""``ionsieve evaluate``: held-out scores of a model and of naive baselines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .model_options import LabelledOptions
from .option_groups import takes_options

if TYPE_CHECKING:
    from .model_inputs import LabelledInputs


@takes_options
def evaluate(
    options: LabelledOptions,
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the results."),
    tune: int = typer.Option(0, "--tune", min=0, help="Tuning trials inside each training fold."),
    folds: int = typer.Option(5, min=0, help="Folds over groups; 0 leaves one group out."),
    temperature: float | None = typer.Option(
        None, "--temperature", help="Temperature of the event, K; onsets need one (default 1000)."
    ),
    ablation: bool = typer.Option(False, "--ablation", help="Also what each family adds."),
    learning_curve: bool = typer.Option(False, "--learning-curve", help="Also with fewer groups."),
) -> None:
    """Hold out whole groups, predict them, and write metrics.json, predictions.csv and card.md.

    Every score stands beside those of naive baselines on the same folds and carries a 95 %
    bootstrap interval over groups. With --tune the search is nested in each training fold.
    """
    from ..models.evaluation.ablation import learning_curve as thinned
    from ..models.evaluation.card import append_learning_curve, write_evaluation
    from ..models.evaluation.grouped import MODEL_NAME, baselines, evaluate_grouped
    from .model_inputs import (
        add_other_kind,
        labelled_inputs,
        learner_names,
        run_context,
        write_quarantine,
    )
    from .progress import stage_progress

    members = learner_names(options.learners)
    with stage_progress(quiet=options.json) as advance:
        with options.beside(out) as shared:
            data = labelled_inputs(options, advance, shared)
            add_other_kind(data, options, advance, shared)
        settings = {"seed": options.seed, "threshold": options.threshold, "members": members}
        factory = _factory(data.quantity, tune, out, settings)
        scoring: dict[str, Any] = {
            "n_folds": folds or None,
            "quantity": data.quantity,
            "threshold": options.threshold,
            "temperature_K": _event_temperature(data.quantity, temperature),
            "seed": options.seed,
        }
        tables = data.inputs.features, data.labels
        methods = {MODEL_NAME: factory, **baselines(data.quantity)}
        # Of unknown length: the bar moves without a count.
        advance("training", 0, 0)
        found = evaluate_grouped(*tables, methods, **scoring)
        advance("training", 1, 1)
        context = run_context(options, str(data.labels["kind"].iloc[0]))
        context |= {"tuning_trials": tune, "learners": options.learners, "notes": data.notes}
        write_evaluation(out, found, context)
        write_quarantine(out / "quarantine.csv", data.inputs.quarantined)
        if ablation:
            _write_ablation(out, data, settings, scoring)
        if learning_curve:
            append_learning_curve(out, thinned(*tables, factory, **scoring))
    _show(out, str(found), data.notes, options.json)


def _event_temperature(quantity: str, given: float | None) -> float | None:
    if given is None and quantity in ("t_onset_K", "diffuses"):
        return 1000.0
    return given


def _factory(quantity: str, tune: int, out: Path, settings: dict[str, Any]) -> Any:
    from ..models import make_model
    from ..models.evaluation.tuning import TunedModel

    if not tune:
        return lambda: make_model(quantity, **settings)
    return lambda: TunedModel(quantity, tune, out / "tuning.sqlite", **settings)


def _write_ablation(
    out: Path, data: LabelledInputs, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    from ..features.catalogue import STANDARD_FAMILIES, catalogue
    from ..models import make_model
    from ..models.evaluation.ablation import ablate, subjects
    from ..models.evaluation.card import append_ablation

    families = dict.fromkeys(data.inputs.features.columns, "other_kind")
    families |= subjects({c.name: c.family for c in catalogue()})
    # Two dozen variants are fitted: boosting alone takes a tenth of the time of the stack.
    settings = settings | {"members": ("xgboost",), "n_folds": 2}
    found = ablate(
        data.inputs.features,
        data.labels,
        families,
        lambda: make_model(data.quantity, **settings),
        STANDARD_FAMILIES,
        **options,
    )
    append_ablation(out, found, "Boosting alone, default settings, on the same folds.")


def _show(out: Path, table: str, notes: list[str], as_json: bool) -> None:
    if as_json:
        typer.echo((out / "metrics.json").read_text(encoding="utf-8").strip())
        return
    for note in notes:
        typer.echo(note)
    typer.echo(table)
    typer.echo(f"Card, metrics and predictions: {out}")
