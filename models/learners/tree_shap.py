"""Shapley values of regression trees, exactly, by the integral form.

With the weights of a tree's branches as probabilities (path-dependent TreeSHAP, Lundberg 2020,
10.1038/s42256-019-0138-9), one leaf is a game whose worth is a product over the columns on its
path: 1 or 0 where a column is known, the share of the training weight that went the same way where
it is not. The Shapley value is the integral of the derivative of that product along the diagonal
(Owen 1972, 10.1287/mnsc.18.5.64), here by Gauss–Legendre quadrature, which is exact for products.
"""

from __future__ import annotations

import numba
import numpy as np

from ..labels.censoring import FloatArray
from ..labels.folds import IntArray
from .forest import Tree


def tree_shap(
    tree: Tree, player: IntArray, features: np.ndarray, n_columns: int | None = None
) -> FloatArray:
    """Shapley values of one tree.

    Parameters
    ----------
    tree : Tree
    player : array (p,) of int
        Column that each feature of the tree belongs to; features of one column count as one.
    features : array (n, p) of float32
        Without NaN.
    n_columns : int, optional
        Number c of columns; default: up to the last that has a feature.

    Returns
    -------
    array (n, c + 1)
        One value for each column; the last is the mean of the tree. Rows sum to its prediction.
    """
    depth = tree.depth
    # Exact for products of up to one factor less than twice the nodes: as many as on a path.
    position, weight = np.polynomial.legendre.leggauss(depth // 2 + 1)
    shares = np.zeros((len(features), (n_columns or int(player.max()) + 1) + 1))
    _add_leaves(
        tree.left,
        tree.right,
        tree.feature,
        tree.threshold,
        tree.value,
        tree.cover,
        player,
        features,
        0.5 * (position + 1.0),
        0.5 * weight,
        max(depth, 1),
        shares,
    )
    return shares


@numba.njit(cache=True)
def _add_leaves(  # type: ignore[no-untyped-def]
    left, right, feature, threshold, value, cover, player, rows, position, weight, depth, shares
):
    """Walk from leaf to leaf; a path is a list of nodes with the side that was taken."""
    node, side = np.zeros(depth + 1, np.int64), np.zeros(depth + 1, np.int64)
    columns, without = np.zeros(depth, np.int64), np.zeros(depth)
    known, product = np.zeros(depth), np.zeros(len(position))
    level = 0
    while level >= 0:
        here = node[level]
        if left[here] != -1 and side[level] < 2:
            side[level] += 1
            node[level + 1] = left[here] if side[level] == 1 else right[here]
            side[level + 1] = 0
            level += 1
            continue
        if left[here] == -1:
            n_columns = _merge(node, level, feature, cover, player, columns, without)
            for r in range(len(rows)):
                _follow(
                    node,
                    side,
                    level,
                    feature,
                    threshold,
                    player,
                    rows[r],
                    columns,
                    n_columns,
                    known,
                )
                _add_leaf(
                    value[here],
                    columns,
                    without,
                    known,
                    n_columns,
                    position,
                    weight,
                    product,
                    shares[r],
                )
        level -= 1


@numba.njit(cache=True)
def _merge(node, level, feature, cover, player, columns, without):  # type: ignore[no-untyped-def]
    """Columns on the path, each once, with the share of the weight that took all its turns."""
    n_columns = 0
    for step in range(level):
        column = player[feature[node[step]]]
        share = cover[node[step + 1]] / cover[node[step]]
        place = _find(columns, n_columns, column)
        if place == n_columns:
            columns[place], without[place] = column, 1.0
            n_columns += 1
        without[place] *= share
    return n_columns


@numba.njit(cache=True)
def _find(columns, n_columns, column):  # type: ignore[no-untyped-def]
    for place in range(n_columns):
        if columns[place] == column:
            return place
    return n_columns


@numba.njit(cache=True)
def _follow(  # type: ignore[no-untyped-def]
    node, side, level, feature, threshold, player, row, columns, n_columns, known
):
    """1 for the columns whose values lead along the path, else 0."""
    known[:n_columns] = 1.0
    for step in range(level):
        name = feature[node[step]]
        goes_left = row[name] <= threshold[node[step]]
        if goes_left != (side[step] == 1):
            known[_find(columns, n_columns, player[name])] = 0.0


@numba.njit(cache=True)
def _add_leaf(  # type: ignore[no-untyped-def]
    value, columns, without, known, n_columns, position, weight, product, shares
):
    base = value
    for c in range(n_columns):
        base *= without[c]
    shares[-1] += base
    product[:] = weight
    for c in range(n_columns):
        for q in range(len(position)):
            product[q] *= without[c] * (1.0 - position[q]) + known[c] * position[q]
    for c in range(n_columns):
        integral = 0.0
        for q in range(len(position)):
            integral += product[q] / (without[c] * (1.0 - position[q]) + known[c] * position[q])
        shares[columns[c]] += value * (known[c] - without[c]) * integral
