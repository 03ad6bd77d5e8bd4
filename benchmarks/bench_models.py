"""Accuracy of the models on grouped folds, beside plain baselines rerun on the same folds.

    python benchmarks/bench_models.py mlip_md ablation --data FOLDER [--out FOLDER]

Data sets: ``mlip_md`` (onset of Li diffusion in M3GNet MD, grouped by chemical system),
``experiment`` (OBELiX training part, grouped by publication), ``aimd`` (embedded table, leave one
family out). Besides, on mlip_md: ``ablation`` by descriptor family, learning ``curve``, ``tuning``
(do tuned settings help on folds that tuning has not seen?) and ``folds`` (other shuffles); and
``fidelity`` (does the M3GNet set help the other two?). Tables are printed and written as Markdown.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from model_data import dataset, mlip_table
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from ionsieve.data.atomic import write_bytes_atomic
from ionsieve.features.catalogue import STANDARD_FAMILIES, catalogue
from ionsieve.models import StructureModel, make_model, make_splitter
from ionsieve.models.evaluation.ablation import (
    OnColumns,
    ablate,
    learning_curve,
    subjects,
    training_groups,
)
from ionsieve.models.evaluation.card import markdown_table
from ionsieve.models.evaluation.grouped import GroupedEvaluation, baselines, evaluate_grouped
from ionsieve.models.evaluation.plots import ablation_plot, learning_curve_plot
from ionsieve.models.evaluation.tuning import TunedModel
from ionsieve.models.fidelity import learn_other_kind
from ionsieve.models.trust.metrics import (
    REGRESSION_SCORES,
    Outcome,
    auc,
    average_precision,
    precision_at,
    spearman,
    with_interval,
)

PLAIN_FAMILIES = ("composition", "density")
"""Magpie and a few structure features: what a careful reader would take first."""
SEED = 0
ALL_LEARNERS = ("extra_trees", "xgboost", "gaussian_process")
FOLD_SEEDS = (1, 2)
"""Further shuffles of the groups into folds: how much of a score is the luck of the folds."""
MLIP = {"quantity": "t_onset_K", "temperature_K": 1000.0, "n_folds": 5}
FIDELITY_FOLDS = {"experiment": 5, "aimd": None}
TUNING_TRIALS = 10


class PlainTrees:
    """What a careful reader would do first: extra trees on Magpie and a few structure features.

    Bounds are taken as values where ``bounds_as_values`` and dropped otherwise; missing features
    take the training median. With ``event`` (0, 1 or NaN by structure) a second forest gives the
    event's probability.
    """

    def __init__(self, columns: list[str], event: pd.Series | None = None) -> None:
        self.columns = columns
        self.event = event

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> PlainTrees:
        x = features[self.columns]
        self.median = x.loc[labels["structure_id"]].median()
        onset = labels["quantity"].iloc[0] == "t_onset_K"
        known = labels[labels["upper"].notna()] if onset else labels
        y = known["upper"] if onset else np.log10(known["value"].fillna(known["upper"]))
        self.regressor = ExtraTreesRegressor(300, random_state=SEED, n_jobs=1)
        self.regressor.fit(self._filled(x.loc[known["structure_id"]]), y)
        if self.event is not None:
            answer = self.event.reindex(labels["structure_id"]).dropna()
            self.classifier = ExtraTreesClassifier(300, random_state=SEED, n_jobs=1)
            self.classifier.fit(self._filled(x.loc[answer.index]), answer.astype(int))
        return self

    def predict(self, features: pd.DataFrame, temperature_K: np.ndarray) -> pd.DataFrame:
        x = self._filled(features[self.columns])
        answer = pd.DataFrame({"prediction": self.regressor.predict(x)}, index=features.index)
        if self.event is not None:
            answer["low"] = answer["high"] = np.nan
            answer["p_exceeds"] = self.classifier.predict_proba(x)[:, 1]
        return answer

    def _filled(self, x: pd.DataFrame) -> np.ndarray:
        return x.fillna(self.median).fillna(0.0).to_numpy()


def mlip_md(args: argparse.Namespace) -> list[str]:
    features, _, labels, families = _load("mlip_md", "chemsys", args)
    conventions = _conventions(args.data, labels)
    plain = [c for c in features if families[c] in PLAIN_FAMILIES]
    methods = {
        "model": lambda: make_model("t_onset_K", seed=SEED),
        "xgboost alone": lambda: make_model("t_onset_K", seed=SEED, members=("xgboost",)),
        "plain baseline": lambda: PlainTrees(plain, conventions["molten left out"]),
        **baselines("t_onset_K"),
    }
    found = evaluate_grouped(features, labels, methods, seed=SEED, **MLIP)
    lines = [f"## mlip_md: onset of diffusion, {len(labels)} materials, 5 folds by chemical system"]
    lines += ["", *_table(found)]
    for name, event in conventions.items():
        known = int(event.notna().sum())
        lines += [f"### D(1000 K) > 0, {name}: {int(event.sum())} of {known}", ""]
        lines += _event_table(found, event.to_numpy())
    return lines


def _conventions(data: Path, labels: pd.DataFrame) -> dict[str, pd.Series]:
    """Whether D(1000 K) > 0, with what is molten by then left out, or counted if it diffused."""
    table = mlip_table(data).loc[labels["structure_id"]]
    left_out = (table["D_1000K"] > 0).astype(float).where(table["D_1000K"].notna())
    diffused = pd.Series(1.0, table.index).where(table["T_onset"] <= 1000.0)
    return {
        "molten left out": left_out,
        "molten after diffusing positive": left_out.fillna(diffused),
    }


def folds(args: argparse.Namespace) -> list[str]:
    """mlip_md on other shuffles of the groups into folds, by boosting: how much is luck."""
    features, _, labels, _ = _load("mlip_md", "chemsys", args)
    conventions = _conventions(args.data, labels)
    rows = []
    for seed in FOLD_SEEDS:
        methods = {"xgboost alone": lambda: make_model("t_onset_K", members=("xgboost",))}
        found = evaluate_grouped(features, labels, methods, seed=seed, **MLIP)
        names = ("spearman", "coverage", "coverage_top_decile")
        row = {"folds": seed, **{name: found.scores["xgboost alone"][name].value for name in names}}
        for words, event in conventions.items():
            judged = dataclasses.replace(found.outcomes["xgboost alone"], event=event.to_numpy())
            row[f"AUC, {words}"] = auc(judged)
            row[f"precision@50, {words}"] = precision_at(50)(judged)
        rows.append(row)
    table = pd.DataFrame(rows).round(3).astype(object)
    return ["## folds: mlip_md, xgboost alone on other shuffles", "", *markdown_table(table), ""]


def experiment(args: argparse.Namespace) -> list[str]:
    features, _, labels, families = _load("experiment", "doi", args)
    plain = [c for c in features if families[c] in ("composition", "lattice")]
    methods = {
        "model": lambda: make_model("sigma_S_cm", seed=SEED, threshold=1e-4),
        "model, all learners": lambda: make_model(
            "sigma_S_cm", seed=SEED, threshold=1e-4, members=ALL_LEARNERS
        ),
        "plain baseline": lambda: PlainTrees(plain),
        **baselines(),
    }
    options = {"n_folds": 5, "seed": SEED, "threshold": 1e-4}
    found = evaluate_grouped(features, labels, methods, **options)
    lines = [f"## experiment: OBELiX training part, {len(labels)} labels, 5 folds by publication"]
    pairs = [_paired(found, m, "plain baseline") for m in ("model", "model, all learners")]
    return [*lines, "", *_table(found), *pairs[0], *pairs[1]]


def aimd(args: argparse.Namespace) -> list[str]:
    features, _, labels, families = _load("aimd", "family", args)
    plain = [c for c in features if families[c] in PLAIN_FAMILIES]
    methods = {
        "model": lambda: make_model("sigma_S_cm", seed=SEED),
        "model, plain features": _on(plain),
        **baselines(),
    }
    found = evaluate_grouped(features, labels, methods, seed=SEED)
    lines = [f"## aimd: embedded table, {len(labels)} labels, leave one family out"]
    return [*lines, "", *_table(found), *_paired(found, "model", "temperature only")]


def ablation(args: argparse.Namespace) -> list[str]:
    """What each descriptor family adds on mlip_md, by boosting: a tenth of the stack's time."""
    features, _, labels, families = _load("mlip_md", "chemsys", args)
    found = ablate(features, labels, families, _boosting, STANDARD_FAMILIES, seed=SEED, **MLIP)
    _picture(args.out, "ablation.png", ablation_plot(found.gains))
    scores = found.evaluation.table()[["mae", "spearman", "auc", "precision_at_50"]]
    lines = ["## ablation: what each family adds on mlip_md (positive = better)", ""]
    lines += [*markdown_table(found.table()), ""]
    return [*lines, *markdown_table(scores.reset_index(names="columns")), ""]


