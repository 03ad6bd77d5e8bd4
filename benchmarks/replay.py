"""Replay of active learning: how many conductors does each acquisition find for how many labels?

    python benchmarks/replay.py --data FOLDER [--model light|ionsieve] [--seeds 20] [--rounds 12]

The Li crystals of the M3GNet-MD set, all labels hidden. The first ten are drawn at random, the
same for every method of a seed; then rounds of ten are chosen, "simulated" by looking the onset of
diffusion up, and learnt from. A conductor diffuses by 600 K within the simulated time. Every
method has the same model (:mod:`replay_world`), so that only the acquisition differs; *plain
features* has it on composition and density alone. Every replay is kept in the cache folder as soon
as it is finished: the same command goes on where it was stopped, and more rounds or seeds add to
what is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import replay_world
from replay_tables import cost_table, found_table, half_table, plot
from replay_world import LightModel, Model, OwnModel, World, load_world

from ionsieve.data.atomic import write_json_atomic, write_text_atomic
from ionsieve.data.code_digest import code_digest
from ionsieve.screening.acquisition import scores, selection
from ionsieve.screening.acquisition.scores import ACQUISITIONS, AcquisitionSettings, Beliefs
from ionsieve.screening.acquisition.selection import choose_batch

ONSET_K = 600.0
ALSO_K = (500.0, 800.0, 1000.0)
BATCH = 10
BARE = AcquisitionSettings(
    cost_weight=0.0, diversity=0.0, max_per_system=None, out_of_domain_quota=0.0
)
COST_SHARES = (0.05, 0.1)
MODELS: dict[str, Model] = {model.name: model for model in (LightModel(), OwnModel())}


@dataclass(frozen=True)
class Method:
    """One line of the tables."""

    name: str
    settings: AcquisitionSettings
    plain: bool = False
    onset_K: float = ONSET_K
    """Of the threshold of ``poe``."""


def methods(sets: Sequence[str], onset_K: float = ONSET_K) -> list[Method]:
    """``main``: each acquisition without extras, and plain features; ``batch``: what diversity,
    cap and quota do; ``cost``: what the cost weight does."""
    poe = replace(BARE, function="poe")
    default = AcquisitionSettings()
    found = {
        "main": [
            *(Method(name, replace(BARE, function=name)) for name in ACQUISITIONS),
            Method("greedy, plain features", replace(BARE, function="greedy"), plain=True),
            Method("poe, plain features", poe, plain=True),
        ],
        "batch": [
            Method("poe, diversity", replace(poe, diversity=default.diversity)),
            Method("poe, two a system", replace(poe, max_per_system=default.max_per_system)),
            Method("poe, quota 0.1", replace(poe, out_of_domain_quota=0.1)),
            Method("poe, quota 0.2", replace(poe, out_of_domain_quota=0.2)),
            Method("poe, all three", replace(default, cost_weight=0.0, out_of_domain_quota=0.2)),
        ],
        "cost": [
            Method(f"poe, cost weight {weight:g}", replace(poe, cost_weight=weight))
            for weight in (0.25, 0.5, 1.0)
        ],
    }
    # Tables compare with greedy and random.
    chosen = [method for name in dict.fromkeys(["main", *sets]) for method in found[name]]
    return [replace(method, onset_K=onset_K) for method in chosen]


class Replay:
    """Replays with one model in one world, kept as they finish."""

    def __init__(self, world: World, model: Model, cache: Path) -> None:
        self.world, self.model = world, model
        self.folder = cache / "replay" / f"{model.name}-{self.digest}"
        self._first: dict[tuple[int, bool], tuple[Beliefs, float]] = {}

    @cached_property
    def digest(self) -> str:
        """Of everything that decides an order of purchase, but the method."""
        digest = hashlib.sha256(pd.util.hash_pandas_object(self.world.features).to_numpy())
        digest.update(repr(self.model).encode())
        digest.update(Path(replay_world.__file__).read_bytes())
        modules = ("ionsieve.models", scores.__name__, selection.__name__)
        digest.update(code_digest(*modules).encode())
        return digest.hexdigest()[:12]

    def order(self, method: Method, rounds: int, seed: int) -> np.ndarray:
        """Indices in the order in which they were bought, shape (rounds × 10,)."""
        key = hashlib.sha256(json.dumps(asdict(method), sort_keys=True).encode()).hexdigest()[:8]
        path = self.folder / f"{key}-{seed}.json"
        bought = json.loads(path.read_text())["order"] if path.is_file() else self._start(seed)
        if len(bought) < rounds * BATCH:
            while len(bought) < rounds * BATCH:
                bought += self._round(method, bought, seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json_atomic(path, {"method": method.name, "order": bought})
        return np.array(bought[: rounds * BATCH])

    def _start(self, seed: int) -> list[int]:
        drawn = np.random.default_rng(seed).choice(len(self.world), BATCH, replace=False)
        return [int(i) for i in drawn]

    def _round(self, method: Method, bought: list[int], seed: int) -> list[int]:
        own_seed = 1000 * seed + len(bought) // BATCH
        believed, best = self._beliefs(method, bought, seed, own_seed)
        available = np.ones(len(self.world), dtype=bool)
        available[bought] = False
        picks = choose_batch(
            believed,
            min(BATCH, int(available.sum())),
            replace(method.settings, threshold_log10=self.model.threshold(method.onset_K)),
            best,
            own_seed,
            self.world.cost,
            self.world.embedding,
            self.world.systems,
            available,
        )
        return [pick.index for pick in picks]

    def _beliefs(
        self, method: Method, bought: list[int], seed: int, own_seed: int
    ) -> tuple[Beliefs, float]:
        n = len(self.world)
        if method.settings.function == "random":
            return Beliefs(np.zeros(n), np.ones(n), np.zeros(n)), 0.0
        if len(bought) > BATCH:
            return self.model.beliefs(self.world, np.array(bought), method.plain, own_seed)
        # The first ten are those of every method.
        key = (seed, method.plain)
        if key not in self._first:
            known = np.array(bought)
            self._first[key] = self.model.beliefs(self.world, known, method.plain, own_seed)
        return self._first[key]


def run(replay: Replay, chosen: Sequence[Method], seeds: int, rounds: int) -> dict[str, np.ndarray]:
    """Order of purchase of each method, shape (seeds, rounds × 10); seed by seed."""
    orders: dict[str, list[np.ndarray]] = {method.name: [] for method in chosen}
    for seed in range(seeds):
        for method in chosen:
            orders[method.name].append(replay.order(method, rounds, seed))
        print(f"seed {seed}: done", flush=True)
    return {name: np.array(order) for name, order in orders.items()}


def definitions(world: World) -> dict[str, np.ndarray]:
    """What counts as a conductor; the first is the one that the search is after."""
    if np.isfinite(world.diffusivity_1000K_cm2_s).all():
        return {"D(1000 K) > 0": world.diffusivity_1000K_cm2_s > 0}
    return {f"onset ≤ {t:g} K": world.conductors(t) for t in (ONSET_K, *ALSO_K)}


def write_results(
    world: World, orders: dict[str, np.ndarray], title: str, out: Path, name: str
) -> None:
    """``NAME.md``, ``NAME.csv`` and ``NAME.png``."""
    n, labels = len(world), next(iter(orders.values())).shape[1]
    budgets = [min(round(0.1 * n), labels), round(0.05 * n), round(0.2 * n)]
    intro = "Labels: M3GNet MD (kind mlip_md), not AIMD. Intervals: bootstrap over seeds, paired."
    lines, rows = [f"# {title}", "", intro, ""], []
    for definition, is_conductor in definitions(world).items():
        total = int(is_conductor.sum())
        curves = {k: is_conductor[order].cumsum(axis=1) for k, order in orders.items()}
        # All shares of the labels for what the search is after, a tenth for the rest.
        for budget in budgets if not rows else budgets[:1]:
            if budget <= labels:
                lines += found_table(curves, budget, total, n, f"{budget} labels, {definition}")
        rows += [
            {"definition": definition, "method": k, "seed": s, "labels": m, "found": c[s, m - 1]}
            for k, c in curves.items()
            for s in range(len(c))
            for m in range(BATCH, labels + 1, BATCH)
        ]
    definition, chosen = next(iter(definitions(world).items()))
    total, names = int(chosen.sum()), [method.name for method in methods([])]
    found = {k: chosen[order].cumsum(axis=1) for k, order in orders.items()}
    lines += half_table(found, total, n, f"labels until half of {total}, {definition}")
    poe = {k: o for k, o in orders.items() if "poe" in k and "plain" not in k} | {
        "random": orders["random"]
    }
    for share in COST_SHARES:
        lines += cost_table(poe, world.cost, chosen, share)
    out.mkdir(parents=True, exist_ok=True)
    shown = {k: curve for k, curve in found.items() if k in names}
    plot(shown, total, BATCH, f"{title}; {definition}", out / f"{name}.png")
    write_text_atomic(out / f"{name}.md", "\n".join(lines))
    pd.DataFrame(rows).to_csv(out / f"{name}.csv", index=False)
    print("\n".join(lines))


def main() -> None:
    """Run and write ``replay-MODEL.md``, ``.csv`` and ``.png``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("IONSIEVE_TEST_DATA"))
    parser.add_argument("--cache", type=Path, default=Path("benchmark-cache"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-out"))
    parser.add_argument("--model", choices=sorted(MODELS), default="light")
    parser.add_argument("--sets", nargs="*", default=[], choices=["batch", "cost"])
    parser.add_argument("--methods", nargs="*", help="only these, greedy and random")
    parser.add_argument(
        "--solid",
        action="store_true",
        help="another definition: of the crystals solid at 1000 K, those with D(1000 K) > 0",
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data, the folder with mlip_md/ and pool/")
    # Features that are empty for all of a few crystals are the models' business.
    warnings.simplefilter("ignore", category=RuntimeWarning)
    world = load_world(Path(args.data), args.cache)
    world = world.solid() if args.solid else world
    replay = Replay(world, MODELS[args.model], args.cache)
    chosen = methods(args.sets, 1000.0 if args.solid else ONSET_K)
    if args.methods is not None:
        # Tables compare with these two.
        wanted = {"greedy", "random", *args.methods}
        chosen = [method for method in chosen if method.name in wanted]
    orders = run(replay, chosen, args.seeds, args.rounds)
    title = f"{len(world)} Li crystals, {args.model} model, {args.seeds} seeds, rounds of {BATCH}"
    name = f"replay-{args.model}{'-solid' if args.solid else ''}"
    write_results(world, orders, title, args.out, name)


if __name__ == "__main__":
    main()
