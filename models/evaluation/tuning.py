"""Settings of the learners by Optuna, inside grouped folds of the training labels only.

Each learner family has its own study: a trial costs one family, and the studies resume
independently. The first trial is the default, so that tuning cannot end below it on the folds it
sees. Trial k is drawn with a sampler seeded by (seed, k): a study that was interrupted continues
exactly as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...data.errors import ModelError
from ..ensemble import DEFAULT_MEMBERS
from ..labels.censoring import FloatArray
from ..labels.folds import IntArray, grouped_folds
from ..labels.tables import feature_matrix, usable_columns
from ..labels.targets import make_target
from ..learners.registry import LEARNERS
from ..model import StructureModel, make_model
from ..trust.calibration import group_weights, label_residual

if TYPE_CHECKING:
    import optuna

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TuningResult:
    """Best settings by learner family and how they did on the inner folds."""

    parameters: dict[str, dict[str, Any]]
    losses: dict[str, float]
    """Held-out loss of the best trial, standard deviations of the population."""
    default_losses: dict[str, float]
    n_trials: dict[str, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Problem:
    """Training labels as the learners see them."""

    matrix: FloatArray
    bounds: FloatArray
    groups: IntArray
    folds: list[tuple[IntArray, IntArray]]
    seed: int

    def loss(self, member: str, settings: Mapping[str, Any]) -> float:
        """Group-weighted mean distance of held-out predictions to labels, bounds as bounds."""
        held_out = np.empty(len(self.matrix))
        for train, test in self.folds:
            learner = LEARNERS[member].make(random_state=self.seed, **settings)
            learner.fit(self.matrix[train], self.bounds[train])
            held_out[test] = learner.predict(self.matrix[test])
        residual = label_residual(self.bounds, held_out)
        return float(np.average(residual, weights=group_weights(self.groups)))

    def fingerprint(self) -> str:
        digest = sha256(np.ascontiguousarray(self.matrix).tobytes())
        digest.update(np.ascontiguousarray(self.bounds).tobytes())
        digest.update(self.groups.tobytes() + str(self.seed).encode())
        return digest.hexdigest()[:12]


def tune(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    quantity: str,
    n_trials: int,
    seed: int = 0,
    storage: Path | None = None,
    members: Sequence[str] = DEFAULT_MEMBERS,
    n_folds: int = 4,
    progress: Progress | None = None,
) -> TuningResult:
    """Search settings with a budget of trials.

    Parameters
    ----------
    features, labels : DataFrame
        As for :meth:`.StructureModel.fit`; pass training labels only.
    quantity : str
        As in the label table.
    n_trials : int
        Trials over all learner families, finished ones of a resumed study included.
    seed : int
    storage : path, optional
        SQLite file; a study of the same data and seed found there is continued.
    members : sequence of str
    n_folds : int
        Inner folds over the groups of the labels.
    progress : callable, optional
        Called with finished and wanted trials.

    Raises
    ------
    ModelError
        If the budget does not give each family a trial.
    """
    if n_trials < len(members):
        raise ModelError(f"tuning {len(members)} learner families needs at least as many trials")
    problem = _problem(features, labels, quantity, n_folds, seed)
    budget = _budget(n_trials, members)
    done = 0
    studies = {}
    for member in members:
        with _study(problem, member, storage) as study:
            for _ in range(budget[member]):
                if len(_finished(study)) < budget[member]:
                    _run_trial(study, problem, member)
                done += 1
                if progress is not None:
                    progress(done, n_trials)
            studies[member] = _outcome(study)
    best, losses, defaults, counts = zip(*studies.values(), strict=True)
    return TuningResult(
        dict(zip(members, best, strict=True)),
        dict(zip(members, losses, strict=True)),
        dict(zip(members, defaults, strict=True)),
        dict(zip(members, counts, strict=True)),
    )


class TunedModel:
    """Tunes on the labels it is given, then fits: nested in an outer split by construction.

    Parameters
    ----------
    quantity : str
    n_trials : int
    storage : path, optional
        SQLite file for the studies; each training set has its own.
    settings
        Passed to :func:`.make_model`.
    """

    def __init__(
        self, quantity: str, n_trials: int, storage: Path | None = None, **settings: Any
    ) -> None:
        self.quantity = quantity
        self.n_trials = n_trials
        self.storage = storage
        self.settings = settings

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> Self:
        """Tune and fit on these labels only."""
        self.tuning_ = tune(
            features,
            labels,
            self.quantity,
            self.n_trials,
            seed=int(self.settings.get("seed", 0)),
            storage=self.storage,
            members=self.settings.get("members", DEFAULT_MEMBERS),
        )
        tuned = {**self.settings, "parameters": self.tuning_.parameters}
        self.model_: StructureModel = make_model(self.quantity, **tuned)
        self.model_.fit(features, labels)
        return self

    def predict(self, features: pd.DataFrame, temperature_K: ArrayLike) -> pd.DataFrame:
        """As :meth:`.StructureModel.predict`."""
        return self.model_.predict(features, temperature_K)


def _problem(
    features: pd.DataFrame, labels: pd.DataFrame, quantity: str, n_folds: int, seed: int
) -> _Problem:
    target = make_target(quantity)
    arrays = target.read(labels, features.index)
    target.fit(arrays)
    columns = usable_columns(features.iloc[arrays.row])
    mean, scale = target.line(arrays.temperature_K)
    return _Problem(
        matrix=feature_matrix(features, columns)[arrays.row],
        bounds=(arrays.bounds - mean[:, None]) / scale[:, None],
        groups=arrays.group,
        folds=list(grouped_folds(arrays.group, n_folds, seed)),
        seed=seed,
    )


def _budget(n_trials: int, members: Sequence[str]) -> dict[str, int]:
    """Trials by family: at least one each, the rest by share, rounding to the first family."""
    total = sum(LEARNERS[m].tuning_share for m in members)
    spare = n_trials - len(members)
    budget = {m: 1 + int(spare * LEARNERS[m].tuning_share / total) for m in members}
    largest = max(members, key=lambda m: LEARNERS[m].tuning_share)
    budget[largest] += n_trials - sum(budget.values())
    return budget


@contextmanager
def _study(problem: _Problem, member: str, storage: Path | None) -> Iterator[optuna.Study]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = None
    if storage is not None:
        storage.parent.mkdir(parents=True, exist_ok=True)
        kept = optuna.storages.RDBStorage(f"sqlite:///{storage.resolve()}")
    study = optuna.create_study(
        storage=kept,
        study_name=f"{member}-{problem.fingerprint()}",
        direction="minimize",
        load_if_exists=True,
    )
    try:
        yield study
    finally:
        if kept is not None:
            kept.remove_session()
            kept.engine.dispose()


def _run_trial(study: optuna.Study, problem: _Problem, member: str) -> None:
    import optuna

    # A killed run leaves a trial that never ends: it has no number and no say.
    number = len(_finished(study))
    if number == 0:
        _add_default(study, problem, member)
        return
    study.sampler = optuna.samplers.TPESampler(seed=problem.seed * 100_003 + number)
    study.optimize(lambda trial: problem.loss(member, LEARNERS[member].space(trial)), n_trials=1)


def _add_default(study: optuna.Study, problem: _Problem, member: str) -> None:
    """The default comes first and whole: a kill cannot leave it queued twice."""
    import optuna

    fixed = optuna.trial.FixedTrial(LEARNERS[member].make().get_params())
    settings = LEARNERS[member].space(fixed)
    study.add_trial(
        optuna.trial.create_trial(
            params=settings,
            distributions=fixed.distributions,
            value=problem.loss(member, settings),
        )
    )


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return [t for t in study.trials if t.value is not None]


def _outcome(study: optuna.Study) -> tuple[dict[str, Any], float, float, int]:
    finished = _finished(study)
    first = min(finished, key=lambda t: t.number)
    return (
        dict(study.best_params),
        float(study.best_value),
        float(first.value if first.value is not None else np.nan),
        len(finished),
    )
