"""How good is the ranking that ``ionsieve screen`` ships? Measured on labels it has not seen.

    python benchmarks/external.py --data FOLDER [--cache FOLDER] [--out FOLDER] [--calibrating]

``mlip``: the shipped model, trained on none of these labels, ranks the M3GNet MD set (``--data``).
``aimd``: families of the AIMD table left out one by one, ranked within a temperature.
``experiment``: the fixed five folds of the benchmark, by joined publications and compositions.
Beside it: one bond-valence barrier, the composition, the nearest neighbour, and the temperature
alone. With ``--calibrating`` the last two are the answers that calibrated the models (learners and
trust without the group; the five numbers of the population and the other kind shared): no model is
trained again, and nothing is written for the benchmark. Brackets are 95 % intervals of a bootstrap
over groups, paired where methods are compared.
Writes ``external.md``, ``model_scores.csv``, which the report of a screen shows, and
``benchmark_shipped.csv``, the shipped model's entry in the benchmark (benchmark_tables.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from model_data import cached_features, mlip_records, mlip_table, pool_records

from ionsieve.data.atomic import write_text_atomic
from ionsieve.data.embedded.aimd import load_aimd_classes, load_aimd_labels
from ionsieve.data.embedded.benchmark import Table, benchmark_rows
from ionsieve.data.records import reduced_formula
from ionsieve.models import StructureModel
from ionsieve.models.ensemble import probability_above
from ionsieve.models.evaluation.baselines import EvidenceAlone, NearestNeighbour, TemperatureOnly
from ionsieve.models.evaluation.card import markdown_table
from ionsieve.models.evaluation.grouped import Factory, GroupedEvaluation, evaluate_grouped
from ionsieve.models.evidence.columns import EvidenceColumn
from ionsieve.models.kinds import KindModels
from ionsieve.models.selfcheck import GROUP_OUT, held_out_outcomes
from ionsieve.models.trust.metrics import (
    Outcome,
    auc,
    coverage,
    decide_event,
    group_resamples,
    mean_absolute_error,
    percentile_interval,
    rank_correlation,
    stratified_spearman,
)
from ionsieve.screening.screen.training import chemical_systems, embedded_kinds, training_features

SEED = 0
ROOM_K = 300.0
EARLY_K = 500.0
"""A conductor at room temperature, as far as simulations of 0.1 ns see one."""
BARRIER = "bvse_barrier_2d_eV"
MODEL = "shipped model"
SHIPPED_ENTRY = "benchmark_shipped.csv"
EXPERIMENT = "experiment, {} labels, joined publications and compositions left out"
Score = Callable[[Outcome], float]


def main() -> None:
    options = _options()
    known = training_features(workers=2)
    found = embedded_kinds(known, workers=2)
    options.out.mkdir(parents=True, exist_ok=True)
    rows = mlip(found, options.data, options.cache)
    if options.calibrating:
        judged = _one_column(found.aimd, found.aimd_features, found.aimd_labels, None)
        rows += calibrating("AIMD, {} labels, one family left out", found.aimd, judged, 1e-2, 1e-2)
        folds = folds_of("experiment")
        tables = found.experiment_features, found.experiment_labels
        judged = _one_column(found.experiment, *tables, folds)
        rows += calibrating(EXPERIMENT, found.experiment, judged, 1e-4, 1e-3)
        _write([*rows, *classes(found, options.data, options.cache)], options.out)
        return
    rows += aimd(found)
    measured, judged = experiment(found)
    rows += [*measured, *classes(found, options.data, options.cache)]
    entry = pd.concat(
        [benchmark_entry("experiment", judged), benchmark_entry("aimd", fixed(found))]
    )
    write_text_atomic(options.out / SHIPPED_ENTRY, entry.to_csv(index=False, float_format="%.6g"))
    _write(rows, options.out)


def _write(rows: list[dict[str, object]], out: Path) -> None:
    table = pd.DataFrame(rows)
    write_text_atomic(out / "model_scores.csv", table.to_csv(index=False))
    lines = []
    for name, part in table.groupby("table", sort=False):
        lines += [f"## {name}", "", *markdown_table(_wide(part)), ""]
    write_text_atomic(out / "external.md", "\n".join(lines))
    print("\n".join(lines))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("benchmark-cache"))
    parser.add_argument("--out", type=Path, default=Path("external"))
    parser.add_argument("--calibrating", action="store_true", help="Train nothing again.")
    return parser.parse_args()


def mlip(found: KindModels, data: Path, cache: Path) -> list[dict[str, object]]:
    """Crystals of the M3GNet set ranked by ``p_fast``, as a screen ranks them."""
    records = list(mlip_records(data))
    features = cached_features("mlip_external", records, cache, workers=2)
    facts = mlip_table(data).loc[features.index]
    formulas = pd.Series({r.id: reduced_formula(r.composition) for r in records})
    groups = pd.factorize(chemical_systems(formulas.loc[features.index]))[0]
    answers = {
        MODEL: found.aimd.predict(features, ROOM_K)["p_exceeds"].to_numpy(),
        "bond valence alone": -features[BARRIER].fillna(features[BARRIER].max()).to_numpy(),
        "composition alone": _other_kind(found.aimd, features),
        "nearest neighbour": _neighbours(found, features),
        "temperature alone": np.zeros(len(features)),
    }
    diffusing = (facts["D_1000K"] > 0).astype(float).where(facts["D_1000K"].notna())
    onset = facts["T_onset"].to_numpy(dtype=np.float64)
    outcomes = {
        name: Outcome(
            bounds=np.column_stack([-onset, -onset]),
            prediction=answer,
            interval=np.full((len(onset), 2), np.nan),
            group=groups,
            stratum=np.zeros(len(onset)),
            event=diffusing.to_numpy(),
            event_score=answer,
        )
        for name, answer in answers.items()
    }
    scores: dict[str, Score] = {
        "AUC of D(1000 K) > 0": auc,
        "Spearman with -onset": _spearman_of_onsets,
        "share of the top 50 with onset at most 500 K": _early_in_top_50,
    }
    name = f"M3GNet MD, {len(onset)} crystals, never trained on"
    return [*_rows(name, outcomes, scores), *_early_by_chance(name, answers[MODEL], onset)]


def _early_by_chance(table: str, stated: np.ndarray, onset: np.ndarray) -> list[dict[str, object]]:
    """Stated ``p_fast`` in five bins against the share with an onset of at most 500 K."""
    early = onset <= EARLY_K
    event = f"share with onset at most {EARLY_K:g} K where"
    return [
        {
            "table": table,
            "score": f"{event} {stated[part].mean():.2f} is stated",
            "method": MODEL,
            "value": float(early[part].mean()),
            "n": len(part),
        }
        for part in np.array_split(np.argsort(stated, kind="stable"), 5)
    ]


def classes(found: KindModels, data: Path, cache: Path) -> list[dict[str, object]]:
    """Formulas that simulations called fast or slow without a number; never trained on."""
    wanted = load_aimd_classes()
    wanted = wanted[~wanted["formula"].isin(load_aimd_labels()["formula"])]
    crystals = {i: row for row in wanted.to_dict("records") for i in row["pool_ids"].split()}
    records = list(pool_records(data, set(crystals)))
    features = cached_features("class_rows", records, cache)
    answer = found.aimd.predict(features, ROOM_K)["p_exceeds"]
    barrier = -features[BARRIER].fillna(features[BARRIER].max())
    facts = pd.DataFrame({MODEL: answer, "bond valence alone": barrier})
    facts["composition alone"] = _other_kind(found.aimd, features)
    facts["nearest neighbour"] = _neighbours(found, features)
    for name in ("formula", "class"):
        facts[name] = [crystals[i][name] for i in features.index]
    # Polymorphs of one formula are one row: the class is of the formula.
    rows = facts.groupby(["formula", "class"], sort=True).median().reset_index()
    groups = np.arange(len(rows))
    nothing = np.full((len(rows), 2), np.nan)
    outcomes = {
        name: Outcome(
            bounds=nothing,
            prediction=rows[name].to_numpy(),
            interval=nothing,
            group=groups,
            stratum=np.zeros(len(rows)),
            event=(rows["class"] == "fast").to_numpy(dtype=np.float64),
            event_score=rows[name].to_numpy(),
        )
        for name in facts.columns.drop(["formula", "class"])
    }
    name = f"AIMD, {len(rows)} formulas with a class only, never trained on"
    return _rows(name, outcomes, {"AUC of fast against slow": auc})


def _spearman_of_onsets(outcome: Outcome) -> float:
    seen = np.isfinite(outcome.bounds[:, 0])
    return rank_correlation(outcome.bounds[seen, 0], outcome.prediction[seen])


def _early_in_top_50(outcome: Outcome) -> float:
    top = np.argsort(-outcome.prediction, kind="stable")[:50]
    return float((outcome.bounds[top, 0] >= -EARLY_K).mean())


def aimd(found: KindModels) -> list[dict[str, object]]:
    """One family left out at a time."""
    labels = found.aimd_labels
    columns = {e.column: e for e in found.aimd.evidence_}
    methods: dict[str, Factory] = {
        MODEL: found.aimd.unfitted,
        "bond valence alone": lambda: EvidenceAlone(columns[BARRIER]),
        "composition alone": lambda: EvidenceAlone(_evidence_of(found.aimd)),
        "nearest neighbour": NearestNeighbour,
        "temperature alone": TemperatureOnly,
    }
    judged = evaluate_grouped(found.aimd_features, labels, methods, seed=SEED, threshold=1e-2)
    name = f"AIMD, {len(labels)} labels, one family left out"
    scores: dict[str, Score] = {
        "mean error, decades": mean_absolute_error,
        "Spearman within a temperature": stratified_spearman,
        "coverage of 90 % intervals": coverage,
        "median width, decades": _median_width,
    }
    # At the temperature of each label; at room temperature few bounds are decided.
    return [*_rows(name, judged.outcomes, scores), *_calibration(name, judged, 1e-2)]


def calibrating(
    name: str,
    model: StructureModel,
    beside: Mapping[str, Outcome],
    fast_S_cm: float,
    stated_S_cm: float,
) -> list[dict[str, object]]:
    """Scores of the answers that calibrated a model, one group left out, beside other methods."""
    labels = model._labels
    assert labels is not None
    found = held_out_outcomes(model.ensemble_, model.target, labels)[GROUP_OUT]
    names = {"model": MODEL, "nearest neighbour": "nearest neighbour"}
    names |= {"temperature only": "temperature alone", **{method: method for method in beside}}
    line = np.full(len(labels.row), np.log10(fast_S_cm))
    outcomes = {
        names[method]: replace(
            outcome, event=decide_event(outcome.bounds, line, True), event_score=outcome.prediction
        )
        for method, outcome in [*found.items(), *beside.items()]
    }
    scores: dict[str, Score] = {
        "mean error, decades": mean_absolute_error,
        f"AUC of {fast_S_cm:g} S/cm": auc,
        "Spearman within a temperature": stratified_spearman,
        "coverage of 90 % intervals": coverage,
        "median width, decades": _median_width,
    }
    title = name.format(len(labels.row))
    rows = _rows(title, outcomes, scores)
    return [*rows, *_bins(title, outcomes[MODEL], stated_S_cm)]


def _one_column(
    model: StructureModel,
    features: pd.DataFrame,
    labels: pd.DataFrame,
    folds: Mapping[str, int] | None,
) -> Mapping[str, Outcome]:
    """Answers from one column of evidence, fitted anew in each fold; one group each by default."""
    columns = {e.column: e for e in model.evidence_}
    other = "composition alone" if model.remainder else "AIMD model alone"
    methods: dict[str, Factory] = {
        "bond valence alone": lambda: EvidenceAlone(columns[BARRIER]),
        other: lambda: EvidenceAlone(_evidence_of(model)),
    }
    return evaluate_grouped(features, labels, methods, seed=SEED, folds=folds).outcomes


def fixed(found: KindModels) -> GroupedEvaluation:
    """AIMD on the fixed folds of the benchmark; neither a family nor a formula is split."""
    methods: dict[str, Factory] = {MODEL: found.aimd.unfitted}
    folds = folds_of("aimd")
    return evaluate_grouped(
        found.aimd_features, found.aimd_labels, methods, seed=SEED, threshold=1e-2, folds=folds
    )


def folds_of(on: Table) -> dict[str, int]:
    """Fold of each material of the benchmark."""
    rows = benchmark_rows(on)
    return dict(zip(rows["id"], rows["fold"], strict=True))


def benchmark_entry(on: Table, judged: GroupedEvaluation) -> pd.DataFrame:
    """Held-out answers of the shipped model, one for each material and temperature."""
    answers = judged.predictions[judged.predictions["method"] == MODEL]
    answers = answers.drop_duplicates(["structure_id", "temperature_K"])
    return pd.DataFrame(
        {
            "on": on,
            "method": MODEL,
            "id": answers["structure_id"],
            "temperature_K": answers["temperature_K"],
            "log10_sigma_S_cm": answers["prediction"],
            "low": answers["low"],
            "high": answers["high"],
        }
    )


def experiment(found: KindModels) -> tuple[list[dict[str, object]], GroupedEvaluation]:
    """Five folds; neither a publication nor a composition is split."""
    labels = found.experiment_labels
    measured = {e.column: e for e in found.experiment.evidence_}
    methods: dict[str, Factory] = {
        MODEL: found.experiment.unfitted,
        "bond valence alone": lambda: EvidenceAlone(measured[BARRIER]),
        "AIMD model alone": lambda: EvidenceAlone(_evidence_of(found.experiment)),
        "composition alone": lambda: _without_evidence(found.experiment),
        "nearest neighbour": lambda: NearestNeighbour(columns=found.experiment.columns),
        "temperature alone": TemperatureOnly,
    }
    options = {"folds": folds_of("experiment"), "seed": SEED, "threshold": 1e-4}
    judged = evaluate_grouped(found.experiment_features, labels, methods, **options)
    name = f"experiment, {len(labels)} labels, 5 folds by joined publications and compositions"
    scores: dict[str, Score] = {
        "mean error, decades": mean_absolute_error,
        "AUC of 1e-4 S/cm": auc,
        "Spearman": stratified_spearman,
        "coverage of 90 % intervals": coverage,
        "median width, decades": _median_width,
    }
    return [*_rows(name, judged.outcomes, scores), *_calibration(name, judged, 1e-3)], judged


def _without_evidence(model: StructureModel) -> StructureModel:
    alone = model.unfitted()
    alone.other_kind, alone.evidence = None, ()
    return alone


def _evidence_of(model: StructureModel) -> EvidenceColumn:
    """What the other kind of labels says."""
    assert model.other_kind is not None
    return model.other_kind.evidence


def _other_kind(model: StructureModel, features: pd.DataFrame) -> np.ndarray:
    assert model.other_kind is not None
    return model.other_kind.add_to(features)[_evidence_of(model).column].to_numpy()


def _neighbours(found: KindModels, features: pd.DataFrame) -> np.ndarray:
    model = NearestNeighbour(columns=found.aimd.columns_)
    model.fit(found.aimd_features, found.aimd_labels)
    return model.predict(features, np.full(len(features), ROOM_K))["prediction"].to_numpy()


def _median_width(outcome: Outcome) -> float:
    width = outcome.interval[:, 1] - outcome.interval[:, 0]
    return float(np.median(width))


def _rows(
    table: str, outcomes: Mapping[str, Outcome], scores: Mapping[str, Score]
) -> list[dict[str, object]]:
    """Score of each method, and of the shipped model minus each other, with intervals."""
    rows: list[dict[str, object]] = []
    samples = group_resamples(outcomes[MODEL].group, SEED)
    for score, function in scores.items():
        drawn = {m: np.array([function(o.take(s)) for s in samples]) for m, o in outcomes.items()}
        for method, outcome in outcomes.items():
            value = function(outcome)
            low, high = percentile_interval(drawn[method])
            gain = function(outcomes[MODEL]) - value
            worse, better = percentile_interval(drawn[MODEL] - drawn[method])
            rows.append(
                {
                    "table": table,
                    "score": score,
                    "method": method,
                    "value": value,
                    "low": low,
                    "high": high,
                    "model_minus": gain if method != MODEL else np.nan,
                    "model_minus_low": worse if method != MODEL else np.nan,
                    "model_minus_high": better if method != MODEL else np.nan,
                    "n": len(outcome.bounds),
                }
            )
    return rows


def _calibration(
    table: str, judged: GroupedEvaluation, threshold_S_cm: float
) -> list[dict[str, object]]:
    """Stated probability of exceeding a threshold against what was observed.

    In five bins, or as many of twenty labels as there are.
    """
    return _bins(table, judged.outcomes[MODEL], threshold_S_cm)


def _bins(table: str, outcome: Outcome, threshold_S_cm: float) -> list[dict[str, object]]:
    half = 0.5 * (outcome.interval[:, 1] - outcome.interval[:, 0])
    line = np.log10(threshold_S_cm)
    stated = probability_above(line, outcome.prediction, half, 0.9)
    low, high = outcome.bounds.T
    decided = (low >= line) | (high < line)
    happened = (low >= line)[decided]
    stated = stated[decided]
    rows: list[dict[str, object]] = []
    n_bins = max(1, min(5, len(stated) // 20))
    above = f"share above {threshold_S_cm:g} S/cm where"
    for part in np.array_split(np.argsort(stated, kind="stable"), n_bins):
        rows.append(
            {
                "table": table,
                "score": f"{above} {stated[part].mean():.2f} is stated",
                "method": MODEL,
                "value": float(happened[part].mean()),
                "n": len(part),
            }
        )
    return rows


def _wide(part: pd.DataFrame) -> pd.DataFrame:
    def cell(row: pd.Series) -> str:
        if not np.isfinite(row["value"]):
            return "–"
        text = f"{row['value']:.2f}"
        if np.isfinite(row["low"]):
            text += f" [{row['low']:.2f}, {row['high']:.2f}]"
        if np.isfinite(row["model_minus"]):
            text += (
                f"; model {row['model_minus']:+.2f} "
                f"[{row['model_minus_low']:+.2f}, {row['model_minus_high']:+.2f}]"
            )
        return text

    cells = part.assign(cell=part.apply(cell, axis=1))
    wide = cells.pivot(index="score", columns="method", values="cell")
    wide = wide.loc[part["score"].unique(), part["method"].unique()].fillna("–")
    return wide.reset_index()


if __name__ == "__main__":
    main()
