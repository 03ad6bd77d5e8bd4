"""Axes of the plots in HTML pages: from values to pixels, and round ticks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Tick:
    """One axis tick."""

    position: float
    label: str


@dataclass(frozen=True)
class Scale:
    """A linear axis from ``low`` … ``high`` to ``start`` … ``end`` pixels."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: ArrayLike, start: float, end: float) -> Scale:
        """Axis that holds the values (n,) with a margin; a single value sits in the middle."""
        low, high = float(np.min(values)), float(np.max(values))
        pad = 0.05 * (high - low) or 0.5
        return cls(low - pad, high + pad, start, end)

    def __call__(self, value: float) -> float:
        """Pixels, to a tenth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def within(self, value: float) -> float:
        """As a call, not beyond the ends of the axis."""
        return self(min(max(value, self.low), self.high))

    def ticks(self, wanted: int = 6, label: str = "{:g}") -> list[Tick]:
        """About so many ticks at round values, named by a format."""
        step = float(_nice((self.high - self.low) / wanted))
        first = np.ceil(self.low / step - _ROUNDING)
        values = step * np.arange(first, np.floor(self.high / step + _ROUNDING) + 1)
        # Adding zero turns -0.0 into 0.0.
        texts = (label.format(v).replace("-", "−") for v in np.round(values, 6) + 0.0)
        return [Tick(self(float(v)), text) for v, text in zip(values, texts, strict=True)]


def _nice(step: float) -> float:
    magnitude = 10.0 ** np.floor(np.log10(step))
    return float(next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= step))
