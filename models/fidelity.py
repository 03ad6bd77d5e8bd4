"""Several kinds of labels: a model of one kind as a feature for another.

Kinds are never pooled: AIMD, machine-learned MD and experiment differ by decades. What one kind
knows can still help the other as a feature. Whether it does is for the evaluation to say.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..data.units import ROOM_TEMPERATURE_K
from .folds import grouped_folds, joined_groups
from .model import StructureModel


def other_kind_feature(
    features: pd.DataFrame,
    other_features: pd.DataFrame,
    other_labels: pd.DataFrame,
    make: Callable[[], StructureModel],
    groups: pd.Series,
    other_groups: pd.Series,
    temperature_K: float = ROOM_TEMPERATURE_K,
    n_folds: int = 5,
    seed: int = 0,
) -> pd.Series:
    """Predictions of a model of another kind, never from labels of a structure's own group.

    Parameters
    ----------
    features : DataFrame
        Structures that get the feature, index = structure id.
    other_features, other_labels : DataFrame
        Feature and label table of the other kind.
    make : callable
        Makes the unfitted model of the other kind.
    groups, other_groups : Series
        Group (chemical system, say) by structure id in the two tables. A structure whose group
        also occurs in the other table is predicted out of fold: otherwise the feature would be the
        other kind's label of the same material in disguise.
    temperature_K : float
        Temperature of the prediction, K.
    n_folds, seed : int

    Returns
    -------
    Series
        Indexed like ``features``; unit of the other model's target.
    """
    ids = pd.Index(other_labels["structure_id"].unique())
    names = list(other_groups.reindex(ids).astype(str))
    numbers = joined_groups(list(ids.astype(str)), names)
    own = groups.reindex(features.index).astype(str)
    result = pd.Series(np.nan, index=features.index)
    for train, test in grouped_folds(numbers, n_folds, seed):
        held_out = own.isin({names[i] for i in test}).to_numpy()
        if held_out.any():
            model = make().fit(
                other_features, other_labels[other_labels["structure_id"].isin(ids[train])]
            )
            result[held_out] = model.predict(features[held_out], temperature_K)["prediction"]
    rest = result.isna().to_numpy()
    if rest.any():
        model = make().fit(other_features, other_labels)
        result[rest] = model.predict(features[rest], temperature_K)["prediction"]
    return result
