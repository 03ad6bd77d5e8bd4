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
    table = load_model_scores()
    own = table[table["method"] == SHIPPED].set_index(["table", "score"])["value"]
    pairs = table.dropna(subset=["model_minus"])
    expected = [own.loc[row.table, row.score] - row.value for row in pairs.itertuples(index=False)]
    # Six decimals are stored.
    np.testing.assert_allclose(pairs["model_minus"], expected, rtol=0, atol=3e-6)
