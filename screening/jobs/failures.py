"""Why a run did not end as planned, and what another attempt should do differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MAX_ATTEMPTS: Final[int] = 3


class Cause(StrEnum):
    """What went wrong; decisions hang on this, never on the text that goes with it."""

    NOT_CONVERGED = "not_converged"
    """Electrons did not converge."""
    DRIFT = "drift"
    """The conserved energy runs away: forces are not those of the energy."""
    BLEW_UP = "blew_up"
    """Atoms came too close, or the temperature ran away."""
    NO_PROGRAM = "no_program"
    NO_PSEUDOPOTENTIAL = "no_pseudopotential"
    SIGNAL = "signal"
    """Ended from outside: a walltime limit, the memory guard, a person, a lost node."""
    UNREADABLE = "unreadable"
    CRASH = "crash"

    @property
    def blocks(self) -> bool:
        """The machine lacks something: not the crystal's fault, and no attempt is used up."""
        return self in (Cause.NO_PROGRAM, Cause.NO_PSEUDOPOTENTIAL)

    @property
    def interrupts(self) -> bool:
        """The run goes on from where it was when it is started again."""
        return self is Cause.SIGNAL


@dataclass(frozen=True)
class Failure:
    """A cause and what is known about it, in one line."""

    cause: Cause
    text: str

    def __str__(self) -> str:
        return self.text


def retry_settings(
    cause: Cause, settings: Mapping[str, Any], attempt: int
) -> dict[str, Any] | None:
    """Engine settings for another attempt after a failure; None to give up.

    Electronic convergence: slower mixing, then more smearing. A drift of the conserved energy:
    tighter convergence. Anything else is tried once more as it was: a node that died says nothing
    about the crystal.
    """
    if attempt >= MAX_ATTEMPTS:
        return None
    if cause is Cause.DRIFT:
        return {**settings, "convergence_factor": 0.1**attempt}
    if cause is Cause.NOT_CONVERGED:
        ladder = ({"mixing": 0.02, "max_scf_steps": 300}, {"mixing": 0.01, "smearing_eV": 0.1})
        return {**settings, **ladder[attempt - 1]}
    return dict(settings) if attempt < 2 else None
