"""Accuracy of the models on grouped folds, beside plain baselines rerun on the same folds.

    python benchmarks/bench_models.py mlip_md --data FOLDER [--ablation] [--out FOLDER]

Data sets: ``mlip_md`` (onset of Li diffusion in M3GNet MD, grouped by chemical system),
``experiment`` (OBELiX training part, grouped by publication), ``aimd`` (embedded table, leave one
family out). Tables are printed and written as Markdown.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from model_data import dataset, mlip_table
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from ionsieve.features.catalogue import catalogue
from ionsieve.models import make_model, make_splitter
from ionsieve.models.ablation import ablate
from ionsieve.models.evaluation import GroupedEvaluation, baselines, evaluate_grouped
from ionsieve.models.metrics import (
    REGRESSION_SCORES,
    Outcome,
    auc,
    average_precision,
    precision_at,
    with_interval,
)
from ionsieve.models.report import markdown_table

PLAIN_FAMILIES = ("composition", "density", "standard")
SEED = 0


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
    table = mlip_table(args.data).loc[labels["structure_id"]]
    diffuses = (table["D_1000K"] > 0).astype(float).where(table["D_1000K"].notna())
    after = diffuses.where(diffuses.notna(), (table["T_onset"] <= 1000.0).astype(float))
    after = after.where(diffuses.notna() | (table["T_onset"] <= 1000.0))
    plain = [c for c in features if families[c] in PLAIN_FAMILIES]
    methods = {
        "model": lambda: make_model("t_onset_K", seed=SEED),
        "xgboost alone": lambda: make_model("t_onset_K", seed=SEED, members=("xgboost",)),
        "plain baseline": lambda: PlainTrees(plain, diffuses),
        **baselines("t_onset_K"),
    }
    options = {"quantity": "t_onset_K", "temperature_K": 1000.0, "n_folds": 5, "seed": SEED}
    found = evaluate_grouped(features, labels, methods, **options)
    conventions = {"molten left out": diffuses, "molten after diffusing positive": after}
    lines = [f"## mlip_md: onset of diffusion, {len(labels)} materials, 5 folds by chemical system"]
    lines += ["", *_table(found)]
    for name, event in conventions.items():
        known = int(event.notna().sum())
        lines += [f"### D(1000 K) > 0, {name}: {int(event.sum())} of {known}", ""]
        lines += _event_table(found, event.to_numpy())
    if args.ablation:
        lines += _ablation(features, labels, families, "t_onset_K", options)
    return lines


def experiment(args: argparse.Namespace) -> list[str]:
    features, _, labels, families = _load("experiment", "doi", args)
    plain = [c for c in features if families[c] in ("composition", "lattice")]
    methods = {
        "model": lambda: make_model("sigma_S_cm", seed=SEED, threshold=1e-4),
        "plain baseline": lambda: PlainTrees(plain),
        **baselines(),
    }
    options = {"n_folds": 5, "seed": SEED, "threshold": 1e-4}
    found = evaluate_grouped(features, labels, methods, **options)
    lines = [f"## experiment: OBELiX training part, {len(labels)} labels, 5 folds by publication"]
    lines += ["", *_table(found), *_paired(found, "model", "plain baseline")]
    if args.ablation:
        standard = ("lattice", *PLAIN_FAMILIES)
        lines += _ablation(features, labels, families, "sigma_S_cm", options, standard)
    return lines


def aimd(args: argparse.Namespace) -> list[str]:
    features, _, labels, families = _load("aimd", "family", args)
    plain = [c for c in features if families[c] in PLAIN_FAMILIES]
    methods = {
        "model": lambda: make_model("sigma_S_cm", seed=SEED),
        "model, standard features": lambda: _OnPlain(plain),
        **baselines(),
    }
    found = evaluate_grouped(features, labels, methods, seed=SEED)
    lines = [f"## aimd: embedded table, {len(labels)} labels, leave one family out"]
    return [*lines, "", *_table(found), *_paired(found, "model", "temperature only")]


class _OnPlain:
    def __init__(self, columns: list[str]) -> None:
        self.columns, self.model = columns, make_model("sigma_S_cm", seed=SEED)

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> _OnPlain:
        self.model.fit(features[self.columns], labels)
        return self

    def predict(self, features: pd.DataFrame, temperature_K: np.ndarray) -> pd.DataFrame:
        return self.model.predict(features[self.columns], temperature_K)


def _load(
    name: str, groups: str, args: argparse.Namespace
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, str]]:
    features, structures, labels = dataset(name, args.data, args.cache, args.workers)
    known = labels["structure_id"].isin(features.index)
    print(f"{name}: {len(labels)} labels, {int((~known).sum())} without features left out")
    labels = labels[known].reset_index(drop=True)
    labels = make_splitter(groups).assign(labels, structures, features)
    families = {c.name: c.family for c in catalogue()}
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


def _ablation(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    families: dict[str, str],
    quantity: str,
    options: dict,
    standard: tuple[str, ...] = PLAIN_FAMILIES,
) -> list[str]:
    found = ablate(
        features,
        labels,
        families,
        # Boosting alone: it carries most of the weight and a tenth of the time.
        lambda: make_model(quantity, seed=SEED, members=("xgboost",), n_folds=2),
        standard,
        **{k: v for k, v in options.items() if k != "quantity"},
        quantity=quantity,
    )
    gains = found.gains.round(3).reset_index(names="variant")
    return ["### What each family adds (positive = better)", "", *markdown_table(gains), ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", choices=["mlip_md", "experiment", "aimd"])
    parser.add_argument("--data", type=Path, default=os.environ.get("IONSIEVE_TEST_DATA"))
    parser.add_argument("--cache", type=Path, default=Path("benchmarks/.cache"))
    parser.add_argument("--workers", type=int, default=1, help="processes that compute features")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--ablation", action="store_true")
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data or set IONSIEVE_TEST_DATA")
    args.data = Path(args.data)
    warnings.simplefilter("ignore")
    for name in args.sets:
        start = time.process_time()
        lines = {"mlip_md": mlip_md, "experiment": experiment, "aimd": aimd}[name](args)
        lines.append(f"CPU time {time.process_time() - start:.0f} s, seed {SEED}.\n")
        text = "\n".join(lines)
        print(text)
        if args.out is not None:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / f"models-{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
