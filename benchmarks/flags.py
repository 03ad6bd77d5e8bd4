"""Do flags point at the predictions that are wrong?

Answers of the shipped models for materials that they have not seen. ``aimd`` and ``experiment``:
those that calibrated the models, each material answered without its family, or its publications and
compositions; fifths of them are screened beside the training range of the other four.
``mlip_md``: crystals of the M3GNet set, of which no label was ever trained on, as one screen. Each
screen is ranked and flagged as ``ionsieve screen`` does, with a tenth as shortlist.

A prediction is wrong where the truth lies on the other side of a line than the prediction does: the
line of the shortlist, or the threshold for "fast". Of M3GNet crystals the truth is an onset of
diffusion: above the line of the shortlist are the tenth with the earliest, fast are those of at
most 500 K. The table says which share of the rows carries a flag and which share of the wrong ones
those are; a flag raised by lot has both alike. ``before`` is the rule of version 0.1.0: p_fast
between 0.2 and 0.8, domain distance above 1.5, learners more than a decade apart, any feature
beyond the training range.

    python benchmarks/flags.py --data DATA --cache CACHE --out FILE

The reference data are not part of the project (benchmarks/model_data.py).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from model_data import dataset, mlip_table

from ionsieve.models import StructureModel
from ionsieve.models.labels.folds import grouped_folds
from ionsieve.models.trust.trust import cross_fitted
from ionsieve.screening.screen.flag_rules import FLAGS, FlagRules
from ionsieve.screening.screen.flags import TrainingRange, add_flags, training_range
from ionsieve.screening.screen.follow_up import shortlist_line
from ionsieve.screening.screen.training import embedded_kinds, training_features

N_FOLDS = 5
SHARE = 0.1
"""Of a screen that the shortlist takes."""
NEAR_ROOM_K = 310.0
ONSET_FAST_K = 500.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One set of labels: how it is predicted and what counts as fast."""

    name: str
    temperature_K: float
    fast: float
    """log10 S/cm."""


KINDS = {
    "aimd": Kind(name="aimd", temperature_K=300.0, fast=-3.0),
    "experiment": Kind(name="experiment", temperature_K=298.15, fast=-4.0),
    "mlip_md": Kind(name="mlip_md", temperature_K=300.0, fast=-3.0),
}


def truths(labels: pd.DataFrame) -> pd.Series:
    """log10 S/cm near room temperature: the value, or the end of the bound."""
    near = labels[labels["temperature_K"] <= NEAR_ROOM_K]
    value = np.log10(near["value"].fillna(near["upper"]).fillna(near["lower"]))
    return value.groupby(near["structure_id"]).first().dropna()


def ranking_of(predicted: pd.DataFrame) -> pd.DataFrame:
    """Predictions as a ranking, best first."""
    table = pd.DataFrame(
        {
            "id": predicted.index,
            "log10_sigma_300K_S_cm": predicted["prediction"].to_numpy(),
            "log10_sigma_300K_low": predicted["low"].to_numpy(),
            "log10_sigma_300K_high": predicted["high"].to_numpy(),
            "p_fast": predicted["p_exceeds"].to_numpy(),
            "domain_distance": predicted["domain_distance"].to_numpy(),
            "family_disagreement_log10": predicted["family_disagreement"].to_numpy(),
            "known_relation": "",
        }
    )
    return table.sort_values("p_fast", ascending=False, ignore_index=True)


def flagged_before(
    table: pd.DataFrame, features: pd.DataFrame, training: TrainingRange
) -> np.ndarray:
    """The rule of version 0.1.0."""
    rules = FlagRules(crossing=2.0, shares=(1.0, 1.0, 1.0, 1.0))
    others = add_flags(table, features, training, rules, "Li", 0.0, 0.9)["flags"] != ""
    return (table["p_fast"].between(0.2, 0.8) | others).to_numpy()


def held_out_answers(kind: Kind, model: StructureModel) -> pd.DataFrame:
    """What the model says of each material without its group, as ``predict`` says it."""
    ensemble, labels = model.ensemble_, model._labels
    assert labels is not None
    found = cross_fitted(
        ensemble.levels_,
        len(ensemble.levels_) - 1,
        model.standardised(labels),
        ensemble.label_sd_,
        ensemble.coverage,
        expected=ensemble.expected_,
        recalls=ensemble.recalls,
    )
    at = np.full(len(labels.row), kind.temperature_K)
    centre, half, scale = model._placed(found, at)
    table = pd.DataFrame(
        {
            "prediction": model.target.shown(centre),
            "low": model.target.shown(centre - half),
            "high": model.target.shown(centre + half),
            "p_exceeds": model._event_probability(centre, half, at),
            "domain_distance": ensemble.levels_[-1].distance,
            "family_disagreement": scale * found.disagreement,
            "group": labels.group,
        },
        index=pd.Index(model._label_ids, name="id"),
    )
    return table[~table.index.duplicated()]


