"""Cost of the descriptors now and at an earlier commit, on the same crystals in one run.

    python benchmarks/earlier_state.py POOL --base COMMIT

POOL as in ``features.py``. The commit is checked out into a temporary folder and run by the same
Python with the same libraries. Both states stand ready as processes of one thread and take each
crystal in turn, so that what else the machine does meets both. CPU time of each process (user and
system), after warm-up and one round that does not count; of ``--rounds`` rounds the smallest time
of each crystal. Each round ends with all crystals in one block, as ``featurize``, ``screen`` and
``train`` compute them; the cost of the block is shared evenly among its crystals.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

WORKER = """
import json, sys, time
from ionsieve.data import StructureRecord

from ionsieve.features.catalogue import families
from ionsieve.features.rows import _prepared, featurize_many, featurize_one
from ionsieve.features.warmup import warm_up

warm_up()
chosen = families()
print("ready", flush=True)
block = {}
for line in sys.stdin:
    if line == "block\\n":
        begun = time.process_time_ns()
        list(featurize_many(block.values(), chosen))
        each = (time.process_time_ns() - begun) / 1e6 / len(block)
        print(json.dumps({"all families, in blocks": each}), flush=True)
        continue
    record = StructureRecord.ordered(*json.loads(line))
    block[record.id] = record
    begun = time.process_time_ns()
    featurize_one(record, chosen)
    total = time.process_time_ns() - begun
    begun = time.process_time_ns()
    prepared = _prepared(record, "Li")
    parts = {"prepare": (time.process_time_ns() - begun) / 1e6}
    for family in chosen:
        begun = time.process_time_ns()
        try:
            family.compute(prepared, [])
        except (ArithmeticError, ValueError, IndexError):
            pass
        parts[family.name] = (time.process_time_ns() - begun) / 1e6
    print(json.dumps({"all families": total / 1e6} | parts), flush=True)
"""
"""Reads records, writes CPU milliseconds; at "block" of all records so far at once, per record.
Whatever both states have may be used here."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
Times = dict[str, list[float]]


def main() -> None:
    """Print the table."""
    from features import lithium_crystals, sample

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pool", type=Path, help="folder of structures, or JSON lines (.gz)")
    parser.add_argument("--base", required=True, help="commit to compare with")
    parser.add_argument("--n", type=int, default=100, help="crystals")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    pool = sample(list(lithium_crystals(arguments.pool)), arguments.n, rng)
    with checked_out(arguments.base) as folder:
        base, now = compare([folder, ROOT], pool, arguments.rounds)
    print(f"{len(pool)} crystals, mean {mean(r.n_sites for r in pool):.0f} atoms\n")
    print(table(base, now))


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A temporary working tree of a commit."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "base"
        git = ("git", "-C", str(ROOT), "worktree")
        subprocess.run([*git, "add", "--detach", "--quiet", str(folder), commit], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def compare(folders: Sequence[Path], pool: Sequence[Any], rounds: int) -> list[Times]:
    """CPU milliseconds of each part for each crystal, smallest of all rounds, for each state."""
    lines = [
        json.dumps([r.id, r.lattice.tolist(), [c[0].element for c in r.species], r.frac.tolist()])
        for r in pool
    ]
    workers = [_worker(folder) for folder in folders]
    found: list[list[dict[str, float]]] = [[{} for _ in pool] for _ in folders]
    for number in range(rounds + 1):
        for k, line in enumerate(lines):
            for worker, times in zip(workers, found, strict=True):
                spent = _answer(worker, line)
                if number > 0:
                    times[k] |= {n: min(t, times[k].get(n, t)) for n, t in spent.items()}
        for worker, times in zip(workers, found, strict=True):
            for name, each in _answer(worker, "block").items():
                for own in times if number > 0 else []:
                    own[name] = min(each, own.get(name, each))
    for worker in workers:
        worker.stdin.close()
        worker.wait()
    return [{n: [t[n] for t in times] for n in times[0]} for times in found]


def _worker(folder: Path) -> Any:
    environment = os.environ | dict.fromkeys(THREADS, "1")
    environment["PYTHONPATH"] = str(folder / "src")
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    if worker.stdout is None or worker.stdout.readline().strip() != "ready":
        raise SystemExit(f"{folder}: the descriptors of this state do not run here")
    return worker


def _answer(worker: Any, line: str) -> dict[str, float]:
    worker.stdin.write(line + "\n")
    worker.stdin.flush()
    answer: dict[str, float] = json.loads(worker.stdout.readline())
    return answer


def table(base: Times, now: Times) -> str:
    """Medians and means of both states, and the ratio of the sums."""
    lines = ["| family | before: median, mean ms | now: median, mean ms | ratio |"]
    lines.append("|---|---|---|---|")
    both = ("all families", "all families, in blocks")
    for name in (*both, *(n for n in now if n not in both)):
        if name in base and name in now:
            before, after = base[name], now[name]
            cells = [f"{median(t):.2f}, {mean(t):.2f}" for t in (before, after)]
            lines.append(f"| {name} | {cells[0]} | {cells[1]} | {sum(after) / sum(before):.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
