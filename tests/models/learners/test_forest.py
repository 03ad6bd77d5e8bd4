"""Compiled trees against a slow reference and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor

from ionsieve.models.learners.forest import Forest, Growth, grow_forest, out_of_bag

ALL = Growth(n_trees=3, max_features=1.0)


def table(seed: int, n: int = 40, p: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, p)).astype(np.float32)
    features[:, -2] = features[:, -2] > 1.0
    features[:, -1] = 2.0
    target = features[:, 0] + features[:, 1] * features[:, 2] + 0.1 * rng.normal(size=n)
    return features, target.astype(np.float64), rng.uniform(0.2, 1.0, n)


def leaves_by_definition(forest: Forest, number: int, features: np.ndarray) -> np.ndarray:
    """Leaf of each row of one tree, walked by Python."""
    tree, found = forest.tree(number), np.zeros(len(features), dtype=int)
    for row, values in enumerate(features):
        node = 0
        while tree.left[node] >= 0:
            goes_left = values[tree.feature[node]] <= tree.threshold[node]
            node = tree.left[node] if goes_left else tree.right[node]
        found[row] = node
    return found


@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.sampled_from([0.2, 1.0]))
@settings(max_examples=20, deadline=None)
def test_nodes_hold_the_means_of_their_rows(seed: int, least: int, share: float) -> None:
    features, target, weight = table(seed)
    weight[::7] = 0.0
    growth = Growth(n_trees=4, max_features=share, min_samples_leaf=least)
    forest = grow_forest(features, target, weight, growth, seed)
    seen = weight > 0
    for number in range(forest.n_trees):
        tree = forest.tree(number)
        leaf = leaves_by_definition(forest, number, features)
        for node in np.unique(leaf[seen]):
            rows = seen & (leaf == node)
            assert rows.sum() >= least
            mean = np.average(target[rows], weights=weight[rows])
            assert tree.value[node] == pytest.approx(mean, rel=1e-9)
            assert tree.cover[node] == pytest.approx(weight[rows].sum(), rel=1e-9)
            # Leaves are pure or too small to part; the constant column never parts.
            assert least > 1 or np.ptp(target[rows]) == 0.0
        inner = tree.left >= 0
        assert not (tree.feature[inner] == features.shape[1] - 1).any()
        covered = tree.cover[tree.left[inner]] + tree.cover[tree.right[inner]]
        np.testing.assert_allclose(covered, tree.cover[inner], rtol=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_predictions_are_means_over_trees_walked_by_python(seed: int) -> None:
    features, target, weight = table(seed)
    forest = grow_forest(features, target, weight, Growth(n_trees=7, max_features=0.5), seed)
    fresh = table(seed + 1, n=150)[0]
    each = np.array(
        [forest.tree(t).value[leaves_by_definition(forest, t, fresh)] for t in range(7)]
    )
    mean, spread = forest.predict(fresh)
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(spread, each.std(axis=0), rtol=1e-6, atol=1e-6)


def test_a_split_is_the_best_of_the_lines_that_were_drawn() -> None:
    """With one column that tells all, and all columns tried, the root parts by it."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 30)).astype(np.float32)
    features[:, 11] = np.arange(50) >= 20
    forest = grow_forest(features, features[:, 11].astype(float), np.ones(50), ALL, 0)
    for number in range(3):
        tree = forest.tree(number)
        assert (len(tree.left), tree.feature[0], tree.depth) == (3, 11, 1)
        assert tree.value.tolist() == [0.6, 0.0, 1.0]


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_as_extra_trees_of_scikit_learn_in_distribution(share: float) -> None:
    """Two forests of either differ as much as one of each does."""
    features, target, weight = table(0, n=80, p=9)
    fresh = table(1, n=60, p=9)[0]
    growth = Growth(n_trees=400, max_features=share)

    def ours(seed: int) -> np.ndarray:
        return grow_forest(features, target, weight, growth, seed).predict(fresh)[0]

    def theirs(seed: int) -> np.ndarray:
        forest = ExtraTreesRegressor(400, max_features=share, random_state=seed)
        return forest.fit(features, target, sample_weight=weight).predict(fresh)

    chance = np.std(theirs(0) - theirs(1)) + np.std(ours(0) - ours(1))
    assert np.std(ours(2) - theirs(2)) < chance
    assert abs(np.mean(ours(2) - theirs(2))) < chance / np.sqrt(len(fresh)) * 3


def test_out_of_bag_answers_are_of_trees_without_the_row() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 4)).astype(np.float32)
    noise = rng.normal(size=120)
    growth = Growth(n_trees=60, max_features=1.0)
    answers = out_of_bag(features, noise, np.ones(120), growth, 0)
    assert abs(np.corrcoef(answers, noise)[0, 1]) < 0.3, "a row was asked of trees that saw it"
    signal = features[:, 0].astype(float)
    assert np.corrcoef(out_of_bag(features, signal, np.ones(120), growth, 0), signal)[0, 1] > 0.9


def test_the_same_seed_gives_the_same_forest() -> None:
    features, target, weight = table(0)
    one, two, other = (grow_forest(features, target, weight, ALL, s) for s in (5, 5, 6))
    np.testing.assert_array_equal(one.threshold, two.threshold)
    assert not np.array_equal(one.threshold, other.threshold)


def test_one_row_and_equal_rows_are_a_leaf() -> None:
    features = np.ones((3, 2), dtype=np.float32)
    forest = grow_forest(features, np.array([1.0, 2.0, 6.0]), np.ones(3), ALL, 0)
    assert forest.first.tolist() == [0, 1, 2, 3]
    assert forest.predict(features[:1])[0] == pytest.approx(3.0)
