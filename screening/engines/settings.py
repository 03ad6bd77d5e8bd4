"""Names and types of engine settings, checked when a campaign is made and not hours later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...data.errors import InputError

_COMMON: Final = frozenset({"max_scf_steps", "mixing", "smearing_eV", "convergence_factor"})
KNOWN: Final[dict[str, frozenset[str]]] = {
    "gpaw": _COMMON | {"cutoff_eV", "density_convergence"},
    "cp2k": _COMMON | {"cutoff_Ry", "eps_scf"},
    "vasp": _COMMON | {"cutoff_eV"},
    "espresso": _COMMON | {"cutoff_eV"},
}
"""By engine; VASP also takes INCAR tags in capitals. Engines added by a program are not checked."""


def clean_settings(engine: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Check names, and turn numbers that YAML reads as text into numbers.

    YAML takes ``1e-5`` for text, for want of a point.

    Raises
    ------
    InputError
        If a name is not one of the engine's, or a value is not a positive number.
    """
    if engine not in KNOWN:
        return dict(settings)
    own = {k: v for k, v in settings.items() if not (engine == "vasp" and k.isupper())}
    unknown = sorted(own.keys() - KNOWN[engine])
    if unknown:
        raise InputError(
            f"engine_settings: {engine} has no {', '.join(unknown)}; it has "
            f"{', '.join(sorted(KNOWN[engine]))}"
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
