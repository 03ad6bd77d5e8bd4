"""``ionsieve warmup``: compile the kernels once, before they are needed."""

from __future__ import annotations

import typer


def warmup(
    families: str = typer.Option("", help="Descriptor families, comma-separated; default all."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object instead of text."),
) -> None:
    """Compile the kernels of descriptors and models, so that the first run does not wait for it.

    The result is kept beside the installed package, or in the cache folder of the user where the
    package cannot be written (NUMBA_CACHE_DIR names another folder). On a cluster run it once on a
    machine of the kind that computes.
    """
    import json
    import time

    from ..features.warmup import warm_up
    from ..models.warmup import warm_up_models

    started = time.perf_counter()
    warm_up([name.strip() for name in families.split(",") if name.strip()] or None)
    warm_up_models()
    seconds = time.perf_counter() - started
    text = f"kernels are ready ({seconds:.1f} s)"
    typer.echo(json.dumps({"wall_s": round(seconds, 1)}) if as_json else text)
