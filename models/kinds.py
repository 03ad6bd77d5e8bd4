"""Models of several kinds of labels that inform one another.

AIMD labels are few and come with structures; measured conductivities are many, and most have a
composition only. Each kind gets a model of its own population; a first model of each, blind to the
other kind, is evidence for the other (:mod:`.fidelity`). For labelled materials that evidence is
predicted out of fold: never from labels of the same chemical system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from .evidence.columns import PHYSICS
from .fidelity import learn_other_kind
from .model import ConductivityModel, StructureModel

_BLIND: Final[dict[str, Any]] = {"members": ("extra_trees",), "n_folds": 3, "remainder": False}
"""Settings of the first models: one learner, and folds enough to know how far to shrink it."""
AIMD_LEARNERS: Final = {"members": ("extra_trees", "gaussian_process"), "remainder": True}
"""Sixty materials say little beyond what the evidence says: learners of what it leaves over.
Boosting of the whole target in their place ranked left-out families and the M3GNet set worse."""
EXPERIMENT_FOREST: Final = {"n_trees": 200, "max_features": 0.33}
"""Chosen on left-out publications and compositions, among 0.33 and 0.7 of the columns."""
_BLIND_FOREST: Final = {"n_trees": 200, "max_features": 0.7}
"""Without evidence, and with all columns of a composition, the larger share was not worse there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KindTable:
    """Labels of one kind with the features of their materials.

    Parameters
    ----------
    features : DataFrame
        Index = structure id.
    labels : DataFrame
        Label table of ``sigma_S_cm``.
    chemsys : Series
        Chemical system by structure id.
    """

    features: pd.DataFrame
    labels: pd.DataFrame
    chemsys: pd.Series


@dataclass(frozen=True, kw_only=True, eq=False)
class KindModels:
    """Fitted models of both kinds, and the tables they were fitted to.

    The tables hold the out-of-fold evidence of the other kind as one more column.
    """

    aimd: StructureModel
    experiment: StructureModel
    aimd_features: pd.DataFrame
    aimd_labels: pd.DataFrame
    experiment_features: pd.DataFrame
    experiment_labels: pd.DataFrame


def learn_kinds(
    aimd: KindTable,
    experiment: KindTable,
    composition_columns: Sequence[str],
    learned_columns: Sequence[str],
    seed: int = 0,
    threshold_S_cm: float = 1e-3,
) -> KindModels:
    """Fit a model of AIMD and one of experiment, each informed by the other.

    Parameters
    ----------
    aimd, experiment : KindTable
    composition_columns : sequence of str
        Columns that materials without a structure have, too: what measurements tell AIMD.
    learned_columns : sequence of str
        Those among them that the model of measurements learns from.
    seed : int
    threshold_S_cm : float
    """
    make_aimd, make_experiment = _makers(learned_columns, seed, threshold_S_cm)
    aimd_features, measured = learn_other_kind(
        aimd.features,
        aimd.chemsys,
        experiment.features,
        experiment.chemsys,
        experiment.labels,
        lambda: make_experiment(
            evidence=(),
            columns=tuple(composition_columns),
            parameters={"extra_trees": _BLIND_FOREST},
            **_BLIND,
        ),
        seed=seed,
    )
    experiment_features, simulated = learn_other_kind(
        experiment.features,
        experiment.chemsys,
        aimd.features,
        aimd.chemsys,
        aimd.labels,
        lambda: make_aimd(**_BLIND),
        seed=seed,
    )
    model = make_aimd()
    model.other_kind = measured
    model.fit(aimd_features, aimd.labels)
    other = make_experiment()
    other.other_kind = simulated
    other.fit(experiment_features, experiment.labels)
    return KindModels(
        aimd=model,
        experiment=other,
        aimd_features=aimd_features,
        aimd_labels=aimd.labels,
        experiment_features=experiment_features,
        experiment_labels=experiment.labels,
    )


def _makers(
    learned_columns: Sequence[str], seed: int, threshold_S_cm: float
) -> tuple[Callable[..., StructureModel], Callable[..., StructureModel]]:
    def make_aimd(**settings: object) -> StructureModel:
        chosen = {**AIMD_LEARNERS, **settings}
        return ConductivityModel(seed=seed, threshold_S_cm=threshold_S_cm, **chosen)  # type: ignore[arg-type]

    def make_experiment(**settings: object) -> StructureModel:
        chosen = {
            "evidence": PHYSICS,
            "columns": tuple(learned_columns),
            "parameters": {"extra_trees": EXPERIMENT_FOREST},
            **settings,
        }
        return ConductivityModel(seed=seed, threshold_S_cm=threshold_S_cm, **chosen)  # type: ignore[arg-type]

    return make_aimd, make_experiment
