"""Does the physics pay? What each descriptor family adds, and what more data would.

Every variant is evaluated on the same held-out groups, and differences carry paired bootstrap
intervals: an interval that includes zero means that this table does not show a gain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...data.errors import ModelError
from ..labels.folds import joined_groups
from ..trust.metrics import REGRESSION_SCORES, Outcome, Score, auc, precision_at
from .grouped import Factory, GroupedEvaluation, evaluate_grouped

_ONE_SUBJECT: Final = {"isolated_net": "isolated_anions"}
"""Families that are taken in and out together: two of them describe isolated anions."""


def subjects(families: Mapping[str, str]) -> dict[str, str]:
    """Column → what it is about: its family, where two describe one thing their common name."""
    return {column: _ONE_SUBJECT.get(name, name) for column, name in families.items()}


class OnColumns:
    """A model that sees some of the feature columns only.

    Parameters
    ----------
    factory : callable
        Makes the model.
    columns : sequence of str
    """

    def __init__(self, factory: Factory, columns: Sequence[str]) -> None:
        self.factory = factory
        self.columns = list(columns)

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> Self:
        """Fit on the chosen columns."""
        self.model_ = self.factory().fit(features[self.columns], labels)
        return self

    def predict(self, features: pd.DataFrame, temperature_K: ArrayLike) -> pd.DataFrame:
        """Predict from the chosen columns."""
        answer: pd.DataFrame = self.model_.predict(features[self.columns], temperature_K)
        return answer


@dataclass(frozen=True)
class Ablation:
    """Evaluation of the variants and the gain of each over its reference."""

    evaluation: GroupedEvaluation
    gains: pd.DataFrame
    """Index: variant; ``against`` and, by score, ``gain``, ``low``, ``high``; positive = better."""

    def table(self) -> pd.DataFrame:
        """Gains as ``value [low, high]``, one column for each score."""
        rows = [
            {"variant": name, "against": row["against"]}
            | {
                score: str(Score(*(row[f"{score}_{k}"] for k in ("gain", "low", "high"))))
                for score in _JUDGED
            }
            for name, row in self.gains.iterrows()
        ]
        return pd.DataFrame(rows)


def ablate(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    families: Mapping[str, str],
    factory: Factory,
    standard: Sequence[str],
    seed: int = 0,
    **options: Any,
) -> Ablation:
    """Add each family to the standard ones, and take each out of all.

    Parameters
    ----------
    features, labels : DataFrame
        As for :func:`.evaluate_grouped`.
    families : mapping of column to family
    factory : callable
        Makes the model to evaluate.
    standard : sequence of str
        Families of the reference: what every toolkit has
        (:data:`ionsieve.features.catalogue.STANDARD_FAMILIES`).
    seed : int
    options
        Passed to :func:`.evaluate_grouped`.
    """
    columns = [c for c in features.columns if c in families]
    base = [c for c in columns if families[c] in standard]
    extra = sorted({families[c] for c in columns} - set(standard))
    if not base or not extra:
        raise ModelError("an ablation needs columns of the standard and of another family")
    variants = {"standard": base, "all": columns}
    for name in extra:
        variants[f"standard + {name}"] = [
            c for c in columns if families[c] in standard or families[c] == name
        ]
        variants[f"all − {name}"] = [c for c in columns if families[c] != name]
    methods = {n: _on(factory, chosen) for n, chosen in variants.items()}
    evaluation = evaluate_grouped(features, labels, methods, seed=seed, **options)
    pairs = {"all": ("all", "standard")}
    # A name that began with a sign would be a formula in a spreadsheet.
    pairs |= {f"with {n}": (f"standard + {n}", "standard") for n in extra}
    pairs |= {f"without {n}": ("all", f"all − {n}") for n in extra}
    return Ablation(evaluation, _gains(evaluation, pairs, seed))


def learning_curve(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    factory: Factory,
    fractions: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
    seed: int = 0,
    **options: Any,
) -> GroupedEvaluation:
    """Evaluate with a share of the training groups on the same held-out groups.

    Parameters
    ----------
    features, labels : DataFrame
        As for :func:`.evaluate_grouped`.
    factory : callable
        Makes the model to evaluate.
    fractions : sequence of float
        Shares of the training groups in (0, 1].
    seed : int
        Which groups are drawn; smaller shares are subsets of larger ones.
    options
        Passed to :func:`.evaluate_grouped`.
    """
    methods = {f"{f:.0%}": _thinned(factory, f, seed) for f in fractions}
    return evaluate_grouped(features, labels, methods, seed=seed, **options)


class _Thinned:
    def __init__(self, factory: Factory, fraction: float, seed: int) -> None:
        self.factory, self.fraction, self.seed = factory, fraction, seed

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> Self:
        ids, names = labels["structure_id"].astype(str), labels["group"].fillna("").astype(str)
        groups = joined_groups(list(ids), list(names))
        order = np.random.default_rng(self.seed).permutation(np.unique(groups))
        kept = order[: max(2, round(self.fraction * len(order)))]
        self.model_ = self.factory().fit(features, labels[np.isin(groups, kept)])
        return self

    def predict(self, features: pd.DataFrame, temperature_K: ArrayLike) -> pd.DataFrame:
        answer: pd.DataFrame = self.model_.predict(features, temperature_K)
        return answer


def training_groups(evaluation: GroupedEvaluation) -> list[float]:
    """Mean number of training groups behind each method of a :func:`learning_curve`."""
    most = evaluation.n_groups * (1.0 - 1.0 / evaluation.n_folds)
    return [most * float(name.rstrip("%")) / 100.0 for name in evaluation.scores]


def _on(factory: Factory, columns: Sequence[str]) -> Factory:
    return lambda: OnColumns(factory, columns)


def _thinned(factory: Factory, fraction: float, seed: int) -> Factory:
    return lambda: _Thinned(factory, fraction, seed)


def _gains(
    evaluation: GroupedEvaluation, pairs: Mapping[str, tuple[str, str]], seed: int
) -> pd.DataFrame:
    rows = {}
    for name, (variant, reference) in pairs.items():
        row: dict[str, Any] = {"against": reference}
        for score, (function, sign) in _JUDGED.items():
            found = evaluation.difference(function, variant, reference, seed)
            low, high = sorted((sign * found.low, sign * found.high))
            row |= {f"{score}_gain": sign * found.value, f"{score}_low": low, f"{score}_high": high}
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index")


_JUDGED: Final[Mapping[str, tuple[Callable[[Outcome], float], float]]] = {
    "mae": (REGRESSION_SCORES["mae"], -1.0),
    "spearman": (REGRESSION_SCORES["spearman"], 1.0),
    "auc": (auc, 1.0),
    "precision_at_50": (precision_at(50), 1.0),
}
"""Scores by which variants are compared, and the sign that makes larger better."""
