"""The models behind a screen: trained on the embedded tables, cached by what went into them.

One model answers as AIMD would, one as a measurement would; each is evidence for the other
(:mod:`ionsieve.models.kinds`). A model of the user's own can take the place of the first.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd

from ...data.code_digest import code_digest
from ...data.embedded.aimd import load_aimd_labels, load_aimd_structures
from ...data.embedded.experiment import load_experiment_labels
from ...data.errors import FeatureError, InputError
from ...data.libraries import version_of
from ...data.records import StructureRecord, reduced_formula
from ...features.catalogue import descriptor_code
from ...features.featurizer import numeric_columns, rows_to_frame
from ...features.without_structure import POSITION_FREE_COLUMNS
from ...models import ConductivityModel, StructureModel, load_model, save_model
from ...models.kinds import KindModels, KindTable, learn_kinds
from ..batch.row_cache import described_rows
from .experiment_table import (
    LEARNED_COLUMNS,
    experiment_chemical_systems,
    experiment_features,
    experiment_labels,
)
from .flags import TrainingRange, training_range

_FEATURES: Final = "training_features.parquet"
TRAINING_LABELS: Final = "training_labels.parquet"
LITHIUM: Final = "Li"
LABELLED: Final = ("Li", "Na")
"""Mobile species that the embedded AIMD table has labels of."""
_EXPERIMENT: Final = "experiment"


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedModel:
    """A model with the features it was trained on."""

    model: StructureModel
    features: pd.DataFrame
    """Index = structure id; column ``formula`` besides the catalogue's columns."""
    labels: pd.DataFrame
    from_cache: bool
    key: str
    experiment: StructureModel | None = None
    """Answers as a measurement would; None where nothing was learned of measurements."""
    mobile: str = LITHIUM
    """Species that labels are of: that of the candidates where there are any."""

    @property
    def range(self) -> TrainingRange:
        """What the training set covers."""
        found = training_range(self.features, self.features["formula"])
        return replace(found, mobile=self.mobile)

    @property
    def structures(self) -> list[StructureRecord]:
        """Structures of the embedded table that have labels of the model."""
        labelled = set(self.labels["structure_id"])
        return [r for r in _structures(self.mobile) if r.id in labelled]


def embedded_model(
    seed: int = 0,
    threshold_S_cm: float = 1e-3,
    families: tuple[str, ...] | None = None,
    cache: Path | None = None,
    workers: int = 1,
    mobile: str = LITHIUM,
) -> TrainedModel:
    """Train on the embedded tables, or take the same models from the cache.

    Parameters
    ----------
    seed : int
    threshold_S_cm : float
        Conductivity, S/cm, that counts as fast.
    families : tuple of str, optional
        Descriptor families; all by default. Measured conductivities are learned from with all of
        them only: with fewer the AIMD table stands alone.
    cache : path, optional
        Folder of cached models; None trains anew.
    workers : int
        Processes that compute descriptors.
    mobile : str
        Mobile species of the candidates. Labels of sodium conductors are few: they are learned
        from beside those of lithium. Other species are answered by the lithium model.
    """
    mobile = mobile if mobile in LABELLED else LITHIUM
    labels = pd.concat([load_aimd_labels(mobile=m) for m in _labelled(mobile)], ignore_index=True)
    key = model_key(seed, threshold_S_cm, families, mobile)
    folder = None if cache is None else cache / f"embedded-{key}"
    if folder is not None and (folder / _FEATURES).is_file():
        return _cached(folder, labels, key, mobile)
    trained = _trained(seed, threshold_S_cm, families, workers, labels, key, mobile, cache)
    if folder is not None:
        _store(trained, folder)
    return trained


def _trained(
    seed: int,
    threshold_S_cm: float,
    families: tuple[str, ...] | None,
    workers: int,
    labels: pd.DataFrame,
    key: str,
    mobile: str,
    cache: Path | None,
) -> TrainedModel:
    features = training_features(families, workers, mobile, cache)
    numbers = features[numeric_columns(families)]
    usable = labels[labels["structure_id"].isin(features.index)].reset_index(drop=True)
    if families is not None or mobile != LITHIUM:
        model = ConductivityModel(seed=seed, threshold_S_cm=threshold_S_cm).fit(numbers, usable)
        return TrainedModel(
            model=model,
            features=features,
            labels=labels,
            from_cache=False,
            key=key,
            mobile=mobile,
        )
    found = embedded_kinds(features, workers, seed, threshold_S_cm, cache)
    # With the evidence of measurements, predicted out of fold, for whoever trains again.
    evidence = found.aimd_features.drop(columns=numbers.columns)
    return TrainedModel(
        model=found.aimd,
        features=features.join(evidence),
        labels=labels,
        from_cache=False,
        key=key,
        experiment=found.experiment,
    )


def embedded_kinds(
    features: pd.DataFrame,
    workers: int = 1,
    seed: int = 0,
    threshold_S_cm: float = 1e-3,
    cache: Path | None = None,
) -> KindModels:
    """Models of both embedded tables.

    Parameters
    ----------
    features : DataFrame
        From :func:`training_features`, all families.
    workers, seed, threshold_S_cm, cache
        As in :func:`embedded_model`.
    """
    labels = load_aimd_labels()
    return learn_kinds(
        KindTable(
            features=features[numeric_columns()],
            labels=labels[labels["structure_id"].isin(features.index)].reset_index(drop=True),
            chemsys=chemical_systems(features["formula"]),
        ),
        KindTable(
            features=experiment_features(workers, cache),
            labels=experiment_labels(),
            chemsys=experiment_chemical_systems(),
        ),
        POSITION_FREE_COLUMNS,
        LEARNED_COLUMNS,
        seed,
        threshold_S_cm,
    )


