"""The shape of a distribution: moments, number of modes, Hartigan's dip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.records import FloatArray, IntArray

DIP_SAMPLES: Final[int] = 2000
"""Values that the dip is taken of; larger sets are thinned evenly."""
PROMINENCE: Final[float] = 0.05
"""A mode counts if it rises by this share of the highest above the valleys beside it."""
_DIP_QUANTILES: Final[FloatArray] = np.array(
    [0.241, 0.288, 0.323, 0.371, 0.431, 0.495, 0.534, 0.618, 0.702, 0.747]
)
"""√n × dip of uniform samples (n = 1000, 20,000 of them)."""
_DIP_LEVELS: Final[FloatArray] = np.array(
    [0.99, 0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.01, 0.002, 5e-4]
)


@dataclass(frozen=True, kw_only=True)
class DistributionShape:
    """Shape of a distribution.

    Attributes
    ----------
    mean, spread : float
        Mean and standard deviation, in the unit of the values.
    skewness : float
    n_modes : int
        Modes of a histogram smoothed with Silverman's width.
    dip : float
        Hartigan & Hartigan 1985 (10.1214/aos/1176346577): largest distance of the distribution
        from the nearest unimodal one, 0 to 0.25.
    dip_p : float
        Probability of so large a dip if a uniform distribution were sampled independently.
        Frames of a run are not independent: read it as an order, not as a test.
    """

    mean: float
    spread: float
    skewness: float
    n_modes: int
    dip: float
    dip_p: float


def shape_of(values: FloatArray) -> DistributionShape | None:
    """Describe a set of values; None for fewer than ten, or where all are equal."""
    x = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if len(x) < 10 or x[-1] - x[0] <= 0:
        return None
    centred = x - x.mean()
    spread = float(x.std())
    thinned = x[np.linspace(0, len(x) - 1, min(len(x), DIP_SAMPLES)).round().astype(int)]
    dip = dip_statistic(thinned)
    return DistributionShape(
        mean=float(x.mean()),
        spread=spread,
        skewness=float((centred**3).mean()) / spread**3,
        n_modes=count_modes(x),
        dip=dip,
        dip_p=_dip_p(dip * np.sqrt(len(thinned))),
    )


def count_modes(values: FloatArray, bins: int = 80) -> int:
    """Modes of a histogram smoothed by a Gaussian of Silverman's width."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    low, high = float(values.min()), float(values.max())
    spread = min(float(values.std()), float(np.subtract(*np.percentile(values, [75, 25]))) / 1.349)
    width = 0.9 * (spread or float(values.std())) * len(values) ** -0.2
    step = (high - low) / bins
    counts = np.histogram(values, bins, (low, high))[0].astype(np.float64)
    smooth = gaussian_filter1d(np.pad(counts, bins), max(width / step, 1.5), mode="constant")
    return len(find_peaks(smooth, prominence=PROMINENCE * smooth.max())[0])


def dip_statistic(ordered: FloatArray) -> float:
    """Hartigan's dip of an ascending sample.

    Parameters
    ----------
    ordered : array (n,)
        Ascending values.

    Notes
    -----
    The algorithm of Hartigan 1985 (10.2307/2347485): the greatest convex minorant and the least
    concave majorant of the distribution function close in on the modal interval, and the dip is
    half the largest distance that has to be bridged on the way.
    """
    n = len(ordered)
    if n < 2 or ordered[0] == ordered[-1]:
        return 0.5 / max(n, 1)
    convex, concave = _convex_links(ordered), _concave_links(ordered)
    low, high, dip = 0, n - 1, 1.0
    while True:
        minorant = _chain(convex, high, low)[::-1]
        majorant = _chain(concave, low, high)
        gap, new_low, new_high = _largest_gap(ordered, minorant, majorant)
        if gap <= dip:
            break
        inner = max(
            _inner(ordered, minorant[minorant <= new_low], 1.0),
            _inner(ordered, majorant[majorant >= new_high], -1.0),
        )
        dip = max(dip, inner)
        if (new_low, new_high) == (low, high):
            break
        low, high = new_low, new_high
    return dip / (2.0 * n)


def _convex_links(x: FloatArray) -> list[int]:
    """For each point the one before it on the convex minorant that ends there."""
    link = [0] * len(x)
    for j in range(1, len(x)):
        link[j] = j - 1
        while True:
            i = link[j]
            h = link[i]
            if i == 0 or (x[j] - x[i]) * (i - h) < (x[i] - x[h]) * (j - i):
                break
            link[j] = h
    return link


def _concave_links(x: FloatArray) -> list[int]:
    """For each point the one after it on the concave majorant that begins there."""
    last = len(x) - 1
    link = [last] * len(x)
    for j in range(last - 1, -1, -1):
        link[j] = j + 1
        while True:
            i = link[j]
            h = link[i]
            if i == last or (x[j] - x[i]) * (i - h) < (x[i] - x[h]) * (j - i):
                break
            link[j] = h
    return link


def _chain(link: list[int], start: int, stop: int) -> IntArray:
    out = [start]
    while (out[-1] > stop) if start > stop else (out[-1] < stop):
        out.append(link[out[-1]])
    return np.array(out, dtype=np.int64)


def _largest_gap(x: FloatArray, minorant: IntArray, majorant: IntArray) -> tuple[float, int, int]:
    """Largest distance between the two curves, in counts, and the interval where it lies."""
    best, low, high = 0.0, int(minorant[0]), int(minorant[-1])
    for i in minorant.tolist():
        k = int(np.searchsorted(majorant, i, "right"))
        if 0 < k < len(majorant):
            left, right = int(majorant[k - 1]), int(majorant[k])
            rise = left + (x[i] - x[left]) * (right - left) / max(x[right] - x[left], 1e-300)
            # A step of the distribution function lies between the two curves at a point.
            if rise - i + 1.0 > best:
                best, low, high = rise - i + 1.0, i, right
    for i in majorant.tolist():
        k = int(np.searchsorted(minorant, i, "left"))
        if 0 < k < len(minorant):
            left, right = int(minorant[k - 1]), int(minorant[k])
            rise = left + (x[i] - x[left]) * (right - left) / max(x[right] - x[left], 1e-300)
            if i - rise + 1.0 > best:
                best, low, high = i - rise + 1.0, left, i
    return best, low, high


def _inner(x: FloatArray, curve: IntArray, sign: float) -> float:
    """Largest distance of the distribution function from a piece of one curve, in counts."""
    best = 1.0
    for left, right in zip(curve[:-1].tolist(), curve[1:].tolist(), strict=True):
        if right - left < 2 or x[right] == x[left]:
            continue
        inside = np.arange(left, right + 1)
        line = left + (x[inside] - x[left]) * (right - left) / (x[right] - x[left])
        best = max(best, float((sign * (inside - line)).max()) + 1.0)
    return best


def _dip_p(scaled: float) -> float:
    """Share of uniform samples with a larger dip, from the table of quantiles of √n × dip."""
    return float(np.exp(np.interp(scaled, _DIP_QUANTILES, np.log(_DIP_LEVELS))))
