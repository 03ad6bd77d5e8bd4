"""A model as a folder of plain formats that cannot run code when read.

===================  ==========================================================================
``model.json``       what it is: format, versions, settings, numbers, feature names and their hash
``forest.skops``     the scikit-learn part, read against a fixed allow-list of types
``boosting.ubj``     the XGBoost part in its own binary JSON
``domain.parquet``   the training materials in scaled feature space
===================  ==========================================================================

Each file's SHA-256 stands in ``model.json``, so a folder put together from two models is refused.
The hashes guard against mix-ups, not against malice; safety comes from the formats.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ..data.atomic import write_bytes_atomic, write_json_atomic
from ..data.errors import ModelError
from .arrhenius import ArrheniusPopulation
from .domain import DomainDistance
from .ensemble import CalibratedEnsemble
from .tables import feature_set_hash
from .trees import BoundedBoosting, BoundedExtraTrees

if TYPE_CHECKING:
    from .conductivity import ConductivityModel

FORMAT: Final = 1
ALLOWED_TYPES: Final[frozenset[str]] = frozenset(
    {"ionsieve.models.trees.BoundedExtraTrees", "numpy.dtype", "sklearn.tree._tree.Tree"}
)
"""Types beyond skops' own defaults that a forest file may hold. A ``Tree`` is compiled code that
trusts its node table, so :func:`read_forest` checks every node before the tree is used."""
_CHECKED_VERSIONS: Final = ("scikit-learn", "xgboost")


def save_conductivity_model(model: ConductivityModel, folder: Path) -> Path:
    """Write a fitted model; ``model.json`` last, so that a half-written folder is not a model."""
    import skops.io

    ensemble, domain = model.ensemble_, model.domain_
    files = {
        "forest.skops": _canonical_skops(skops.io.dumps(ensemble.forest_)),
        "boosting.ubj": bytes(ensemble.boosting_.booster_.save_raw("ubj")),
        "domain.parquet": _parquet(pd.DataFrame(domain.reference_).rename(columns=str)),
    }
    for name, content in files.items():
        write_bytes_atomic(folder / name, content)
    description = {
        "format": FORMAT,
        "type": "ConductivityModel",
        "versions": {name: version(name) for name in _CHECKED_VERSIONS},
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
        "settings": {
            "seed": model.seed,
            "threshold_S_cm": model.threshold_S_cm,
            "coverage": model.coverage,
            "n_folds": model.n_folds,
        },
        "columns": list(model.columns_),
        "feature_set_hash": feature_set_hash(model.columns_),
        "population": {k: float(v) for k, v in model.population_.as_dict().items()},
        "ensemble": {k: getattr(ensemble, k) for k in ("floor_", "factor_", "shrinkage_")},
        "boosting": {
            "params": ensemble.boosting_.get_params(),
            "centre_": ensemble.boosting_.centre_,
            "unit_": ensemble.boosting_.unit_,
        },
        "domain": {
            "centre_": domain.centre_.tolist(),
            "scale_": domain.scale_.tolist(),
            "typical_": domain.typical_,
        },
        "training": model.training_,
    }
    write_json_atomic(folder / "model.json", description)
    return folder


def load_conductivity_model(folder: Path) -> ConductivityModel:
    """Read a model folder.

    Raises
    ------
    ModelError
        If it is not a model of this format, was written by another major version of scikit-learn
        or XGBoost, its feature names do not match their hash, a file was changed, or the forest
        file holds a type that is not on the list.
    """
    from .conductivity import ConductivityModel

    description = _read_description(folder)
    try:
        content = _read_files(folder, description["files"])
        model = ConductivityModel(**description["settings"])
        model.columns_ = tuple(description["columns"])
        _check_columns(folder, model.columns_, description["feature_set_hash"])
        model.population_ = ArrheniusPopulation(**description["population"])
        model.ensemble_ = _read_ensemble(folder, model, content, description)
        model.domain_ = _read_domain(content["domain.parquet"], description["domain"])
        model.training_ = description["training"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{folder}: model.json is damaged ({error}); train again") from error
    return model


def read_forest(content: bytes, name: str) -> BoundedExtraTrees:
    """Read a forest file from a stranger: unknown types are refused before anything is built."""
    import skops.io

    try:
        untrusted = skops.io.get_untrusted_types(data=content)
    except Exception as error:  # skops raises what zipfile, json and its own nodes raise
        raise ModelError(f"{name} is not a skops file ({type(error).__name__})") from error
    unknown = sorted(set(untrusted) - ALLOWED_TYPES)
    if unknown:
        raise ModelError(f"{name} holds the type {unknown[0]}, which is not allowed; not loaded")
    forest = skops.io.loads(content, trusted=sorted(ALLOWED_TYPES))
    if not isinstance(forest, BoundedExtraTrees):
        raise ModelError(f"{name} holds a {type(forest).__name__}, not a forest")
    for tree in forest.forest_.estimators_:
        if not _is_sound(tree.tree_, forest.forest_.n_features_in_):
            raise ModelError(f"{name} holds a tree whose nodes point outside it; not loaded")
    return forest


def _is_sound(tree: Any, n_features: int) -> bool:
    """Children come after their parent and inside the table; features exist: no loop, no leap."""
    parent = np.arange(tree.node_count)
    left, right = tree.children_left, tree.children_right
    leaf = (left == -1) & (right == -1)
    inside = np.ones(tree.node_count, dtype=bool)
    for child in (left, right):
        inside &= (child > parent) & (child < tree.node_count)
    known = (tree.feature >= 0) & (tree.feature < n_features)
    shape_ok = tree.value.shape == (tree.node_count, 1, 1) and tree.n_features == n_features
    return bool(shape_ok and tree.node_count > 0 and (leaf | (inside & known)).all())


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / "model.json"
    if not path.is_file():
        raise ModelError(f"{folder} is not a model folder: model.json is missing")
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON; train again") from error
    if not isinstance(description, dict) or description.get("type") != "ConductivityModel":
        raise ModelError(f"{path} does not describe a conductivity model")
    if description.get("format") != FORMAT:
        raise ModelError(
            f"{path} has format {description.get('format')}, this version reads {FORMAT}; "
            "train again"
        )
    _check_versions(path, description.get("versions", {}))
    return description


def _check_versions(path: Path, saved: dict[str, str]) -> None:
    for name in _CHECKED_VERSIONS:
        here, there = version(name), str(saved.get(name, "unknown"))
        if here.split(".")[:2] != there.split(".")[:2]:
            raise ModelError(
                f"{path}: written with {name} {there}, here is {here}; "
                f"install {name} {there} or train again"
            )


def _check_columns(folder: Path, columns: tuple[str, ...], expected: str) -> None:
    found = feature_set_hash(columns)
    if found != expected:
        raise ModelError(
            f"{folder}: feature names have the hash {found}, the model was trained on {expected}; "
            "the model file was edited"
        )


def _read_files(folder: Path, expected: dict[str, str]) -> dict[str, bytes]:
    content = {}
    for name in ("forest.skops", "boosting.ubj", "domain.parquet"):
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{path} is missing; copy the whole model folder")
        content[name] = path.read_bytes()
        if sha256(content[name]).hexdigest() != expected[name]:
            raise ModelError(f"{path} does not belong to this model.json (SHA-256 differs)")
    return content


def _read_ensemble(
    folder: Path,
    model: ConductivityModel,
    content: dict[str, bytes],
    description: dict[str, Any],
) -> CalibratedEnsemble:
    ensemble = CalibratedEnsemble(
        coverage=model.coverage, n_folds=model.n_folds, random_state=model.seed
    )
    for name, value in description["ensemble"].items():
        if name not in ("floor_", "factor_", "shrinkage_"):
            raise ModelError(f"{folder}: unknown entry {name!r} in model.json")
        setattr(ensemble, name, float(value))
    ensemble.forest_ = read_forest(content["forest.skops"], str(folder / "forest.skops"))
    ensemble.boosting_ = _read_boosting(content["boosting.ubj"], description["boosting"])
    return ensemble


def _read_boosting(content: bytes, description: dict[str, Any]) -> BoundedBoosting:
    from xgboost import Booster
    from xgboost.core import XGBoostError

    boosting = BoundedBoosting(**description["params"])
    boosting.centre_, boosting.unit_ = float(description["centre_"]), float(description["unit_"])
    boosting.booster_ = Booster({"nthread": 1})
    try:
        boosting.booster_.load_model(bytearray(content))
    except XGBoostError as error:
        raise ModelError("boosting.ubj is not an XGBoost model") from error
    boosting.n_features_in_ = int(boosting.booster_.num_features())
    return boosting


def _read_domain(content: bytes, description: dict[str, Any]) -> DomainDistance:
    domain = DomainDistance()
    domain.centre_ = np.array(description["centre_"], dtype=np.float64)
    domain.scale_ = np.array(description["scale_"], dtype=np.float64)
    domain.typical_ = float(description["typical_"])
    reference = pd.read_parquet(io.BytesIO(content)).to_numpy(dtype=np.float32)
    # Same memory order as after fitting: matrix products round alike.
    domain.reference_ = np.ascontiguousarray(reference)
    return domain


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _canonical_skops(content: bytes) -> bytes:
    """The same archive without memory addresses and time stamps: equal models give equal bytes.

    skops names arrays and marks shared objects by their address; here they are numbered instead.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        schema = source.read("schema.json").decode()
        members = {name: source.read(name) for name in source.namelist()}
    number: dict[str, str] = {}
    pattern = re.compile(r'(?<="__id__": )\d+|(?<=")\d+(?=\.npy")')
    schema = pattern.sub(lambda m: number.setdefault(m[0], str(len(number))), schema)
    members["schema.json"] = schema.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, data in sorted((_renumbered(n, number), d) for n, d in members.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, data)
    return buffer.getvalue()


def _renumbered(name: str, number: dict[str, str]) -> str:
    stem, dot, suffix = name.partition(".")
    return number.get(stem, stem) + dot + suffix
