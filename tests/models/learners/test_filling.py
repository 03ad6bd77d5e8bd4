"""Medians and indicators against scikit-learn's imputer."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer

from ionsieve.models.learners.filling import Filling


@given(st.integers(0, 10_000), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_as_the_imputer_of_scikit_learn(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    train, fresh = rng.normal(size=(n, 5)), rng.normal(size=(7, 5))
    train[rng.random(train.shape) < 0.3] = np.nan
    fresh[rng.random(fresh.shape) < 0.3] = np.nan
    train[:, 4] = np.nan
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    imputer.fit(train)
    filling = Filling.of(train, np.arange(5))
    for table in (train, fresh):
        np.testing.assert_allclose(filling.fill(table), imputer.transform(table), rtol=1e-12)


def test_some_columns_only() -> None:
    train = np.array([[1.0, np.nan, 7.0], [3.0, 5.0, np.nan]])
    filling = Filling.of(train, np.array([2, 1]))
    assert filling.source.tolist() == [2, 1, 2, 1]
    some = filling.take([0, 3])
    assert some.fill(train).tolist() == [[7.0, 1.0], [7.0, 0.0]]
    assert filling.fill(train).tolist() == [[7.0, 5.0, 0.0, 1.0], [7.0, 5.0, 1.0, 0.0]]
    assert np.isnan(train).sum() == 2, "the table itself is left as it is"
