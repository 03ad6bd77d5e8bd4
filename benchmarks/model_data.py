"""Reference data sets as structures and label tables for the accuracy benchmarks.

The data are not part of the project: give their folder with ``--data`` (or IONSIEVE_TEST_DATA).
Features of all families are computed once into Parquet shards in a cache folder: a killed run
continues, and changed feature code computes them again.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ionsieve.data import Provenance, StructureRecord
from ionsieve.data.embedded.aimd import load_aimd_labels, load_aimd_structures
from ionsieve.data.sources.files import read_structures
from ionsieve.data.transport.label_table import check_label_table
from ionsieve.features.catalogue import catalogue
from ionsieve.features.featurizer import numeric_columns
from ionsieve.features.standard.composition import magpie_matrix
from ionsieve.models import describe_structures
from ionsieve.screening.batch.batch import BatchSummary, featurize_source
from ionsieve.screening.batch.parts import RecordsInMemory

GRID_K = 100.0
"""Spacing of the simulated temperatures of the M3GNet set, K."""


def mlip_records(data: Path) -> Iterator[StructureRecord]:
    return pool_records(data, set(pd.read_csv(data / "mlip_md" / "labels.csv")["material_id"]))


def pool_records(data: Path, wanted: set[str]) -> Iterator[StructureRecord]:
    """Crystals of the phonon database by id."""
    with gzip.open(data / "pool" / "phonondb.jsonl.gz", "rt") as stream:
        for line in stream:
            row = json.loads(line)
            if row["id"] in wanted:
                source = Provenance(
                    source="Togo phonon database", licence="CC BY 4.0", reference=row["id"]
                )
                yield StructureRecord.ordered(
                    row["id"], row["lattice"], row["species"], row["frac"], source
                )


def mlip_table(data: Path) -> pd.DataFrame:
    """Diffusivities (cm²/s) at 200–2300 K: 0 below detection, NaN molten."""
    return pd.read_csv(data / "mlip_md" / "labels.csv").set_index("material_id")


def mlip_onsets(table: pd.DataFrame) -> pd.DataFrame:
    """Onset labels: between two simulated temperatures, or above the last one before melting."""
    onset, last = table["T_onset"], table["T_max_before_melt"]
    rows = pd.DataFrame(
        {
            "structure_id": table.index,
            "temperature_K": np.nan,
            "kind": "mlip_md",
            "quantity": "t_onset_K",
            "value": np.nan,
            "lower": np.where(onset.isna(), last, onset - GRID_K),
            "upper": onset,
            "source": "M3GNet MD",
        }
    )
    # "Above 0 K" says nothing: the first grid point bounds from one side only.
    rows.loc[rows["lower"] <= 0, "lower"] = np.nan
    return check_label_table(rows, "M3GNet onsets")


def obelix_labels(data: Path) -> pd.DataFrame:
    table = pd.read_csv(data / "obelix_train" / "train.csv", dtype=str)
    sigma = table["Ionic conductivity (S cm-1)"].str.strip()
    below = sigma.str.startswith("<")
    number = pd.to_numeric(sigma.str.lstrip("<"))
    return check_label_table(
        pd.DataFrame(
            {
                "structure_id": table["ID"],
                "temperature_K": 298.15,
                "kind": "experiment",
                "quantity": "sigma_S_cm",
                "value": number.where(~below),
                "upper": number.where(below),
                "group": table["Family"],
                "source": table["DOI"],
            }
        ),
        "OBELiX train",
    )


def obelix_table(data: Path) -> pd.DataFrame:
    return pd.read_csv(data / "obelix_train" / "train.csv").set_index("ID")


def obelix_records(data: Path) -> list[StructureRecord]:
    """The entries that have a CIF, partial occupancies as they are."""
    found = read_structures([data / "obelix_train" / "cifs"])
    print(f"OBELiX: {len(found.records)} structures read, {len(found.quarantined)} quarantined")
    return found.records


def obelix_plain(data: Path) -> pd.DataFrame:
    """Composition family of the true composition, and the lattice: what every entry has."""
    from pymatgen.core import Composition, Lattice

    table = obelix_table(data)
    compositions = [Composition(text) for text in table["True Composition"]]
    names = [c.name for c in catalogue(["composition"])]
    amounts = [{str(e): float(n) for e, n in c.items()} for c in compositions]
    magpie = pd.DataFrame(magpie_matrix(amounts), index=table.index, columns=names)
    cell = table[["a", "b", "c", "alpha", "beta", "gamma"]].astype(float)
    volume = np.array([Lattice.from_parameters(*row).volume for row in cell.to_numpy()])
    atoms = np.array([c.num_atoms for c in compositions])
    lithium = np.array([c["Li"] for c in compositions])
    lattice = cell.assign(
        **{
            "volume per atom": volume / atoms,
            "Li per volume": lithium / volume,
            "Li share": lithium / atoms,
            "space group": table["Space group #"].astype(float),
        }
    )
    return magpie.join(lattice.add_prefix("lattice "))


def dataset(
    name: str, data: Path, cache: Path, workers: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Features, structure descriptions and labels of ``mlip_md``, ``experiment`` or ``aimd``.

    Parameters
    ----------
    name : str
    data : path
        Folder of the reference data.
    cache : path
        Folder for features; what is there is not computed again.
    workers : int
        Processes that compute features.
    """
    if name == "mlip_md":
        records, labels = list(mlip_records(data)), mlip_onsets(mlip_table(data))
    elif name == "experiment":
        records, labels = obelix_records(data), obelix_labels(data)
    else:
        records, labels = load_aimd_structures(), load_aimd_labels()
    features = cached_features(name, records, cache, workers)
    if name == "experiment":
        # What every entry has comes from the entry; a CIF adds what only a structure can tell.
        plain = obelix_plain(data)
        features = plain.join(features.drop(columns=plain.columns, errors="ignore"))
    return features, describe_structures(records), labels


def cached_features(
    name: str, records: list[StructureRecord], cache: Path, workers: int = 1
) -> pd.DataFrame:
    """All families for the structures, from Parquet shards that an interrupted run continues.

    Structures without roles have no row; how many, and why, is printed.
    """
    source = RecordsInMemory([cache / name], records)
    summary = featurize_source(
        source, cache / name, workers=workers, timeout_s=600.0, on_progress=_every_fifty
    )
    counts = ", ".join(f"{n} {status}" for status, n in sorted(summary.statuses.items()))
    print(f"{name}: {counts}; {summary.reused} from {summary.folder}")
    for reason, count in summary.reasons.most_common(5):
        print(f"{count:6d}  {reason}")
    shards = [pd.read_parquet(Path(summary.folder) / shard) for shard in sorted(summary.shards)]
    table = pd.concat(shards).set_index("id")
    return table.loc[table["status"] != "failed", numeric_columns()]


def _every_fifty(summary: BatchSummary, n_expected: int) -> None:
    if summary.rows > summary.reused and summary.rows % 50 == 0:
        print(f"  features of {summary.rows} of {n_expected} structures", flush=True)
