"""Why a candidate has its rank: everything behind one row of a finished screen, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ...data.errors import InputError, ModelError
from ...data.formats.optimade_write import whole_numbers
from ...data.records import StructureRecord, reduced_formula
from ...data.store.hulls import read_hull_row
from ...data.units import ROOM_TEMPERATURE_K
from ...features.catalogue import catalogue
from ...features.core.prepared import prepare
from ...features.featurizer import numeric_columns
from ...models.explanation.contributions import POPULATION, contributions, family_contributions
from ..results.read import FinishedRun
from ..screen.flags import flags_of
from ..screen.training import TrainedModel, embedded_model, model_key, own_model
from .anions import AnionGroup, Net, anion_groups, n_ambiguous_bonded, nets

TOP_COLUMNS: Final[int] = 12
NEAREST: Final[int] = 5

_TOLERANCE = 2e-6
"""Predictions in the ranking are rounded to 1e-6."""

CAUTION: Final[str] = (
    "The labels are AIMD conductivities: optimistic against experiment, often by a factor of ten. "
    "Most at 300 K were extrapolated from higher temperatures by their authors."
)


@dataclass(frozen=True)
class Share:
    """What one descriptor family adds to the prediction, decades."""

    family: str
    decades: float


@dataclass(frozen=True, kw_only=True)
class ColumnShare:
    """What one descriptor adds to the prediction.

    ``quantile`` is the share of the ranked structures with a smaller value, equal ones counting
    half; None, as is ``value``, where the descriptor is not defined.
    """

    column: str
    family: str
    unit: str
    definition: str
    value: float | None
    quantile: float | None
    decades: float


@dataclass(frozen=True, kw_only=True)
class MeasuredLabel:
    """One conductivity of the AIMD table, S/cm; a bound has no value."""

    temperature_K: float
    value_S_cm: float | None
    lower_S_cm: float | None
    upper_S_cm: float | None
    derived: bool
    source: str
    doi: str


@dataclass(frozen=True)
class Neighbour:
    """A structure of the AIMD table that the candidate resembles."""

    id: str
    formula: str
    distance: float
    labels: tuple[MeasuredLabel, ...]
    """Nearest to 300 K first."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Everything behind one rank; plain values throughout.

    Attributes
    ----------
    row : dict
        The row of the ranking.
    population : float
        log10 S/cm: what the model says of no structure in particular, where contributions begin.
    families, columns : tuples
        Shapley values; those of ``families`` and ``population`` add up to the prediction.
    by_features, by_composition : tuples of Neighbour
        Distances: as ``domain_distance``; half the sum of differences of atomic fractions.
    flags : dict
        Each flag with what raised it.
    """

    row: dict[str, Any]
    n_ranked: int
    mobile: str
    threshold_mS_cm: float
    population: float
    families: tuple[Share, ...]
    columns: tuple[ColumnShare, ...]
    by_features: tuple[Neighbour, ...]
    by_composition: tuple[Neighbour, ...]
    anions: tuple[AnionGroup, ...]
    n_ambiguous_bonded: int
    nets: tuple[Net, ...]
    flags: dict[str, list[str]]
    caution: str
    origin: dict[str, str | None]
    metal: dict[str, str] | None = None
    """Window, reaction and voltage profile against Li metal, where entries were given."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not defined is None."""
        return _finite(asdict(self))


def explain_candidate(
    run: FinishedRun, name: str, cache: Path | None = None
) -> tuple[Explanation, StructureRecord]:
    """Explain one candidate of a finished screen.

    Parameters
    ----------
    run : FinishedRun
    name : str
        Id or rank.
    cache : path, optional
        Folder of cached models.

    Raises
    ------
    InputError
        If there is no such candidate, or the run used another model than this version trains.
    ModelError
        If the model does not give the prediction of the run.
    """
    row = run.find(name)
    trained = model_of(run, cache)
    record, features = run.record(row["id"]), run.features
    own = features.loc[[row["id"]]]
    shares = _shares(trained, own, run)
    _check_prediction(row, float(shares.sum(axis=1).iloc[0]))
    prepared = prepare(record, run.mobile)
    explanation = Explanation(
        row=row,
        n_ranked=len(run.ranking),
        mobile=run.mobile,
        threshold_mS_cm=1e3 * float(run.settings["threshold_S_cm"]),
        population=float(shares[POPULATION].iloc[0]),
        families=_families(shares),
        columns=_columns(shares, features, row["id"]),
        by_features=_nearest_by_features(trained, own),
        by_composition=_nearest_by_composition(trained, record),
        anions=anion_groups(prepared),
        n_ambiguous_bonded=n_ambiguous_bonded(prepared),
        nets=nets(prepared),
        flags=flags_of(row),
        caution=CAUTION,
        origin={
            "source": record.provenance.source,
            "licence": record.provenance.licence,
            "reference": record.provenance.reference,
            "note": "; ".join(filter(None, [record.provenance.note, *record.notes])) or None,
        },
        metal=_against_metal(run, row["id"]),
    )
    return explanation, record


def _against_metal(run: FinishedRun, name: str) -> dict[str, str] | None:
    """What the store of the run says of a structure and lithium metal; None where nothing."""
    inputs = run.facts.get("inputs", [])
    for folder in (run.folder / "store", *map(Path, map(str, inputs))):
        found = read_hull_row(folder, name)
        if found is not None:
            return found
    return None


