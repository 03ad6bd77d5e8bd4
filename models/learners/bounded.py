"""What learners of bounded targets share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..labels.censoring import FloatArray, as_bounds


class BoundedRegressor(RegressorMixin, BaseEstimator):
    """Input checks shared by learners of bounded targets.

    ``y`` has shape (n,) with values or (n, 2) with lower and upper bounds (:mod:`.censoring`).
    Features may hold NaN, never infinity.
    """

    def _checked_training(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        options: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
        shape = np.asarray(y).shape
        if len(shape) == 2 and shape[1] == 2:
            features, bounds = validate_data(self, X, **options), as_bounds(y)
            if len(features) != len(bounds):
                raise ValueError(f"X has {len(features)} rows, y has {len(bounds)}")
        else:
            features, values = validate_data(self, X, y, y_numeric=True, **options)
            bounds = as_bounds(values)
        return features, bounds, _check_sample_weight(sample_weight, features, dtype=np.float64)

    def _checked_features(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        features: FloatArray = validate_data(
            self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan"
        )
        return features

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
