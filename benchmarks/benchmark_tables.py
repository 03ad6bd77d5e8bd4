"""Rows, folds and baselines of the benchmark on the embedded tables.

    python benchmarks/benchmark_tables.py rows
    python benchmarks/benchmark_tables.py baselines [--cache FOLDER]
    python benchmarks/benchmark_tables.py shipped --from FOLDER

``rows`` writes ``benchmark_rows.csv``: joined groups (experiment: publication and composition;
AIMD: family and formula) dealt to five folds, largest first to the emptiest fold. Changing it
changes what a score means: do so only with a new version of the benchmark. ``baselines`` trains
every plain method and ionsieve's trees without evidence on four folds, predicts the fifth, and
writes ``benchmark_baselines.csv``. ``shipped`` adds the answers of the shipped pair of models on
the same folds to it, from the output folder of external.py. All write hashes into the registry.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from experiment_tables import register
from external import MODEL, SHIPPED_ENTRY

from ionsieve.data.atomic import write_text_atomic
from ionsieve.data.disorder.representative import representative
from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.embedded.benchmark import (
    BASELINE_TABLE,
    N_FOLDS,
    ROW_TABLE,
    TABLES,
    Table,
    benchmark_labels,
    benchmark_rows,
)
from ionsieve.data.embedded.experiment import (
    load_experiment_compositions,
    load_experiment_structures,
)
from ionsieve.data.embedded.registry import TABLE_FOLDER
from ionsieve.data.sources.compositions import compositions_of
from ionsieve.features.catalogue import catalogue
from ionsieve.features.featurizer import numeric_columns, rows_to_frame
from ionsieve.features.without_structure import composition_row
from ionsieve.models import make_model
from ionsieve.models.evaluation.baselines import NearestNeighbour, TemperatureOnly
from ionsieve.models.labels.folds import joined_groups
from ionsieve.screening.batch.batch import featurize_isolated

LANDMARKS = {
    "experiment": {
        # Li10GeP2S12, Li6PS5Cl, cubic Li7La3Zr2O12, LLTO.
        "fast": ("1hh", "j8q", "mtn", "nkr", "zzr", "122", "tt3", "2mn", "9p1", "ihb", "sv7"),
        # Li3PO4, Li4GeO4, tetragonal Li7La3Zr2O12.
        "slow": ("9lo", "w7d", "dth", "wyu", "etz"),
    },
    "aimd": {
        "fast": ("Li7P3S11_P-1", "Li7La3Zr2O12_192", "Li10SiP2S12_P4_2mc", "Li10SnP2S12_P4_2mc"),
        "slow": ("Li5CrCl8_Cmmm", "Li6VCl8_Fm-3m", "Li5SbS3I2_Pnnm"),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("rows", "baselines", "shipped"))
    parser.add_argument("--from", type=Path, dest="folder", help="Output folder of external.py.")
    parser.add_argument("--cache", type=Path, help="Folder for features.")
    given = parser.parse_args()
    if given.what == "rows":
        table = pd.concat([rows_of(on).assign(on=on) for on in TABLES])
        write(ROW_TABLE, table[["on", "id", "temperature_K", "group", "fold", "landmark"]])
    elif given.what == "baselines":
        table = pd.concat([baselines_of(on, given.cache) for on in TABLES])
        write(BASELINE_TABLE, table)
    else:
        entry = pd.read_csv(given.folder / SHIPPED_ENTRY, dtype={"id": str})
        known = pd.read_csv(TABLE_FOLDER / BASELINE_TABLE, dtype={"id": str})
        write(BASELINE_TABLE, pd.concat([entry, known[known["method"] != MODEL]]))


def write(name: str, table: pd.DataFrame) -> None:
    write_text_atomic(TABLE_FOLDER / name, table.to_csv(index=False, float_format="%.6g"))
    register({name: len(table)})
    print(f"{name}: {len(table)} rows")


# --- rows and folds -----------------------------------------------------------------------------


def rows_of(on: Table) -> pd.DataFrame:
    labels = benchmark_labels(on)
    together = labels["doi"] if on == "experiment" else labels["group"]
    labels = labels.assign(component=joined_groups(list(labels["formula"]), list(together)))
    rows = labels.drop_duplicates(["structure_id", "temperature_K"])
    rows = rows.sort_values(["structure_id", "temperature_K"], kind="stable")
    component = pd.factorize(rows["component"])[0]
    return pd.DataFrame(
        {
            "id": rows["structure_id"].to_numpy(),
            "temperature_K": rows["temperature_K"].to_numpy(),
            "group": component,
            "fold": dealt(component)[component],
            "landmark": [
                landmark(on, i, t)
                for i, t in zip(rows["structure_id"], rows["temperature_K"], strict=True)
            ],
        }
    )


def dealt(component: np.ndarray) -> np.ndarray:
    """Fold of each component: the largest first, each to the fold with the fewest rows."""
    sizes = np.bincount(component)
    fold, load = np.zeros(len(sizes), dtype=int), np.zeros(N_FOLDS, dtype=int)
    for one in np.argsort(-sizes, kind="stable"):
        fold[one] = int(load.argmin())
        load[fold[one]] += sizes[one]
    print(f"rows by fold: {load.tolist()}, {len(sizes)} groups, largest {sizes.max()}")
    return fold


def landmark(on: Table, row_id: str, temperature_K: float) -> str:
    if temperature_K > 310:
        return ""
    return next((kind for kind, ids in LANDMARKS[on].items() if row_id in ids), "")


# --- baselines ----------------------------------------------------------------------------------


def baselines_of(on: Table, cache: Path | None) -> pd.DataFrame:
    features = features_of(on, cache)
    labels, rows = benchmark_labels(on), benchmark_rows(on)
    labels = labels.merge(
        rows[["id", "temperature_K", "group", "fold"]].rename(columns={"group": "component"}),
        left_on=["structure_id", "temperature_K"],
        right_on=["id", "temperature_K"],
    )
    labels["group"] = [f"component {k}" for k in labels["component"]]
    frames = []
    for method, (columns, factory) in methods(features).items():
        answer = held_out(features[columns], labels, rows, factory)
        answer.insert(0, "method", method)
        frames.append(answer)
        print(f"{on}: {method}")
    table = pd.concat(frames)
    table.insert(0, "on", on)
    return table


def methods(features: pd.DataFrame) -> dict[str, tuple[list[str], Callable[[], Any]]]:
    everything = list(features.columns)
    composition = [c.name for c in catalogue(["composition"])]
    forest = {"members": ("extra_trees",), "seed": 0, "evidence": ()}
    barriers = [f"bvse_barrier_{d}d_eV" for d in (1, 2, 3)]
    return {
        "trees on all descriptors": (
            everything,
            lambda: make_model("sigma_S_cm", seed=0, evidence=()),
        ),
        "composition alone": (composition, lambda: make_model("sigma_S_cm", **forest)),
        "bond valence alone": (barriers, lambda: Line("bvse_barrier_2d_eV")),
        "nearest neighbour": (composition, NearestNeighbour),
        "temperature only": (everything, TemperatureOnly),
    }


class Line(TemperatureOnly):
    """Position in the population as a straight line in one column; its mean where undefined."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> Line:
        neighbour = NearestNeighbour()
        arrays = self.target.read(labels, features.index)
        self.target.fit(arrays)
        neighbour.target = self.target
        position = neighbour._positions(arrays)
        x = features[self.column].to_numpy()[arrays.row]
        known = np.isfinite(x)
        self.slope, self.intercept = np.polyfit(x[known], position[known], 1)
        return self

    def predict(self, features: pd.DataFrame, temperature_K: Any) -> pd.DataFrame:
        mean, scale = self.target.line(temperature_K)
        position = self.slope * features[self.column].to_numpy() + self.intercept
        return self._frame(mean + scale * np.nan_to_num(position, nan=0.0), features)


