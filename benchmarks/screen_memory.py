"""Memory and CPU time of a screen by its size: ``python benchmarks/screen_memory.py POOL``.

Lithium structures of the pool are copied under new ids, each a little strained. Descriptors are
those of the originals, written as a screen that was interrupted leaves them, so that what is
measured is everything but their computation: reading, predictions, ranking, matching with known
structures, and all files. Every size runs in a process of its own. ``--predict`` measures
``ionsieve predict`` by the same model instead, of a store of the copies.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scaling import Copies

from ionsieve.cli.cache import model_cache
from ionsieve.data.records import StructureRecord
from ionsieve.data.store.store import Store
from ionsieve.data.store.write import written_store
from ionsieve.features.catalogue import FAMILY_NAMES, catalogue, descriptor_code, feature_set_hash
from ionsieve.screening.batch.batch import SHARD_ROWS
from ionsieve.screening.batch.row_cache import described_rows
from ionsieve.screening.batch.shards import Layout, Row, write_shard


def main() -> None:
    """Run every size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pool", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--predict", action="store_true", help="predictions instead of a screen")
    parser.add_argument("--folder", type=Path, help="for the files; a temporary one by default")
    parser.add_argument("--stage", choices=("make", "screen", "predict"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        work = given.folder
        stages = {"screen": _screen, "predict": _predict}
        if given.stage == "make":
            _make(given.pool, given.sizes[0], work)
        else:
            print(json.dumps(stages[given.stage](work)))
        return
    rows = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory(dir=given.folder) as work:
            _run(given.pool, size, "make", work)
            found = json.loads(
                _run(given.pool, size, "predict" if given.predict else "screen", work)
            )
            rows.append({"structures": size, **found})
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.to_markdown(index=False))
    if len(rows) > 1:
        slope = np.polyfit(table["structures"], table["peak MB"], 1)[0]
        print(f"{1e3 * slope:.2f} kB a structure")


def _run(pool: Path, size: int, stage: str, work: str) -> str:
    command = [sys.executable, __file__, str(pool), "--sizes", str(size), "--folder", work]
    done = subprocess.run(
        [*command, "--stage", stage], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.splitlines()[-1] if done.stdout else ""


def _make(pool: Path, size: int, work: Path) -> None:
    """A store of copies, and their descriptors in shards."""
    originals = _originals(pool)
    cached = described_rows(list(originals.values()), cache=model_cache())
    found = {row.id: row for row in cached if row.values is not None}
    copies = (
        item.entry
        for item in Copies(pool, 10**9).items()
        if isinstance(item.entry, StructureRecord) and _original(item.entry) in found
    )
    store = written_store(islice(copies, size), work / "store", 500)
    columns = catalogue(FAMILY_NAMES)
    settings = f"{feature_set_hash(columns)}\tLi\t{descriptor_code(FAMILY_NAMES)[:12]}"
    layout = Layout(columns, settings)
    rows = {i: layout.row(i, "ok", "", row.values or {}) for i, row in found.items()}
    folder = work / "work" / f"{feature_set_hash(columns)}-Li"
    folder.mkdir(parents=True)
    for number, records in enumerate(_parts(store)):
        keys = [layout.key(record) for record in records]
        lines = [Row(record.id, *rows[_original(record)][1:]) for record in records]
        write_shard(folder / f"features-{number:05d}.parquet", layout, keys, lines)


def _originals(pool: Path) -> dict[str, StructureRecord]:
    """Lithium structures of the pool, once each."""
    found: dict[str, StructureRecord] = {}
    for item in Copies(pool, 10**9, strained=False).items():
        assert isinstance(item.entry, StructureRecord)
        name = _original(item.entry)
        if name in found:
            return found
        # Under its own name: so the cache knows it, if it was screened before.
        found[name] = replace(item.entry, id=name)
    return found


def _original(record: StructureRecord) -> str:
    return record.id.rpartition("-")[0]


def _parts(store: Store) -> Iterator[list[StructureRecord]]:
    records = (stored.record for stored in store.records())
    while part := list(islice(records, SHARD_ROWS)):
        yield part


def _screen(work: Path) -> dict[str, Any]:
    """The screen of the store, with every file that it writes."""
    from ionsieve.screening.results.write import write_screen
    from ionsieve.screening.screen import describe
    from ionsieve.screening.screen.options import ScreenSettings
    from ionsieve.screening.screen.pipeline import run_screen

    # However few they are: through files, as those of a large screen.
    describe.MOST_KEPT = 0  # type: ignore[misc]
    inputs = [str(work / "store")]
    result = run_screen(
        inputs, ScreenSettings(workers=1), cache=model_cache(), work=(work / "work").resolve()
    )
    write_screen(result, work / "out", inputs)
    cost = result.meter.cost()
    assert cost["cpu_workers_s"] < 30.0, "descriptors were computed"
    return _facts(cost, len(result.ranking), work / "out")


def _predict(work: Path) -> dict[str, Any]:
    """Predictions for the rows of the shards, as many times as there are."""
    from ionsieve.cli.predict import write_predictions
    from ionsieve.screening.batch.usage import Meter
    from ionsieve.screening.screen.training import embedded_model

    meter = Meter()
    meter.stage("model")
    model = embedded_model(cache=model_cache()).model
    meter.stage("predictions")
    (work / "out").mkdir()
    out = work / "out" / "predictions.csv"
    tally = write_predictions(model, _Described(work), 300.0, out, False)  # type: ignore[arg-type]
    return _facts(meter.cost(), tally.n_used, work / "out")


class _Described:
    """Feature tables of the shards, in the place of inputs that are described first."""

    def __init__(self, work: Path) -> None:
        self.shards = sorted((work / "work").rglob("features-*.parquet"))
        self.formulas = {
            name: formula
            for table in Store(work / "store").tables(["id", "formula"])
            for name, formula in zip(*table.to_pydict().values(), strict=True)
        }

    def blocks(self) -> Iterator[Any]:
        from ionsieve.cli.model_inputs import FeatureInputs
        from ionsieve.features.featurizer import numeric_columns

        for shard in self.shards:
            rows = pd.read_parquet(shard).set_index("id")
            formulas = [self.formulas[name] for name in rows.index]
            yield FeatureInputs(
                features=rows[numeric_columns()],
                structures=pd.DataFrame({"formula": formulas}, index=rows.index),
                quarantined=[],
                notes={},
            )


def _facts(cost: dict[str, Any], n: int, out: Path) -> dict[str, Any]:
    stages = {name: round(stage["cpu_s"], 1) for name, stage in cost["stages"].items()}
    return {
        "rows": n,
        "peak MB": round(cost["peak_memory_main_MB"]),
        "CPU s": round(cost["cpu_s"], 1),
        "MB written": round(sum(p.stat().st_size for p in out.rglob("*") if p.is_file()) / 1e6, 1),
        "stages, CPU s": " ".join(f"{name} {spent}" for name, spent in stages.items()),
    }


if __name__ == "__main__":
    main()
