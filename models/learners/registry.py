"""The learners of the house by name. A new one is one more value here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from xgboost import DMatrix

from ...data.errors import ModelError
from ..labels.censoring import FloatArray
from .booster_checks import check_booster
from .gaussian_process import BoundedGaussianProcess
from .learner import Learner, SavedLearner
from .process_shares import process_shares
from .skops_files import read_learner, write_learner
from .tree_shap import tree_shap
from .trees import BoundedBoosting, BoundedExtraTrees

if TYPE_CHECKING:
    import optuna


def _forest_space(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 8, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
    }


def _boosting_space(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "n_rounds": trial.suggest_int("n_rounds", 50, 600, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 6),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 20.0, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.3, 30.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample": trial.suggest_float("colsample", 0.1, 1.0),
        "scale": trial.suggest_float("scale", 0.2, 1.2, log=True),
    }


def _process_space(trial: optuna.Trial) -> dict[str, Any]:
    return {
        "n_columns": trial.suggest_int("n_columns", 5, 80, log=True),
        "max_correlation": trial.suggest_float("max_correlation", 0.7, 0.99),
    }


def _forest_shares(learner: BoundedExtraTrees, matrix: FloatArray) -> FloatArray:
    filled = learner.filled(matrix)
    # Whether a value is missing counts to its column: both are one player.
    player, forest = learner.filling_.source, learner.forest_
    trees = (forest.tree(number) for number in range(forest.n_trees))
    shares = sum(tree_shap(tree, player, filled, matrix.shape[1]) for tree in trees)
    return np.asarray(shares) / forest.n_trees


def _boosting_shares(learner: BoundedBoosting, matrix: FloatArray) -> FloatArray:
    shares = learner.booster_.predict(DMatrix(matrix, nthread=1), pred_contribs=True)
    shares = learner.unit_ * np.asarray(shares, dtype=np.float64)
    shares[:, -1] += learner.centre_
    return shares


def _read_boosting(saved: SavedLearner) -> BoundedBoosting:
    from xgboost import Booster
    from xgboost.core import XGBoostError

    boosting = BoundedBoosting(random_state=saved.seed, **saved.settings)
    boosting.centre_ = float(saved.state["centre_"])
    boosting.unit_ = float(saved.state["unit_"])
    check_booster(saved.content, saved.n_features)
    boosting.booster_ = Booster({"nthread": 1})
    try:
        boosting.booster_.load_model(bytearray(saved.content))
    except XGBoostError as error:
        raise ModelError(f"{saved.file} is not an XGBoost model") from error
    boosting.n_features_in_ = int(boosting.booster_.num_features())
    return boosting


EXTRA_TREES: Final = Learner(
    name="extra_trees",
    make=BoundedExtraTrees,
    suffix=".skops",
    write=write_learner,
    read=lambda saved: read_learner(saved.content, saved.file, BoundedExtraTrees),
    space=_forest_space,
    tuning_share=0.2,
    shares=_forest_shares,
    # The mean over trees settles early; forests take most of the time of calibration.
    held_out={"n_trees": 80},
)
XGBOOST: Final = Learner(
    name="xgboost",
    make=BoundedBoosting,
    suffix=".ubj",
    write=lambda learner: bytes(learner.booster_.save_raw("ubj")),
    read=_read_boosting,
    space=_boosting_space,
    tuning_share=0.6,
    shares=_boosting_shares,
    state=lambda learner: {"centre_": learner.centre_, "unit_": learner.unit_},
)
GAUSSIAN_PROCESS: Final = Learner(
    name="gaussian_process",
    make=BoundedGaussianProcess,
    suffix=".skops",
    write=write_learner,
    read=lambda saved: read_learner(saved.content, saved.file, BoundedGaussianProcess),
    space=_process_space,
    tuning_share=0.2,
    shares=process_shares,
    recalls=False,
)

LEARNERS: Final[dict[str, Learner]] = {
    learner.name: learner for learner in (EXTRA_TREES, XGBOOST, GAUSSIAN_PROCESS)
}
"""Learner families by name."""
