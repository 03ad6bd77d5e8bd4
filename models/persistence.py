"""A model as a folder of plain formats that cannot run code when read.

===================  ==========================================================================
``model.json``       what it is: format, versions, settings, numbers, feature names and their hash
``*.skops``          scikit-learn learners, read against a fixed allow-list of types
``xgboost.ubj``      the XGBoost learner in its own binary JSON
``domain.parquet``   the training materials in scaled feature space
``other_kind/``      a model of another kind whose prediction is evidence, if there is one
===================  ==========================================================================

Each file's SHA-256 stands in ``model.json``, so a folder put together from two models is refused.
The hashes guard against mix-ups, not against malice; safety comes from the formats.
"""

from __future__ import annotations

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ..data.atomic import write_bytes_atomic, write_json_atomic
from ..data.errors import ModelError
from ..data.libraries import version_of
from .ensemble import CalibratedEnsemble
from .evidence.columns import EvidenceColumn
from .evidence.scale import EvidenceScale
from .fidelity import OtherKind
from .labels.tables import feature_set_hash
from .learners.learner import SavedLearner
from .learners.registry import LEARNERS
from .model import StructureModel, make_model
from .probe import check_answers
from .selfcheck import HELD_OUT_COLUMNS
from .trust.domain import DomainDistance
from .trust.trust import Trust

FORMAT: Final = 5
_CHECKED_VERSIONS: Final = ("scikit-learn", "xgboost")
_OTHER_KIND: Final = "other_kind"
_MAX_BYTES: Final = 500_000_000
_MAX_DESCRIPTION_BYTES: Final = 50_000_000
_MAX_REFERENCES: Final = 1_000_000


def save_model(model: StructureModel, folder: str | Path) -> Path:
    """Write a fitted model; ``model.json`` last, so that a half-written folder is not a model."""
    folder = Path(folder)
    model.require_fitted()
    files = _learner_files(model.ensemble_)
    files["domain.parquet"] = _parquet(model.ensemble_.domain_.reference_)
    for name, content in files.items():
        write_bytes_atomic(folder / name, content)
    if isinstance(model.other_kind, OtherKind):
        save_model(model.other_kind.model, folder / _OTHER_KIND)
    write_json_atomic(folder / "model.json", _description(model, files, folder))
    return folder


def load_model(folder: str | Path) -> StructureModel:
    """Read a model folder; nothing in it is executed.

    Raises
    ------
    ModelError
        If it is not a model of this format, was written by another minor version of scikit-learn
        or XGBoost, its feature names do not match their hash, a file was changed, or a learner
        file holds a type that is not on the list.
    """
    folder = Path(folder)
    description = _read_description(folder)
    try:
        settings = dict(description["settings"])
        settings["evidence"] = [EvidenceColumn.from_dict(e) for e in settings["evidence"]]
        model = make_model(description["quantity"], **settings)
        content = _read_files(folder, description["files"], model.members)
        model.columns_ = tuple(description["columns"])
        _check_columns(folder, model.columns_, description["feature_set_hash"])
        model.target.restore({k: float(v) for k, v in description["population"].items()})
        model.ensemble_ = _read_ensemble(folder, model, content, description)
        domain = _read_domain(content["domain.parquet"], description["domain"], model.columns_)
        model.ensemble_.domain_ = domain
        model.training_, model._evaluation = description["training"], description["evaluation"]
        model._held_out = _read_held_out(description.get("held_out"))
        model.training_formulas = tuple(str(f) for f in description["training_formulas"])
        model.other_kind = _read_other_kind(folder, description.get("other_kind"))
        model.evidence_ = _read_evidence(model, description["evidence"])
        model.ensemble_.expected_ = model.expected_weights()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(
            f"{folder}: model.json is damaged ({reason[:200]}); train again"
        ) from error
    check_answers(model, folder)
    return model


def _learner_files(ensemble: CalibratedEnsemble) -> dict[str, bytes]:
    return {
        LEARNERS[name].file: LEARNERS[name].write(learner)
        for name, learner in ensemble.learners_.items()
    }


def _description(model: StructureModel, files: dict[str, bytes], folder: Path) -> dict[str, Any]:
    ensemble, domain = model.ensemble_, model.ensemble_.domain_
    return {
        "format": FORMAT,
        "type": "StructureModel",
        "quantity": model.quantity,
        "unit": model.target.unit,
        "versions": {name: version_of(name) for name in _CHECKED_VERSIONS},
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
        "settings": {
            "seed": model.seed,
            "threshold": model.threshold,
            "coverage": model.coverage,
            "n_folds": model.n_folds,
            "members": list(model.members),
            "parameters": model.parameters,
            "evidence": [e.as_dict() for e in model.evidence],
            "columns": None if model.columns is None else list(model.columns),
            "remainder": model.remainder,
        },
        "evidence": [e.column for e in model.evidence_],
        "evidence_scale": ensemble.scale_.as_dict(),
        "columns": list(model.columns_),
        "feature_set_hash": feature_set_hash(model.columns_),
        "population": model.target.state(),
        "trust": ensemble.trust_.as_dict(),
        "learners": {name: LEARNERS[name].state(v) for name, v in ensemble.learners_.items()},
        "domain": {
            "centre_": domain.centre_.tolist(),
            "scale_": domain.scale_.tolist(),
            "typical_": domain.typical_,
        },
        "training": model.training_,
        "training_formulas": list(model.training_formulas),
        "evaluation": model.evaluation_,
        "held_out": _held_out_lists(model.held_out_),
        "other_kind": None
        if not isinstance(model.other_kind, OtherKind)
        else {
            "temperature_K": model.other_kind.temperature_K,
            "sha256": _digest(folder / _OTHER_KIND / "model.json"),
        },
    }


