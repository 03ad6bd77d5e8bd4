"""Folds that keep whole groups together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut

from ...data.errors import ModelError

IntArray = NDArray[np.int64]


def joined_groups(structure_ids: Sequence[str], groups: Sequence[str]) -> IntArray:
    """Integer groups such that neither a structure nor a group is ever split.

    A structure reported by two papers joins the two papers' groups. An empty group stands for the
    structure itself.

    Parameters
    ----------
    structure_ids, groups : sequence of str, length n

    Returns
    -------
    array (n,) of int
        Numbered in order of first appearance.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for structure, group in zip(structure_ids, groups, strict=True):
        parent[root(f"s:{structure}")] = root(f"g:{group}" if group else f"s:{structure}")
    roots = [root(f"s:{structure}") for structure in structure_ids]
    return pd.factorize(np.array(roots, dtype=object))[0].astype(np.int64)


def grouped_folds(
    groups: IntArray, n_folds: int, seed: int | None = None
) -> Iterator[tuple[IntArray, IntArray]]:
    """Training and test rows: one group at a time where groups are few, else folds of groups.

    Parameters
    ----------
    groups : array (n,) of int
    n_folds : int
    seed : int, optional
        Shuffles groups into folds; without it folds are balanced by size.

    Raises
    ------
    ModelError
        If there is only one group: nothing can be held out.
    """
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ModelError(
            "all labels belong to one group, so nothing can be held out to calibrate on; "
            "give the labels at least two groups"
        )
    if n_groups <= n_folds:
        splitter = LeaveOneGroupOut()
    elif seed is None:
        splitter = GroupKFold(n_folds)
    else:
        splitter = GroupKFold(n_folds, shuffle=True, random_state=seed)
    yield from splitter.split(groups, groups=groups)
