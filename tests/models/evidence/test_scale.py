import numpy as np
import pytest

from ionsieve.data import ModelError
from ionsieve.models.evidence.scale import EvidenceScale


def test_what_is_not_defined_says_nothing():
    evidence = np.array([[1.0, np.nan], [3.0, 5.0], [5.0, 5.0]])
    scale = EvidenceScale.of(evidence, np.ones(3))
    found = scale.transform(evidence)
    assert found[0, 1] == 0.0
    np.testing.assert_allclose(found[:, 0].mean(), 0.0, atol=1e-12)
    np.testing.assert_allclose(found[:, 0].std(), 1.0, rtol=1e-12)
    # A column that never varies has no spread to count in.
    np.testing.assert_array_equal(found[:, 1], 0.0)


def test_weights_count():
    scale = EvidenceScale.of(np.array([[0.0], [1.0]]), np.array([3.0, 1.0]))
    assert scale.centre[0] == pytest.approx(0.25)


def test_a_scale_survives_json_and_refuses_nonsense():
    scale = EvidenceScale.of(np.array([[0.0, 2.0], [1.0, 5.0]]), np.ones(2))
    again = EvidenceScale.from_dict(scale.as_dict())
    np.testing.assert_array_equal(again.centre, scale.centre)
    for broken in ({"centre": [1.0]}, {"spread": [1.0, 0.0]}, {"spread": [1.0, float("nan")]}):
        with pytest.raises(ValueError, match="evidence"):
            EvidenceScale.from_dict(scale.as_dict() | broken)
    with pytest.raises(ModelError, match="columns of evidence"):
        scale.transform(np.zeros((3, 1)))