def curve(args: argparse.Namespace) -> list[str]:
    """mlip_md with a share of the training groups, by boosting."""
    features, _, labels, _ = _load("mlip_md", "chemsys", args)
    found = learning_curve(features, labels, _boosting, seed=SEED, **MLIP)
    groups = training_groups(found)
    _picture(args.out, "learning_curve.png", learning_curve_plot(found, groups))
    table = found.table()[["mae", "spearman", "auc", "precision_at_50", "coverage"]]
    table.insert(0, "training groups", [round(n) for n in groups])
    return ["## curve: mlip_md", "", *markdown_table(table.reset_index(names="share")), ""]


def _boosting() -> StructureModel:
    return make_model("t_onset_K", seed=SEED, members=("xgboost",), n_folds=2)


def fidelity(args: argparse.Namespace) -> list[str]:
    """Out-of-fold onsets of the M3GNet set as a feature for the two other kinds, by boosting."""
    other_features, other_structures, other_labels, _ = _load("mlip_md", "chemsys", args)
    lines = ["## fidelity: predicted M3GNet onset as a feature for other kinds"]
    for name, groups in (("experiment", "doi"), ("aimd", "family")):
        features, structures, labels, _ = _load(name, groups, args)
        known = structures["chemsys"].reindex(features.index)
        more, _ = learn_other_kind(
            features,
            # Entries without a structure are a system of their own: predicted by the whole set.
            known.fillna(pd.Series(features.index, index=features.index)),
            other_features,
            other_structures["chemsys"],
            other_labels,
            _boosting,
            seed=SEED,
        )
        shared = int(known.isin(other_structures["chemsys"]).sum())
        boosting = {"members": ("xgboost",), "threshold": 1e-4}
        methods = {"without": _on(list(features), **boosting), "with": _on(list(more), **boosting)}
        options = {"n_folds": FIDELITY_FOLDS[name], "threshold": 1e-4, "seed": SEED}
        found = evaluate_grouped(more, labels, methods, **options)
        lines += ["", f"### {name}: {shared} of {len(features)} in chemical systems of both sets"]
        table = found.table()[["mae", "rmse", "bound_violation", "spearman", "concordance"]]
        lines += ["", *markdown_table(table.T.reset_index(names="score")), ""]
        lines += _paired(found, "with", "without")
    return lines


