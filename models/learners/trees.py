"""Tree learners that take bounds as bounds: extra trees by imputation, XGBoost by likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from xgboost import DMatrix

from ...data.rounding import meaningful_array
from ..labels.censoring import (
    FloatArray,
    is_closed,
    is_exact,
    middle,
    spread_or_one,
    truncated_moments,
)
from .bounded import BoundedRegressor
from .filling import Filling
from .forest import Growth, grow_forest, out_of_bag

_LEAST_KNOWN = 2.0 / 3.0
"""Share of rows with a value below which a column filled with its median misleads a forest."""

_LARGEST = 1e38
"""Forests take single precision; a larger number is as good as this one."""
_EXP_LIMIT = 30.0
"""XGBoost's accelerated-failure-time objective takes exp(target); beyond this it overflows."""


class BoundedExtraTrees(BoundedRegressor):
    """Extra trees whose bounded labels are imputed within their bounds during the fit.

    Buckley and James' idea with a forest in place of the line: bounded rows take the expectation
    of a normal around the out-of-bag prediction, truncated to the bound, and the forest is grown
    again. Missing features are filled with the training median and marked by an indicator column;
    a column that is missing in over a third of the rows is left to learners that need no filling.
    Columns that never vary, or are equal to an earlier one, are not grown on.

    Parameters
    ----------
    n_trees : int
        Trees of the final forest; imputing forests have a quarter of them.
    min_samples_leaf : int
    max_features : float
        Share of the columns tried at a split.
    imputation_rounds : int
        How often bounded rows are imputed again; no effect where all labels are values.
    random_state : int or RandomState
    """

    def __init__(
        self,
        n_trees: int = 200,
        min_samples_leaf: int = 1,
        max_features: float = 0.5,
        imputation_rounds: int = 1,
        random_state: Any = 0,
    ) -> None:
        self.n_trees = n_trees
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.imputation_rounds = imputation_rounds
        self.random_state = random_state

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> BoundedExtraTrees:
        """Fit to features (n, p) and values (n,) or bounds (n, 2)."""
        features, bounds, weight = self._checked_training(X, y, sample_weight)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.filling_ = Filling.of(features, _mostly_known(features))
        filled = self.filled(features)
        different = _different_columns(filled)
        self.filling_, filled = self.filling_.take(different), filled[:, different]
        target = self._impute(filled, bounds, weight, seed)
        self.forest_ = grow_forest(filled, target, weight, self._growth(self.n_trees), seed)
        return self

    def predict(self, X: ArrayLike) -> FloatArray:
        """Mean over trees, shape (n,)."""
        return self.predict_with_spread(X)[0]

    def predict_with_spread(self, X: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation over trees, each of shape (n,)."""
        features = self._checked_features(X)
        return self.forest_.predict(self.filled(features))

    def filled(self, features: FloatArray) -> NDArray[np.float32]:
        """What the trees see of features (n, p): columns with medians filled in, and indicators."""
        return self.filling_.fill(features, np.float32, _LARGEST)

    def _growth(self, n_trees: int) -> Growth:
        return Growth(
            n_trees=n_trees,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
        )

    def _impute(
        self, filled: NDArray[np.float32], bounds: FloatArray, weight: FloatArray, seed: int
    ) -> FloatArray:
        closed, target = is_closed(bounds), middle(bounds)
        if is_exact(bounds).all():
            return target
        known = target[closed] if closed.any() else target
        sd = spread_or_one(known)
        target = _expected(bounds, float(np.mean(known)), sd)
        growth = self._growth(max(self.n_trees // 4, 40))
        for step in range(self.imputation_rounds):
            centre = out_of_bag(filled, target, weight, growth, seed + 1 + step)
            residual = (target - centre)[closed] if closed.any() else target - centre
            sd = float(np.sqrt(np.mean(residual**2))) or 1.0
            target = _expected(bounds, centre, sd)
        return target


def _expected(bounds: FloatArray, centre: FloatArray | float, sd: float) -> FloatArray:
    """Expectations within the bounds, rounded: ties between splits go by the last bit."""
    return meaningful_array(truncated_moments(bounds, centre, sd)[0])


def _mostly_known(features: FloatArray) -> NDArray[np.intp]:
    """Columns known in at least two thirds of the rows; all of them where there is none."""
    known = np.flatnonzero(np.isfinite(features).mean(axis=0) >= _LEAST_KNOWN)
    return known if len(known) else np.arange(features.shape[1])


def _different_columns(filled: NDArray[np.float32]) -> NDArray[np.intp]:
    """Columns that vary and differ from all before them; the first where there is none."""
    first = {column.tobytes(): j for j, column in reversed(list(enumerate(filled.T)))}
    different = np.array(sorted(first.values()), dtype=np.intp)
    varies = np.ptp(filled[:, different], axis=0) > 0
    return different[varies] if varies.any() else different[:1]


class BoundedBoosting(BoundedRegressor):
    """XGBoost with the accelerated-failure-time likelihood: bounds enter as probabilities.

    The objective models log t; the target is therefore handed over as exp(y). Missing features
    follow XGBoost's learned default direction.

    Parameters
    ----------
    n_rounds, max_depth, learning_rate, min_child_weight, reg_lambda, subsample, colsample
        As in XGBoost.
    scale : float
        Width of the assumed normal error, in standard deviations of the target.
    random_state : int or RandomState
    """

    def __init__(
        self,
        n_rounds: int = 200,
        max_depth: int = 3,
        learning_rate: float = 0.06,
        min_child_weight: float = 1.0,
        reg_lambda: float = 3.0,
        subsample: float = 0.8,
        colsample: float = 0.5,
        scale: float = 0.6,
        random_state: Any = 0,
    ) -> None:
        self.n_rounds = n_rounds
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.subsample = subsample
        self.colsample = colsample
        self.scale = scale
        self.random_state = random_state

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> BoundedBoosting:
        """Fit to features (n, p) and values (n,) or bounds (n, 2)."""
        import xgboost

        features, bounds, weight = self._checked_training(X, y, sample_weight)
        # The likelihood's width is in target units; standardising makes the defaults fit any unit.
        centre = float(np.median(middle(bounds)))
        self.centre_, self.unit_ = centre, spread_or_one(middle(bounds))
        scaled = np.clip((bounds - centre) / self.unit_, -_EXP_LIMIT, _EXP_LIMIT)
        lower, upper = np.exp(scaled).T
        lower = np.where(np.isneginf(bounds[:, 0]), 0.0, lower)
        upper = np.where(np.isposinf(bounds[:, 1]), np.inf, upper)
        matrix = DMatrix(features, weight=weight, nthread=1)
        matrix.set_float_info("label_lower_bound", lower)
        matrix.set_float_info("label_upper_bound", upper)
        self.booster_ = xgboost.train(self._settings(), matrix, num_boost_round=self.n_rounds)
        return self

    def predict(self, X: ArrayLike) -> FloatArray:
        """Median of the target distribution, shape (n,)."""
        features = self._checked_features(X)
        margin = self.booster_.predict(DMatrix(features, nthread=1), output_margin=True)
        return self.centre_ + self.unit_ * np.asarray(margin, dtype=np.float64)

    def _settings(self) -> dict[str, Any]:
        return {
            "objective": "survival:aft",
            "aft_loss_distribution": "normal",
            "aft_loss_distribution_scale": self.scale,
            "base_score": 1.0,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": self.reg_lambda,
            "subsample": self.subsample,
            "colsample_bynode": self.colsample,
            "tree_method": "hist",
            # A few hundred labels have no finer quantiles; half the time of the default.
            "max_bin": 64,
            "nthread": 1,
            "seed": int(check_random_state(self.random_state).randint(2**31 - 1)),
            "verbosity": 0,
        }
