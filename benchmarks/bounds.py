"""Do bounds and intervals hold in one, two and three dimensions? Walks with known diffusivity.

    python benchmarks/bounds.py [--seeds 500] [--out table.csv]

One row a case: how often each verdict was given, how often the upper bound of the runs without a
value lies above the truth, and how often the 95 % interval of the others holds it. Single file is
an exclusion process on rings, whose truth is the charge diffusivity.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from walks import EDGE_A, SPACING_FS, lattice_walk, run_of, single_file

SETTINGS = AnalysisSettings(mobile="Li", temperature_K=500.0)
WALKS = [
    (1000, 4, 20),
    (1000, 8, 60),
    (1000, 20, 60),
    (1000, 20, 600),
    (400, 12, 100),
    (1000, 40, 30),
]
FILES = [(4, 8, 4, 0.05), (4, 8, 6, 0.05), (2, 12, 6, 0.2), (8, 6, 3, 0.02)]
TO_CM2_S = 9.0 / 6.0 * 0.1 / SPACING_FS


def row(
    name: str, make: Callable, true_cm2_s: float, edge_A: float, seeds: int
) -> dict[str, object]:
    verdicts: Counter[str] = Counter()
    above = bounded = held = valued = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        label = analyse(run_of(rng, make(rng), edge_x_A=edge_A), SETTINGS)
        verdicts[label.verdict] += 1
        if label.fit is not None:
            valued += 1
            held += label.fit.low_cm2_s <= true_cm2_s <= label.fit.high_cm2_s
        elif label.diffusivity_upper_cm2_s is not None:
            bounded += 1
            above += label.diffusivity_upper_cm2_s >= true_cm2_s
    return {
        "case": name,
        **{v: verdicts[v] for v in ("diffusive", "confined", "too_short", "molten")},
        "bounds_above_truth": f"{above}/{bounded}",
        "intervals_hold_truth": f"{held}/{valued}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for dimension in (1, 2, 3):
        for n, ions, hops in WALKS:
            rate = hops / ions / n
            rows.append(
                row(
                    f"{dimension}-D, {n} frames, {ions} ions, {hops} hops",
                    lambda rng, n=n, i=ions, r=rate, d=dimension: lattice_walk(rng, n, i, r, d),
                    rate * TO_CM2_S,
                    EDGE_A,
                    arguments.seeds,
                )
            )
            print(rows[-1], flush=True)
    for channels, sites, ions, rate in FILES:
        charge = rate * (1 - ions / sites) * sites / (sites - 1)
        rows.append(
            row(
                f"single file, {channels} channels, {ions} of {sites} sites, rate {rate}",
                lambda rng, c=channels, s=sites, i=ions, r=rate: single_file(rng, 1000, c, s, i, r),
                charge * TO_CM2_S,
                3.0 * sites,
                arguments.seeds,
            )
        )
        print(rows[-1], flush=True)
    if arguments.out:
        with arguments.out.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
