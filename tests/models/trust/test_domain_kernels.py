"""Embedding and distances of compiled code against NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.models.trust.domain import DomainDistance


def by_definition(values: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    scaled = (values - centre) / scale
    missing = np.isnan(scaled)
    points = np.hstack([np.clip(np.where(missing, 0.0, scaled), -5.0, 5.0), missing])
    return points / np.sqrt(values.shape[1])


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_distance_to_the_nearest_row(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known, fresh = 3.0 * rng.normal(size=(12, 5)), 30.0 * rng.normal(size=(9, 5))
    known[rng.random(known.shape) < 0.2] = np.nan
    fresh[rng.random(fresh.shape) < 0.2] = np.nan
    domain = DomainDistance().fit(known, np.arange(12))
    points, reference = (by_definition(v, domain.centre_, domain.scale_) for v in (fresh, known))
    apart = np.linalg.norm(points[:, None] - reference[None], axis=2)
    distance, nearest = domain.nearest(fresh)
    np.testing.assert_allclose(distance, apart.min(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(apart[np.arange(9), nearest], apart.min(axis=1), rtol=1e-4)


def test_gaps_that_no_training_row_has_count_one_spread() -> None:
    known = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]])
    domain = DomainDistance().fit(known, np.arange(3))
    asked = np.array([[1.0, 2.0], [1.0, np.nan], [np.nan, np.nan]])
    distance, nearest = domain.nearest(asked)
    # The middle row lies at the centre: a gap moves nothing but the column that marks it.
    np.testing.assert_allclose(distance, np.sqrt([0.0, 0.5, 1.0]), rtol=1e-6, atol=1e-9)
    assert nearest.tolist() == [1, 1, 1]