def _held_out_lists(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Columns as lists; JSON knows no NaN, so an open side is null."""
    return {
        name: column.astype(object).where(column.notna(), None).tolist()
        for name, column in table.items()
    }


def _read_held_out(lists: dict[str, list[Any]] | None) -> pd.DataFrame:
    table = pd.DataFrame(lists or {}, columns=list(HELD_OUT_COLUMNS))
    return table.astype(dict.fromkeys(HELD_OUT_COLUMNS[2:], np.float64))


def _read_evidence(model: StructureModel, names: list[str]) -> tuple[EvidenceColumn, ...]:
    """The evidence that training found, by name, and a prior weight for each."""
    other = [] if model.other_kind is None else [model.other_kind.evidence]
    known = {e.column: e for e in (*model.evidence, *other)}
    found = tuple(known[name] for name in names)
    if len(found) != len(model.ensemble_.scale_.centre):
        raise ValueError("evidence: not one scale for each column")
    return found


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _read_other_kind(folder: Path, description: dict[str, Any] | None) -> OtherKind | None:
    if description is None:
        return None
    inner = folder / _OTHER_KIND
    path = inner / "model.json"
    if not path.is_file():
        raise ModelError(f"{path} is missing; copy the whole model folder")
    if _digest(path) != description["sha256"]:
        raise ModelError(f"{path} does not belong to this model (SHA-256 differs)")
    return OtherKind(load_model(inner), float(description["temperature_K"]))


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / "model.json"
    if not path.is_file():
        raise ModelError(f"{folder} is not a model folder: model.json is missing")
    if path.stat().st_size > _MAX_DESCRIPTION_BYTES:
        raise ModelError(f"{path} is larger than a description of a model can be")
    try:
        # NaN and Infinity are no JSON; none is ever written.
        description = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not valid JSON; train again") from error
    if not isinstance(description, dict) or description.get("type") != "StructureModel":
        raise ModelError(f"{path} does not describe a model of ionsieve")
    if description.get("format") != FORMAT:
        raise ModelError(
            f"{path} has format {description.get('format')}, this version reads {FORMAT}; "
            "train again"
        )
    _check_versions(path, description.get("versions", {}))
    return description


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _check_versions(path: Path, saved: dict[str, str]) -> None:
    for name in _CHECKED_VERSIONS:
        here, there = version_of(name), str(saved.get(name, "unknown"))
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


def _read_files(
    folder: Path, expected: dict[str, str], members: tuple[str, ...]
) -> dict[str, bytes]:
    content = {}
    # Names come from the list of members, never from the file: no path can lead out of the folder.
    for name in (*(LEARNERS[m].file for m in members), "domain.parquet"):
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{path} is missing; copy the whole model folder")
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path} is larger than a model can be")
        content[name] = path.read_bytes()
        if sha256(content[name]).hexdigest() != expected[name]:
            raise ModelError(f"{path} does not belong to this model.json (SHA-256 differs)")
    return content


def _read_ensemble(
    folder: Path, model: StructureModel, content: dict[str, bytes], description: dict[str, Any]
) -> CalibratedEnsemble:
    ensemble = CalibratedEnsemble(
        model.members,
        model.coverage,
        model.n_folds,
        model.seed,
        model.parameters,
        model.remainder,
    )
    ensemble.trust_ = Trust.from_dict(description["trust"])
    ensemble.scale_ = EvidenceScale.from_dict(description["evidence_scale"])
    n_weights = len(model.members) + len(ensemble.scale_.centre)
    if ensemble.trust_.weights.shape[1] != n_weights:
        raise ModelError(f"{folder}: model.json has not one weight for each learner and evidence")
    ensemble.learners_ = {}
    for member in model.members:
        file = LEARNERS[member].file
        learner = LEARNERS[member].read(
            SavedLearner(
                content=content[file],
                file=str(folder / file),
                n_features=len(model.columns_),
                seed=model.seed,
                settings=model.parameters.get(member, {}),
                state=description["learners"][member],
            )
        )
        if learner.n_features_in_ != len(model.columns_):
            raise ModelError(f"{folder / file} was trained on another number of features")
        ensemble.learners_[member] = learner
    return ensemble


def _read_domain(
    content: bytes, description: dict[str, Any], columns: tuple[str, ...]
) -> DomainDistance:
    import pyarrow.parquet as pq

    domain = DomainDistance()
    domain.centre_ = np.array(description["centre_"], dtype=np.float64)
    domain.scale_ = np.array(description["scale_"], dtype=np.float64)
    domain.typical_ = float(description["typical_"])
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        # A few bytes can announce as many rows as they like: sizes before numbers.
        n_rows, n_columns = file.metadata.num_rows, file.metadata.num_columns
        if not 0 < n_rows <= _MAX_REFERENCES or n_columns != 2 * len(columns):
            raise ModelError(f"domain.parquet has {n_rows:,} rows of {n_columns:,} columns")
        reference = file.read().to_pandas().to_numpy(dtype=np.float32)
    except OSError as error:  # what pyarrow raises for a damaged page
        raise ValueError(f"domain.parquet: {error}") from None
    # Same memory order as after fitting: matrix products round alike.
    domain.reference_ = np.ascontiguousarray(reference)
    numbers = (domain.centre_, domain.scale_, domain.typical_, domain.reference_)
    shape_ok = domain.centre_.shape == domain.scale_.shape == (len(columns),)
    if not shape_ok or not all(np.isfinite(n).all() for n in numbers):
        raise ValueError("domain: numbers that do not fit the columns")
    if not (domain.scale_ > 0).all() or not domain.typical_ > 0:
        raise ValueError("domain: a scale that is not positive")
    return domain


def _parquet(reference: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(reference).rename(columns=str).to_parquet(buffer, index=False)
    return buffer.getvalue()
