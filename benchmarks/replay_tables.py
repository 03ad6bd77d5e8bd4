"""Curves of the replay as tables and plot, with 95 % bootstrap intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

DRAWS = 4000
Curves = Mapping[str, np.ndarray]
"""Method → conductors found after 1, 2, … labels, shape (seeds, labels)."""


def interval(values: np.ndarray) -> tuple[float, float]:
    """Interval of the mean."""
    rng = np.random.default_rng(0)
    draws = rng.choice(values, size=(DRAWS, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def ratio_interval(found: np.ndarray, yardstick: np.ndarray) -> tuple[float, float, float]:
    """Ratio of means with its interval, seeds paired."""
    rng = np.random.default_rng(0)
    rows = rng.integers(len(found), size=(DRAWS, len(found)))
    ratios = found[rows].mean(axis=1) / yardstick[rows].mean(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(found.mean() / yardstick.mean()), float(low), float(high)


def found_table(curves: Curves, budget: int, total: int, n: int, label: str) -> list[str]:
    """Found at a budget; against random's draws and expectation, and against greedy."""
    lines = [
        f"| {label} | found of {total} | 95 % | ratio to random | 95 % | to its expectation | "
        "minus greedy | 95 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    expected = total * budget / n
    for name, curve in curves.items():
        found = curve[:, budget - 1]
        ratio, worst, best = ratio_interval(found, curves["random"][:, budget - 1])
        more = found - curves["greedy"][:, budget - 1]
        lines.append(
            f"| {name} | {found.mean():.1f} | {_between(found, '.1f')} | {ratio:.2f} | "
            f"{worst:.2f} to {best:.2f} | {found.mean() / expected:.2f} | {more.mean():+.1f} | "
            f"{_between(more, '+.1f')} |"
        )
    return [*lines, "", *_against_base(curves, budget)]


def _against_base(curves: Curves, budget: int) -> list[str]:
    """Each variant ("poe, quota 0.2") against the bare acquisition, seeds paired."""
    lines = []
    for name, curve in curves.items():
        base = name.split(",")[0]
        if base != name and base in curves:
            more = curve[:, budget - 1] - curves[base][:, budget - 1]
            lines += [f"{name} minus {base}: {more.mean():+.1f} ({_between(more, '+.1f')})", ""]
    return lines


def _between(values: np.ndarray, form: str) -> str:
    low, high = interval(values)
    return f"{low:{form}} to {high:{form}}"


def half_table(curves: Curves, total: int, n: int, label: str) -> list[str]:
    """Labels until half of the conductors are found: median over seeds, and the range.

    Drawn at random without putting back, the k-th of K among n comes after k (n + 1)/(K + 1).
    """
    expected = np.ceil(total / 2) * (n + 1) / (total + 1)
    lines = [f"| {label} | median | range | seeds that got there |", "|---|---|---|---|"]
    for name, curve in curves.items():
        reached = curve >= total / 2
        # A replay that ended before is counted as later than all of it.
        when = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
        n_reached = int(np.isfinite(when).sum())
        median, first, last = np.median(when), when.min(), when.max()
        end = curve.shape[1]
        lines.append(
            f"| {name} | {_when(median, end)} | {_when(first, end)} to {_when(last, end)} | "
            f"{n_reached} of {len(curve)} |"
        )
    return [*lines, f"| random, expectation | {expected:.0f} | | |", ""]


def _when(labels: float, end: int) -> str:
    return f"{labels:g}" if np.isfinite(labels) else f"more than {end}"


def cost_table(
    orders: Mapping[str, np.ndarray], cost: np.ndarray, is_conductor: np.ndarray, share: float
) -> list[str]:
    """Conductors found for a share of what labelling everything would cost."""
    budget, found_by, labels_by = share * cost.sum(), {}, {}
    for name, order in orders.items():
        spent = cost[order].cumsum(axis=1)
        if (spent[:, -1] < budget).any():
            # A replay that ends before the money does would be counted too low.
            continue
        found_by[name] = np.where(spent <= budget, is_conductor[order], False).sum(axis=1)
        labels_by[name] = (spent <= budget).sum(axis=1)
    expected = share * is_conductor.sum()
    lines = [
        f"| {share:.0%} of the cost of all labels | labels | found | 95 % | "
        "found ÷ (share × all) | minus first row | 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    first = next(iter(found_by.values()), None)
    for name, found in found_by.items():
        more = found - first
        lines.append(
            f"| {name} | {labels_by[name].mean():.0f} | {found.mean():.1f} | "
            f"{_between(found, '.1f')} | {found.mean() / expected:.2f} | {more.mean():+.1f} | "
            f"{_between(more, '+.1f')} |"
        )
    return [*lines, ""]


def plot(curves: Curves, total: int, step: int, title: str, path: Path) -> None:
    """Mean curves with their intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        ends = np.arange(step, curve.shape[1] + 1, step)
        bounds = np.array([interval(curve[:, n - 1]) for n in ends])
        style = "--" if "plain" in name else "-"
        colour = f"C{number % 10}"
        axes.plot(ends, curve[:, ends - 1].mean(axis=0), style, color=colour, label=name)
        axes.fill_between(ends, bounds[:, 0], bounds[:, 1], color=colour, alpha=0.12, lw=0)
    axes.set(xlabel="labels bought", ylabel=f"conductors found (of {total})", title=title)
    axes.axhline(total / 2, color="0.6", lw=0.8, ls=":")
    axes.set_xlim(step, None)
    axes.set_ylim(0, None)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=120)
