import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from ionsieve.models.learners.gaussian_process import BoundedGaussianProcess
from ionsieve.models.learners.trees import BoundedBoosting, BoundedExtraTrees

INF = np.inf
ALL = [BoundedExtraTrees(), BoundedBoosting(), BoundedGaussianProcess()]
LEARNERS = [
    BoundedExtraTrees(n_trees=30, min_samples_leaf=1, max_features=1.0),
    BoundedBoosting(n_rounds=60, subsample=1.0, colsample=1.0, learning_rate=0.2),
    BoundedGaussianProcess(),
]


def expected_failures(estimator):
    """What no booster with quantile bins can do."""
    if isinstance(estimator, BoundedExtraTrees):
        return {}
    reason = "weighted quantile bins: equal in distribution, not bit for bit"
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks(LEARNERS, expected_failed_checks=expected_failures)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def table(seed=0, n=150):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    return x, 2.0 * x[:, 0] + 0.2 * rng.normal(size=n)


@pytest.mark.parametrize("learner", ALL)
def test_bounds_teach_more_than_dropping_or_taking_them_as_values(learner):
    x, y = table()
    low = y < np.quantile(y, 0.4)
    limit = y[low].max()
    bounds = np.column_stack([np.where(low, -INF, y), np.where(low, limit, y)])
    fresh_x, fresh_y = table(seed=1)

    def error(features, target):
        return np.abs(learner.fit(features, target).predict(fresh_x) - fresh_y).mean()

    kept = error(x, bounds)
    assert kept < error(x[~low], y[~low])
    assert kept < error(x, np.where(low, limit, y))


@pytest.mark.parametrize("learner", ALL)
def test_missing_values_can_carry_the_signal(learner):
    x, _ = table()
    absent = np.random.default_rng(3).random(len(x)) < 0.5
    x[absent, 2] = np.nan
    predicted = learner.fit(x, absent.astype(float)).predict(x)
    assert predicted[absent].min() > predicted[~absent].max()


@pytest.mark.parametrize("learner", ALL)
def test_the_unit_of_the_target_does_not_matter(learner):
    x, y = table()
    small = learner.fit(x, y).predict(x)
    large = learner.fit(x, 1000.0 * y - 5.0).predict(x)
    # Trees break ties by the last bits, so single leaves may differ.
    np.testing.assert_allclose(large, 1000.0 * small - 5.0, rtol=0, atol=0.05 * np.ptp(large))


def test_forest_leaves_mostly_missing_columns_to_learners_that_need_no_filling():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 4))
    target = features[:, 0] + features[:, 3]
    features[rng.permutation(60)[:25], 3] = np.nan  # 42 % missing
    features[rng.permutation(60)[:10], 1] = np.nan
    forest = BoundedExtraTrees(n_trees=20).fit(features, target)
    assert forest.filling_.source.tolist() == [0, 1, 2, 1]
    assert forest.filling_.gap.tolist() == [False, False, False, True]
    changed = features.copy()
    changed[:, 3] = 1e3
    np.testing.assert_array_equal(forest.predict(changed), forest.predict(features))
    # Where every column is mostly missing there is nothing better to learn from.
    sparse = np.where(rng.random((60, 2)) < 0.5, np.nan, features[:, :2])
    used = BoundedExtraTrees(n_trees=20).fit(sparse, target).filling_.source
    assert set(used.tolist()) == {0, 1}


def test_forest_grows_on_columns_that_vary_and_differ():
    x, y = table()
    features = np.column_stack([x[:, 0], x[:, 0], np.ones(len(x)), x[:, 1]])
    forest = BoundedExtraTrees(n_trees=20).fit(features, y)
    assert forest.filling_.source.tolist() == [0, 3]
    constant = BoundedExtraTrees(n_trees=3).fit(np.ones((20, 2)), np.arange(20.0))
    np.testing.assert_allclose(constant.predict(np.zeros((1, 2))), 9.5)