def chemical_systems(formulas: pd.Series) -> pd.Series:
    """Elements joined by dashes, for reduced formulas."""
    from pymatgen.core import Composition

    return formulas.map(lambda f: "-".join(sorted(e.symbol for e in Composition(f).elements)))


def training_features(
    families: tuple[str, ...] | None = None,
    workers: int = 1,
    mobile: str = LITHIUM,
    cache: Path | None = None,
) -> pd.DataFrame:
    """Features of the structures in the embedded AIMD table, with their formulas.

    Raises
    ------
    FeatureError
        If one has none: every structure of the table is known to have roles.
    """
    tables = []
    for species in _labelled(mobile):
        records = load_aimd_structures(mobile=species)
        rows = described_rows(records, families, species, workers=workers, cache=cache)
        for row in rows:
            if row.values is None:
                raise FeatureError(f"AIMD table: {row.reason}")
        table = rows_to_frame(rows, families)
        table["formula"] = [reduced_formula(r.composition) for r in records]
        tables.append(table)
    return pd.concat(tables) if len(tables) > 1 else tables[0]


def _labelled(mobile: str) -> tuple[str, ...]:
    """Species whose labels are learned from together."""
    return (LITHIUM,) if mobile == LITHIUM else (LITHIUM, mobile)


def _structures(mobile: str) -> list[StructureRecord]:
    return [r for species in _labelled(mobile) for r in load_aimd_structures(mobile=species)]


def own_model(
    folder: str | Path, threshold_S_cm: float = 1e-3, mobile: str = LITHIUM
) -> TrainedModel:
    """A model of the user's own, as ``ionsieve train`` wrote it, for a screen or a campaign.

    Parameters
    ----------
    folder : path
        Model folder.
    threshold_S_cm : float
        Conductivity, S/cm, that counts as fast.
    mobile : str
        Mobile species of the candidates.

    Raises
    ------
    InputError
        If it predicts no conductivity or does not hold what it was trained on.
    ModelError
        If it is no model folder, or a damaged one.
    """
    folder = Path(folder)
    model = load_model(folder)
    if model.quantity != "sigma_S_cm":
        raise InputError(
            f"{folder}: predicts {model.quantity}; a ranking needs a model of sigma_S_cm"
        )
    missing = [name for name in (_FEATURES, TRAINING_LABELS) if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: {missing[0]} is missing; train it again with this version")
    model.threshold = threshold_S_cm
    description = (folder / "model.json").read_bytes()
    return TrainedModel(
        model=model,
        features=pd.read_parquet(folder / _FEATURES),
        labels=pd.read_parquet(folder / TRAINING_LABELS),
        from_cache=False,
        key=hashlib.sha256(description).hexdigest()[:16],
        mobile=mobile,
    )


def _cached(folder: Path, labels: pd.DataFrame, key: str, mobile: str) -> TrainedModel:
    experiment = folder / _EXPERIMENT
    return TrainedModel(
        model=load_model(folder),
        features=pd.read_parquet(folder / _FEATURES),
        labels=labels,
        from_cache=True,
        key=key,
        experiment=load_model(experiment) if experiment.is_dir() else None,
        mobile=mobile,
    )


def _store(trained: TrainedModel, folder: Path) -> None:
    """Write beside and rename: a cache entry is whole or absent."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        staged = temporary / "model"
        save_model(trained.model, staged)
        if trained.experiment is not None:
            save_model(trained.experiment, staged / _EXPERIMENT)
        trained.features.to_parquet(staged / _FEATURES)
        if not folder.exists():
            staged.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def model_key(
    seed: int = 0,
    threshold_S_cm: float = 1e-3,
    families: tuple[str, ...] | None = None,
    mobile: str = LITHIUM,
) -> str:
    """Everything that decides the models: labels, code, seed and settings, 16 hex digits."""
    mobile = mobile if mobile in LABELLED else LITHIUM
    digest = hashlib.sha256(load_aimd_labels(mobile=mobile).to_csv(index=False).encode())
    digest.update(load_experiment_labels().to_csv(index=False).encode())
    digest.update(repr((seed, threshold_S_cm, families, mobile)).encode())
    # Model folders are read by the versions that wrote them.
    libraries = {name: version_of(name) for name in ("numpy", "scikit-learn", "xgboost")}
    digest.update(repr(libraries).encode())
    # Not this module: its imports lead to every reader of files, and they do not decide the model.
    tables = (
        "ionsieve.data.embedded.aimd",
        "ionsieve.data.embedded.experiment",
        "ionsieve.data.disorder.representative",
        "ionsieve.features.featurizer",
        "ionsieve.features.without_structure",
    )
    digest.update(code_digest("ionsieve.models.kinds", *tables).encode())
    digest.update(descriptor_code(families).encode())
    return digest.hexdigest()[:16]
