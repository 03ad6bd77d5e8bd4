"""Options that ``train``, ``evaluate`` and ``predict`` share, each said once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from .option_groups import WorkerOptions

Compositions = Annotated[
    list[Path] | None,
    typer.Option(
        "--compositions",
        help="CSV of materials without a structure: id, composition and, where known, a, b, c, "
        "alpha, beta, gamma (Å, degrees) and space_group. May be repeated.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Same seed, same result.")]
Mobile = Annotated[str, typer.Option("--mobile", help="Mobile species: Li, Na, K, Ag or Cu.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@dataclass(frozen=True, kw_only=True)
class LabelledOptions(WorkerOptions):
    """What ``train`` and ``evaluate`` learn from, and how."""

    labels: Annotated[
        Path,
        typer.Option(
            "--labels",
            help="Label table, CSV or Parquet. With a column composition it needs no structure.",
        ),
    ]
    structures: Annotated[
        list[Path] | None,
        typer.Option(
            "--structures", help="CIF or POSCAR files or folders; ids are names without ending."
        ),
    ] = None
    compositions: Compositions = None
    target: Annotated[
        str, typer.Option("--target", help="sigma_S_cm, diffusivity_cm2_s, t_onset_K or diffuses.")
    ] = "sigma_S_cm"
    kind: Annotated[
        str | None, typer.Option("--kind", help="aimd, mlip_md or experiment, if labels mix them.")
    ] = None
    groups: Annotated[
        str,
        typer.Option(
            "--groups",
            help="What is held out together: formula, chemsys, family, doi, doi+formula (papers "
            "that share a composition; for experiments) or cluster.",
        ),
    ] = "family"
    learners: Annotated[
        str,
        typer.Option(
            "--learners",
            help="Stacked learner families, comma-separated: extra_trees, xgboost, "
            "gaussian_process.",
        ),
    ] = "extra_trees,xgboost"
    fidelity_labels: Annotated[
        Path | None,
        typer.Option(
            "--fidelity-labels",
            help="Labels of another kind and one quantity: their model's prediction is one more "
            "feature, never from labels of the structure's own chemical system.",
        ),
    ] = None
    fidelity_structures: Annotated[
        list[Path] | None,
        typer.Option(
            "--fidelity-structures", help="Structures of those labels; default: --structures."
        ),
    ] = None
    threshold: Annotated[
        float, typer.Option("--threshold", help="Threshold of p_exceeds, S/cm or cm²/s.")
    ] = 1e-3
    seed: Seed = 0
    mobile: Mobile = "Li"
    json: Json = False
