"""Several kinds of labels: a model of one kind as evidence for another.

Kinds are never pooled: AIMD, machine-learned MD and experiment differ by decades, and each has its
own population line. They share the position of a material in its population, so that what one kind
knows enters the prior mean of the other (:mod:`.evidence.prior`), by as much as the labels of the
other confirm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ..data.errors import ModelError
from ..data.units import ROOM_TEMPERATURE_K
from .evidence.columns import EvidenceColumn
from .labels.folds import grouped_folds, joined_groups
from .model import StructureModel

OTHER_KIND_WEIGHT: Final = 0.05
"""Expected of another kind before any label is seen: less than of a barrier."""


@dataclass(frozen=True)
class OtherKind:
    """A model of another kind of labels whose prediction is evidence.

    Parameters
    ----------
    model : StructureModel
        Fitted on all labels of the other kind.
    temperature_K : float
        Temperature of its prediction, K; without effect on an onset.
    """

    model: StructureModel
    temperature_K: float

    @property
    def column(self) -> str:
        """Name of the feature: kind and quantity."""
        return f"{self.model.training_['kind']}_{self.model.quantity}"

    @property
    def evidence(self) -> EvidenceColumn:
        """The column and its direction: a low onset is fast, a high conductivity."""
        return EvidenceColumn(
            column=self.column,
            direction=1 if self.model.target.event_above else -1,
            weight=OTHER_KIND_WEIGHT,
        )

    def values(self, features: pd.DataFrame) -> pd.Series:
        """The column; a value that is in the table already (out of fold, say) stays."""
        known = features.get(self.column, pd.Series(np.nan, index=features.index))
        rest = known.isna().to_numpy()
        if rest.any():
            known = known.copy()
            asked = features if rest.all() else features[rest]
            known[rest] = self.model.predict(asked, self.temperature_K)["prediction"]
        return known

    def add_to(self, features: pd.DataFrame) -> pd.DataFrame:
        """The table with the column."""
        return features.assign(**{self.column: self.values(features)})


def learn_other_kind(
    features: pd.DataFrame,
    groups: pd.Series,
    other_features: pd.DataFrame,
    other_groups: pd.Series,
    other_labels: pd.DataFrame,
    make: Callable[[], StructureModel],
    n_folds: int = 5,
    seed: int = 0,
) -> tuple[pd.DataFrame, OtherKind]:
    """Fit a model of another kind and add its out-of-fold predictions as a column of evidence.

    Parameters
    ----------
    features, groups, other_features, other_groups, other_labels, make, n_folds, seed
        As in :func:`other_kind_feature`; ``make`` makes the unfitted model of the other kind.

    Returns
    -------
    DataFrame, OtherKind
        ``features`` with one more column, and the model that adds it to new structures. The model
        is asked at the median temperature of its labels, where it knows most.

    Raises
    ------
    ModelError
        If labels with features are too few to learn from.
    """
    usable = other_labels[other_labels["structure_id"].isin(other_features.index)]
    n_structures = usable["structure_id"].nunique()
    if n_structures < n_folds:
        raise ModelError(
            f"{n_structures} structures have features and labels of the other kind; "
            f"give at least {n_folds}, one for each fold"
        )
    temperature = float(usable["temperature_K"].median())
    temperature_K = temperature if np.isfinite(temperature) else ROOM_TEMPERATURE_K
    other = OtherKind(make().fit(other_features, usable), temperature_K)
    column = other_kind_feature(
        features, other_features, usable, other, groups, other_groups, n_folds=n_folds, seed=seed
    )
    return features.assign(**{other.column: column}), other


def other_kind_feature(
    features: pd.DataFrame,
    other_features: pd.DataFrame,
    other_labels: pd.DataFrame,
    other: OtherKind,
    groups: pd.Series,
    other_groups: pd.Series,
    n_folds: int = 5,
    seed: int = 0,
) -> pd.Series:
    """Predictions of a model of another kind, never from labels of a structure's own group.

    Population, imputed bounds, filled gaps, learners and distances are learned again without each
    fold. The few stacking weights are not: they are measured once, on held-out predictions for all
    labels of the other kind. One weight for each learner and distance says how far such models are
    to be believed; it cannot hold the label of a group.

    Parameters
    ----------
    features : DataFrame
        Structures that get the feature, index = structure id.
    other_features, other_labels : DataFrame
        Feature and label table of the other kind.
    other : OtherKind
        Fitted on all of these labels: answers for structures of groups that they lack.
    groups, other_groups : Series
        Group (chemical system, say) by structure id in the two tables. A structure whose group
        also occurs in the other table is predicted out of fold: otherwise the feature would be the
        other kind's label of the same material in disguise.
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
            known = other_labels[other_labels["structure_id"].isin(ids[train])]
            model = other.model.unfitted()
            model.fit(other_features, known, trust=other.model.ensemble_.trust_)
            result[held_out] = model.predict(features[held_out], other.temperature_K)["prediction"]
    rest = result.isna().to_numpy()
    if rest.any():
        answers = other.model.predict(features[rest], other.temperature_K)
        result[rest] = answers["prediction"]
    return result
