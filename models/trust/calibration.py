"""Conformal calibration on grouped folds, with bounds kept as bounds.

Residuals of rows whose whole group was held out, divided by the local width the model claims, give
scores; their quantile turns claimed widths into intervals with the wanted coverage for a *new
group* (normalised split conformal: Papadopoulos 2008; cross-conformal pooling of folds: Vovk 2015).
Every group carries the same total weight, so that a material with eight temperatures does not count
eight times. A bounded label has a score known only from below; such scores enter through the
product-limit estimator (Kaplan and Meier 1958), not as numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...data.errors import ModelError
from ..labels.censoring import FloatArray, is_closed, middle


def residual_scores(
    bounds: FloatArray, prediction: FloatArray, width: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Score |y − ŷ|/width per row and whether it is exact; of bounds, the least it can be.

    A closed interval counts with its centre: labels of that kind are values on a grid.

    Parameters
    ----------
    bounds : array (n, 2)
        Labels as lower and upper bounds.
    prediction, width : array (n,)
        Held-out prediction and claimed local width, same unit as the labels.
    """
    return label_residual(bounds, prediction) / width, is_closed(bounds)


def label_residual(bounds: FloatArray, prediction: FloatArray) -> FloatArray:
    """Distance to the centre of a closed label, or by which a one-sided bound is violated."""
    low, high = bounds.T
    outside = np.maximum(np.maximum(low - prediction, prediction - high), 0.0)
    return np.where(is_closed(bounds), np.abs(middle(bounds) - prediction), outside)


def group_weights(groups: NDArray[np.int64]) -> FloatArray:
    """Weights with total 1 in each group, shape (n,)."""
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return 1.0 / counts[inverse]


def product_limit_quantile(
    scores: FloatArray, exact: NDArray[np.bool_], weights: FloatArray, level: float
) -> float:
    """Smallest score whose product-limit distribution function reaches ``level``.

    Parameters
    ----------
    scores : array (n,)
        Scores; where ``exact`` is False the true score is at least this.
    exact : array (n,) of bool
    weights : array (n,)
        Non-negative; sums to the number of groups.
    level : float
        Between 0 and 1.

    Returns
    -------
    float
        The largest exact score where the level is not reached (few groups).
    """
    if not exact.any():
        raise ModelError("calibration needs labels with values; all held-out labels are bounds")
    order = np.lexsort((~exact, scores))
    score, seen, weight = scores[order], exact[order], weights[order]
    at_risk = np.cumsum(weight[::-1])[::-1]
    factor = np.where(seen, 1.0 - weight / np.maximum(at_risk, weight), 1.0)
    reached = 1.0 - np.cumprod(factor)
    hit = np.flatnonzero((reached >= level - 1e-12) & seen)
    return float(score[hit[0]]) if len(hit) else float(score[seen][-1])


def conformal_factor(
    bounds: FloatArray,
    prediction: FloatArray,
    width: FloatArray,
    groups: NDArray[np.int64],
    coverage: float,
) -> float:
    """Factor on the claimed width that reaches the coverage on new groups.

    The level carries the finite-sample correction (n + 1)/n over the number of labels that can
    miss.
    """
    scores, exact = residual_scores(bounds, prediction, width)
    n_scores = max(int(exact.sum()), 1)
    level = min(1.0, coverage * (n_scores + 1) / n_scores)
    return product_limit_quantile(scores, exact, group_weights(groups), level)
