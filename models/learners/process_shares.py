"""What each column contributes to a Gaussian process: Aumann–Shapley values.

The contribution of a column is the integral of its part of the gradient along the straight line
from the centre of the training set to the material (Aumann and Shapley 1974; Sundararajan 2017,
"integrated gradients"). Contributions add up to the prediction minus that at the centre.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial.distance import cdist

from ..labels.censoring import FloatArray
from .gaussian_process import BoundedGaussianProcess

_NODES: Final = 24
"""Of the quadrature; what it leaves over, below 1e-6, goes to nobody with the centre."""


def process_shares(learner: BoundedGaussianProcess, matrix: FloatArray) -> FloatArray:
    """Contributions to the posterior mean.

    Parameters
    ----------
    learner : BoundedGaussianProcess
        Fitted.
    matrix : array (n, p)
        Features, NaN where not defined: whether a value is missing counts to its column.

    Returns
    -------
    array (n, p + 1)
        Rows sum to the prediction; the last column is the prediction at the centre.
    """
    at = learner.embedded(matrix)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    slope = sum(
        0.5 * weight * _gradient(learner, 0.5 * (node + 1.0) * at)
        for node, weight in zip(nodes, weights, strict=True)
    )
    parts = learner.unit_ * at * np.asarray(slope)
    shares = np.zeros((len(matrix), matrix.shape[1] + 1))
    np.add.at(shares.T, learner.filling_.source, parts.T)
    shares[:, -1] = learner.predict(matrix) - parts.sum(axis=1)
    return shares


def _gradient(learner: BoundedGaussianProcess, at: FloatArray) -> FloatArray:
    """Of the posterior mean in units, shape (n, k), at embedded points (n, k).

    The Matérn kernel (1 + r + r²/3) exp(−r), r = √5 d/ℓ, has the gradient
    −5/(3ℓ²) (1 + r) exp(−r) (x − x').
    """
    r = np.sqrt(5.0) * cdist(at, learner.points_) / learner.length_
    pull = (1.0 + r) * np.exp(-r) * learner.alpha_
    factor = -5.0 / (3.0 * learner.length_**2) * learner.signal_**2
    return np.asarray(factor * (at * pull.sum(axis=1, keepdims=True) - pull @ learner.points_))
