"""A forest of a stranger: every node is looked at before a tree is asked.

The compiled walk trusts the node table.
"""

from __future__ import annotations

import numpy as np

from ...data.errors import ModelError
from ..labels.censoring import FloatArray
from .forest import Forest
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
        filling, forest = learner.filling_, learner.forest_
        filled = filling.fits(learner.n_features_in_)
        sound = len(filling.source) > 0 and _is_sound(forest)
        seen = len(filling.source) == forest.n_features
    except (AttributeError, TypeError, ValueError, IndexError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{name} is damaged ({reason[:200]}); not loaded") from None
    if not filled:
        raise ModelError(f"{name} uses features that it does not have; not loaded")
    if not sound:
        raise ModelError(f"{name} holds a tree whose nodes point outside it; not loaded")
    if not seen:
        raise ModelError(f"{name} fills other columns than it uses; not loaded")


def _is_sound(forest: Forest) -> bool:
    """Trees lie behind one another, children behind their parent and inside its tree.

    Features exist: there is no loop and no leap.
    """
    first, left = forest.first, forest.left
    count = len(left)
    arrays = {
        "left": np.int32,
        "feature": np.int32,
        "threshold": np.float32,
        "value": np.float64,
        "cover": np.float64,
    }
    typed = all(getattr(forest, name).dtype == kind for name, kind in arrays.items())
    long = all(getattr(forest, name).shape == (count,) for name in arrays)
    if not (typed and long and first.dtype == np.int64 and first.ndim == 1 and len(first) > 1):
        return False
    size = np.diff(first)
    if first[0] != 0 or first[-1] != count or not (size > 0).all():
        return False
    number = np.arange(count) - np.repeat(first[:-1], size)
    leaf = (left == number) & (forest.threshold == np.inf)
    inside = (left > number) & (left.astype(np.int64) + 1 < np.repeat(size, size))
    known = (forest.feature >= 0) & (forest.feature < forest.n_features)
    split_ok = bool((known & (leaf | (inside & np.isfinite(forest.threshold)))).all())
    return split_ok and _finite(forest.value) and bool((forest.cover > 0).all())


def _finite(numbers: FloatArray) -> bool:
    return bool(np.isfinite(numbers).all())
