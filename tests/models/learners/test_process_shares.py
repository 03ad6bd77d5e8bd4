"""Contributions to a Gaussian process against plain steps along the line from the centre."""

import numpy as np
import pytest

from ionsieve.models.learners.gaussian_process import BoundedGaussianProcess
from ionsieve.models.learners.process_shares import process_shares

GAPS = 2
"""Column of which values are missing."""


@pytest.fixture(scope="module")
def fitted() -> tuple[BoundedGaussianProcess, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5))
    target = np.sin(features[:, 0]) + 0.5 * features[:, 1] ** 2 - 0.4 * features[:, GAPS]
    features[rng.random(60) < 0.3, GAPS] = np.nan
    target = np.where(np.isnan(features[:, GAPS]), target.max(), target)
    return BoundedGaussianProcess(n_columns=6).fit(features, target), features


def stepwise(learner: BoundedGaussianProcess, row: np.ndarray, n_steps: int = 400) -> np.ndarray:
    """Midpoint rule with central differences, column by column of the embedded space."""
    end = learner.embedded(row[None])[0]
    parts = np.zeros(len(end))
    for k in range(n_steps):
        at = (k + 0.5) / n_steps * end
        for j in range(len(end)):
            ahead, behind = at.copy(), at.copy()
            ahead[j] += 1e-4
            behind[j] -= 1e-4
            mean, _ = learner._posterior(np.array([ahead, behind]), learner.points_)
            parts[j] += end[j] / n_steps * (mean[0] - mean[1]) / 2e-4
    return learner.unit_ * parts


def test_contributions_are_those_of_small_steps(
    fitted: tuple[BoundedGaussianProcess, np.ndarray],
) -> None:
    learner, features = fitted
    for row in features[:3]:
        found = process_shares(learner, row[None])[0]
        expected = np.zeros(len(row) + 1)
        np.add.at(expected, learner.filling_.source, stepwise(learner, row))
        np.testing.assert_allclose(found[:-1], expected[:-1], rtol=1e-4, atol=1e-5)


def test_contributions_add_up_and_nobody_has_what_the_centre_has(
    fitted: tuple[BoundedGaussianProcess, np.ndarray],
) -> None:
    learner, features = fitted
    shares = process_shares(learner, features)
    np.testing.assert_allclose(shares.sum(axis=1), learner.predict(features), rtol=1e-12, atol=1e-9)
    centre, _ = learner._posterior(np.zeros((1, learner.points_.shape[1])), learner.points_)
    at_centre = learner.offset_ + learner.unit_ * centre[0]
    np.testing.assert_allclose(shares[:, -1], at_centre, rtol=1e-5)


def test_a_gap_counts_to_its_column(fitted: tuple[BoundedGaussianProcess, np.ndarray]) -> None:
    learner, features = fitted
    assert (learner.filling_.source == GAPS).sum() == 2, "the value and whether it is missing"
    missing = np.isnan(features[:, GAPS])
    shares = process_shares(learner, features)[:, GAPS]
    assert shares[missing].mean() > shares[~missing].mean() + 0.3
