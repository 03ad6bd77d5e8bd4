"""Memory of what stays of every candidate: ``python benchmarks/ranking_memory.py RUN --rows N``.

Rows of a finished screen (folder RUN) are repeated under new ids, with predictions moved a little:
ranked, short-listed, flagged, and written as tables. Prints CPU time and the peak memory of this
process, before and after. Run it with several numbers of rows: the slope is that of a candidate.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from ionsieve.cli.cache import model_cache
from ionsieve.data.table_file import open_table
from ionsieve.screening.batch.usage import own_usage
from ionsieve.screening.results.read import FinishedRun
from ionsieve.screening.screen.answers import Answers, answers, descriptions
from ionsieve.screening.screen.decided import decided
from ionsieve.screening.screen.describe import Described
from ionsieve.screening.screen.feature_list import FeatureList
from ionsieve.screening.screen.known import Known
from ionsieve.screening.screen.options import ScreenSettings
from ionsieve.screening.screen.record_list import BLOCK, ChosenRecords, RecordList
from ionsieve.screening.screen.training import embedded_model


def main() -> None:
    """Repeat, rank, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--rows", type=int, default=15_000)
    given = parser.parse_args()
    screened = FinishedRun(given.run)
    base, records = screened.features, list(screened.records())
    trained = embedded_model(cache=model_cache())
    one = FeatureList(None)
    one.add(base)
    found = answers(one, trained, None)
    lines = descriptions(records, lambda _, rows: [Known()] * len(rows), {}, BLOCK)
    _say("one screen")
    rows = np.arange(given.rows) % len(base)
    ids = pd.Index([f"{base.index[k]}-{i}" for i, k in enumerate(rows)], name="id")
    with tempfile.TemporaryDirectory() as folder:
        features = FeatureList(Path(folder))
        for start in range(0, given.rows, BLOCK):
            part = base.iloc[rows[start : start + BLOCK]]
            features.add(part.set_axis(ids[start : start + BLOCK]))
        chosen = ChosenRecords(RecordList.of(records, None), rows)
        described = Described(features, chosen, [], Counter())
        ranking, order, _ = decided(
            described,
            lines.iloc[rows].set_axis(ids),
            _repeated(found, rows, ids),
            trained,
            ScreenSettings(workers=1).settled(),
        )
        _say(f"{given.rows:,} ranked")
        for name in ("ranking.csv", "features.parquet"):
            with open_table(Path(folder) / name) as table:
                for start in range(0, given.rows, BLOCK):
                    places = order[start : start + BLOCK]
                    is_csv = name.endswith("csv")
                    table.add(
                        ranking.iloc[start : start + BLOCK] if is_csv else features.rows(places)
                    )
        _say(f"{given.rows:,} written")


def _repeated(found: Answers, rows: np.ndarray, ids: pd.Index) -> Answers:
    moved = 0.3 * np.random.default_rng(0).normal(size=len(rows))
    aimd = found.aimd.iloc[rows].set_axis(ids)
    for end in ("prediction", "low", "high"):
        aimd[end] += moved
    other = found.experiment
    return Answers(
        aimd=aimd,
        experiment=None if other is None else other.iloc[rows].set_axis(ids),
        curves=found.curves[:, :, rows],
    )


def _say(what: str) -> None:
    usage = own_usage()
    print(f"{what}: {usage.cpu_s:.1f} CPU s, at most {usage.peak_MB:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
