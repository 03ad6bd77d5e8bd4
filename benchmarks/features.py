"""What the descriptors cost, and whether other libraries get the same numbers.

    python benchmarks/features.py POOL --out FOLDER

POOL is a folder of CIF or POSCAR files, or a file of JSON lines with ``id``, ``lattice``,
``species`` and ``frac``. CPU time of this process (user and system), one thread, after warm-up;
run it on an idle machine. Writes ``features.md`` and ``features.json`` into FOLDER.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from reference_libraries import Reference, references

from ionsieve.data import IonsieveError, StructureRecord
from ionsieve.data.atomic import write_json_atomic, write_text_atomic
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.readers import iter_structures
from ionsieve.features import prepare
from ionsieve.features.catalogue import Family, families
from ionsieve.features.featurizer import featurize_one
from ionsieve.features.warmup import warm_up

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
LARGEST = 800
FIT_FROM = 50
Table = list[list[str]]


def main() -> None:
    """Run every part and write the tables."""
    if any(os.environ.get(name) != "1" for name in ONE_THREAD):
        # Libraries read these when they are loaded: begin again with them set.
        environment = os.environ | dict.fromkeys(ONE_THREAD, "1")
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)
    arguments = _arguments()
    if arguments.child:
        _child(arguments)
        return
    rng = np.random.default_rng(arguments.seed)
    pool = _sample(list(lithium_crystals(arguments.pool)), arguments.n, rng)
    warm_up()
    report = [f"# Cost of the descriptors\n\n{_machine()}\n\n{_described(pool)}\n"]
    results: dict[str, Any] = {"n": len(pool)}
    for title, part in (
        ("Whole set", lambda: whole_set(pool)),
        ("Families", lambda: by_family(pool)),
        ("Composition as one table", lambda: composition_table(pool)),
        ("Cost against number of atoms", lambda: scaling(pool, rng)),
        ("Start of a second process, and memory", lambda: processes(arguments)),
        ("Beside other libraries", lambda: side_by_side(pool, arguments, rng)),
    ):
        lines, numbers = part()
        report.append(f"## {title}\n\n{lines}\n")
        results[title] = numbers
        print(report[-1], flush=True)
    write_text_atomic(arguments.out / "features.md", "\n".join(report))
    write_json_atomic(arguments.out / "features.json", results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pool", type=Path, help="folder of structures, or JSON lines (.gz)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the tables")
    parser.add_argument("--n", type=int, default=200, help="crystals for our own cost")
    parser.add_argument("--n-references", type=int, default=20, help="crystals beside others")
    parser.add_argument("--slow-atoms", type=int, default=40, help="largest for slow references")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", choices=("start", "memory"), help=argparse.SUPPRESS)
    return parser.parse_args()


def lithium_crystals(path: Path) -> Iterator[StructureRecord]:
    """Ordered crystals with lithium whose roles can be assigned."""
    for record in _records(path):
        if "Li" not in record.composition or not record.is_ordered:
            continue
        try:
            prepare(record)
        except IonsieveError:
            continue
        yield record


def _records(path: Path) -> Iterator[StructureRecord]:
    if path.is_dir():
        yield from (r for r in iter_structures([path]) if isinstance(r, StructureRecord))
        return
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if "Li" in entry["species"]:
                yield StructureRecord.ordered(
                    entry["id"], entry["lattice"], entry["species"], entry["frac"]
                )


def _sample(
    records: list[StructureRecord], count: int, rng: np.random.Generator
) -> list[StructureRecord]:
    if not records:
        raise SystemExit("no lithium crystal in the pool")
    chosen = rng.choice(len(records), size=min(count, len(records)), replace=False)
    return [records[i] for i in sorted(chosen)]


def _machine() -> str:
    model = "unknown processor"
    information = Path("/proc/cpuinfo")
    if information.exists():
        named = [x for x in information.read_text().splitlines() if x.startswith("model name")]
        model = named[0].split(":")[1].strip() if named else model
    load = os.getloadavg()[0]
    return f"{model}, Python {sys.version.split()[0]}, one thread, load average {load:.1f}."


def _described(pool: Sequence[StructureRecord]) -> str:
    sizes = [record.n_sites for record in pool]
    return (
        f"{len(pool)} lithium crystals, {min(sizes)} to {max(sizes)} atoms, "
        f"mean {mean(sizes):.0f}, median {median(sizes):.0f}. CPU milliseconds per structure."
    )


def cpu_ms(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU time of a call, ms, and what it returned."""
    start = time.process_time_ns()
    result = function()
    return (time.process_time_ns() - start) / 1e6, result


