"""``ionsieve train``: a calibrated model from labels and structures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from .model_options import LabelledOptions
from .option_groups import takes_options

if TYPE_CHECKING:
    import pandas as pd

    from .model_inputs import LabelledInputs

STUDY: Final[str] = "tuning.sqlite"


@takes_options
def train(
    options: LabelledOptions,
    out: Path = typer.Option(..., "--out", "-o", help="Model folder to write."),
    tune: int = typer.Option(0, "--tune", min=0, help="Budget of tuning trials; 0: defaults."),
) -> None:
    """Train, calibrate and save a model; writes its card beside it.

    Tuning keeps its studies in tuning.sqlite inside the model folder: run the same command again
    after an interruption and it continues.
    """
    from ..data.atomic import replaced_folder, write_json_atomic, write_text_atomic
    from ..models import make_model, save_model
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

    _refuse_other_files(out)
    members = learner_names(options.learners)
    with stage_progress(quiet=options.json) as advance:
        with options.beside(out) as shared:
            data = labelled_inputs(options, advance, shared)
            other = add_other_kind(data, options, advance, shared)
        features = data.inputs.features
        parameters: dict[str, dict[str, Any]] = {}
        if tune:
            found = search(
                features,
                data.labels,
                data.quantity,
                tune,
                options.seed,
                out / STUDY,
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
        # Of unknown length: the bar moves without a count.
        advance("training", 0, 0)
        model.fit(features, data.labels)
        advance("training", 1, 1)
    context = run_context(options, model.training_["kind"]) | {"tuning_trials": tune}
    with replaced_folder(out) as new:
        save_model(model, new)
        _keep_training(features, data, new)
        write_quarantine(new / "quarantine.csv", data.inputs.quarantined)
        write_text_atomic(new / "card.md", model_card(model, {**context, "notes": data.notes}))
        result = {
            "model": str(out),
            "quantity": data.quantity,
            "training": model.training_,
            "evaluation": model.evaluation_,
            "notes": data.notes,
            "context": context,
        }
        write_json_atomic(new / "training.json", result)
        _carry_over(out, new)
    _show(result, options.json)


def _refuse_other_files(out: Path) -> None:
    """A folder that is replaced holds a model, a study of tuning, or nothing."""
    from ..data.errors import InputError

    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file; give a folder")
    own = [out / "model.json", out / STUDY]
    if out.is_dir() and any(out.iterdir()) and not any(path.is_file() for path in own):
        raise InputError(f"--out {out}: holds other files; give a new folder, or that of a model")


def _keep_training(features: pd.DataFrame, data: LabelledInputs, folder: Path) -> None:
    """What a screen or a campaign by this model needs of what it was trained on."""
    from ..data.atomic import write_bytes_atomic

    known = features.loc[data.labels["structure_id"].unique()]
    known = known.assign(formula=data.inputs.structures["formula"].reindex(known.index))
    write_bytes_atomic(folder / "training_features.parquet", known.to_parquet())
    write_bytes_atomic(folder / "training_labels.parquet", data.labels.to_parquet(index=False))


def _carry_over(old: Path, new: Path) -> None:
    """What is no part of the model stays in its folder: studies of tuning, notes of its user."""
    for path in old.iterdir() if old.is_dir() else ():
        own = path.suffix in (".skops", ".ubj", ".tmp") or path.name in ("other_kind", ".lock")
        if own or (new / path.name).exists():
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, new / path.name, symlinks=True)
        else:
            shutil.copy2(path, new / path.name, follow_symlinks=False)


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
