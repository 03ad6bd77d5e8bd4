"""Plans that come back from a file: numbers are numbers before a script or an input holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from ...data.elements import ATOMIC_NUMBER
from ...data.errors import InputError

_NUMBERS: Final = ("temperature_K", "time_step_fs", "equilibration_ps", "n_electrons")
_POSITIVE_WHOLE: Final = ("n_steps", "frame_every", "max_steps")
_MOST: Final[float] = 1e12


def check_plan_fields(content: Mapping[str, Any]) -> None:
    """Look at every value of a plan that ends in a script or an input file.

    Parameters
    ----------
    content : mapping
        Fields of a plan, or of the settings of a relaxation.

    Raises
    ------
    InputError
        If one is not of its kind: a text in the place of a number could hold a command.
    """
    for name in _NUMBERS:
        if name in content and not _is_number(content[name]):
            raise _wrong(name, content[name], "a number")
    for name in _POSITIVE_WHOLE:
        if name in content and not (_is_whole(content[name]) and content[name] > 0):
            raise _wrong(name, content[name], "a positive whole number")
    if "seed" in content and not (_is_whole(content["seed"]) and content["seed"] >= 0):
        raise _wrong("seed", content["seed"], "a whole number, 0 or more")
    if "mobile" in content and content["mobile"] not in ATOMIC_NUMBER:
        raise _wrong("mobile", content["mobile"], "an element")
    for moment in content.get("moments", ()):
        if not _is_number(moment):
            raise _wrong("moments", moment, "numbers")
    name = content.get("record", {}).get("id", "")
    if not (isinstance(name, str) and name.isprintable()):
        raise _wrong("structure's id", name, "one line")
    _check_engine_settings(content.get("engine_settings", {}))


def _check_engine_settings(settings: Any) -> None:
    if not isinstance(settings, Mapping):
        raise _wrong("engine_settings", settings, "a mapping")
    for name, value in settings.items():
        if not name.isidentifier():
            raise _wrong("engine_settings", name, "names")
        if name.isupper() and isinstance(value, str | bool | list):
            # A tag of VASP's INCAR, which names no file and runs nothing; one line of it.
            if not str(value).isprintable():
                raise _wrong(name, value, "one line")
        elif not _is_number(value):
            raise _wrong(name, value, "a number")


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and math.isfinite(value) and abs(value) <= _MOST


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value)


def _wrong(name: str, value: Any, wanted: str) -> InputError:
    return InputError(
        f"a plan whose {name} is {repr(value)[:80]}, not {wanted}; it is damaged, take it from a "
        "copy of the folder"
    )


__all__ = ["check_plan_fields"]
