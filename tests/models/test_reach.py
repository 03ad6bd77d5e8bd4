"""Calibration at two distances: near materials teach, foreign families only as far as they do."""

import numpy as np
import pytest

from ionsieve.models.domain import DomainDistance
from ionsieve.models.ensemble import CalibratedEnsemble

N_FAMILIES, N_EACH = 12, 8


@pytest.fixture(scope="module")
def fitted() -> tuple[CalibratedEnsemble, DomainDistance, np.ndarray, np.ndarray]:
    """Families lie far apart; each has its own level, which no other family tells."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 10, (N_FAMILIES, 4))
    level = rng.permutation(np.repeat([-1.5, 1.5], N_FAMILIES // 2))
    groups = np.repeat(np.arange(N_FAMILIES), N_EACH)
    x = centres[groups] + rng.normal(0, 0.5, (len(groups), 4))
    y = level[groups] + rng.normal(0, 0.2, len(groups))
    domain = DomainDistance().fit(x, groups)
    ensemble = CalibratedEnsemble().fit(
        x, np.column_stack([y, y]), np.ones(len(y)), groups, np.arange(len(y)), domain
    )
    return ensemble, domain, x, y


def test_near_materials_are_believed_and_foreign_families_are_not(fitted) -> None:
    ensemble = fitted[0]
    assert ensemble.near_weights_.sum() > 0.8
    assert ensemble.weights_.sum() < 0.6


def test_prediction_near_a_material_is_near_its_label_with_a_narrow_interval(fitted) -> None:
    ensemble, domain, x, y = fitted
    near = ensemble.predict(x, domain.transform(x))
    assert np.abs(near.mean - y).mean() < 0.4
    far = ensemble.predict(x + 40.0, domain.transform(x + 40.0))
    assert near.half_width.max() < 0.6 * far.half_width.min()


def test_far_from_everything_the_population_answers(fitted) -> None:
    ensemble, domain, x, _ = fitted
    distance = domain.transform(x + 40.0)
    assert (ensemble.nearness(distance) == 0).all()
    means = np.column_stack([v.predict(x + 40.0) for v in ensemble.learners_.values()])
    np.testing.assert_allclose(
        ensemble.predict(x + 40.0, distance).mean, means @ ensemble.weights_, rtol=1e-12
    )


def test_nearness_falls_from_one_to_zero(fitted) -> None:
    ensemble = fitted[0]
    steps = ensemble.nearness(np.linspace(0, 2 * ensemble.far_distance_, 50))
    assert steps[0] == 1.0
    assert steps[-1] == 0.0
    assert (np.diff(steps) <= 0).all()


def test_both_schemes_reach_the_coverage(fitted) -> None:
    ensemble, _, _, y = fitted
    for mean, half in ensemble.held_out_:
        assert np.mean(np.abs(y - mean) <= half) >= 0.85