def model_of(run: FinishedRun, cache: Path | None) -> TrainedModel:
    """The model of a run, from the cache or trained again.

    Raises
    ------
    InputError
        If labels, code or settings have changed since, so that it would be another model.
    """
    seed, threshold = int(run.settings["seed"]), float(run.settings["threshold_S_cm"])
    used, own = run.facts["model"]["key"], run.settings.get("model")
    if own is not None:
        trained = own_model(own, threshold, run.mobile)
        if trained.key != used:
            raise InputError(
                f"{run.folder}: {own} is another model than it was ranked by; screen again"
            )
        return trained
    today = model_key(seed, threshold, run.families, run.mobile)
    if used != today:
        raise InputError(
            f"{run.folder}: was ranked by model {used}, this version of ionsieve trains {today}; "
            "screen again to explain its ranks"
        )
    return embedded_model(seed, threshold, run.families, cache, mobile=run.mobile)


def _shares(trained: TrainedModel, own: pd.DataFrame, run: FinishedRun) -> pd.DataFrame:
    return contributions(trained.model, own[numeric_columns(run.families)], ROOM_TEMPERATURE_K)


def _check_prediction(row: Mapping[str, Any], total: float) -> None:
    """Contributions of boosted trees are added in single precision: 1e-4 of a decade."""
    if abs(total - row["log10_sigma_300K_S_cm"]) > 1e-4 + _TOLERANCE:
        raise ModelError(
            f"{row['id']}: the model gives log10 σ {total:.4f} here, the ranking has "
            f"{row['log10_sigma_300K_S_cm']:.4f}; screen again"
        )


def _families(shares: pd.DataFrame) -> tuple[Share, ...]:
    names = {c.name: c.family for c in catalogue()}
    by_family = family_contributions(shares.drop(columns=POPULATION), names).iloc[0]
    ordered = sorted(by_family.items(), key=lambda item: (-abs(item[1]), str(item[0])))
    return tuple(Share(str(name), float(value)) for name, value in ordered)


def _columns(
    shares: pd.DataFrame, population: pd.DataFrame, row_id: str
) -> tuple[ColumnShare, ...]:
    known = {c.name: c for c in catalogue()}
    own = shares.iloc[0]
    names = sorted((c for c in own.index if c in known), key=lambda c: (-abs(own[c]), str(c)))
    found = []
    for name in names[:TOP_COLUMNS]:
        column, value = known[name], float(population.loc[row_id, name])
        found.append(
            ColumnShare(
                column=name,
                family=column.family,
                unit=column.unit,
                definition=column.definition,
                value=None if math.isnan(value) else value,
                quantile=_quantile(population[name], value),
                decades=float(own[name]),
            )
        )
    return tuple(found)


def _quantile(values: pd.Series, value: float) -> float | None:
    known = values.dropna()
    if math.isnan(value) or known.empty:
        return None
    return float((known < value).mean() + 0.5 * (known == value).mean())


def _nearest_by_features(trained: TrainedModel, own: pd.DataFrame) -> tuple[Neighbour, ...]:
    """In the space of the domain distance: the first is the structure that it is measured to."""
    model = trained.model
    table = trained.features.loc[[r.id for r in trained.structures]]
    distance = model.ensemble_.domain_.between(model.matrix(own), model.matrix(table))[0]
    return _neighbours(trained, distance)


def _nearest_by_composition(
    trained: TrainedModel, record: StructureRecord
) -> tuple[Neighbour, ...]:
    distance = [_composition_distance(record, other) for other in trained.structures]
    return _neighbours(trained, np.array(distance))


def _composition_distance(one: StructureRecord, other: StructureRecord) -> float:
    a, b = (
        {e: n / sum(r.composition.values()) for e, n in r.composition.items()} for r in (one, other)
    )
    return 0.5 * sum(abs(a.get(e, 0.0) - b.get(e, 0.0)) for e in sorted({*a, *b}))


def _neighbours(trained: TrainedModel, distance: np.ndarray) -> tuple[Neighbour, ...]:
    """The nearest of ``trained.structures``; equal distances by id."""
    known = trained.structures
    order = np.lexsort((np.array([r.id for r in known]), np.round(distance, 9)))
    return tuple(
        Neighbour(
            known[i].id,
            _formula(known[i]),
            float(distance[i]),
            _labels(trained.labels, known[i].id),
        )
        for i in order[:NEAREST]
    )


def _formula(record: StructureRecord) -> str:
    """In whole numbers, as people write the formula of a disordered crystal."""
    return reduced_formula({e: float(n) for e, n in whole_numbers(record.composition).items()})


def _labels(labels: pd.DataFrame, structure_id: str) -> tuple[MeasuredLabel, ...]:
    own = labels[labels["structure_id"] == structure_id]
    away = (own["temperature_K"] - ROOM_TEMPERATURE_K).abs()
    return tuple(
        MeasuredLabel(
            temperature_K=float(row["temperature_K"]),
            value_S_cm=_number(row["value"]),
            lower_S_cm=_number(row["lower"]),
            upper_S_cm=_number(row["upper"]),
            derived=bool(row["derived"]),
            source=str(row["source"]),
            doi=str(row["doi"]),
        )
        for row in own.loc[away.sort_values(kind="stable").index].to_dict("records")
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
