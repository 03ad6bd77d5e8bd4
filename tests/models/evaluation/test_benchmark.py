"""The benchmark: fixed folds without a leak, faults in one line, scores that mean what they say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ionsieve.data import InputError
from ionsieve.data.embedded.benchmark import (
    TABLES,
    benchmark_baselines,
    benchmark_labels,
    benchmark_rows,
    benchmark_template,
    folds_hash,
)
from ionsieve.data.embedded.registry import load_registry
from ionsieve.models.evaluation.benchmark import (
    ANSWER,
    check_predictions,
    read_predictions,
    score_predictions,
)

FLAT = {on: benchmark_template(on).assign(**{ANSWER: -4.0}) for on in TABLES}


def truth(on: str) -> pd.DataFrame:
    """The labels themselves as predictions; bounds a decade beyond."""
    labels = benchmark_labels(on).drop_duplicates(["structure_id", "temperature_K"])
    value = labels["value"].fillna(labels["upper"] / 10).fillna(labels["lower"] * 10)
    keys = pd.MultiIndex.from_frame(labels[["structure_id", "temperature_K"]])
    found = pd.Series(np.log10(value.to_numpy()), keys)
    rows = benchmark_rows(on)
    asked = pd.MultiIndex.from_frame(rows[["id", "temperature_K"]])
    return rows[["id", "temperature_K"]].assign(**{ANSWER: found.loc[asked].to_numpy()})


# --- rows and folds -----------------------------------------------------------------------------


@pytest.mark.parametrize("on", TABLES)
def test_every_label_is_asked_for_once(on: str) -> None:
    rows, labels = benchmark_rows(on), benchmark_labels(on)
    asked = set(map(tuple, rows[["id", "temperature_K"]].to_numpy()))
    assert asked == set(map(tuple, labels[["structure_id", "temperature_K"]].to_numpy()))
    assert not rows.duplicated(["id", "temperature_K"]).any()


@pytest.mark.parametrize(
    ("on", "columns"), [("experiment", ["doi", "formula"]), ("aimd", ["group", "formula"])]
)
def test_what_would_leak_lies_in_one_fold(on: str, columns: list[str]) -> None:
    rows = benchmark_rows(on)
    labels = benchmark_labels(on).merge(
        rows[["id", "temperature_K", "fold"]],
        left_on=["structure_id", "temperature_K"], right_on=["id", "temperature_K"],
    )  # fmt: skip
    for column in columns:
        given = labels[labels[column] != ""]
        assert (given.groupby(column)["fold"].nunique() == 1).all(), column
    assert sorted(rows["fold"].unique()) == [0, 1, 2, 3, 4]
    assert rows.groupby("fold").size().min() > 0.15 * len(rows)


def test_folds_are_registered_and_the_template_holds_no_label() -> None:
    assert load_registry()["benchmark_rows.csv"].sha256.startswith(folds_hash())
    for on in TABLES:
        template = benchmark_template(on)
        assert {"id", "temperature_K", "fold", ANSWER, "low", "high"} <= set(template.columns)
        assert not {"value", "upper", "lower", "group"} & set(template.columns)
        assert (template[ANSWER] == "").all()


@pytest.mark.parametrize("on", TABLES)
def test_landmarks_are_what_their_labels_say(on: str) -> None:
    labels = benchmark_labels(on).merge(
        benchmark_rows(on), left_on=["structure_id", "temperature_K"],
        right_on=["id", "temperature_K"],
    )  # fmt: skip
    number = labels["value"].fillna(labels["upper"])
    assert number[labels["landmark"] == "fast"].min() > number[labels["landmark"] == "slow"].max()
    assert (labels["landmark"] != "").sum() >= 7


@pytest.mark.parametrize("on", TABLES)
def test_baselines_answer_every_row(on: str) -> None:
    table = benchmark_baselines(on)
    assert {"trees on all descriptors", "temperature only", "nearest neighbour"} <= set(
        table["method"]
    )
    for method, rows in table.groupby("method"):
        assert len(check_predictions(rows, on, str(method))) == len(benchmark_rows(on))


# --- faults -------------------------------------------------------------------------------------


def spoiled(change: str) -> pd.DataFrame:
    table = FLAT["experiment"].copy()
    if change == "missing":
        return table.drop(index=[3, 4])
    if change == "unknown":
        return pd.concat([table, table.iloc[:1].assign(id="zzzz")])
    if change == "twice":
        return pd.concat([table, table.iloc[:1]])
    if change == "column":
        return table.drop(columns=ANSWER)
    if change in ("nan", "inf", "-4,0", ""):
        table[ANSWER] = table[ANSWER].astype(object)
        table.loc[7, ANSWER] = change
    if change == "S/cm":
        table[ANSWER] = 1e-4
    if change == "sign":
        table[ANSWER] = 4.0
    if change == "mS/cm":
        table.loc[5, ANSWER] = 12000.0
    if change == "one end":
        table.loc[2, "low"] = -5.0
    if change == "turned":
        table["low"], table["high"] = -3.0, -5.0
    return table


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("missing", "2 of 478 rows are missing, first"),
        ("unknown", "zzzz at 298.15 K is not asked"),
        ("twice", "is given twice; keep one row"),
        ("column", "column 'log10_sigma_S_cm' is missing"),
        ("nan", "row 8"),
        ("inf", "log10_sigma_S_cm is inf; give a finite number"),
        ("-4,0", "log10_sigma_S_cm is -4,0; give a finite number"),
        ("", "log10_sigma_S_cm is empty; give a finite number"),
        ("S/cm", "look like conductivities in S/cm; give their log10"),
        ("sign", "turn the sign"),
        ("mS/cm", "12000 is no log10 of a conductivity"),
        ("one end", "has one end of an interval; give both"),
        ("turned", "is not between low"),
    ],
)
def test_a_bad_file_is_one_line_with_the_remedy(tmp_path: Path, change: str, words: str) -> None:
    path = tmp_path / "p.csv"
    spoiled(change).to_csv(path, index=False)
    with pytest.raises(InputError) as caught:
        read_predictions(path, "experiment")
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_temperature_may_be_left_out_where_there_is_one() -> None:
    found = check_predictions(FLAT["experiment"].drop(columns="temperature_K"), "experiment")
    assert len(found) == 478
    with pytest.raises(InputError, match="'temperature_K' is missing"):
        check_predictions(FLAT["aimd"].drop(columns="temperature_K"), "aimd")


def test_names_of_predict_are_understood_and_order_does_not_matter() -> None:
    table = FLAT["experiment"][["id", ANSWER]].rename(columns={ANSWER: "prediction"})
    shuffled = table.assign(low=-5.0, high=-3.0).sample(frac=1.0, random_state=0)
    found = check_predictions(shuffled, "experiment")
    assert list(found["id"]) == list(benchmark_rows("experiment")["id"])
    assert (found["high"] == -3.0).all()


# --- scores -------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", TABLES)
def test_the_truth_scores_best(on: str) -> None:
    result = score_predictions(check_predictions(truth(on), on), on, "truth")
    scores = result.scores["truth"]
    # Two papers on one phase keep the error above zero.
    assert scores["mae"].value < 0.05
    assert scores["bound_violation"].value == 0.0
    assert scores["spearman"].value > 0.99
    assert scores["auc"].value == 1.0
    assert result.landmarks["truth"] == 1.0
    for other, difference in result.differences.items():
        assert difference.high < 0, other


def test_one_number_for_all_ranks_nothing() -> None:
    answers = check_predictions(FLAT["experiment"], "experiment")
    result = score_predictions(answers, "experiment", beside_baselines=False)
    scores = result.scores["predictions"]
    assert scores["auc"].value == 0.5
    assert result.landmarks["predictions"] == 0.5
    assert np.isnan(scores["coverage"].value), "no interval was given"
    plain = result.as_dict()
    assert plain["scores"]["predictions"]["coverage"] == [None, None, None]
    assert plain["n_rows"] == 478


def test_an_interval_that_always_holds_and_one_that_never_does() -> None:
    wide, narrow = (scored_alone(low, high) for low, high in ((-30.0, 2.0), (-4.0, -4.0)))
    assert wide["coverage"].value == 1.0
    assert narrow["coverage"].value < 0.02
    assert wide["median_width"].value == 32.0


def scored_alone(low: float, high: float):
    answers = check_predictions(FLAT["experiment"].assign(low=low, high=high), "experiment")
    result = score_predictions(answers, "experiment", beside_baselines=False)
    return result.scores["predictions"]


@pytest.mark.parametrize("on", TABLES)
def test_each_landmark_shows_what_is_known_and_what_is_predicted(on: str) -> None:
    result = score_predictions(
        check_predictions(truth(on), on), on, "truth", beside_baselines=False
    )
    rows = benchmark_rows(on)
    marked = rows[rows["landmark"] != ""]
    found = result.landmark_answers
    assert sum(one.n for one in found) == marked["id"].nunique()
    order = [one.known for one in found]
    assert order == sorted(order)
    for one in found:
        assert one.prediction == pytest.approx(one.label, abs=1.01)
    by_formula = {one.formula: one for one in found}
    if on == "experiment":
        assert by_formula["Li10Ge(PS6)2"].known == "fast"
        assert by_formula["Li3PO4"].known == "slow"
    assert result.as_dict()["landmark_answers"][0]["known"] == "fast"
