"""A forest of a stranger: every node is looked at before a tree is asked.

scikit-learn's trees are compiled code that trusts its node table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...data.errors import ModelError
from .trees import BoundedExtraTrees


def check_forest(learner: BoundedExtraTrees, name: str) -> None:
    """Look at a forest that was read from a file.

    Parameters
    ----------
    learner : BoundedExtraTrees
    name : str
        Of the file, for messages.

    Raises
    ------
    ModelError
        If it uses features that it does not have, a tree's nodes point outside it, or a number
        is not finite.
    """
    try:
        used = np.asarray(learner.used_)
        fits = used.dtype.kind == "i" and used.ndim == 1 and len(used) > 0
        inside = fits and bool(((used >= 0) & (used < learner.n_features_in_)).all())
        n_columns = learner.forest_.n_features_in_
        trees = [tree.tree_ for tree in learner.forest_.estimators_]
        sound = bool(trees) and all(_is_sound(tree, n_columns) for tree in trees)
        filling = np.asarray(learner.imputer_.statistics_, dtype=np.float64)
        filled = filling.shape == used.shape and bool(np.isfinite(filling).all())
        seen = len(learner.sources_) == n_columns
    except (AttributeError, TypeError, ValueError, IndexError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{name} is damaged ({reason[:200]}); not loaded") from None
    if not inside:
        raise ModelError(f"{name} uses features that it does not have; not loaded")
    if not sound:
        raise ModelError(f"{name} holds a tree whose nodes point outside it; not loaded")
    if not (filled and seen):
        raise ModelError(f"{name} fills other columns than it uses; not loaded")


def _is_sound(tree: Any, n_features: int) -> bool:
    """Children come after their parent and inside the table; features exist: no loop, no leap."""
    count = tree.node_count
    parent = np.arange(count)
    left, right = tree.children_left, tree.children_right
    leaf = (left == -1) & (right == -1)
    inside = np.ones(count, dtype=bool)
    for child in (left, right):
        inside &= (child > parent) & (child < count)
    known = (tree.feature >= 0) & (tree.feature < n_features)
    split_ok = bool((leaf | (inside & known & np.isfinite(tree.threshold))).all())
    shape_ok = tree.value.shape == (count, 1, 1) and tree.n_features == n_features
    return bool(shape_ok and count > 0 and split_ok and np.isfinite(tree.value).all())
