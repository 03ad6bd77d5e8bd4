"""What the descriptors cost, and whether other libraries get the same numbers.

    python benchmarks/features.py POOL --out FOLDER --base COMMIT

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
from earlier_state import ROOT, checked_out, compare, table
from reference_libraries import Reference, references

from ionsieve.data import IonsieveError, StructureRecord
from ionsieve.data.atomic import write_json_atomic, write_text_atomic
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.sources.files import iter_structures
from ionsieve.features import prepare
from ionsieve.features.catalogue import families
from ionsieve.features.core.columns import Family
from ionsieve.features.rows import featurize_one
from ionsieve.features.warmup import warm_up

FIRST_ROW = """
import time
from ionsieve.features.warmup import warm_up
imported = time.process_time()
warm_up()
import json, resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"imports_cpu_s": imported, "cpu_s": time.process_time(), "max_rss_MB": peak}))
"""
"""What a worker does before its first structure."""

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
    pool = sample(list(lithium_crystals(arguments.pool)), arguments.n, rng)
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
        ("Beside an earlier state", lambda: beside_earlier(pool, arguments)),
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
    parser.add_argument("--base", help="an earlier commit, run on the same crystals in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
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


def sample(
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
    from ionsieve.features.standard.composition import magpie_matrix

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
    _fresh(["-c", FIRST_ROW])
    start = _fresh(["-c", FIRST_ROW])
    options = ("--n", str(arguments.n), "--seed", str(arguments.seed), "--child")
    memory = _fresh([__file__, str(arguments.pool), "--out", str(arguments.out), *options])
    rows = [
        ["ready for the first structure, wall s", f"{start['wall_s']:.2f}"],
        ["ready for the first structure, CPU s", f"{start['cpu_s']:.2f}"],
        ["of which start of Python and imports, CPU s", f"{start['imports_cpu_s']:.2f}"],
        ["memory then, MB", f"{start['max_rss_MB']:.0f}"],
        [f"memory after {memory['n']} crystals, MB", f"{memory['pool_MB']:.0f}"],
        [f"memory after one more of {memory['atoms']} atoms, MB", f"{memory['max_rss_MB']:.0f}"],
    ]
    return markdown(("second process", ""), rows), {"start": start, "memory": memory}


def _fresh(arguments: Sequence[str]) -> dict[str, Any]:
    begun = time.perf_counter()
    command = [sys.executable, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result | {"wall_s": time.perf_counter() - begun}


def _child(arguments: argparse.Namespace) -> None:
    """Report the peak memory of a process that featurizes the sample and one large crystal."""
    rng = np.random.default_rng(arguments.seed)
    pool = sample(list(lithium_crystals(arguments.pool)), arguments.n, rng)
    for record in pool:
        featurize_one(record, families())
    result = {"n": len(pool), "pool_MB": _max_rss_MB()}
    small = _typical(pool, 1)[0]
    side = max(1, int((LARGEST / small.n_sites) ** (1 / 3)))
    large = _displaced_supercell(small, (side, side, side), rng)
    featurize_one(large, families())
    print(json.dumps(result | {"atoms": large.n_sites, "max_rss_MB": _max_rss_MB()}))


def _max_rss_MB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def side_by_side(
    pool: Sequence[StructureRecord], arguments: argparse.Namespace, rng: np.random.Generator
) -> tuple[str, Any]:
    """Ours and theirs on the same crystals, one after the other in the same run."""
    found, messages = references()
    chosen = sample(list(pool), arguments.n_references, rng)
    small = [r for r in chosen if r.n_sites <= arguments.slow_atoms]
    numbers = {r.name: _compare(r, small if r.is_slow else chosen) for r in found}
    rows = [[r.name, r.library, *_cells(r, numbers[r.name])] for r in found]
    rows += _together(small, [numbers[r.name] for r in found if r.library == "matminer"])
    header = ("quantity", "library", "crystals", "theirs", "ours", "ratio", "agree", "difference")
    note = (
        "\n\nMean CPU ms on the same crystals. Ours: the whole family on a freshly prepared "
        "structure, tessellation included, neighbours and roles not; the last row is everything. "
        "Agree: crystals whose largest difference, over the largest number, is below 1e-6 (5e-2 "
        "for barriers on a grid). A crystal on which the other library fails is left out."
    )
    return "\n\n".join([markdown(header, rows) + note, *messages]), numbers


def beside_earlier(
    pool: Sequence[StructureRecord], arguments: argparse.Namespace
) -> tuple[str, Any]:
    """This state and an earlier one on the same crystals, in turn."""
    if not arguments.base:
        return "No commit was given (--base).", {}
    with checked_out(arguments.base) as folder:
        before, now = compare([folder, ROOT], pool[:100], rounds=3)
    return table(before, now), {"before_ms": before, "now_ms": now}


def _compare(reference: Reference, crystals: Sequence[StructureRecord]) -> dict[str, Any]:
    result: dict[str, Any] = {"theirs_ms": {}, "ours_ms": {}, "difference": {}, "failed": {}}
    for record in crystals:
        structure, prepared = to_pymatgen(record), prepare(record)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                spent, theirs = cpu_ms(lambda s=structure, p=prepared: reference.theirs(s, p))
        except Exception as error:  # another library may fail in any way
            result["failed"][record.id] = f"{type(error).__name__}: {error}"
            continue
        fresh = prepare(record)
        result["theirs_ms"][record.id] = spent
        result["ours_ms"][record.id], ours = cpu_ms(lambda p=fresh: reference.ours(p))
        result["difference"][record.id] = _largest_difference(theirs, ours)
    return result


def _cells(reference: Reference, result: dict[str, Any]) -> list[str]:
    theirs, ours = list(result["theirs_ms"].values()), list(result["ours_ms"].values())
    failed = f" ({len(result['failed'])} failed)" if result["failed"] else ""
    if not theirs:
        return [f"0{failed}", *["–"] * 5]
    differences = list(result["difference"].values())
    agree = sum(d is not None and d < reference.tolerance for d in differences)
    worst = max((d for d in differences if d is not None), default=float("nan"))
    return [
        f"{len(theirs)}{failed}",
        f"{mean(theirs):.3g}",
        f"{mean(ours):.3g}",
        f"{sum(theirs) / sum(ours):.3g}",
        f"{agree}/{len(differences)}",
        f"{worst:.1e}",
    ]


def _together(crystals: Sequence[StructureRecord], results: list[dict[str, Any]]) -> Table:
    """All of matminer's quantities against our whole set, crystal by crystal."""
    complete = [r for r in crystals if results and all(r.id in x["theirs_ms"] for x in results)]
    if not complete:
        return []
    theirs = [sum(x["theirs_ms"][r.id] for x in results) for r in complete]
    ours = [cpu_ms(lambda r=r: featurize_one(r, families()))[0] for r in complete]
    ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
    spread = f"{median(ratios):.0f} ({min(ratios):.0f}–{max(ratios):.0f})"
    cells = [f"{len(complete)}", f"{mean(theirs):.0f}", f"{mean(ours):.3g}", spread, "–", "–"]
    return [["these of matminer against our whole set", "matminer", *cells]]


def _largest_difference(theirs: np.ndarray, ours: np.ndarray) -> float | None:
    """Largest absolute difference over the largest number; None if NaN or shapes disagree."""
    theirs, ours = np.ravel(theirs), np.ravel(ours)
    if theirs.shape != ours.shape or (np.isfinite(theirs) != np.isfinite(ours)).any():
        return None
    finite = np.isfinite(theirs)
    scale = max(float(np.abs(theirs[finite]).max(initial=0.0)), 1e-12)
    return float(np.abs(theirs[finite] - ours[finite]).max(initial=0.0)) / scale


if __name__ == "__main__":
    main()