def held_out(
    features: pd.DataFrame, labels: pd.DataFrame, rows: pd.DataFrame, factory: Callable[[], Any]
) -> pd.DataFrame:
    found = rows[["id", "temperature_K"]].assign(log10_sigma_S_cm=np.nan, low=np.nan, high=np.nan)
    for fold in range(N_FOLDS):
        asked = (rows["fold"] == fold).to_numpy()
        model = factory().fit(features, labels[labels["fold"] != fold].reset_index(drop=True))
        temperature = rows.loc[asked, "temperature_K"].to_numpy()
        answer = model.predict(features.loc[rows.loc[asked, "id"]], temperature)
        found.loc[asked, "log10_sigma_S_cm"] = answer["prediction"].to_numpy()
        if "low" in answer:
            found.loc[asked, ["low", "high"]] = answer[["low", "high"]].to_numpy()
    return found


def features_of(on: Table, cache: Path | None) -> pd.DataFrame:
    kept = None if cache is None else cache / f"benchmark_{on}.parquet"
    if kept is not None and kept.is_file():
        return pd.read_parquet(kept)
    features = computed(on)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        features.to_parquet(kept)
    return features


def computed(on: Table) -> pd.DataFrame:
    """Features of what stands for each structure, and of the composition where there is none."""
    records = load_aimd_structures() if on == "aimd" else load_experiment_structures("Li")
    rows = featurize_isolated([representative(r).record for r in records])
    usable = {row.id: row for row in rows if row.values is not None}
    if on == "experiment":
        for one in compositions_of(load_experiment_compositions(), "experiment").records:
            bare = composition_row(one.id, one.amounts, "Li", one.volume_A3, one.space_group_number)
            usable.setdefault(one.id, bare)
    return rows_to_frame(list(usable.values()), None)[numeric_columns()]


if __name__ == "__main__":
    main()