def markdown(header: Sequence[str], rows: Table) -> str:
    """A table; the first column is text."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _spread(times: Sequence[float]) -> list[str]:
    return [f"{x:.3g}" for x in (median(times), mean(times), np.percentile(times, 95), max(times))]


def whole_set(pool: Sequence[StructureRecord]) -> tuple[str, Any]:
    """Record → row, all families; the same crystals twice, the second counts."""
    chosen = families()
    runs = [[cpu_ms(lambda r=r: featurize_one(r, chosen))[0] for r in pool] for _ in range(2)]
    rows = [[f"run {i + 1}", *_spread(times)] for i, times in enumerate(runs)]
    header = ("all families", "median", "mean", "95 %", "max")
    return markdown(header, rows), {"median_ms": median(runs[1]), "mean_ms": mean(runs[1])}


def by_family(pool: Sequence[StructureRecord]) -> tuple[str, Any]:
    """Each family in catalogue order on one prepared structure: shared work is paid once."""
    times: dict[str, list[float]] = {"prepare (neighbours, roles)": []}
    for record in pool:
        spent, prepared = cpu_ms(lambda r=record: prepare(r))
        times["prepare (neighbours, roles)"].append(spent)
        for family in families():
            spent, _ = cpu_ms(lambda f=family, p=prepared: _guarded(f, p))
            times.setdefault(family.name, []).append(spent)
    total = sum(map(sum, times.values()))
    rows = [[n, *_spread(t), f"{100 * sum(t) / total:.1f}"] for n, t in times.items()]
    numbers = {name: {"median_ms": median(t), "mean_ms": mean(t)} for name, t in times.items()}
    return markdown(("family", "median", "mean", "95 %", "max", "share %"), rows), numbers


def _guarded(family: Family, prepared: Any) -> Any:
    try:
        return family.compute(prepared, [])
    except (IonsieveError, ArithmeticError, ValueError, IndexError):
        return None


def composition_table(pool: Sequence[StructureRecord]) -> tuple[str, Any]:
    """Magpie and the other composition columns for a whole table at once."""
    from ionsieve.features.composition import magpie_matrix

    compositions = [record.composition for record in pool] * 20
    magpie_matrix(compositions[:10])
    spent, _ = cpu_ms(lambda: magpie_matrix(compositions))
    each = 1000 * spent / len(compositions)
    return f"{each:.2f} µs per composition ({len(compositions)} at once).", {"us": each}


def scaling(pool: Sequence[StructureRecord], rng: np.random.Generator) -> tuple[str, Any]:
    """Supercells with every atom displaced a little, so that no family finds a smaller cell."""
    points: dict[str, list[tuple[int, float]]] = {}
    for record in _typical(pool, 6):
        for cells in ((1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 2), (3, 2, 2), (3, 3, 3), (4, 4, 4)):
            large = _displaced_supercell(record, cells, rng)
            if not FIT_FROM / 3 <= large.n_sites <= LARGEST:
                continue
            spent, prepared = cpu_ms(lambda r=large: prepare(r))
            points.setdefault("prepare", []).append((large.n_sites, spent))
            for family in families():
                used, _ = cpu_ms(lambda f=family, p=prepared: _guarded(f, p))
                points.setdefault(family.name, []).append((large.n_sites, used))
                spent += used
            points.setdefault("whole set", []).append((large.n_sites, spent))
    rows = [[name, *_fit(found)] for name, found in points.items()]
    largest = max(n for found in points.values() for n, _ in found)
    header = ("family", "exponent", f"ms at {FIT_FROM}", "ms at 800 (fit)")
    note = f"\n\nFit of log(time) over log(N) from {FIT_FROM} to {largest} atoms."
    return markdown(header, rows) + note, {
        n: [list(p) for p in found] for n, found in points.items()
    }


def _typical(pool: Sequence[StructureRecord], count: int) -> list[StructureRecord]:
    middle = sorted((r for r in pool if 8 <= r.n_sites <= 60), key=lambda r: (r.n_sites, r.id))
    step = max(1, len(middle) // count)
    return middle[::step][:count]


def _displaced_supercell(
    record: StructureRecord, cells: tuple[int, int, int], rng: np.random.Generator
) -> StructureRecord:
    structure = to_pymatgen(record) * cells
    lattice = np.array(structure.lattice.matrix)
    shift = rng.normal(scale=0.02, size=(len(structure), 3)) @ np.linalg.inv(lattice)
    elements = [str(site.specie) for site in structure]
    return StructureRecord.ordered(record.id, lattice, elements, structure.frac_coords + shift)


def _fit(found: list[tuple[int, float]]) -> list[str]:
    n, t = np.array(found).T
    used = (n >= FIT_FROM) & (t > 0)
    exponent, constant = np.polyfit(np.log(n[used]), np.log(t[used]), 1)
    at = [float(np.exp(constant) * size**exponent) for size in (FIT_FROM, LARGEST)]
    return [f"{exponent:.2f}", *(f"{x:.3g}" for x in at)]


def processes(arguments: argparse.Namespace) -> tuple[str, Any]:
    """Fresh processes with kernels compiled by earlier ones."""
    numbers: dict[str, Any] = {}
    for child in ("start", "start", "memory"):
        command = [sys.executable, __file__, str(arguments.pool), "--out", str(arguments.out)]
        options = ["--n", str(arguments.n), "--seed", str(arguments.seed), "--child", child]
        begun = time.perf_counter()
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
        numbers[child] = json.loads(done.stdout) | {"wall_s": time.perf_counter() - begun}
    start, memory = numbers["start"], numbers["memory"]
    rows = [
        ["until the first row, CPU s", f"{start['cpu_s']:.2f}"],
        ["of which imports, CPU s", f"{start['imports_cpu_s']:.2f}"],
        ["until the first row, wall s", f"{start['first_row_wall_s']:.2f}"],
        ["memory after import and warm-up, MB", f"{start['max_rss_MB']:.0f}"],
        [
            f"memory after {memory['n']} crystals and one of 800 atoms, MB",
            f"{memory['max_rss_MB']:.0f}",
        ],
    ]
    return markdown(("second process", ""), rows), numbers


def _child(arguments: argparse.Namespace) -> None:
    """Report what a fresh process needs; imports of this file are counted as its own."""
    imports = time.process_time()
    warm_up()
    result = {
        "imports_cpu_s": imports,
        "cpu_s": time.process_time(),
        "first_row_wall_s": time.clock_gettime(time.CLOCK_BOOTTIME) - _started(),
        "max_rss_MB": _max_rss_MB(),
    }
    if arguments.child == "memory":
        rng = np.random.default_rng(arguments.seed)
        pool = _sample(list(lithium_crystals(arguments.pool)), arguments.n, rng)
        big = _displaced_supercell(_typical(pool, 1)[0], (1, 1, 1), rng)
        side = max(1, round((LARGEST / big.n_sites) ** (1 / 3)))
        for record in (*pool, _displaced_supercell(big, (side, side, side), rng)):
            featurize_one(record, families())
        result |= {"n": len(pool), "max_rss_MB": _max_rss_MB()}
    print(json.dumps(result))


def _started() -> float:
    """Start of this process, s after boot."""
    fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _max_rss_MB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def side_by_side(
    pool: Sequence[StructureRecord], arguments: argparse.Namespace, rng: np.random.Generator
) -> tuple[str, Any]:
    """Ours and theirs on the same crystals, one after the other in the same run."""
    found, messages = references()
    chosen = _sample(list(pool), arguments.n_references, rng)
    rows, numbers = [], {}
    for reference in found:
        small = [r for r in chosen if r.n_sites <= arguments.slow_atoms]
        result = _compare(reference, small if reference.is_slow else chosen)
        rows.append([reference.name, reference.library, *result["cells"]])
        numbers[reference.name] = result
    header = (
        "quantity",
        "library",
        "crystals",
        "theirs",
        "ours",
        "ratio",
        "agree",
        "largest diff.",
    )
    note = (
        "\n\nMean CPU ms. Ours includes neighbours and roles and, where a family gives more "
        "columns than compared, all of them. Agree: crystals whose numbers all differ by less "
        "than 1e-6 of the largest; a crystal on which the other library fails is left out."
    )
    return "\n\n".join([markdown(header, rows) + note, *messages]), numbers


def _compare(reference: Reference, crystals: Sequence[StructureRecord]) -> dict[str, Any]:
    theirs_ms, ours_ms, worst, failures = [], [], [], 0
    for record in crystals:
        structure = to_pymatgen(record)
        prepared = prepare(record)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs_t, theirs = cpu_ms(lambda s=structure, p=prepared: reference.theirs(s, p))
        except Exception:  # another library may fail in any way
            failures += 1
            continue
        ours_t, ours = cpu_ms(lambda r=record: reference.ours(prepare(r)))
        theirs_ms.append(theirs_t)
        ours_ms.append(ours_t)
        worst.append(_largest_difference(theirs, ours))
    if not worst:
        cells = [f"0 ({failures} failed)", *["–"] * 5]
        return {"cells": cells, "failures": failures}
    agree = sum(x < 1e-6 for x in worst)
    cells = [
        f"{len(worst)}" + (f" ({failures} failed)" if failures else ""),
        f"{mean(theirs_ms):.3g}",
        f"{mean(ours_ms):.3g}",
        f"{sum(theirs_ms) / sum(ours_ms):.0f}",
        f"{agree}/{len(worst)}",
        f"{max(worst):.1e}",
    ]
    return {"cells": cells, "failures": failures, "differences": [float(x) for x in worst]}


def _largest_difference(theirs: np.ndarray, ours: np.ndarray) -> float:
    """Largest absolute difference over the largest number; infinite if NaN or shapes disagree."""
    theirs, ours = np.ravel(theirs), np.ravel(ours)
    if theirs.shape != ours.shape or (np.isnan(theirs) != np.isnan(ours)).any():
        return float("inf")
    scale = max(float(np.nanmax(np.abs(theirs), initial=0.0)), 1e-12)
    return float(np.nanmax(np.abs(theirs - ours), initial=0.0)) / scale


if __name__ == "__main__":
    main()
