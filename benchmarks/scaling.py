"""What many structures cost, stage by stage: ``python benchmarks/scaling.py POOL --sizes 1000``.

Lithium structures of the pool are copied under new ids, each a little strained, until there are
enough: ingest → descriptors (one worker, two, Dask) → predictions. Every stage runs in a process of
its own, which says its CPU time with all its children, its wall time and its peak memory: that of
its own process when a tenth is done, and at the end. The table goes to standard output and, with
``--out``, to ``scaling.csv``.

A long run is one command, which goes on where it was stopped when it is given again::

    python benchmarks/scaling.py POOL --sizes 100000 --workers 2 --out FOLDER

Stages that are finished are not repeated; of one that was stopped, ``computed`` says for how many
structures the cost stands.
"""

from __future__ import annotations

import argparse
import json
import resource
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

from ionsieve.cli.cache import model_cache
from ionsieve.data.atomic import write_text_atomic
from ionsieve.data.records import StructureRecord
from ionsieve.data.sources.base import Item
from ionsieve.data.store.ingest import IngestSettings, ingest
from ionsieve.data.store.open import open_source
from ionsieve.data.store.options import IngestRun
from ionsieve.data.store.store import Store
from ionsieve.data.table_file import open_table
from ionsieve.features.featurizer import numeric_columns
from ionsieve.screening.batch.batch import BatchSummary
from ionsieve.screening.batch.engines import opened_engine
from ionsieve.screening.batch.featurize_store import featurize_store
from ionsieve.screening.batch.usage import Meter, own_usage
from ionsieve.screening.screen.training import embedded_model

STAGES = ("ingest", "local 1", "local 2", "dask 1", "predict")


def main() -> None:
    """Run all stages for all sizes, each in a new process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000])
    parser.add_argument("--stages", nargs="+", default=list(STAGES))
    parser.add_argument("--workers", type=int, help="only with so many, on this machine")
    parser.add_argument("--out", type=Path, help="folder of the table, and of what is kept")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        print(json.dumps(_stage(given.stage, given.pool, given.sizes[0], given.work)))
        return
    stages = ["ingest", f"local {given.workers}", "predict"] if given.workers else given.stages
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for size in given.sizes:
            work = (given.out or Path(temporary)) / f"work-{size}"
            work.mkdir(parents=True, exist_ok=True)
            for stage in stages:
                found = _result(given.pool, size, stage, work)
                rows.append({"structures": size, "stage": stage, **found})
                print(rows[-1], flush=True)
        table = pd.DataFrame(rows)
        print(table.to_markdown(index=False))
        if given.out:
            table.to_csv(given.out / "scaling.csv", index=False)


def _result(pool: Path, size: int, stage: str, work: Path) -> dict[str, Any]:
    """What a stage cost, from its file if it is finished."""
    file = work / f"{stage.replace(' ', '-')}.json"
    if not file.exists():
        command = [sys.executable, __file__, str(pool), "--sizes", str(size)]
        done = subprocess.run(
            [*command, "--stage", stage, "--work", str(work)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        write_text_atomic(file, done.stdout.splitlines()[-1] + "\n")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def _stage(stage: str, pool: Path, size: int, work: Path) -> dict[str, Any]:
    """One stage in this process, and what it cost."""
    meter, early = Meter(), _Early(size)
    meter.stage("all")
    computed = size
    if stage == "ingest":
        settings = IngestSettings(duplicates="keep")
        summary = ingest([Copies(pool, size)], work / "store", settings, early.ingested)
        computed -= summary.resumed
        size_MB = _size_MB(work / "store")
    elif stage == "predict":
        size_MB = _predict(work, size, early)
    else:
        engine, workers = stage.split()
        described = _describe(work, engine, int(workers), early)
        computed -= described.reused
        size_MB = _size_MB(Path(described.folder))
    cost = meter.cost()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = cost["cpu_s"] + children.ru_utime + children.ru_stime
    return {
        "computed": computed,
        "CPU s": round(cpu_s, 1),
        "wall s": round(cost["stages"]["all"]["wall_s"], 1),
        "ms a structure": round(1e3 * cpu_s / max(computed, 1), 2),
        "parent, MB at a tenth": round(early.peak_MB),
        "parent, MB at the end": round(cost["peak_memory_main_MB"]),
        "worker, MB": round(max(cost["peak_memory_worker_MB"], children.ru_maxrss * 1.024e-3)),
        "MB on disk": round(size_MB, 1),
    }


class _Early:
    """Peak memory of this process when a tenth is done: flat memory is the same at the end."""

    def __init__(self, size: int) -> None:
        self.size, self.peak_MB = size, 0.0

    def done(self, n: int) -> None:
        """So many are done."""
        if not self.peak_MB and 10 * n >= self.size:
            self.peak_MB = own_usage().peak_MB

    def ingested(self, stage: str, n: int, total: int) -> None:
        """Progress of an ingest."""
        self.done(n)

    def described(self, summary: BatchSummary, total: int) -> None:
        """Progress of descriptors."""
        self.done(summary.rows)


class Copies:
    """Structures of a pool under new ids, each a little strained, as a source."""

    def __init__(self, pool: Path, size: int, strained: bool = True) -> None:
        self.pool, self.size, self.strained = pool, size, strained

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
        source = open_source(str(self.pool), IngestRun().sources("Li")).items(None)
        entries = (item.entry for item in source)
        known = [r for r in entries if isinstance(r, StructureRecord) and "Li" in r.composition]
        for copy in count():
            for record in known:
                strain = np.eye(3) * (1 + 0.005 * rng.standard_normal() * self.strained)
                yield replace(record, id=f"{record.id}-{copy}", lattice=record.lattice @ strain)


def _describe(work: Path, engine: str, workers: int, early: _Early) -> BatchSummary:
    with opened_engine(engine, workers) as where:
        return featurize_store(
            work / "store",
            work / f"features-{engine}-{workers}",
            engine=where,
            on_progress=early.described,
        )


def _predict(work: Path, size: int, early: _Early) -> float:
    """Predictions of the embedded model for the descriptors that the stage before wrote."""
    model = embedded_model(cache=model_cache()).model
    folder = min(work.glob("features-*"))
    shards = sorted(folder.rglob("features-*.parquet"))
    assert len(shards) == Store(work / "store").n_blocks
    done = 0
    with open_table(work / "predictions.csv", index=True) as table:
        for shard in shards:
            rows = pd.read_parquet(shard).set_index("id")
            good = rows[rows["status"] != "failed"]
            table.add(model.predict(good[numeric_columns()]))
            done += len(rows)
            early.done(done)
    assert done == size
    return (work / "predictions.csv").stat().st_size / 1e6


def _size_MB(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
