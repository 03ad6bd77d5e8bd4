"""The funnel: how many structures each stage of a screen kept and dropped, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

FUNNEL_COLUMNS: Final[tuple[str, ...]] = ("stage", "kept", "dropped", "reason")


@dataclass(kw_only=True)
class Funnel:
    """Stages in order; every structure dropped is counted in exactly one."""

    order: list[str] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    untested: Counter[str] = field(default_factory=Counter)
    """Kept for lack of a value to test."""

    def stage(self, name: str, reason: str) -> None:
        """Open a stage; a second call does nothing."""
        if name not in self.reasons:
            self.order.append(name)
            self.reasons[name] = reason

    def count(self, name: str, *, kept: int = 0, dropped: int = 0, untested: int = 0) -> None:
        """Count structures at a stage; ``untested`` are among the kept."""
        self.kept[name] += kept
        self.dropped[name] += dropped
        self.untested[name] += untested

    def frame(self) -> pd.DataFrame:
        """Columns stage, kept, dropped, reason."""
        rows = [(s, self.kept[s], self.dropped[s], self._reason(s)) for s in self.order]
        return pd.DataFrame(rows, columns=list(FUNNEL_COLUMNS))

    def _reason(self, stage: str) -> str:
        """Why structures left; a filter that had nothing to test says so."""
        untested = self.untested[stage]
        passed = f"; {untested} of the kept have no value and were not tested" if untested else ""
        return self.reasons[stage] + passed
