"""Compiled loops of :mod:`.forest`: growing a tree and asking many."""

from __future__ import annotations

import numba
import numpy as np

_CONSTANT = 1e-7
"""A column whose values in a node differ by less does not split it, as in scikit-learn."""
_ROUNDING = 1e-12
_BLOCK = 128
"""Rows asked at a time: they stay in the cache while tree after tree passes by."""


@numba.njit(cache=True)
def _random(state):  # type: ignore[no-untyped-def]
    """The next 53 random bits as a number in [0, 1): splitmix64 (Steele 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


@numba.njit(cache=True)
def grow(columns, target, weight, rows, n_tried, least, seed):  # type: ignore[no-untyped-def]
    """One tree on the given rows: left child, column, threshold, mean and weight of each node.

    A leaf is its own left child, with a threshold that nothing exceeds. ``columns`` (p, n) are the
    features by column, ``rows`` is reordered, and ``least`` rows make a leaf.
    """
    p, n = len(columns), len(rows)
    left, feature = np.arange(2 * n).astype(np.int32), np.zeros(2 * n, np.int32)
    threshold = np.full(2 * n, np.inf, np.float32)
    value, cover = np.zeros(2 * n), np.zeros(2 * n)
    state = np.full(1, seed, np.uint64)
    # Columns, those that do not vary in the present node first; the copy restores the order for
    # siblings, so that what is constant above needs no second look.
    order, constant = np.arange(p), np.arange(p)
    own, own_weight, own_product = np.empty(n, np.float32), np.empty(n), np.empty(n)
    # Of each waiting node: its rows, its number and how many columns are constant.
    waiting = np.empty((2 * n + 2, 4), np.int64)
    waiting[0] = 0, n, 0, 0
    n_waiting, n_nodes = 1, 1
    while n_waiting > 0:
        n_waiting -= 1
        start, stop, node, n_constant = waiting[n_waiting]
        size = stop - start
        lowest, highest = np.inf, -np.inf
        total_weight, total_product, total_square = 0.0, 0.0, 0.0
        for i in range(size):
            row = rows[start + i]
            own_weight[i], own_product[i] = weight[row], weight[row] * target[row]
            total_weight += own_weight[i]
            total_product += own_product[i]
            total_square += own_product[i] * target[row]
            lowest, highest = min(lowest, target[row]), max(highest, target[row])
        value[node], cover[node] = total_product / total_weight, total_weight
        if size < 2 * least or size < 2 or lowest == highest:
            continue
        # Two pure sides, as any two rows are, cannot be bettered by another column.
        perfect = total_square * (1.0 - _ROUNDING)
        best, best_column, best_threshold = -np.inf, -1, np.float32(0.0)
        n_known, n_drawn, n_found, n_visited, end = n_constant, 0, 0, 0, p
        while end > n_constant and (n_visited < n_tried or n_visited <= n_found + n_drawn):
            n_visited += 1
            place = n_drawn + int(_random(state) * (end - n_found - n_drawn))
            if place < n_known:
                order[n_drawn], order[place] = order[place], order[n_drawn]
                n_drawn += 1
                continue
            place += n_found
            column = columns[order[place]]
            low = high = column[rows[start]]
            for i in range(size):
                x = column[rows[start + i]]
                own[i] = x
                low = x if x < low else low
                high = x if x > high else high
            if high <= low + np.float32(_CONSTANT):
                order[place], order[n_constant] = order[n_constant], order[place]
                n_found += 1
                n_constant += 1
                continue
            end -= 1
            order[place], order[end] = order[end], order[place]
            drawn = _random(state)
            line = np.float32(np.float64(low) + drawn * (np.float64(high) - np.float64(low)))
            if line >= high:
                line = low
            n_left, left_weight, left_product = 0.0, 0.0, 0.0
            for i in range(size):
                # Without a branch, which no processor could foresee.
                side = 1.0 if own[i] <= line else 0.0
                n_left += side
                left_weight += side * own_weight[i]
                left_product += side * own_product[i]
            if n_left < least or size - n_left < least:
                continue
            right_product = total_product - left_product
            gain = left_product * left_product / left_weight
            gain += right_product * right_product / (total_weight - left_weight)
            if gain > best:
                best, best_column, best_threshold = gain, order[end], line
                if gain >= perfect:
                    break
        order[:n_known] = constant[:n_known]
        constant[n_known:n_constant] = order[n_known:n_constant]
        if best_column < 0:
            continue
        column = columns[best_column]
        middle, last = start, stop
        while middle < last:
            if column[rows[middle]] <= best_threshold:
                middle += 1
            else:
                last -= 1
                rows[middle], rows[last] = rows[last], rows[middle]
        left[node], feature[node], threshold[node] = n_nodes, best_column, best_threshold
        waiting[n_waiting] = middle, stop, n_nodes + 1, n_constant
        waiting[n_waiting + 1] = start, middle, n_nodes, n_constant
        n_waiting += 2
        n_nodes += 2
    return (
        left[:n_nodes].copy(),
        feature[:n_nodes].copy(),
        threshold[:n_nodes].copy(),
        value[:n_nodes].copy(),
        cover[:n_nodes].copy(),
    )


@numba.njit(cache=True)
def answer(first, left, feature, threshold, value, depth, rows, total, square):  # type: ignore[no-untyped-def]
    """Add the values of all trees, and their squares, to those of each row.

    Leaves lead back to themselves: all rows of a block go down together, level by level, so that
    no step waits for the one before. Unsigned indices are not checked for counting from the end.
    """
    node = np.zeros(_BLOCK, np.int32)
    for begin in range(0, len(rows), _BLOCK):
        size = min(_BLOCK, len(rows) - begin)
        for tree in range(len(first) - 1):
            own = slice(first[tree], first[tree + 1])
            next_node, column, line = left[own], feature[own], threshold[own]
            node[:] = 0
            for _ in range(depth[tree]):
                for r in range(size):
                    here = np.uintp(node[r])
                    x = rows[np.uintp(begin + r), np.uintp(column[here])]
                    node[r] = next_node[here] + np.int32(x > line[here])
            for r in range(size):
                found = value[first[tree] + node[r]]
                total[begin + r] += found
                square[begin + r] += found * found


@numba.njit(cache=True)
def fill(features, source, gap, median, largest, filled):  # type: ignore[no-untyped-def]
    """Columns of features (n, p) with medians filled in, or whether they are missing, (n, c)."""
    for i in range(len(features)):
        for j in range(len(source)):
            value = features[i, source[j]]
            missing = np.isnan(value)
            if gap[j]:
                value = 1.0 if missing else 0.0
            elif missing:
                value = median[j]
            filled[i, j] = min(max(value, -largest), largest)


@numba.njit(cache=True)
def deepest(first, left, depth):  # type: ignore[no-untyped-def]
    """Splits on the longest path of each tree; children come after their parents."""
    for tree in range(len(depth)):
        own = left[first[tree] : first[tree + 1]]
        level = np.zeros(len(own), np.int64)
        for node in range(len(own)):
            depth[tree] = max(depth[tree], level[node])
            if own[node] > node:
                level[own[node]] = level[own[node] + 1] = level[node] + 1
