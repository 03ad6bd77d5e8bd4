"""Options that ``train``, ``evaluate`` and ``predict`` share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Labels = Annotated[Path, typer.Option("--labels", help="Label table, CSV or Parquet.")]
Structures = Annotated[
    list[Path],
    typer.Option(
        "--structures", help="CIF or POSCAR files or folders; ids are names without ending."
    ),
]
Target = Annotated[
    str, typer.Option("--target", help="sigma_S_cm, diffusivity_cm2_s, t_onset_K or diffuses.")
]
Groups = Annotated[
    str,
    typer.Option(
        "--groups", help="What is held out together: formula, chemsys, family, doi or cluster."
    ),
]
Kind = Annotated[
    str | None,
    typer.Option("--kind", help="aimd, mlip_md or experiment, if labels mix them."),
]
Threshold = Annotated[
    float, typer.Option("--threshold", help="Threshold of p_exceeds, S/cm or cm²/s.")
]
Learners = Annotated[
    str,
    typer.Option(
        "--learners",
        help="Stacked learner families, comma-separated: extra_trees, xgboost, gaussian_process.",
    ),
]
FidelityLabels = Annotated[
    Path | None,
    typer.Option(
        "--fidelity-labels",
        help="Labels of another kind and one quantity: their model's prediction is one more "
        "feature, never from labels of the structure's own chemical system.",
    ),
]
FidelityStructures = Annotated[
    list[Path] | None,
    typer.Option(
        "--fidelity-structures", help="Structures of those labels; default: --structures."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Same seed, same result.")]
Mobile = Annotated[str, typer.Option("--mobile", help="Mobile species: Li, Na, K, Ag or Cu.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

DEFAULT_LEARNERS = "extra_trees,xgboost"
