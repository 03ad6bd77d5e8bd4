"""An XGBoost file of a stranger: every tree is looked at before XGBoost itself sees the bytes.

XGBoost follows child and feature indices without asking whether they exist; two changed bytes end
the process. What passes here is one tree after the other, each a binary tree whose nodes have one
parent, whose splits name features that exist, and whose numbers are finite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np

from ...data.errors import ModelError
from .ubjson import read_ubjson

MAX_TREES: Final = 100_000
_NO_PARENT: Final = 2**31 - 1
_FLOATS: Final = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
_CATEGORIES: Final = (
    "categories",
    "categories_nodes",
    "categories_segments",
    "categories_sizes",
)
_TREE_KEYS: Final[frozenset[str]] = frozenset(
    {
        *_FLOATS,
        *_CATEGORIES,
        "default_left",
        "id",
        "left_children",
        "parents",
        "right_children",
        "split_indices",
        "split_type",
        "tree_param",
    }
)
_COUNTS: Final[Mapping[str, Mapping[str, str]]] = {
    "learner_model_param": {"num_class": "0", "num_target": "1"},
    "gbtree_model_param": {"num_parallel_tree": "1"},
    "tree_param": {"num_deleted": "0", "size_leaf_vector": "1"},
}
"""What a model of one number has in its parameters, where they are there."""


def check_booster(content: bytes, n_features: int) -> None:
    """Look at a file before ``Booster.load_model``.

    Parameters
    ----------
    content : bytes
        ``xgboost.ubj``.
    n_features : int
        Columns of the model that the file belongs to.

    Raises
    ------
    ModelError
        If it is not a sound model of :class:`~.trees.BoundedBoosting`; with what is wrong.
    """
    try:
        model = read_ubjson(content)
        _check_learner(_keys(model, {"learner", "version"})["learner"], n_features)
    except ModelError as error:
        raise ModelError(f"xgboost.ubj is damaged ({error}); not loaded") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"xgboost.ubj is damaged ({reason[:200]}); not loaded") from None


def _keys(part: Any, allowed: Iterable[str]) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise ModelError("a part of it is no object")
    if unknown := sorted(set(part) - set(allowed)):
        raise ModelError(f"it holds {unknown[0][:40]!r}, which no model of ionsieve has")
    return part


def _check_learner(learner: Any, n_features: int) -> None:
    _keys(
        learner,
        {
            "attributes",
            "feature_names",
            "feature_types",
            "gradient_booster",
            "learner_model_param",
            "objective",
        },
    )
    for name in ("attributes", "feature_names", "feature_types"):
        _require(len(learner[name]) == 0, f"{name} is not empty")
    _check_parameters(learner["learner_model_param"], n_features)
    _check_objective(learner["objective"])
    booster = _keys(learner["gradient_booster"], {"model", "name"})
    _require(booster["name"] == "gbtree", "it does not boost trees")
    _check_model(booster["model"], n_features)


def _require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise ModelError(otherwise)


def _check_parameters(given: Any, n_features: int) -> None:
    names = {"base_score", "boost_from_average", "num_class", "num_feature", "num_target"}
    _keys(given, names)
    _check_counts("learner_model_param", given)
    _require(given["num_feature"] == str(n_features), "it has another number of features")
    _require(given["boost_from_average"] in ("0", "1"), "boost_from_average is no truth value")
    score = float(str(given["base_score"]).strip("[]"))
    _require(0.0 < score < 1e6, f"its base score is {score:g}")


def _check_counts(part: str, given: Mapping[str, Any]) -> None:
    for name, wanted in _COUNTS[part].items():
        _require(given.get(name, wanted) == wanted, f"{name} is not {wanted}")


def _check_objective(given: Any) -> None:
    _keys(given, {"aft_loss_param", "name"})
    loss = _keys(given["aft_loss_param"], {"aft_loss_distribution", "aft_loss_distribution_scale"})
    _require(given["name"] == "survival:aft", "its objective is not that of bounded labels")
    _require(loss["aft_loss_distribution"] == "normal", "its errors are not normal")
    scale = float(loss["aft_loss_distribution_scale"])
    _require(0.0 < scale < 1e3, f"the scale of its errors is {scale:g}")


def _check_model(model: Any, n_features: int) -> None:
    _keys(model, {"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees"})
    for name, content in model.get("cats", {}).items():
        _require(len(content) == 0, f"it has categories ({name[:40]})")
    given = _keys(model["gbtree_model_param"], {"num_parallel_tree", "num_trees"})
    _check_counts("gbtree_model_param", given)
    trees = model["trees"]
    n_trees = len(trees)
    _require(isinstance(trees, list) and 0 < n_trees <= MAX_TREES, f"it has {n_trees} trees")
    _require(given["num_trees"] == str(n_trees), "its number of trees is not the one it states")
    _require(list(model["tree_info"]) == [0] * n_trees, "its trees belong to other targets")
    rounds = list(model.get("iteration_indptr", range(n_trees + 1)))
    _require(rounds == list(range(n_trees + 1)), "its rounds are not of one tree each")
    for number, tree in enumerate(trees):
        try:
            _check_tree(tree, number, n_features)
        except ModelError as error:
            raise ModelError(f"tree {number}: {error}") from None


def _check_tree(tree: Any, number: int, n_features: int) -> None:
    _keys(tree, _TREE_KEYS)
    _require(tree["id"] == number, "out of order")
    for name in _CATEGORIES:
        _require(len(tree[name]) == 0, "it has categories")
    given = _keys(
        tree["tree_param"], {"num_deleted", "num_feature", "num_nodes", "size_leaf_vector"}
    )
    _check_counts("tree_param", given)
    _require(given["num_feature"] == str(n_features), "another number of features")
    n_nodes = len(tree["left_children"])
    _require(n_nodes > 0 and given["num_nodes"] == str(n_nodes), "another number of nodes")
    column = _columns(tree, n_nodes)
    left, right = column("left_children"), column("right_children")
    _check_shape(left, right, column("parents"))
    for name in _FLOATS:
        _require(bool(np.isfinite(column(name, np.floating)).all()), f"{name} is not finite")
    feature = column("split_indices")
    _require(bool(((feature >= 0) & (feature < n_features)).all()), "it asks for other features")
    for name in ("default_left", "split_type"):
        wrong = column(name) & ~1 if name == "default_left" else column(name)
        _require(not wrong.any(), f"{name} is not possible")


def _columns(tree: Mapping[str, Any], n_nodes: int) -> Callable[..., Any]:
    def column(name: str, kind: Any = np.integer) -> Any:
        array = np.asarray(tree[name])
        fits = array.shape == (n_nodes,) and np.issubdtype(array.dtype, kind)
        _require(bool(fits), f"{name} does not fit")
        return array.astype(np.float64 if kind is np.floating else np.int64)

    return column


def _check_shape(left: Any, right: Any, parents: Any) -> None:
    """Each node but the first is the child of exactly one node before it: a tree, no loop."""
    n_nodes = len(left)
    is_leaf = left == -1
    _require(bool((is_leaf == (right == -1)).all()), "a node with one child")
    inner = np.flatnonzero(~is_leaf)
    child = np.concatenate([left[inner], right[inner]])
    parent = np.concatenate([inner, inner])
    _require(bool(((child > parent) & (child < n_nodes)).all()), "a child outside the tree")
    _require(len(np.unique(child)) == len(child) == n_nodes - 1, "a node with two parents or none")
    _require(parents[0] in (_NO_PARENT, -1), "the root has a parent")
    _require(bool((parents[child] == parent).all()), "a parent that is none")
