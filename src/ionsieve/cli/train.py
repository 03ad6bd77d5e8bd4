"""``ionsieve train``: a calibrated model from labels and structures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from .model_options import LabelledOptions, takes_labelled


@takes_labelled
def train(
    options: LabelledOptions,
    out: Path = typer.Option(..., "--out", "-o", help="Model folder to write."),
    tune: int = typer.Option(0, "--tune", min=0, help="Budget of tuning trials; 0: defaults."),
) -> None:
    """Train, calibrate and save a model; writes its card beside it.

    Tuning keeps its studies in tuning.sqlite inside the model folder: run the same command again
    after an interruption and it continues.
    """
    from ..data.atomic import write_json_atomic, write_text_atomic
    from ..models import make_model
    from ..models.evaluation.card import model_card
    from ..models.evaluation.tuning import tune as search
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
        data = labelled_inputs(options, advance)
        other = add_other_kind(data, options, advance)
        features = data.inputs.features
        parameters: dict[str, dict[str, Any]] = {}
        if tune:
            found = search(
                features,
                data.labels,
                data.quantity,
                tune,
                options.seed,
                out / "tuning.sqlite",
                members,
                progress=lambda done, total: advance("tuning", done, total),
            )
            parameters = found.parameters
        model = make_model(
            data.quantity,
            seed=options.seed,
            threshold=options.threshold,
            members=members,
            parameters=parameters,
        )
        model.other_kind = other
        known = data.inputs.structures["formula"].reindex(data.labels["structure_id"].unique())
        model.training_formulas = tuple(sorted(set(known)))
        model.fit(features, data.labels)
    context = run_context(options, model.training_["kind"]) | {"tuning_trials": tune}
    model.save(out)
    write_quarantine(out / "quarantine.csv", data.inputs.quarantined)
    write_text_atomic(out / "card.md", model_card(model, {**context, "notes": data.notes}))
    result = {
        "model": str(out),
        "quantity": data.quantity,
        "training": model.training_,
        "evaluation": model.evaluation_,
        "notes": data.notes,
        "context": context,
    }
    write_json_atomic(out / "training.json", result)
    _show(result, options.json)


def _show(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        import json as json_module

        typer.echo(json_module.dumps(result, sort_keys=True, allow_nan=False))
        return
    for note in result["notes"]:
        typer.echo(note)
    for left_out, methods in result["evaluation"].items():
        typer.echo(f"{left_out.replace('_', ' ')}, mean absolute error [95 % interval]:")
        for method, scores in methods.items():
            value, low, high = scores["mae"]
            text = "not defined" if value is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"
            typer.echo(f"  {method:20s} {text}")
    typer.echo(f"Model and card: {result['model']}")
    typer.echo(f"Next: ionsieve predict {result['model']} INPUT… --temperature 300 --out FILE")
