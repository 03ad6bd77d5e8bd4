import numpy as np
import pandas as pd
import pytest

from ionsieve.data import ModelError
from ionsieve.features.catalogue import catalogue
from ionsieve.models.evidence.columns import PHYSICS, EvidenceColumn, evidence_in


def test_physics_looks_at_columns_of_the_catalogue():
    assert {e.column for e in PHYSICS} <= {c.name for c in catalogue()}


def test_a_higher_barrier_is_never_faster():
    barrier = next(e for e in PHYSICS if "barrier" in e.column)
    values = barrier.oriented(np.array([0.1, 0.4, 1.2, 5.0, np.nan]))
    assert (np.diff(values[:4]) <= 0).all()
    assert values[2] == values[3]
    assert np.isnan(values[4])


def test_evidence_without_a_value_is_left_out():
    table = pd.DataFrame({"void_fraction": [np.nan, np.nan], "bvse_barrier_2d_eV": [0.3, np.nan]})
    assert [e.column for e in evidence_in(table, PHYSICS)] == ["bvse_barrier_2d_eV"]


def test_evidence_survives_json():
    for one in PHYSICS:
        assert EvidenceColumn.from_dict(one.as_dict()) == one


@pytest.mark.parametrize(
    ("field", "message"), [({"direction": 0}, "direction"), ({"lower": 2.0}, "below upper")]
)
def test_nonsense_is_refused(field, message):
    with pytest.raises(ModelError, match=message):
        EvidenceColumn(**({"column": "a", "direction": 1, "upper": 1.0} | field))