def screened(
    kind: Kind, predicted: pd.DataFrame, features: pd.DataFrame, training: TrainingRange
) -> pd.DataFrame:
    """One screen: ranked, flagged by today's rule and that of before, with its line."""
    table = ranking_of(predicted)
    size = max(1, round(SHARE * len(table)))
    line = shortlist_line(table, size, kind.fast)
    found = add_flags(table, features, training, FlagRules(few=1), "Li", line, 0.9)
    return found.assign(before=flagged_before(table, features, training), line=line)


def screens(
    kind: Kind, answers: pd.DataFrame, features: pd.DataFrame, truth: pd.Series, seed: int
) -> pd.DataFrame:
    """Every fifth as one screen: predictions, flags and on which side of lines the truth is."""
    parts = []
    for known, asked in grouped_folds(answers["group"].to_numpy(), N_FOLDS, seed):
        rows = answers.iloc[asked]
        rows = rows[rows.index.isin(truth.index)]
        if rows.empty:
            continue
        seen = answers.index[known]
        training = training_range(features.loc[seen], pd.Series("", index=seen))
        table = screened(kind, rows, features, training)
        value = truth.loc[table["id"]].to_numpy()
        parts.append(table.assign(above_line=value >= table["line"], above_fast=value >= kind.fast))
    return pd.concat(parts, ignore_index=True)


def crystals(model: StructureModel, known: pd.DataFrame, data: Path, cache: Path) -> pd.DataFrame:
    """The M3GNet set as one screen by the shipped model."""
    kind = KINDS["mlip_md"]
    features, _, _ = dataset("mlip_md", data, cache)
    onset = mlip_table(data)["T_onset"].reindex(features.index).fillna(np.inf)
    training = training_range(classed(known), pd.Series("", index=known.index))
    predicted = model.predict(features, kind.temperature_K)
    table = screened(kind, predicted, classed(features), training)
    value = onset.loc[table["id"]].to_numpy()
    earliest = np.sort(value)[max(1, round(SHARE * len(value))) - 1]
    return table.assign(above_line=value <= earliest, above_fast=value <= ONSET_FAST_K)


def classed(features: pd.DataFrame) -> pd.DataFrame:
    """Tables hold numbers alone; framework is the only class that flags ask for."""
    isolated = features["isolated_in_framework_fraction"] > 0
    return features.assign(isolated_class=np.where(isolated, "framework", "none"))


def summary(kind: Kind, table: pd.DataFrame) -> list[dict[str, str]]:
    """Rows of the table of results."""
    predicted = table["log10_sigma_300K_S_cm"]
    rows = []
    for name, line, truth in (
        ("shortlist", table["line"], table["above_line"]),
        ("fast", kind.fast, table["above_fast"]),
    ):
        wrong = ((predicted >= line) != truth).to_numpy()
        row = {"kind": kind.name, "line": name}
        row |= {"rows": str(len(table)), "wrong": str(int(wrong.sum()))}
        for title, mask in (("before", table["before"]), ("after", table["flags"] != "")):
            row[f"{title}: rows → wrong"] = f"{mask.mean():.0%} → {mask[wrong].mean():.0%}"
        for flag in FLAGS:
            own = table["flags"].str.contains(flag)
            caught = own[wrong].mean() if wrong.any() else float("nan")
            row[flag] = f"{own.mean():.0%} → {caught:.0%}"
        rows.append(row)
    return rows


def markdown(rows: list[dict[str, str]]) -> str:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(row.values()) + " |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Markdown file of the table.")
    chosen = parser.parse_args()
    found = embedded_kinds(training_features(cache=chosen.cache), cache=chosen.cache)
    rows: list[dict[str, str]] = []
    for name, model, features, labels in (
        ("aimd", found.aimd, found.aimd_features, found.aimd_labels),
        ("experiment", found.experiment, found.experiment_features, found.experiment_labels),
    ):
        kind, answers = KINDS[name], held_out_answers(KINDS[name], model)
        table = screens(kind, answers, classed(features), truths(labels), chosen.seed)
        rows += summary(kind, table)
    table = crystals(found.aimd, found.aimd_features, chosen.data, chosen.cache)
    rows += summary(KINDS["mlip_md"], table)
    print(markdown(rows))
    if chosen.out:
        chosen.out.write_text(markdown(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
