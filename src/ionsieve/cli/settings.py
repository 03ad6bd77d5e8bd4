"""Settings files, ``--set`` and options of a verb, put together by precedence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer

if TYPE_CHECKING:
    from ..data.settings import Layer

Schema = TypeVar("Schema")

SETTINGS_FILE: Final[str] = "settings.yaml"

FILE_HELP: Final[str] = (
    "YAML or TOML file of settings; --set and options given here go before it. Every run writes "
    "the settings it used to DIR/settings.yaml."
)
SET_HELP: Final[str] = "One setting, as key=value or group.key=value; may be repeated."


def settings_of(
    ctx: typer.Context,
    schema: type[Schema],
    file: Path | None,
    assigned: Sequence[str] | None,
    renamed: Mapping[str, str] | None = None,
) -> Schema:
    """Defaults < file < ``--set`` < options given on the command line.

    Parameters
    ----------
    ctx : Context
        Of the verb; parameters with the name of a setting count where the user gave them.
    schema : dataclass type
    file : path, optional
    assigned : sequence of str, optional
        ``key=value`` each.
    renamed : mapping of parameter to setting, optional
        Where the two differ.

    Raises
    ------
    InputError
        For an unknown setting or a wrong value.
    """
    from ..data.settings import assignments, read_settings_file, resolved

    layers = [read_settings_file(file, schema)] if file else []
    layers += [assignments(assigned or []), _given(ctx, schema, renamed or {})]
    return resolved(schema, layers)


def _given(ctx: typer.Context, schema: type, renamed: Mapping[str, str]) -> Layer:
    from ..data.settings import Layer, keys_of

    known = keys_of(schema)
    values: dict[str, Any] = {}
    for name, value in ctx.params.items():
        key = renamed.get(name, name)
        source = ctx.get_parameter_source(name)
        if key in known and source is not None and source.name != "DEFAULT":
            values[key] = value
    return Layer("command line", values)


def write_settings(folder: Path, settings: Any) -> None:
    """Write what a run used, so that ``--settings`` repeats it."""
    import yaml

    from ..data.atomic import write_text_atomic
    from ..data.settings import as_nested

    text = yaml.safe_dump(as_nested(settings), sort_keys=False, allow_unicode=True)
    write_text_atomic(folder / SETTINGS_FILE, text)
