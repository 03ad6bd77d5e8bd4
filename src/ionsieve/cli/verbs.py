"""The verbs, by name. A verb module imports typer only; science is imported when it runs."""

from collections.abc import Callable
from typing import Any, Final

from .catalogue import catalogue
from .featurize import featurize
from .screen import screen

VERBS: Final[dict[str, Callable[..., Any]]] = {
    "catalogue": catalogue,
    "featurize": featurize,
    "screen": screen,
}
