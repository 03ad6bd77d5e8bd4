"""Extremely randomised trees, grown and walked by compiled code.

Each split tries a share of the columns at one random threshold each, and every tree sees all rows
(Geurts, Ernst and Wehenkel 2006, 10.1007/s10994-006-6226-1). The trees are those of scikit-learn's
``ExtraTreesRegressor`` in distribution, at a quarter of its time on a few hundred rows and
hundreds of columns; its node table is a few flat arrays, which a file can hold as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..labels.censoring import FloatArray
from .forest_kernels import answer, deepest, grow

Float32Array = NDArray[np.float32]
Int32Array = NDArray[np.int32]


class Tree(NamedTuple):
    """One tree of k nodes; the root is the first, children come after their parents."""

    left: Int32Array
    """Node of rows up to the threshold, -1 for a leaf."""
    right: Int32Array
    feature: Int32Array
    threshold: Float32Array
    value: FloatArray
    """Mean target of a node."""
    cover: FloatArray
    """Weight of its training rows."""
    depth: int
    """Splits on the longest path, or more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """Trees one behind the other: k nodes of t trees, each with its two children side by side."""

    first: NDArray[np.int64]
    """First node of each tree and, last, the number of nodes, shape (t + 1,)."""
    left: Int32Array
    """Left child, counted from the first node of the tree, the right being one more; a leaf is its
    own."""
    feature: Int32Array
    threshold: Float32Array
    """Infinite for a leaf."""
    value: FloatArray
    cover: FloatArray
    n_features: int

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return len(self.first) - 1

    @property
    def depth(self) -> NDArray[np.int64]:
        """Splits on the longest path of each tree, shape (t,)."""
        return _depth(self.first, self.left)

    def tree(self, number: int) -> Tree:
        """One of the trees."""
        own = slice(self.first[number], self.first[number + 1])
        depth = _depth(np.array([0, own.stop - own.start]), self.left[own])
        inner = np.isfinite(self.threshold[own])
        left = np.where(inner, self.left[own], -1).astype(np.int32)
        right = np.where(inner, self.left[own] + 1, -1).astype(np.int32)
        line, value, cover = self.threshold[own], self.value[own], self.cover[own]
        return Tree(left, right, self.feature[own], line, value, cover, int(depth[0]))

    def predict(self, features: Float32Array) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation over the trees of features (n, p), each of shape (n,)."""
        total, square = np.zeros(len(features)), np.zeros(len(features))
        nodes = (self.first, self.left, self.feature, self.threshold, self.value, self.depth)
        answer(*nodes, np.ascontiguousarray(features), total, square)
        mean = total / self.n_trees
        return mean, np.sqrt(np.maximum(square / self.n_trees - mean**2, 0.0))


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How trees are grown.

    Parameters
    ----------
    n_trees : int
    max_features : float
        Share of the columns tried at a split; constant ones count, but one that varies is found.
    min_samples_leaf : int
    """

    n_trees: int
    max_features: float
    min_samples_leaf: int = 1


def grow_forest(
    features: Float32Array, target: FloatArray, weight: FloatArray, growth: Growth, seed: int
) -> Forest:
    """Grow trees on all rows.

    Parameters
    ----------
    features : array (n, p) of float32
        Finite.
    target, weight : array (n,)
        Rows without weight are not seen.
    growth : Growth
    seed : int
    """
    seeds = np.random.RandomState(seed).randint(2**31 - 1, size=growth.n_trees)
    columns = np.ascontiguousarray(features.T)
    return _forest([_grown(columns, target, weight, growth, s) for s in seeds], len(columns))


def out_of_bag(
    features: Float32Array, target: FloatArray, weight: FloatArray, growth: Growth, seed: int
) -> FloatArray:
    """Answer for each row from the trees that were grown on samples without it, shape (n,).

    Parameters
    ----------
    features, target, weight, growth, seed
        As in :func:`grow_forest`; each tree sees as many rows as there are, drawn with
        replacement. A row that no tree left out gets the mean of the target.
    """
    random = np.random.RandomState(seed)
    columns, n = np.ascontiguousarray(features.T), len(target)
    total, asked = np.zeros(n), np.zeros(n)
    for _ in range(growth.n_trees):
        drawn = np.bincount(random.randint(n, size=n), minlength=n)
        tree_seed = random.randint(2**31 - 1)
        tree = _forest([_grown(columns, target, weight * drawn, growth, tree_seed)], len(columns))
        left_out = np.flatnonzero(drawn == 0)
        total[left_out] += tree.predict(features[left_out])[0]
        asked[left_out] += 1.0
    return np.where(asked > 0, total / np.maximum(asked, 1.0), np.average(target, weights=weight))


def _depth(first: NDArray[np.int64], left: Int32Array) -> NDArray[np.int64]:
    depth = np.zeros(len(first) - 1, dtype=np.int64)
    deepest(first, left, depth)
    return depth


def _forest(trees: list[tuple[Any, ...]], n_features: int) -> Forest:
    sizes = [len(tree[0]) for tree in trees]
    left, feature, threshold, value, cover = (np.concatenate(p) for p in zip(*trees, strict=True))
    return Forest(
        first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        left=left,
        feature=feature,
        threshold=threshold,
        value=value,
        cover=cover,
        n_features=n_features,
    )


def _grown(
    columns: Float32Array, target: FloatArray, weight: FloatArray, growth: Growth, seed: int
) -> tuple[Any, ...]:
    rows = np.flatnonzero(weight > 0)
    n_tried = max(1, int(growth.max_features * len(columns)))
    return tuple(
        grow(columns, target, weight, rows, n_tried, growth.min_samples_leaf, np.uint64(seed))
    )
