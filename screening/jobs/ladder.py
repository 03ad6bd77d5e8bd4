"""How the study of a candidate goes on once its runs have ended: longer, hotter, cooler, closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ...data.transport.verdict import Verdict
from .protocol import ProtocolSettings

MIN_DIFFUSIVE_TEMPERATURES: Final[int] = 3
"""An Arrhenius line needs a third point to show whether it is one."""


@dataclass(frozen=True)
class RunOutcome:
    """What is known about one temperature of one candidate."""

    temperature_K: float
    verdict: Verdict
    production_ps: float


@dataclass(frozen=True)
class NextStep:
    """How a study of one candidate goes on."""

    action: Literal["extend", "add", "close"]
    reason: str
    temperature_K: float | None = None
    production_ps: float | None = None

    def __str__(self) -> str:
        what: str = self.action
        if self.temperature_K is not None:
            what += f" {self.temperature_K:g} K"
        if self.production_ps is not None:
            what += f" to {self.production_ps:g} ps"
        return f"{what}: {self.reason}"


def next_step(outcomes: Sequence[RunOutcome], settings: ProtocolSettings) -> NextStep:
    """Decide how to go on with a candidate whose runs have all ended.

    Too short: run on, twice as long, up to the limit. Then towards three diffusive temperatures:
    hotter where ions do not diffuse yet, cooler where they do or where the crystal melts.

    Parameters
    ----------
    outcomes : sequence of RunOutcome
        One for each temperature.
    settings : ProtocolSettings
    """
    for outcome in outcomes:
        if outcome.verdict == "too_short" and outcome.production_ps < settings.max_production_ps:
            longer = min(2.0 * outcome.production_ps, settings.max_production_ps)
            reason = f"too short after {outcome.production_ps:g} ps"
            return NextStep("extend", reason, outcome.temperature_K, longer)
    diffusive = [o.temperature_K for o in outcomes if o.verdict == "diffusive"]
    if len(diffusive) >= MIN_DIFFUSIVE_TEMPERATURES:
        return NextStep("close", f"{len(diffusive)} diffusive temperatures")
    if len(outcomes) >= settings.max_temperatures:
        return NextStep("close", f"{len(outcomes)} temperatures were tried")
    return _another_temperature(outcomes, diffusive, settings)


def _another_temperature(
    outcomes: Sequence[RunOutcome], diffusive: list[float], settings: ProtocolSettings
) -> NextStep:
    tried = [o.temperature_K for o in outcomes]
    still = [o.temperature_K for o in outcomes if o.verdict in ("confined", "too_short")]
    molten = [o.temperature_K for o in outcomes if o.verdict == "molten"]
    # Between what does not move and what melts there may be something left to see.
    low = max(still, default=0.0)
    high = min(molten, default=float("inf"))
    open_rungs = [t for t in settings.ladder_K if low < t < high and t not in tried]
    if diffusive:
        reference = min(diffusive)
        cooler = [t for t in open_rungs if t < reference]
        choice = max(cooler, default=min((t for t in open_rungs if t > reference), default=None))
        reason = f"{len(diffusive)} of {MIN_DIFFUSIVE_TEMPERATURES} diffusive temperatures"
    elif molten:
        choice, reason = max(open_rungs, default=None), f"molten at {high:g} K"
    else:
        choice, reason = min(open_rungs, default=None), f"no diffusion at {low:g} K"
    if choice is None:
        return NextStep("close", f"{reason}; no temperature is left: bounds stand")
    return NextStep("add", reason, choice)
