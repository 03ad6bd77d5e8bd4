"""Peak memory and time of ``ionsieve ingest`` on dumps of different size.

    python benchmarks/ingest_memory.py POOL               # 5,000 and 20,000 entries
    python benchmarks/ingest_memory.py POOL 1000 --hulls  # energies only: hulls are computed

Writes json.bz2 files in the layout of Alexandria (a list of ComputedStructureEntry under
``entries``) from POOL, a .jsonl or .jsonl.gz of structures that is gone through again, with
stretched cells, until there are enough. Energies are made up: they test the reading, not
chemistry.
"""

from __future__ import annotations

import argparse
import bz2
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ionsieve.data.convert import to_pymatgen
from ionsieve.data.records import StructureRecord
from ionsieve.data.store.open import open_source


def structures(pool: str) -> Iterator[tuple[int, StructureRecord]]:
    """Round number and structure, without end."""
    for round_number in range(10**6):
        for item in open_source(pool).items():
            if isinstance(item.entry, StructureRecord):
                yield round_number, item.entry


def entries(pool: str, count: int, hulls: bool) -> Iterator[dict[str, Any]]:
    """Dictionaries of pymatgen's ``ComputedStructureEntry``; with ``hulls``, no hull distances."""
    for number, (round_number, record) in zip(range(count), structures(pool), strict=False):
        structure = to_pymatgen(record)
        structure.apply_strain([0.05 * round_number, 0.0, 0.0])
        data = {"mat_id": f"made-up-{number}", "spg": 1}
        yield {
            "@module": "pymatgen.entries.computed_entries",
            "@class": "ComputedStructureEntry",
            "energy": -4.0 * len(structure) - 1e-4 * number,
            "composition": structure.composition.as_dict(),
            "entry_id": None,
            "correction": 0.0,
            "parameters": {"functional": "none"},
            "data": data if hulls else {**data, "e_above_hull": 0.001 * (number % 50)},
            "structure": structure.as_dict(),
        }


def write_dump(path: Path, pool: str, count: int, hulls: bool = False) -> None:
    """Stream entries into a json.bz2 file."""
    with bz2.open(path, "wt", compresslevel=3) as stream:
        stream.write('{"entries": [')
        for number, entry in enumerate(entries(pool, count, hulls)):
            stream.write(("," if number else "") + json.dumps(entry))
        stream.write("]}")


# ru_maxrss of a child begins with that of its parent; VmHWM is the child's own.
CHILD = """
import sys
from pathlib import Path
from ionsieve.cli.main import app
app(sys.argv[1:], standalone_mode=False)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def measure(dump: Path, store: Path) -> tuple[float, float, dict[str, int]]:
    """Peak resident memory of the whole process (MB), wall time (s), counts."""
    command = [sys.executable, "-c", CHILD, "ingest", str(dump), "--out", str(store), "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    facts, peak_kB = done.stdout.splitlines()
    return int(peak_kB) / 1024, time.perf_counter() - start, json.loads(facts)["counts"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", help=".jsonl or .jsonl.gz of structures")
    parser.add_argument("counts", type=int, nargs="*", default=[5000, 20000])
    parser.add_argument("--hulls", action="store_true", help="leave hull distances to ingest")
    chosen = parser.parse_args()
    print("| entries | json.bz2, MB | stored | peak memory, MB | time, s |")
    print("|---|---|---|---|---|")
    for count in chosen.counts:
        with tempfile.TemporaryDirectory() as folder:
            dump = Path(folder) / "dump.json.bz2"
            write_dump(dump, chosen.pool, count, chosen.hulls)
            peak, seconds, counts = measure(dump, Path(folder) / "store")
            size = dump.stat().st_size / 1e6
            print(
                f"| {count:,} | {size:.1f} | {counts['stored']:,} | {peak:.0f} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
