"""Reference data sets as structures and label tables for the accuracy benchmarks.

The data are not part of the project: give their folder with ``--data`` (or IONSIEVE_TEST_DATA).
Features are computed once and kept in a cache folder, keyed by the feature set.
"""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ionsieve.data import Provenance, StructureRecord
from ionsieve.data.aimd_table import load_aimd_labels, load_aimd_structures
from ionsieve.data.label_table import check_label_table
from ionsieve.data.readers import read_structures
from ionsieve.features import StructureFeaturizer
from ionsieve.features.featurizer import numeric_columns
from ionsieve.models import describe_structures

GRID_K = 100.0
"""Spacing of the simulated temperatures of the M3GNet set, K."""


def mlip_records(data: Path) -> Iterator[StructureRecord]:
    wanted = set(pd.read_csv(data / "mlip_md" / "labels.csv")["material_id"])
    with gzip.open(data / "pool" / "phonondb.jsonl.gz", "rt") as stream:
        for line in stream:
            row = json.loads(line)
            if row["id"] in wanted:
                source = Provenance("Togo phonon database", "CC BY 4.0", row["id"])
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
    """Magpie of the true composition, and the lattice: what every entry has."""
    from matminer.featurizers.composition import ElementProperty
    from pymatgen.core import Composition, Lattice

    table, magpie = obelix_table(data), ElementProperty.from_preset("magpie")
    rows = {}
    for name, entry in table.iterrows():
        composition = Composition(entry["True Composition"])
        cell = [float(entry[c]) for c in ("a", "b", "c", "alpha", "beta", "gamma")]
        volume, atoms = Lattice.from_parameters(*cell).volume, composition.num_atoms
        lattice = dict(zip(("a", "b", "c", "alpha", "beta", "gamma"), cell, strict=True))
        rows[name] = {
            **dict(zip(magpie.feature_labels(), magpie.featurize(composition), strict=True)),
            **{f"lattice {k}": v for k, v in lattice.items()},
            "lattice volume per atom": volume / atoms,
            "lattice Li per volume": composition["Li"] / volume,
            "lattice Li share": composition["Li"] / atoms,
            "lattice space group": float(entry["Space group #"]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def dataset(name: str, data: Path, cache: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Features, structure descriptions and labels of ``mlip_md``, ``experiment`` or ``aimd``.

    Of ``experiment`` every labelled entry has a row; where it has no CIF, structure features are
    NaN.
    """
    if name == "mlip_md":
        records, labels = list(mlip_records(data)), mlip_onsets(mlip_table(data))
    elif name == "experiment":
        records, labels = obelix_records(data), obelix_labels(data)
    else:
        records, labels = load_aimd_structures(), load_aimd_labels()
    features = cached_features(name, records, cache)
    if name == "experiment":
        features = obelix_plain(data).join(features)
    return features, describe_structures(records), labels


def cached_features(name: str, records: list[StructureRecord], cache: Path) -> pd.DataFrame:
    featurizer = StructureFeaturizer()
    path = cache / f"{name}-{featurizer.feature_set_hash}.parquet"
    if not path.is_file():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = featurizer.fit_transform(records)
        cache.mkdir(parents=True, exist_ok=True)
        table[numeric_columns()].dropna(how="all").to_parquet(path)
    return pd.read_parquet(path)
