"""YAML and TOML text → plain values, within bounds: settings files come from strangers, too.

A YAML file of 300 bytes may stand for gigabytes (aliases of aliases), a number for a defect (five
thousand digits, the month 99), and two equal keys for a setting that nobody sees. All are refused
with one line. Dates stay texts: no setting is one.
"""

from __future__ import annotations

import reprlib
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from .errors import InputError

MAX_BYTES: Final[int] = 1_000_000
MAX_DIGITS: Final[int] = 40
_MAX_MESSAGE: Final[int] = 300

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxtuple = 2, 4, 4, 4
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: Any) -> str:
    """A value for a message, never longer than a line or two."""
    try:
        return _SHORT.repr(value)
    except (ValueError, RecursionError):  # an integer beyond what Python prints
        return f"a {type(value).__name__}"


def yaml_value(text: str, where: str) -> Any:
    """The value that a YAML text holds.

    Parameters
    ----------
    text : str
    where : str
        File or option, for messages.

    Raises
    ------
    InputError
        If it is no YAML, refers to itself by aliases, has a key twice, or a number of more than
        40 digits.
    """
    import yaml

    try:
        return yaml.load(text, Loader=_loader())
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{where}: not readable as settings: not valid YAML: {_one_line(error)}"
        ) from None


def toml_value(text: str, where: str) -> dict[str, Any]:
    """The table that a TOML text holds.

    Raises
    ------
    InputError
        If it is no TOML, or has a number of more than 40 digits.
    """
    try:
        found = tomllib.loads(text)
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError(
            f"{where}: not readable as settings: not valid TOML: {_one_line(error)}"
        ) from None
    _check_numbers(found, where)
    return found


def yaml_text(content: Any) -> str:
    """YAML of plain values, in their order, without aliases: :func:`yaml_value` reads it back."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def dump(as_typed: bool) -> str:
        return str(yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=as_typed))

    text = dump(True)
    # YAML takes these for line breaks, and the library writes them as they are.
    return dump(False) if any(mark in text for mark in "\x85\u2028\u2029") else text


def read_settings_text(path: str | Path, max_bytes: int = MAX_BYTES) -> Any:
    """The value that a YAML or TOML (.toml) file holds; None for an empty one.

    Raises
    ------
    InputError
        If it cannot be read, is larger than ``max_bytes``, or for what :func:`yaml_value` says.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise InputError(f"{file}: cannot be read (no such file)")
        if file.stat().st_size > max_bytes:
            raise InputError(f"{file}: larger than {max_bytes // 1_000_000} MB; no settings file")
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read ({_one_line(error)})") from None
    parse = toml_value if file.suffix.lower() == ".toml" else yaml_value
    return parse(text, str(file))


def _one_line(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return " ".join(str(error).split())[:_MAX_MESSAGE]


def _check_numbers(value: Any, where: str) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            _check_numbers(one, where)
    elif isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise InputError(f"{where}: a number of more than {MAX_DIGITS} digits")


@lru_cache(maxsize=1)
def _loader() -> Any:
    """PyYAML's safe loader with the bounds of this module; imported when first needed."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.events.AliasEvent):
                mark = self.peek_event().start_mark
                raise yaml.YAMLError(f"an alias (*) in line {mark.line + 1}; write the value out")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            found: Any = super().construct_mapping(node, deep)
            if len(found) < len(node.value):
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"a key comes twice in the table of line {line}")
            return found

        def bounded_int(self, node: Any) -> int:
            if len(node.value) > MAX_DIGITS:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"a number of more than {MAX_DIGITS} digits in line {line}")
            number: int = super().construct_yaml_int(node)
            return number

        def text(self, node: Any) -> str:
            value: str = self.construct_scalar(node)
            return value

    Loader.add_constructor("tag:yaml.org,2002:int", Loader.bounded_int)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.text)
    return Loader
