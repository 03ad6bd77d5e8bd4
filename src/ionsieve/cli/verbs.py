"""The verbs, by name. A verb module imports typer only; science is imported when it runs."""

from collections.abc import Callable
from typing import Any, Final

import typer

from .aimd import aimd
from .arrhenius import arrhenius
from .benchmark import benchmark
from .campaign import campaign
from .campaign_export import export  # noqa: F401 (adds itself to the group)
from .campaign_prescreen import prescreen  # noqa: F401
from .catalogue import catalogue
from .evaluate import evaluate
from .explain import explain
from .featurize import featurize
from .generate import generate
from .ingest import ingest
from .predict import predict
from .report import report
from .screen import screen
from .train import train
from .warmup import warmup

VERBS: Final[dict[str, Callable[..., Any]]] = {
    "ingest": ingest,
    "generate": generate,
    "screen": screen,
    "report": report,
    "explain": explain,
    "featurize": featurize,
    "catalogue": catalogue,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
    "benchmark": benchmark,
    "aimd": aimd,
    "arrhenius": arrhenius,
    "warmup": warmup,
}
"""In the order in which ``--help`` lists them."""

GROUPS: Final[dict[str, typer.Typer]] = {
    "campaign": campaign,
}
"""Verbs that have verbs of their own."""
