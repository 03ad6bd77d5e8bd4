"""Do flags point at the predictions that are wrong?

Materials of each kind of label are held out by fifths, a model is trained on the rest, and what is
held out is screened: predicted, ranked and flagged as ``ionsieve screen`` does. A prediction is
wrong where the truth lies on the other side of the line of the shortlist (a tenth of the screen) or
of the threshold for "fast" than the prediction does. The table says which share of the rows carries
a flag and which share of the wrong ones those are; a flag raised by lot has both alike. ``before``
is the rule of version 0.1.0: p_fast between 0.2 and 0.8, domain distance above 1.5, learners more
than a decade apart, any feature beyond the training range.

    python benchmarks/flags.py --data DATA --cache CACHE --kind aimd --kind mlip_md

The reference data are not part of the project (benchmarks/model_data.py).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ionsieve.models import describe_structures, make_model
from ionsieve.models.labels.folds import grouped_folds
from ionsieve.screening.screen.flag_rules import FLAGS, FlagRules
from ionsieve.screening.screen.flags import TrainingRange, add_flags, training_range
from ionsieve.screening.screen.follow_up import shortlist_line

N_FOLDS = 5
SHARE = 0.1
"""Of a screen that the shortlist takes."""
NEAR_ROOM_K = 310.0
ONSET_FAST_K = 600.0
KELVIN_PER_DECADE = 100.0
"""Onsets are told on a scale on which this counts as one decade: lower is faster."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One set of labels: how it is predicted and what counts as fast."""

    name: str
    temperature_K: float
    fast: float
    """On the scale of the ranking: log10 S/cm, or −K / 100."""
    threshold_S_cm: float | None


KINDS = {
    "aimd": Kind(name="aimd", temperature_K=300.0, fast=-3.0, threshold_S_cm=1e-3),
    "experiment": Kind(name="experiment", temperature_K=298.15, fast=-4.0, threshold_S_cm=1e-4),
    "mlip_md": Kind(name="mlip_md", temperature_K=ONSET_FAST_K, fast=-6.0, threshold_S_cm=None),
}


def truths(kind: Kind, labels: pd.DataFrame) -> pd.Series:
    """One number a structure on the scale of the ranking: the value, or the end of the bound."""
    if kind.name == "mlip_md":
        middle = labels[["lower", "upper"]].mean(axis=1)
        return (-middle / KELVIN_PER_DECADE).groupby(labels["structure_id"]).first()
    near = labels[labels["temperature_K"] <= NEAR_ROOM_K]
    value = np.log10(near["value"].fillna(near["upper"]).fillna(near["lower"]))
    return value.groupby(near["structure_id"]).first()


def ranking_of(kind: Kind, predicted: pd.DataFrame) -> pd.DataFrame:
    """Predictions as a ranking; an onset becomes a conductivity-like scale."""
    if kind.name == "mlip_md":
        ends = {"prediction": "prediction", "low": "high", "high": "low"}
        scale = {to: -predicted[of] / KELVIN_PER_DECADE for to, of in ends.items()}
        apart = predicted["family_disagreement"] / KELVIN_PER_DECADE
    else:
        scale = {name: predicted[name] for name in ("prediction", "low", "high")}
        apart = predicted["family_disagreement"]
    return pd.DataFrame(
        {
            "id": predicted.index,
            "log10_sigma_300K_S_cm": scale["prediction"].to_numpy(),
            "log10_sigma_300K_low": scale["low"].to_numpy(),
            "log10_sigma_300K_high": scale["high"].to_numpy(),
            "p_fast": predicted["p_exceeds"].to_numpy(),
            "domain_distance": predicted["domain_distance"].to_numpy(),
            "family_disagreement_log10": apart.to_numpy(),
            "known_relation": "",
        }
    )


def flagged_before(
    table: pd.DataFrame, features: pd.DataFrame, training: TrainingRange
) -> np.ndarray:
    """The rule of version 0.1.0."""
    rules = FlagRules(crossing=2.0, shares=(1.0, 1.0, 1.0, 1.0))
    others = add_flags(table, features, training, rules, "Li", 0.0, 0.9)["flags"] != ""
    return (table["p_fast"].between(0.2, 0.8) | others).to_numpy()


