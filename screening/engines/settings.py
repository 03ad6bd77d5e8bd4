"""Names and types of engine settings, checked when a campaign is made and not hours later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...data.errors import InputError

COMMON: Final[frozenset[str]] = frozenset(
    {"max_scf_steps", "mixing", "smearing_eV", "convergence_factor"}
)


@dataclass(frozen=True)
class SettingNames:
    """The settings that an engine knows; all are positive numbers.

    Parameters
    ----------
    names : frozenset of str or None
        None: nothing is checked.
    capitals : bool
        Names in capitals are tags of the program's own input and pass as they are.
    """

    names: frozenset[str] | None = COMMON
    capitals: bool = False

    def clean(self, engine: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Check names, and turn numbers that YAML reads as text into numbers.

        YAML takes ``1e-5`` for text, for want of a point.

        Raises
        ------
        InputError
            If a name is not one of the engine's, or a value is not a positive number.
        """
        if self.names is None:
            return dict(settings)
        own = {k: v for k, v in settings.items() if not (self.capitals and k.isupper())}
        unknown = sorted(own.keys() - self.names)
        if unknown:
            raise InputError(
                f"engine_settings: {engine} has no {', '.join(unknown)}; it has "
                f"{', '.join(sorted(self.names)) or 'none'}"
            )
        return {**settings, **{name: _positive(name, value) for name, value in own.items()}}


def _positive(name: str, value: Any) -> float | int:
    try:
        number = value if isinstance(value, int) else float(value)
    except (TypeError, ValueError):
        raise InputError(f"engine_settings: {name} must be a number, got {value!r}") from None
    if not 0 < number < float("inf"):
        raise InputError(f"engine_settings: {name} must be positive, got {value!r}")
    return number