def tuning(args: argparse.Namespace) -> list[str]:
    """Settings searched inside each training fold, against the defaults on the same folds."""
    features, _, labels, _ = _load("mlip_md", "chemsys", args)
    settings = {"seed": SEED, "members": ("xgboost",), "n_folds": 2}
    methods = {
        "default": _boosting,
        "tuned": lambda: TunedModel("t_onset_K", TUNING_TRIALS, **settings),
    }
    found = evaluate_grouped(features, labels, methods, seed=SEED, **MLIP)
    lines = [f"## tuning: boosting, {TUNING_TRIALS} trials nested in each of 5 folds, mlip_md"]
    lines += ["", *_table(found)]
    for name, score in (("Spearman", spearman), ("AUC", auc)):
        difference = found.difference(score, "tuned", "default", SEED)
        lines += [f"{name}, tuned minus default, paired: {difference}", ""]
    return lines


def _on(columns: list[str], **settings: Any) -> Callable[[], OnColumns]:
    return lambda: OnColumns(lambda: make_model("sigma_S_cm", seed=SEED, **settings), columns)


def _load(
    name: str, groups: str, args: argparse.Namespace
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, str]]:
    features, structures, labels = dataset(name, args.data, args.cache, args.workers)
    known = labels["structure_id"].isin(features.index)
    print(f"{name}: {len(labels)} labels, {int((~known).sum())} without features left out")
    labels = labels[known].reset_index(drop=True)
    labels = make_splitter(groups).assign(labels, structures, features)
    families = subjects({c.name: c.family for c in catalogue()})
    families |= {c: "lattice" for c in features if c.startswith("lattice ")}
    return features, structures, labels, families


def _table(found: GroupedEvaluation) -> list[str]:
    return [*markdown_table(found.table().T.reset_index(names="score")), ""]


def _paired(found: GroupedEvaluation, first: str, second: str) -> list[str]:
    difference = found.difference(REGRESSION_SCORES["mae"], first, second, SEED)
    return [f"Mean absolute error, {first} minus {second}, paired: {difference}", ""]


def _event_table(found: GroupedEvaluation, event: np.ndarray) -> list[str]:
    scores: dict[str, Callable[[Outcome], float]] = {
        "AUC": auc,
        "average precision": average_precision,
        "precision@50": precision_at(50),
    }
    rows = {}
    for method, outcome in found.outcomes.items():
        judged = dataclasses.replace(outcome, event=event)
        rows[method] = {n: str(with_interval(s, judged, SEED)) for n, s in scores.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").reset_index(names="method")
    return [*markdown_table(table), ""]


def _picture(out: Path | None, name: str, content: bytes) -> None:
    if out is not None:
        write_bytes_atomic(out / name, content)


SETS = {
    f.__name__: f for f in (mlip_md, experiment, aimd, ablation, curve, fidelity, tuning, folds)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", choices=list(SETS))
    parser.add_argument("--data", type=Path, default=os.environ.get("IONSIEVE_TEST_DATA"))
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/.cache"))
    parser.add_argument("--workers", type=int, default=1, help="processes that compute features")
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data or set IONSIEVE_TEST_DATA")
    args.data = Path(args.data)
    warnings.simplefilter("ignore")
    for name in args.sets:
        start = time.process_time()
        lines = SETS[name](args)
        lines.append(f"CPU time {time.process_time() - start:.0f} s, seed {SEED}.\n")
        text = "\n".join(lines)
        print(text)
        if args.out is not None:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / f"models-{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
