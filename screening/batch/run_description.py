"""What a run used, and the guard against two runs in one folder."""

from __future__ import annotations

import contextlib
import json
import platform
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Final

from ...data.atomic import only_writer, write_json_atomic
from ...data.errors import InputError
from ...data.libraries import version_of

_RECORDED: Final[tuple[str, ...]] = (
    "ionsieve",
    "numpy",
    "scipy",
    "numba",
    "pymatgen",
    "moyopy",
    "matminer",
    "pyarrow",
)


def describe_run(path: Path, identity: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write the description of a run, unless the folder belongs to another one.

    Parameters
    ----------
    path : Path
        The description, a JSON file.
    identity : dict
        What must be equal for a run to continue an earlier one.
    settings : dict
        What else is worth knowing; versions of libraries are added.

    Raises
    ------
    InputError
        If the file describes a run of another identity.
    """
    before = _read(path)
    for name, value in identity.items():
        if before and before.get(name) != value:
            raise InputError(
                f"{path.parent}: belongs to a run with {name} = {before.get(name)}, now {value}; "
                "use another --out, or remove this folder"
            )
    content = identity | settings | {"versions": versions()}
    # Other parts of an array may be reading it: touch it only for a reason.
    if before != content:
        write_json_atomic(path, content)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        raise InputError(f"{path}: not a run description; use another --out") from None


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in _RECORDED:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version_of(name)
    return found


__all__ = ["describe_run", "only_writer", "versions"]
