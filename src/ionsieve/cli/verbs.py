"""The verbs, by name. A verb module imports typer only; science is imported when it runs."""

from collections.abc import Callable
from typing import Any, Final

from .evaluate import evaluate
from .predict import predict
from .aimd import aimd
from .arrhenius import arrhenius
from .catalogue import catalogue
from .featurize import featurize
from .screen import screen
from .train import train

VERBS: Final[dict[str, Callable[..., Any]]] = {
    "aimd": aimd,
    "arrhenius": arrhenius,
    "catalogue": catalogue,
    "featurize": featurize,
    "screen": screen,
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
}
