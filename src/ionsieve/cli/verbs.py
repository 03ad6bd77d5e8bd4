"""The verbs, by name. A verb module imports typer only; science is imported when it runs."""

from collections.abc import Callable
from typing import Any, Final

from .aimd import aimd
from .arrhenius import arrhenius
from .screen import screen

VERBS: Final[dict[str, Callable[..., Any]]] = {
    "aimd": aimd,
    "arrhenius": arrhenius,
    "screen": screen,
}
