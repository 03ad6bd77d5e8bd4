"""Replay of active learning: how many conductors does each acquisition find for how many labels?

    python benchmarks/replay.py --data FOLDER [--seeds 20] [--rounds 12] [--out FOLDER]

The Li crystals of the M3GNet-MD set, all labels hidden. The first ten are drawn at random, the
same for every method of a seed; then rounds of ten are chosen, "simulated" by looking the onset of
diffusion up, and learnt from. A conductor diffuses by 600 K within the simulated time. The model
is the same light one for every method (extra trees on 1000 K / T_onset, no diffusion before
melting counting as far above the highest temperature), so that only the acquisition differs;
``plain features`` has it on composition and density alone. Intervals are 95 % of the mean over
seeds, by bootstrap; the ratio to random is paired by seed.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from model_data import cached_features, mlip_records, mlip_table
from sklearn.ensemble import ExtraTreesRegressor

from ionsieve.features.catalogue import catalogue
from ionsieve.screening.acquisition import ACQUISITIONS, AcquisitionSettings, Beliefs
from ionsieve.screening.selection import choose_batch, diversity_embedding

ONSET_K = 600.0
ALSO_K = (500.0, 800.0)
NEVER = 0.4
"""1000 K / T of a crystal that never diffuses: as if at 2500 K, beyond the hottest run."""
BATCH = 10
PLAIN_FAMILIES = ("composition", "density")
TREES = 60
SD_FLOOR = 0.05


@dataclass(frozen=True, eq=False)
class World:
    """What can be bought."""

    features: np.ndarray
    plain: np.ndarray
    embedding: np.ndarray
    systems: list[str]
    inverse_onset: np.ndarray
    """1000 K / T_onset, shape (n,)."""

    def conductors(self, onset_K: float = ONSET_K) -> np.ndarray:
        """Crystals that diffuse by a temperature."""
        return self.inverse_onset >= 1000.0 / onset_K - 1e-9


@dataclass(frozen=True)
class Method:
    """One line of the figure."""

    name: str
    settings: AcquisitionSettings
    plain: bool = False


def methods() -> list[Method]:
    """Each acquisition without extras, the batch with extras, and the plain-feature model."""

    def bare(function: str) -> AcquisitionSettings:
        return AcquisitionSettings(
            function=function,  # type: ignore[arg-type]
            threshold_log10=1000.0 / ONSET_K,
            cost_weight=0.0,
            diversity=0.0,
            max_per_system=None,
            out_of_domain_quota=0.0,
        )

    full = AcquisitionSettings(
        function="poe", threshold_log10=1000.0 / ONSET_K, cost_weight=0.0, out_of_domain_quota=0.1
    )
    return [
        *(Method(name, bare(name)) for name in ACQUISITIONS),
        Method("poe, diverse, quota", full),
        Method("greedy, plain features", bare("greedy"), plain=True),
        Method("poe, plain features", bare("poe"), plain=True),
    ]


def load_world(data: Path, cache: Path) -> World:
    """Features and hidden answers of the M3GNet-MD set."""
    records = list(mlip_records(data))
    features = cached_features("mlip_md", records, cache)
    table = mlip_table(data).loc[features.index]
    compositions = {r.id: r.composition for r in records}
    fractions = pd.DataFrame([compositions[i] for i in features.index]).fillna(0.0)
    fractions = fractions.div(fractions.sum(axis=1), axis=0)
    plain = [c.name for c in catalogue() if c.family in PLAIN_FAMILIES and c.name in features]
    onset = table["T_onset"].to_numpy(dtype=float)
    return World(
        _filled(features),
        _filled(features[plain]),
        diversity_embedding(features, fractions),
        ["-".join(sorted(compositions[i])) for i in features.index],
        np.where(np.isnan(onset), NEVER, 1000.0 / onset),
    )


def _filled(table: pd.DataFrame) -> np.ndarray:
    return table.fillna(table.median()).fillna(0.0).to_numpy(dtype=np.float32)


def beliefs(world: World, bought: np.ndarray, plain: bool, seed: int) -> Beliefs:
    """Mean and spread over bootstrapped trees; distance to the nearest bought crystal."""
    x = world.plain if plain else world.features
    forest = ExtraTreesRegressor(
        TREES, bootstrap=True, min_samples_leaf=2, max_features=0.33, random_state=seed
    )
    forest.fit(x[bought], world.inverse_onset[bought])
    each = np.array([tree.predict(x) for tree in forest.estimators_])
    return Beliefs(
        each.mean(axis=0),
        np.hypot(each.std(axis=0), SD_FLOOR),
        _domain_distance(world.embedding, bought),
    )


def _domain_distance(embedding: np.ndarray, bought: np.ndarray) -> np.ndarray:
    known = embedding[bought]
    squared = ((embedding[:, None] - known[None]) ** 2).sum(axis=2)
    own = squared[bought]
    own[own < 1e-12] = np.inf
    typical = np.sqrt(np.median(own.min(axis=1)))
    return np.sqrt(squared.min(axis=1)) / typical


def replay(world: World, method: Method, rounds: int, seed: int) -> np.ndarray:
    """Indices in the order in which they were bought, shape (rounds × 10,)."""
    rng = np.random.default_rng(seed)
    bought = [int(i) for i in rng.choice(len(world.systems), BATCH, replace=False)]
    for number in range(1, rounds):
        available = np.ones(len(world.systems), dtype=bool)
        available[bought] = False
        held = np.array(bought)
        if method.settings.function == "random":
            n = len(world.systems)
            believed = Beliefs(np.zeros(n), np.ones(n), np.zeros(n))
        else:
            believed = beliefs(world, held, method.plain, 1000 * seed + number)
        picks = choose_batch(
            believed,
            BATCH,
            method.settings,
            float(world.inverse_onset[held].max()),
            1000 * seed + number,
            None,
            world.embedding,
            world.systems,
            available,
        )
        bought += [pick.index for pick in picks]
    return np.array(bought[: rounds * BATCH])


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of the mean."""
    rng = np.random.default_rng(0)
    draws = rng.choice(values, size=(4000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def ratio_interval(found: np.ndarray, random: np.ndarray) -> tuple[float, float, float]:
    """Ratio of means with its 95 % bootstrap interval, seeds paired."""
    rng = np.random.default_rng(0)
    rows = rng.integers(len(found), size=(4000, len(found)))
    ratios = found[rows].mean(axis=1) / random[rows].mean(axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(found.mean() / random.mean()), float(low), float(high)


def table(curves: dict[str, np.ndarray], budget: int, total: int, label: str) -> list[str]:
    """Markdown rows at one budget: found, ratio to random, difference to greedy, seeds paired."""
    lines = [
        f"| {label} | found of {total} | 95 % | ratio to random | 95 % | minus greedy | 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    greedy = curves["greedy"][:, budget - 1]
    for name, curve in curves.items():
        found = curve[:, budget - 1]
        low, high = interval(found)
        ratio, worst, best = ratio_interval(found, curves["random"][:, budget - 1])
        less, more = interval(found - greedy)
        lines.append(
            f"| {name} | {found.mean():.1f} | {low:.1f} to {high:.1f} | {ratio:.2f} | "
            f"{worst:.2f} to {best:.2f} | {(found - greedy).mean():+.1f} | "
            f"{less:+.1f} to {more:+.1f} |"
        )
    return [*lines, ""]


def plot(curves: dict[str, np.ndarray], total: int, path: Path) -> None:
    """Mean curves with their intervals."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.5))
    for name, curve in curves.items():
        ends = np.arange(BATCH, curve.shape[1] + 1, BATCH)
        bounds = np.array([interval(curve[:, n - 1]) for n in ends])
        style = "--" if "plain" in name else "-"
        (line,) = axes.plot(ends, curve[:, ends - 1].mean(axis=0), style, label=name)
        axes.fill_between(ends, bounds[:, 0], bounds[:, 1], color=line.get_color(), alpha=0.15)
    axes.set_xlabel("labels bought")
    axes.set_ylabel(f"conductors found (of {total}; onset ≤ {ONSET_K:g} K)")
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def run(world: World, chosen: Sequence[Method], seeds: int, rounds: int) -> dict[str, np.ndarray]:
    """Order of purchase of each method, shape (seeds, rounds × 10)."""
    orders = {}
    for method in chosen:
        orders[method.name] = np.array([replay(world, method, rounds, s) for s in range(seeds)])
        print(f"{method.name}: done", flush=True)
    return orders


def main() -> None:
    """Run and write ``replay.md``, ``replay.csv`` and ``replay.png``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("IONSIEVE_TEST_DATA"))
    parser.add_argument("--cache", type=Path, default=Path("benchmark-cache"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-out"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data, the folder with mlip_md/ and pool/")
    warnings.simplefilter("ignore", category=RuntimeWarning)
    world = load_world(Path(args.data), args.cache)
    orders = run(world, methods(), args.seeds, args.rounds)
    n = len(world.systems)
    tenth = min(round(0.1 * n), args.rounds * BATCH)
    lines = [
        f"# Replay on {n} Li crystals, {args.seeds} seeds, rounds of {BATCH}",
        "",
        "Labels: M3GNet MD (kind mlip_md), not AIMD. Intervals: bootstrap over seeds.",
        "",
    ]
    rows = []
    for onset_K in (ONSET_K, *ALSO_K):
        is_conductor = world.conductors(onset_K)
        total = int(is_conductor.sum())
        curves = {k: is_conductor[order].cumsum(axis=1) for k, order in orders.items()}
        label = f"{tenth} labels (10 %), onset ≤ {onset_K:g} K"
        lines += table(curves, tenth, total, label)
        rows += [
            {"onset_K": onset_K, "method": k, "labels": m, "found_mean": c[:, m - 1].mean()}
            for k, c in curves.items()
            for m in range(BATCH, c.shape[1] + 1, BATCH)
        ]
        if onset_K == ONSET_K:
            args.out.mkdir(parents=True, exist_ok=True)
            plot(curves, total, args.out / "replay.png")
    (args.out / "replay.md").write_text("\n".join(lines), encoding="utf-8")
    pd.DataFrame(rows).to_csv(args.out / "replay.csv", index=False)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
