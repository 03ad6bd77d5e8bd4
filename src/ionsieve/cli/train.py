"""``ionsieve train``: a calibrated model from labels and structures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer


def train(
    labels: Path = typer.Option(..., "--labels", help="Label table, CSV or Parquet."),
    structures: list[Path] = typer.Option(
        ..., "--structures", help="CIF or POSCAR files or folders; ids are names without ending."
    ),
    target: str = typer.Option(
        "sigma_S_cm", help="sigma_S_cm, diffusivity_cm2_s, t_onset_K or diffuses."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Model folder to write."),
    tune: int = typer.Option(0, "--tune", min=0, help="Budget of tuning trials; 0: defaults."),
    groups: str = typer.Option(
        "family", help="What is kept together: formula, chemsys, family, doi or cluster."
    ),
    kind: str | None = typer.Option(None, help="aimd, mlip_md or experiment, if labels mix them."),
    threshold: float = typer.Option(1e-3, help="Threshold of p_exceeds, S/cm or cm²/s."),
    seed: int = typer.Option(0, min=0, max=2**32 - 1, help="Same seed, same model."),
    mobile: str = typer.Option("Li", help="Mobile species: Li, Na, K, Ag or Cu."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Train, calibrate and save a model; writes its card beside it.

    Tuning keeps its studies in tuning.sqlite inside the model folder: run the same command again
    after an interruption and it continues.
    """
    from ..data.atomic import write_json_atomic, write_text_atomic
    from ..models import make_model
    from ..models.report import model_card
    from ..models.tuning import tune as search
    from .model_inputs import labelled_inputs, run_context, write_quarantine
    from .progress import stage_progress

    with stage_progress(quiet=json) as advance:
        data = labelled_inputs(labels, structures, target, kind, groups, mobile, advance)
        features = data.inputs.features
        parameters: dict[str, dict[str, Any]] = {}
        if tune:
            found = search(
                features,
                data.labels,
                data.quantity,
                tune,
                seed,
                out / "tuning.sqlite",
                progress=lambda done, total: advance("tuning", done, total),
            )
            parameters = found.parameters
        model = make_model(data.quantity, seed=seed, threshold=threshold, parameters=parameters)
        model.fit(features, data.labels)
    context = run_context(seed, groups, labels, model.training_["kind"]) | {"tuning_trials": tune}
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
    _show(result, json)


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