def screens(
    kind: Kind,
    features: pd.DataFrame,
    labels: pd.DataFrame,
    groups: pd.Series,
    seed: int,
) -> pd.DataFrame:
    """Every held-out fifth as one screen: truth, prediction and flags of each structure."""
    truth, numbers = truths(kind, labels), features.select_dtypes("number")
    codes = pd.factorize(labels["structure_id"].map(groups))[0]
    parts = []
    for number, (train, test) in enumerate(grouped_folds(codes, N_FOLDS)):
        rows = labels.iloc[train].reset_index(drop=True)
        settings = {} if kind.threshold_S_cm is None else {"threshold": kind.threshold_S_cm}
        model = make_model(rows["quantity"].iloc[0], seed=seed, **settings)
        known = sorted(set(rows["structure_id"]))
        model.fit(numbers.loc[known], rows)
        asked = [i for i in dict.fromkeys(labels["structure_id"].iloc[test]) if i in truth]
        if not asked:
            continue
        table = ranking_of(kind, model.predict(numbers.loc[asked], kind.temperature_K))
        table = table.sort_values("p_fast", ascending=False, ignore_index=True)
        training = training_range(features.loc[known], pd.Series("", index=known))
        size = max(1, round(SHARE * len(table)))
        line = shortlist_line(table, size, kind.fast)
        found = add_flags(table, features, training, FlagRules(few=1), "Li", line, 0.9)
        found["before"] = flagged_before(table, features, training)
        found["truth"] = truth.loc[table["id"]].to_numpy()
        found["line"], found["screen"] = line, number
        parts.append(found)
        print(f"  {kind.name}: screen {number + 1} of {N_FOLDS}", flush=True)
    return pd.concat(parts, ignore_index=True)


def summary(kind: Kind, left_out: str, table: pd.DataFrame) -> list[dict[str, str]]:
    """Rows of the table of results."""
    predicted, truth = table["log10_sigma_300K_S_cm"], table["truth"]
    rows = []
    for name, line in (("shortlist", table["line"]), ("fast", kind.fast)):
        wrong = ((predicted >= line) != (truth >= line)).to_numpy()
        row = {"kind": kind.name, "left out": left_out, "line": name}
        row |= {"rows": str(len(table)), "wrong": str(int(wrong.sum()))}
        for title, mask in (("before", table["before"]), ("after", table["flags"] != "")):
            row[f"{title}: flagged"] = f"{mask.mean():.0%}"
            row[f"{title}: of the wrong"] = f"{mask[wrong].mean():.0%}" if wrong.any() else "–"
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


def group_of(kind: str, left_out: str, labels: pd.DataFrame, structures: pd.DataFrame) -> pd.Series:
    """What is held out together: a structure, or all of its family or chemical system."""
    if left_out == "material":
        return pd.Series(structures.index, index=structures.index)
    if kind == "mlip_md":
        return structures["chemsys"]
    return labels.drop_duplicates("structure_id").set_index("structure_id")["group"]


def main() -> None:
    from model_data import dataset

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--kind", choices=sorted(KINDS), action="append")
    parser.add_argument("--left-out", choices=("group", "material"), action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Markdown file of the table.")
    chosen = parser.parse_args()
    rows: list[dict[str, str]] = []
    for name in chosen.kind or sorted(KINDS):
        features, structures, labels = dataset(name, chosen.data, chosen.cache)
        # The cached tables hold numbers alone; framework is the only class that flags ask for.
        isolated = features["isolated_in_framework_fraction"] > 0
        features = features.assign(isolated_class=np.where(isolated, "framework", "none"))
        labels = labels[labels["structure_id"].isin(features.index)].reset_index(drop=True)
        structures = structures if len(structures) else describe_structures([])
        for left_out in chosen.left_out or ("group",):
            groups = group_of(name, left_out, labels, structures)
            if "group" not in labels or labels["group"].isna().any():
                labels = labels.assign(group=labels["structure_id"].map(groups))
            table = screens(KINDS[name], features, labels, groups, chosen.seed)
            rows += summary(KINDS[name], left_out, table)
    print(markdown(rows))
    if chosen.out:
        chosen.out.write_text(markdown(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
