"""What the first compilation of the kernels costs: ``python benchmarks/first_compile.py``.

Compiles all kernels of the descriptors into an empty folder, once for each tree that is named
(default: this one), one after the other and from the beginning as often as asked for. CPU seconds
of the process; the fewest count, for other programs on a machine make compilers slower, never
faster. Functions of numba's own library that kernels need are compiled with them, and counted.

    python benchmarks/first_compile.py [--repeat N] [--rows N] [TREE ...]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]

CHILD = """
import json, resource, time
from collections import Counter
from numba.core import event
from ionsieve.features.warmup import warm_up

class Clock(event.Listener):
    def __init__(self):
        self.open, self.own, self.times = [], Counter(), Counter()
    def on_start(self, event):
        self.open.append([time.process_time(), 0.0])
    def on_end(self, event):
        started, inner = self.open.pop()
        spent = time.process_time() - started
        if self.open:
            self.open[-1][1] += spent
        function = event.data["dispatcher"].py_func
        name = function.__module__.removeprefix("ionsieve.") + "." + function.__name__
        self.own[name] += spent - inner
        self.times[name] += 1

clock = Clock()
event.register("numba:compile", clock)
imported = time.process_time()
warm_up()
print(json.dumps({
    "cpu_s": time.process_time() - imported,
    "compile_s": sum(clock.own.values()),
    "functions": sum(clock.times.values()),
    "peak_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "own_s": clock.own,
    "times": clock.times,
}))
"""
"""Compiles all kernels and says what each function cost, without the functions that it calls."""


def main() -> None:
    """Print the totals of each tree and the dearest functions of the last one, as Markdown."""
    parser = argparse.ArgumentParser(description="What the first compilation costs.")
    parser.add_argument("trees", nargs="*", type=Path, default=[ROOT], metavar="TREE")
    parser.add_argument("--repeat", type=int, default=2, help="compilations of each tree")
    parser.add_argument("--rows", type=int, default=25, help="functions to show")
    arguments = parser.parse_args()
    best: dict[Path, dict] = {}
    for _ in range(arguments.repeat):
        for tree in arguments.trees:
            found = compiled(tree.resolve())
            if tree not in best or found["compile_s"] < best[tree]["compile_s"]:
                best[tree] = found
    print("| tree | compilation, CPU s | whole warm-up, CPU s | functions compiled | peak, MB |")
    print("|---|---|---|---|---|")
    for tree, found in best.items():
        numbers = f"{found['compile_s']:.1f} | {found['cpu_s']:.1f} | {found['functions']}"
        print(f"| {tree.resolve().name} | {numbers} | {found['peak_MB']:.0f} |")
    print("\n| function | times | own, CPU s |\n|---|---|---|")
    for name, seconds in Counter(found["own_s"]).most_common(arguments.rows):
        print(f"| {name} | {found['times'][name]} | {seconds:.2f} |")


def compiled(tree: Path) -> dict:
    """What compiling all kernels of a tree costs."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "NUMBA_CACHE_DIR": folder,
            "PYTHONPATH": str(tree / "src"),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", CHILD], env=environment, check=True, stdout=subprocess.PIPE
        )
    found: dict = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
