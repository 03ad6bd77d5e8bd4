"""Settings files, ``--set`` and options of a verb, put together by precedence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from ..data.settings import Layer

Schema = TypeVar("Schema")
Verb = TypeVar("Verb", bound=Callable[..., Any])

SETTINGS_FILE: Final[str] = "settings.yaml"

FILE_HELP: Final[str] = (
    "YAML or TOML file of settings; --set and options given here go before it. Every run writes "
    "the settings it used to DIR/settings.yaml."
)
SET_HELP: Final[str] = "One setting, as key=value or group.key=value; may be repeated."


def reads_settings(module: str, schema: str) -> Callable[[Verb], Verb]:
    """Mark a verb whose options take default, help and limits from the fields of a schema.

    The module is imported when the verb is called or asked for help, never for ``ionsieve --help``.

    Parameters
    ----------
    module : str
        Where the schema is.
    schema : str
        Name of the dataclass; its fields come from :func:`ionsieve.data.settings.setting`.
    """

    class Command(TyperCommand):
        def get_params(self, ctx: Any) -> list[Any]:
            given: list[Any] = super().get_params(ctx)
            declared = _declared(getattr(import_module(module), schema))
            for one in given:
                if one.name in declared and not one.help:
                    _take_over(one, declared[one.name])
            return given

    def mark(verb: Verb) -> Verb:
        verb.command_class = Command  # type: ignore[attr-defined]
        return verb

    return mark


def command_class(verb: Callable[..., Any]) -> type[TyperCommand] | None:
    """The class of command that a verb was marked with, if any."""
    return getattr(verb, "command_class", None)


def _declared(schema: type) -> dict[str, Any]:
    from dataclasses import fields

    return {one.name: one for one in fields(schema) if "help" in one.metadata}


def _take_over(option: Any, declared: Any) -> None:
    """Default, help and limits of a field, for an option that has none of its own."""
    option.default, option.help = declared.default, declared.metadata["help"]
    option.show_default = declared.default is not None
    limits = declared.metadata["low"], declared.metadata["high"]
    if None not in limits:
        option.callback = partial(_within, *limits)


def _within(low: float, high: float, ctx: Any, option: Any, value: Any) -> Any:
    """A value beyond the limits is wrong usage; typer's own ranges are fixed before a schema is."""
    if value is not None and not low <= value <= high:
        raise typer.BadParameter(f"{value} is not from {low} to {high}", ctx, option)
    return value


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
    from ..data.atomic import write_text_atomic
    from ..data.settings import as_nested
    from ..data.settings_text import yaml_text

    write_text_atomic(folder / SETTINGS_FILE, yaml_text(as_nested(settings)))
