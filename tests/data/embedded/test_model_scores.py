import numpy as np

from ionsieve.data.embedded.model_scores import SHIPPED, load_model_scores


def test_every_table_has_the_shipped_model_and_baselines():
    table = load_model_scores()
    assert len(table) > 20
    for _, rows in table.groupby("table"):
        assert SHIPPED in set(rows["method"])
        assert rows["method"].nunique() >= 4


def test_intervals_hold_their_value():
    table = load_model_scores().dropna(subset=["value", "low", "high"])
    slack = 1e-9 + 0.02 * table["value"].abs()
    assert (table["low"] <= table["value"] + slack).all()
    assert (table["high"] >= table["value"] - slack).all()


def test_differences_are_those_of_the_values():
    table = load_model_scores().dropna(subset=["model_minus"])
    for (_, _), rows in table.groupby(["table", "score"]):
        full = load_model_scores()
        own = full[
            (full["table"] == rows["table"].iloc[0])
            & (full["score"] == rows["score"].iloc[0])
            & (full["method"] == SHIPPED)
        ]["value"].iloc[0]
        np.testing.assert_allclose(rows["model_minus"], own - rows["value"], rtol=1e-6, atol=1e-9)
