"""A Gaussian process on a few selected descriptors that takes bounds as bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

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

_MAX_FIT_ROWS = 600
"""Kernel parameters are found on at most this many rows: their cost grows with the third power."""
_MIN_CLOSED_ROWS = 10
_BLOCK = 8192
_IMPUTATION_ROUNDS = 5
_LOG_DECIMALS = 2
"""Of kernel parameters: where the search ends differs between processors, from about 1e-6 on."""
_RANK_DECIMALS = 9
"""Of correlations: columns of equal ranks are chosen by their place, not by the last bit."""
_LOG_BOX = ((np.log(0.1), np.log(30.0)), (np.log(0.05), np.log(5.0)), (np.log(0.02), np.log(2.0)))


class BoundedGaussianProcess(BoundedRegressor):
    """Matérn-5/2 process on the columns most correlated with the target.

    Columns enter by decreasing rank correlation, skipping near-copies of earlier ones. Missing
    values take the training median; whether a value is missing is a candidate column of its own.
    Bounded labels take their expectation under the leave-one-out prediction, which a Gaussian
    process gives in closed form (Rasmussen and Williams 2006, eq. 5.12).

    Parameters
    ----------
    n_columns : int
        Number of descriptors.
    max_correlation : float
        A column that correlates more than this with a chosen one is skipped.
    random_state : int or RandomState
        Which rows find the kernel parameters where there are many.
    """

    def __init__(
        self, n_columns: int = 40, max_correlation: float = 0.9, random_state: Any = 0
    ) -> None:
        self.n_columns = n_columns
        self.max_correlation = max_correlation
        self.random_state = random_state

    alpha_: FloatArray
    inverse_root_: FloatArray

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> BoundedGaussianProcess:
        """Fit to features (n, p) and values (n,) or bounds (n, 2)."""
        features, bounds, weight = self._checked_training(X, y, sample_weight)
        keep = weight > 0
        features, bounds, weight = features[keep], bounds[keep], weight[keep]
        every = Filling.of(features, np.arange(features.shape[1]))
        filled, start = every.fill(features), middle(bounds)
        chosen = select_columns(filled, start, self.n_columns, self.max_correlation)
        self.filling_, filled = every.take(chosen), filled[:, chosen]
        self.centre_, self.scale_ = filled.mean(axis=0), _positive(filled.std(axis=0))
        self.points_ = self._embed(filled)
        self.offset_, self.unit_ = float(start.mean()), spread_or_one(start)
        self._fit_process((bounds - self.offset_) / self.unit_, weight / weight.mean())
        return self

    def predict(self, X: ArrayLike) -> FloatArray:
        """Posterior mean, shape (n,)."""
        return self.predict_with_spread(X)[0]

    def predict_with_spread(self, X: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Posterior mean and standard deviation without noise, each of shape (n,)."""
        points = self.embedded(self._checked_features(X))
        # In blocks: rows × training rows would not fit into memory for a large database.
        blocks = [
            self._posterior(points[start : start + _BLOCK], self.points_)
            for start in range(0, len(points), _BLOCK)
        ]
        mean, spread = (np.concatenate(part) for part in zip(*blocks, strict=True))
        return self.offset_ + self.unit_ * mean, self.unit_ * spread

    def embedded(self, features: FloatArray) -> FloatArray:
        """Features (n, p) as the kernel sees them: chosen columns, scaled, shape (n, k)."""
        return self._embed(self.filling_.fill(features))

    def _embed(self, filled: FloatArray) -> FloatArray:
        scaled = (filled - self.centre_) / self.scale_
        return np.clip(scaled, -5.0, 5.0) / np.sqrt(max(len(self.centre_), 1))

    def _fit_process(self, bounds: FloatArray, weight: FloatArray) -> None:
        closed, target = is_closed(bounds), middle(bounds)
        if not closed.all() and closed.sum() >= _MIN_CLOSED_ROWS:
            target = self._expected_from_closed(bounds, closed, weight)
        rows = _subset(len(target), self.random_state)
        self._fit_kernel(self.points_[rows], target[rows], weight[rows])
        inverse = self._solve(self.points_, target, weight)
        for _ in range(0 if is_exact(bounds).all() else _IMPUTATION_ROUNDS):
            precision = np.diag(inverse)
            loo_mean = target - self.alpha_ / precision
            target, _ = truncated_moments(bounds, loo_mean, np.sqrt(1.0 / precision))
            self.alpha_ = inverse @ target

    def _expected_from_closed(
        self, bounds: FloatArray, closed: np.ndarray, weight: FloatArray
    ) -> FloatArray:
        """Expectations of bounded rows under the process that only values have seen."""
        rows = np.flatnonzero(closed)
        rows = rows[_subset(len(rows), self.random_state)]
        points, values = self.points_[rows], middle(bounds)[rows]
        self._fit_kernel(points, values, weight[rows])
        self._solve(points, values, weight[rows])
        mean, sd = self._posterior(self.points_, points)
        expected, _ = truncated_moments(bounds, mean, np.hypot(sd, self.noise_))
        return expected

    def _fit_kernel(self, points: FloatArray, target: FloatArray, weight: FloatArray) -> None:
        distance = cdist(points, points)
        found = minimize(
            _negative_log_evidence,
            np.log([1.0, 1.0, 0.5]),
            args=(distance, target, weight),
            method="L-BFGS-B",
            bounds=_LOG_BOX,
            options={"maxiter": 30},
        )
        self.length_, self.signal_, self.noise_ = (
            float(v) for v in np.exp(np.round(found.x, _LOG_DECIMALS))
        )

    def _solve(self, points: FloatArray, target: FloatArray, weight: FloatArray) -> FloatArray:
        kernel = _matern(points, points, self.length_) * self.signal_**2
        covariance = kernel + np.diag(self.noise_**2 / weight)
        inverse = cho_solve(cho_factor(covariance, lower=True), np.eye(len(target)))
        self.alpha_ = inverse @ target
        self.inverse_root_ = np.linalg.cholesky(0.5 * (inverse + inverse.T))
        return np.asarray(inverse)

    def _posterior(self, at: FloatArray, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        cross = _matern(at, points, self.length_) * self.signal_**2
        explained = ((cross @ self.inverse_root_) ** 2).sum(axis=1)
        return cross @ self.alpha_, np.sqrt(np.maximum(self.signal_**2 - explained, 0.0))


def select_columns(
    features: FloatArray, target: FloatArray, n_columns: int, max_correlation: float
) -> np.ndarray:
    """Indices of columns by decreasing |rank correlation| with the target, near-copies skipped.

    Parameters
    ----------
    features : array (n, p)
        Without NaN.
    target : array (n,)
    n_columns : int
    max_correlation : float
        Between columns.
    """
    ranks = _unit_columns(rankdata(features, axis=0))
    strength = _rounded(ranks.T @ _unit_columns(rankdata(target)[:, None])[:, 0])
    chosen: list[int] = []
    for column in np.argsort(-strength, kind="stable"):
        if len(chosen) == n_columns:
            break
        if np.any(ranks[:, column]) and (
            not chosen or _rounded(ranks[:, chosen].T @ ranks[:, column]).max() <= max_correlation
        ):
            chosen.append(int(column))
    return np.array(chosen, dtype=np.int64)


def _rounded(correlation: FloatArray) -> FloatArray:
    return np.asarray(np.round(np.abs(correlation), _RANK_DECIMALS))


def _unit_columns(ranks: FloatArray) -> FloatArray:
    centred = ranks - ranks.mean(axis=0)
    norm = np.linalg.norm(centred, axis=0)
    return centred / np.where(norm > 0, norm, 1.0)


def _matern(a: FloatArray, b: FloatArray, length: float) -> FloatArray:
    return _matern_of(cdist(a, b), length)


def _matern_of(distance: FloatArray, length: float) -> FloatArray:
    r = np.sqrt(5.0) * distance / length
    return np.asarray((1.0 + r + r**2 / 3.0) * np.exp(-r))


def _negative_log_evidence(
    logs: FloatArray, distance: FloatArray, target: FloatArray, weight: FloatArray
) -> float:
    length, signal, noise = np.exp(logs)
    kernel = signal**2 * _matern_of(distance, length) + np.diag(noise**2 / weight)
    factor = cho_factor(kernel, lower=True)
    log_det = 2.0 * np.log(np.diag(factor[0])).sum()
    return 0.5 * float(target @ cho_solve(factor, target) + log_det)


def _subset(n_rows: int, random_state: Any) -> np.ndarray:
    if n_rows <= _MAX_FIT_ROWS:
        return np.arange(n_rows)
    from sklearn.utils import check_random_state

    chosen = check_random_state(random_state).choice(n_rows, _MAX_FIT_ROWS, replace=False)
    return np.sort(chosen)


def _positive(values: Any) -> Any:
    return np.where(np.asarray(values) > 0, values, 1.0)
