"""Tree learners that take bounds as bounds: extra trees by imputation, XGBoost by likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.impute import SimpleImputer
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

_LEAST_KNOWN = 2.0 / 3.0
"""Share of rows with a value below which a column filled with its median misleads a forest."""

_EXP_LIMIT = 30.0
"""XGBoost's accelerated-failure-time objective takes exp(target); beyond this it overflows."""


class BoundedExtraTrees(BoundedRegressor):
    """Extra trees whose bounded labels are imputed within their bounds during the fit.

    Buckley and James' idea with a forest in place of the line: bounded rows take the expectation
    of a normal around the out-of-bag prediction, truncated to the bound, and the forest is grown
    again. Missing features are filled with the training median and marked by an indicator column;
    a column that is missing in over a third of the rows is left to learners that need no filling.

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
        imputation_rounds: int = 2,
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
        self.used_ = _mostly_known(features)
        self.imputer_ = SimpleImputer(
            strategy="median", add_indicator=True, keep_empty_features=True
        )
        filled = self.imputer_.fit_transform(features[:, self.used_])
        target = self._impute(filled, bounds, weight, seed)
        self.forest_ = self._forest(self.n_trees, seed).fit(filled, target, sample_weight=weight)
        return self

    def predict(self, X: ArrayLike) -> FloatArray:
        """Mean over trees, shape (n,)."""
        return self.predict_with_spread(X)[0]

    def predict_with_spread(self, X: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation over trees, each of shape (n,)."""
        filled = self.filled(self._checked_features(X))
        total, square = np.zeros(len(filled)), np.zeros(len(filled))
        # Tree by tree through the compiled trees: no thread pool, no n × trees matrix.
        for tree in self.forest_.estimators_:
            value = tree.tree_.predict(filled).ravel()
            total += value
            square += value**2
        mean = total / len(self.forest_.estimators_)
        variance = square / len(self.forest_.estimators_) - mean**2
        return mean, np.sqrt(np.maximum(variance, 0.0))

    def filled(self, features: FloatArray) -> NDArray[np.float32]:
        """What the trees see of features (n, p): medians filled in, then the indicators."""
        filled: FloatArray = self.imputer_.transform(features[:, self.used_])
        return filled.astype(np.float32)

    @property
    def sources_(self) -> NDArray[np.intp]:
        """The feature behind each column that the trees see."""
        marked = self.imputer_.indicator_.features_
        return np.asarray(np.concatenate([self.used_, self.used_[marked]]), dtype=np.intp)

    def _forest(self, n_trees: int, seed: int, oob: bool = False) -> ExtraTreesRegressor:
        return ExtraTreesRegressor(
            n_estimators=n_trees,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            # Every tree sees all rows, as in Geurts 2006, unless out-of-bag answers are wanted.
            bootstrap=oob,
            oob_score=_no_score if oob else False,
            random_state=seed,
            n_jobs=1,
        )

    def _impute(
        self, filled: FloatArray, bounds: FloatArray, weight: FloatArray, seed: int
    ) -> FloatArray:
        closed, target = is_closed(bounds), middle(bounds)
        if is_exact(bounds).all():
            return target
        known = target[closed] if closed.any() else target
        sd = spread_or_one(known)
        target = _expected(bounds, float(np.mean(known)), sd)
        for step in range(self.imputation_rounds):
            forest = self._forest(max(self.n_trees // 4, 40), seed + 1 + step, oob=True)
            forest.fit(filled, target, sample_weight=weight)
            centre = np.asarray(forest.oob_prediction_, dtype=np.float64)
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


def _no_score(y_true: FloatArray, y_predicted: FloatArray) -> float:
    """Out-of-bag predictions are wanted, their R² is not."""
    return 0.0


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
