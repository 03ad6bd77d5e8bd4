"""Held-out scores of several methods on the same folds."""

import numpy as np
import pandas as pd
import pytest

from ionsieve.models.evaluation.grouped import GroupedEvaluation, baselines, evaluate_grouped


@pytest.fixture(scope="module")
def evaluation() -> GroupedEvaluation:
    rng = np.random.default_rng(0)
    ids = [f"m{i}" for i in range(12)]
    features = pd.DataFrame({"x": rng.random(12)}, index=pd.Index(ids, name="id"))
    labels = pd.DataFrame(
        {
            "structure_id": ids,
            "temperature_K": 300.0,
            "kind": "aimd",
            "quantity": "sigma_S_cm",
            "value": 10.0 ** (-6 * rng.random(12)),
            "lower": np.nan,
            "upper": np.nan,
            "error_log10": np.nan,
            "group": [f"<g{i % 4}>" for i in range(12)],
            "source": "made",
        }
    )
    methods = {f"<b>{name}": make for name, make in baselines().items()}
    return evaluate_grouped(features, labels, methods, n_folds=4)


def test_each_label_is_predicted_once_by_every_method(evaluation: GroupedEvaluation) -> None:
    assert len(evaluation.predictions) == 12 * len(evaluation.outcomes)
    assert evaluation.n_groups == 4


def test_a_method_does_not_differ_from_itself(evaluation: GroupedEvaluation) -> None:
    name = next(iter(evaluation.outcomes))
    same = evaluation.difference(lambda o: float(np.mean(o.prediction)), name, name)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_it_shows_itself_in_a_line_and_a_table(evaluation: GroupedEvaluation) -> None:
    assert repr(evaluation).startswith(
        "<evaluation of sigma_S_cm: 12 labels of 4 groups in 4 folds"
    )
    page = evaluation._repr_html_()
    assert "<table" in page
    assert "<b>" not in page
