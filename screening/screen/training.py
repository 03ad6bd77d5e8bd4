"""The model behind a screen: trained on the embedded AIMD table, cached by what went into it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...data.code_digest import code_digest
from ...data.embedded.aimd import load_aimd_labels, load_aimd_structures
from ...data.errors import FeatureError
from ...data.records import StructureRecord, reduced_formula
from ...features.catalogue import descriptor_code
from ...features.featurizer import numeric_columns, rows_to_frame
from ...models import ConductivityModel
from ..batch.batch import featurize_isolated
from .flags import TrainingRange, training_range

_FEATURES = "training_features.parquet"


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model with the features it was trained on."""

    model: ConductivityModel
    features: pd.DataFrame
    """Index = structure id; column ``formula`` besides the catalogue's columns."""
    labels: pd.DataFrame
    from_cache: bool
    key: str

    @property
    def range(self) -> TrainingRange:
        """What the training set covers."""
        return training_range(self.features, self.features["formula"])

    @property
    def structures(self) -> list[StructureRecord]:
        """Structures of the table that have labels."""
        labelled = set(self.labels["structure_id"])
        return [r for r in load_aimd_structures() if r.id in labelled]


def embedded_model(
    seed: int = 0,
    threshold_S_cm: float = 1e-3,
    families: tuple[str, ...] | None = None,
    cache: Path | None = None,
    workers: int = 1,
) -> TrainedModel:
    """Train on the embedded AIMD table, or take the same model from the cache.

    Parameters
    ----------
    seed : int
    threshold_S_cm : float
        Conductivity, S/cm, that counts as fast.
    families : tuple of str, optional
        Descriptor families; all by default.
    cache : path, optional
        Folder of cached models; None trains anew.
    workers : int
        Processes that compute descriptors.
    """
    labels = load_aimd_labels()
    key = model_key(seed, threshold_S_cm, families)
    folder = None if cache is None else cache / f"aimd-{key}"
    if folder is not None and (folder / _FEATURES).is_file():
        model = ConductivityModel.load(folder)
        return TrainedModel(model, pd.read_parquet(folder / _FEATURES), labels, True, key)
    features = training_features(families, workers)
    model = ConductivityModel(seed=seed, threshold_S_cm=threshold_S_cm)
    usable = labels[labels["structure_id"].isin(features.index)].reset_index(drop=True)
    model.fit(features[numeric_columns(families)], usable)
    if folder is not None:
        _store(model, features, folder)
    return TrainedModel(model, features, labels, False, key)


def training_features(families: tuple[str, ...] | None = None, workers: int = 1) -> pd.DataFrame:
    """Features of the structures in the embedded AIMD table, with their formulas.

    Raises
    ------
    FeatureError
        If one has none: every structure of the table is known to have roles.
    """
    records = load_aimd_structures()
    rows = featurize_isolated(records, families, workers=workers)
    for row in rows:
        if row.values is None:
            raise FeatureError(f"AIMD table: {row.reason}")
    table = rows_to_frame(rows, families)
    table["formula"] = [reduced_formula(r.composition) for r in records]
    return table


def _store(model: ConductivityModel, features: pd.DataFrame, folder: Path) -> None:
    """Write beside and rename: a cache entry is whole or absent."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        staged = temporary / "model"
        model.save(staged)
        features.to_parquet(staged / _FEATURES)
        if not folder.exists():
            staged.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def model_key(
    seed: int = 0, threshold_S_cm: float = 1e-3, families: tuple[str, ...] | None = None
) -> str:
    """Everything that decides the model: labels, code, seed and settings, 16 hex digits."""
    digest = hashlib.sha256(load_aimd_labels().to_csv(index=False).encode())
    digest.update(repr((seed, threshold_S_cm, families)).encode())
    # Not this module: its imports lead to every reader of files, and they do not decide the model.
    tables = ("ionsieve.data.embedded.aimd", "ionsieve.features.featurizer")
    digest.update(code_digest("ionsieve.models.model", *tables).encode())
    digest.update(descriptor_code(families).encode())
    return digest.hexdigest()[:16]
