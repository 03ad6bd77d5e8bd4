"""Shapley values of trees against their definition: every subset of the columns."""

from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from ionsieve.models.learners.forest import Tree
from ionsieve.models.learners.tree_shap import tree_shap


def nodes(tree: Any) -> Tree:
    """A tree of scikit-learn as one of ours."""
    values = np.ascontiguousarray(tree.value[:, 0, 0])
    sides = (s.astype(np.int32) for s in (tree.children_left, tree.children_right, tree.feature))
    # Rows are asked in single precision: the next number below a threshold parts them alike.
    line = tree.threshold.astype(np.float32)
    line = np.where(line > tree.threshold, np.nextafter(line, np.float32(-np.inf)), line)
    return Tree(*sides, line, values, tree.weighted_n_node_samples, tree.max_depth)


def expectation(
    tree: Any, player: np.ndarray, row: np.ndarray, known: set[int], node: int = 0
) -> float:
    """Follow the row where a column is known, average over both branches where not."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left == -1:
        return float(tree.value[node, 0, 0])
    if player[tree.feature[node]] in known:
        follow = left if row[tree.feature[node]] <= tree.threshold[node] else right
        return expectation(tree, player, row, known, follow)
    cover = tree.weighted_n_node_samples
    return sum(
        cover[child] / cover[node] * expectation(tree, player, row, known, child)
        for child in (left, right)
    )


def by_definition(tree: Any, player: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Mean gain of a column over all orders in which columns become known."""
    n = int(player.max()) + 1
    values = np.zeros(n + 1)
    values[-1] = expectation(tree, player, row, set())
    for column in range(n):
        others = [c for c in range(n) if c != column]
        for size in range(n):
            share = factorial(size) * factorial(n - 1 - size) / factorial(n)
            for subset in combinations(others, size):
                before, after = set(subset), {*subset, column}
                gain = expectation(tree, player, row, after) - expectation(
                    tree, player, row, before
                )
                values[column] += share * gain
    return values


@given(
    st.integers(0, 10_000),
    st.sampled_from([ExtraTreeRegressor, DecisionTreeRegressor]),
    st.booleans(),
)
@settings(max_examples=8, deadline=None)
def test_equal_to_the_definition(seed: int, kind: Any, shared: bool) -> None:
    """Also where two features are one column, and with weighted rows."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(30, 5)).astype(np.float32)
    target = features[:, 0] * features[:, 1] + rng.normal(size=30)
    model = kind(random_state=seed).fit(features, target, sample_weight=rng.uniform(0.1, 1, 30))
    player = np.array([0, 1, 2, 3, 1] if shared else [0, 1, 2, 3, 4])
    rows = rng.normal(size=(3, 5)).astype(np.float32)
    found = tree_shap(nodes(model.tree_), player, rows)
    expected = np.array([by_definition(model.tree_, player, row) for row in rows])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), model.predict(rows), rtol=1e-9)


def test_a_tree_without_a_split() -> None:
    features = np.ones((4, 2), dtype=np.float32)
    model = DecisionTreeRegressor().fit(features, [2.0] * 4)
    found = tree_shap(nodes(model.tree_), np.array([0, 1]), features[:1])
    assert found.tolist() == [[0.0, 0.0, 2.0]]


def test_a_chain_of_many_columns() -> None:
    """One column after the other on one path, and the quadrature stays exact."""
    n = 40
    features = (np.arange(n)[None, :] < np.arange(n + 1)[:, None]).astype(np.float32)
    target = 2.0 ** -np.arange(n + 1.0)
    model = DecisionTreeRegressor(random_state=0).fit(features, target)
    found = tree_shap(nodes(model.tree_), np.arange(n), features)
    np.testing.assert_allclose(found.sum(axis=1), model.predict(features), rtol=1e-9, atol=1e-12)
    assert found[0, -1] == pytest.approx(target.mean(), rel=1e-9)
