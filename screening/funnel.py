"""The funnel: how many structures each stage of a screen kept and dropped, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

FUNNEL_COLUMNS: Final[tuple[str, ...]] = ("stage", "kept", "dropped", "reason")


@dataclass
class Funnel:
    """Stages in order; every structure dropped is counted in exactly one."""

    order: list[str] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)

    def stage(self, name: str, reason: str) -> None:
        """Open a stage; a second call does nothing."""
        if name not in self.reasons:
            self.order.append(name)
            self.reasons[name] = reason

    def count(self, name: str, *, kept: int = 0, dropped: int = 0) -> None:
        """Count structures at a stage."""
        self.kept[name] += kept
        self.dropped[name] += dropped

    def note(self, name: str, text: str) -> None:
        """Say more about a stage, such as how many passed for lack of a value."""
        self.reasons[name] = f"{self.reasons[name]}; {text}"

    def frame(self) -> pd.DataFrame:
        """Columns stage, kept, dropped, reason."""
        rows = [(s, self.kept[s], self.dropped[s], self.reasons[s]) for s in self.order]
        return pd.DataFrame(rows, columns=list(FUNNEL_COLUMNS))
