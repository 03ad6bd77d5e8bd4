"""Training and evaluation on your own labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data.errors import LabelError
from ..data.transport.label_table import read_label_table
from ..models import make_model
from ..models.evaluation.grouped import (
    MODEL_NAME,
    GroupedEvaluation,
    baselines,
    evaluate_grouped,
)
from .descriptors import featurize
from .structures import StructuresLike

if TYPE_CHECKING:
    import pandas as pd

    from ..models import StructureModel


def train(
    structures: StructuresLike | pd.DataFrame,
    labels: pd.DataFrame | str | Path,
    *,
    quantity: str = "sigma_S_cm",
    mobile: str = "Li",
    seed: int = 0,
    threshold: float = 1e-3,
) -> StructureModel:
    """Train a calibrated model on labels of one kind.

    Parameters
    ----------
    structures : structures, or DataFrame
        Structures, or their descriptors as :func:`featurize` with ``numeric=True`` gives them.
    labels : DataFrame or path
        Label table: ``structure_id``, ``temperature_K``, ``kind``, ``quantity``, ``value``,
        ``lower``, ``upper``, ``error_log10``, ``group``, ``source``.
    quantity : str
        ``sigma_S_cm``, ``diffusivity_cm2_s``, ``t_onset_K`` or ``diffuses``.
    mobile : str
    seed : int
    threshold : float
        Value that counts as fast, in the unit of the quantity.

    Returns
    -------
    StructureModel
        ``predict(features, temperature_K)`` gives value, interval, probability and domain
        distance; ``evaluation_`` holds its held-out scores.

    Raises
    ------
    LabelError
        If no label belongs to a structure given.
    """
    features, table = _tables(structures, labels, mobile)
    return make_model(quantity, seed=seed, threshold=threshold).fit(features, table)


def evaluate(
    structures: StructuresLike | pd.DataFrame,
    labels: pd.DataFrame | str | Path,
    *,
    quantity: str = "sigma_S_cm",
    mobile: str = "Li",
    n_folds: int | None = 5,
    seed: int = 0,
    threshold: float = 1e-3,
    members: Sequence[str] | None = None,
) -> GroupedEvaluation:
    """Hold out whole groups of labels and score a model beside naive baselines.

    Parameters
    ----------
    structures, labels, quantity, mobile, seed, threshold
        As in :func:`train`; the column ``group`` of the labels says what is held out together.
    n_folds : int or None
        Folds over groups; None leaves one group out at a time.
    members : sequence of str, optional
        Learners of the stack; the usual ones by default.

    Returns
    -------
    GroupedEvaluation
        Scores with 95 % bootstrap intervals over groups, and every held-out prediction.
    """
    features, table = _tables(structures, labels, mobile)
    settings: dict[str, Any] = {"seed": seed, "threshold": threshold}
    if members is not None:
        settings["members"] = tuple(members)
    methods = {MODEL_NAME: lambda: make_model(quantity, **settings), **baselines(quantity)}
    return evaluate_grouped(
        features,
        table,
        methods,
        n_folds=n_folds,
        quantity=quantity,
        threshold=threshold,
        seed=seed,
    )


def _tables(
    structures: StructuresLike | pd.DataFrame, labels: pd.DataFrame | str | Path, mobile: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    table = read_label_table(labels) if isinstance(labels, (str, Path)) else labels
    if isinstance(structures, pd.DataFrame):
        features = structures
    else:
        features = featurize(structures, mobile=mobile, numeric=True)
    usable = table[table["structure_id"].isin(features.index)].reset_index(drop=True)
    if usable.empty:
        raise LabelError(
            f"none of the {len(table)} labels has a structure_id among the {len(features)} "
            "structures; ids of files are their names without ending"
        )
    return features, usable
