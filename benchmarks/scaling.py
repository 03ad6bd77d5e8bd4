"""What many structures cost, stage by stage: ``python benchmarks/scaling.py POOL --sizes 1000``.

Lithium structures of the pool are copied under new ids, each a little strained, until there are
enough: ingest → descriptors (one worker, two, Dask) → predictions. Every stage runs in a process of
its own, which says its CPU time with all its children, its wall time and its peak memory. The table
goes to standard output and, with ``--out``, to ``scaling.csv``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ionsieve.data.records import StructureRecord
from ionsieve.data.sources.base import Item
from ionsieve.data.store.ingest import IngestSettings, ingest
from ionsieve.data.store.open import open_source
from ionsieve.data.store.options import IngestRun
from ionsieve.data.store.store import Store

STAGES = ("ingest", "local 1", "local 2", "dask 1", "predict")


def main() -> None:
    """Run all stages for all sizes, each in a new process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000])
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        print(json.dumps(_stage(given.stage, given.pool, given.sizes[0], given.work)))
        return
    rows = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as work:
            for stage in given.stages:
                rows.append(
                    {"structures": size, "stage": stage, **_run(given.pool, size, stage, work)}
                )
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.to_markdown(index=False))
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        table.to_csv(given.out / "scaling.csv", index=False)


def _run(pool: Path, size: int, stage: str, work: str) -> dict[str, Any]:
    command = [sys.executable, __file__, str(pool), "--sizes", str(size)]
    done = subprocess.run(
        [*command, "--stage", stage, "--work", work], check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _stage(stage: str, pool: Path, size: int, work: Path) -> dict[str, Any]:
    """One stage in this process, and what it cost."""
    import resource

    from ionsieve.screening.batch.usage import Meter

    meter = Meter()
    meter.stage("all")
    if stage == "ingest":
        ingest([Copies(pool, size)], work / "store", IngestSettings(duplicates="keep"))
        size_MB = _size_MB(work / "store")
    elif stage == "predict":
        size_MB = _predict(work)
    else:
        engine, workers = stage.split()
        size_MB = _describe(work, engine, int(workers))
    cost = meter.cost()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = cost["cpu_s"] + children.ru_utime + children.ru_stime
    return {
        "CPU s": round(cpu_s, 1),
        "wall s": round(cost["stages"]["all"]["wall_s"], 1),
        "ms a structure": round(1e3 * cpu_s / size, 2),
        "peak MB, parent": round(cost["peak_memory_main_MB"]),
        "peak MB, worker": round(max(cost["peak_memory_worker_MB"], children.ru_maxrss * 1.024e-3)),
        "MB on disk": round(size_MB, 1),
    }


class Copies:
    """Structures of a pool under new ids, each a little strained, as a source."""

    def __init__(self, pool: Path, size: int) -> None:
        self.pool, self.size = pool, size

    def identity(self) -> dict[str, Any]:
        """Pool and number."""
        return {"pool": self.pool.name, "size": self.size}

    def items(self, after: Any = None) -> Iterator[Item]:
        """Structures behind a cursor, which is the number read."""
        for number, record in enumerate(islice(self._endless(), self.size), start=1):
            if number > (after or 0):
                yield Item(record, number)

    def notices(self) -> list[str]:
        """None."""
        return []

    def _endless(self) -> Iterator[StructureRecord]:
        rng = np.random.default_rng(0)
        for copy in count():
            for item in open_source(str(self.pool), IngestRun().sources("Li")).items(None):
                if isinstance(item.entry, StructureRecord) and "Li" in item.entry.composition:
                    strain = np.eye(3) * (1 + 0.005 * rng.standard_normal())
                    record = item.entry
                    yield replace(record, id=f"{record.id}-{copy}", lattice=record.lattice @ strain)


def _describe(work: Path, engine: str, workers: int) -> float:
    from ionsieve.screening.batch.engines import opened_engine
    from ionsieve.screening.batch.featurize_store import featurize_store

    out = work / "features"
    shutil.rmtree(out, ignore_errors=True)
    with opened_engine(engine, workers) as where:
        featurize_store(work / "store", out, engine=where)
    return _size_MB(out)


def _predict(work: Path) -> float:
    """Predictions of the embedded model for the descriptors that the stage before wrote."""
    from ionsieve.cli.cache import model_cache
    from ionsieve.data.table_file import open_table
    from ionsieve.features.featurizer import numeric_columns
    from ionsieve.screening.screen.training import embedded_model

    model = embedded_model(cache=model_cache()).model
    shards = sorted((work / "features").rglob("features-*.parquet"))
    assert len(shards) == Store(work / "store").n_blocks
    with open_table(work / "predictions.csv", index=True) as table:
        for shard in shards:
            rows = pd.read_parquet(shard).set_index("id")
            good = rows[rows["status"] != "failed"]
            table.add(model.predict(good[numeric_columns()]))
    return (work / "predictions.csv").stat().st_size / 1e6


def _size_MB(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
