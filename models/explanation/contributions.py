"""Why a candidate is predicted as it is, and which descriptors matter for new groups.

Contributions are Shapley values and add up to the prediction exactly: of boosted trees as XGBoost
computes them (TreeSHAP, Lundberg 2020), of the forest by :mod:`..learners.tree_shap`, of a Gaussian
process by :mod:`..learners.process_shares`. A learner without attribution has a column of its own
name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd

from ...data.units import ROOM_TEMPERATURE_K
from ..labels.censoring import FloatArray
from ..labels.folds import grouped_folds
from ..learners.registry import LEARNERS
from ..model import StructureModel
from ..trust.calibration import label_residual
from ..trust.metrics import group_resamples, percentile_interval

POPULATION: Final = "population"
"""Column of :func:`contributions` that no feature is responsible for."""


def contributions(
    model: StructureModel, features: pd.DataFrame, temperature_K: float = ROOM_TEMPERATURE_K
) -> pd.DataFrame:
    """Contribution of each feature column to each prediction.

    Parameters
    ----------
    model : StructureModel
        Fitted.
    features : DataFrame
        One row per structure.
    temperature_K : float
        Temperature, K.

    Returns
    -------
    DataFrame
        Index of ``features``; one column per feature (what it says as evidence is
        added to the column that it looks at), ``population`` and one for learners without
        attribution, if any. Decades (of K for an onset); rows sum to log10 of the prediction's
        quantity.
    """
    matrix = model.matrix(features)
    mean, scale = (float(v) for v in model.target.line(np.float64(temperature_K)))
    total = np.zeros((len(matrix), len(model.columns_) + 1))
    other = np.zeros(len(matrix))
    distance = model.ensemble_.domain_.transform(matrix)
    weights = model.ensemble_.trust_.weights_at(distance)
    for weight, (name, learner) in zip(
        weights.T[: len(model.members)], model.ensemble_.learners_.items(), strict=True
    ):
        attributed = LEARNERS[name].shares
        if attributed is not None:
            total += weight[:, None] * attributed(learner, matrix)
        else:
            other += weight * learner.predict(matrix)
    table = pd.DataFrame(scale * total[:, :-1], index=features.index, columns=list(model.columns_))
    table[POPULATION] = mean + scale * total[:, -1]
    evidence = model.ensemble_.scale_.transform(model.evidence_matrix(features))
    learned, direct = np.split(weights, [len(model.members)], axis=1)
    # What the learners take for granted is the evidence's, too.
    granted = model.ensemble_.prior_weights(evidence.shape[1])
    shares = scale * (direct + learned.sum(axis=1, keepdims=True) * granted) * evidence
    for share, one in zip(shares.T, model.evidence_, strict=True):
        table[one.column] = share + table.get(one.column, 0.0)
    silent = [name for name in model.members if LEARNERS[name].shares is None]
    if silent:
        table["+".join(silent)] = scale * other
    return table


def family_contributions(table: pd.DataFrame, families: Mapping[str, str]) -> pd.DataFrame:
    """Sum contributions by feature family.

    Parameters
    ----------
    table : DataFrame
        From :func:`contributions`.
    families : mapping of column to family
        Columns without a family keep their name.
    """
    names = [families.get(str(c), str(c)) for c in table.columns]
    return table.T.groupby(names, sort=False).sum().T


def permutation_importance(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    make: Callable[[], StructureModel],
    families: Mapping[str, str],
    n_folds: int = 5,
    n_repeats: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """How much worse held-out groups are predicted when a family's columns are shuffled.

    All columns of a family move together between structures of the same held-out fold, so that
    correlated columns cannot stand in for each other.

    Parameters
    ----------
    features, labels : DataFrame
        As for :meth:`.StructureModel.fit`.
    make : callable
        Makes an unfitted model.
    families : mapping of column to family
    n_folds, n_repeats, seed : int

    Returns
    -------
    DataFrame
        Index: family. ``increase`` of the mean absolute residual (decades; bounds count by their
        violation), ``low`` and ``high``: 95 % bootstrap interval over groups.
    """
    target = make().target
    arrays = target.read(labels, features.index)
    known = labels["structure_id"].astype(str)
    rng = np.random.default_rng(seed)
    names = sorted(set(families.values()))
    increase = {name: np.zeros(len(arrays.row)) for name in names}
    for train, test in grouped_folds(arrays.group, n_folds, seed):
        model = make().fit(features, labels[known.isin(features.index[arrays.row[train]].map(str))])
        rows, at = features.iloc[arrays.row[test]], _temperature(arrays.temperature_K[test])
        bounds = target.shown(arrays.bounds[test])
        plain = label_residual(bounds, model.predict(rows, at)["prediction"].to_numpy())
        for name in names:
            columns = [c for c in model.columns_ if families.get(c) == name]
            for _ in range(n_repeats if columns else 0):
                answer = model.predict(_shuffled(rows, columns, rng), at)["prediction"].to_numpy()
                increase[name][test] += (label_residual(bounds, answer) - plain) / n_repeats
    samples = group_resamples(arrays.group, seed)
    found = {
        name: (float(v.mean()), *percentile_interval(np.array([v[s].mean() for s in samples])))
        for name, v in increase.items()
    }
    table = pd.DataFrame.from_dict(found, orient="index", columns=["increase", "low", "high"])
    return table.sort_values("increase", ascending=False)


def _temperature(temperature_K: FloatArray) -> FloatArray:
    """An onset has no temperature of its own; any will do."""
    return np.where(np.isfinite(temperature_K), temperature_K, ROOM_TEMPERATURE_K)


def _shuffled(rows: pd.DataFrame, columns: list[str], rng: np.random.Generator) -> pd.DataFrame:
    order = rng.permutation(len(rows))
    return rows.assign(**{c: rows[c].to_numpy()[order] for c in columns})
