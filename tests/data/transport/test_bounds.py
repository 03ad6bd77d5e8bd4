"""Bounds and intervals in one, two and three dimensions, and in single file."""

import numpy as np
import pytest

from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from ionsieve.data.transport.bounds import (
    CHARGE_FACTOR,
    CHARGE_WINDOW,
    charge_bound,
    effective_dimension,
)
from walks import SPACING_FS, lattice_walk, run_of, single_file

SETTINGS = AnalysisSettings(mobile="Li", temperature_K=500.0)


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize(("n_ions", "hops"), [(4, 20), (8, 60), (40, 30)])
def test_bounds_lie_above_the_truth(dimension, n_ions, hops):
    """A sample of the 500 seeds a case that ``benchmarks/bounds.py`` runs."""
    rate = hops / n_ions / 1000
    true_cm2_s = rate * 9.0 / 6.0 * 0.1 / SPACING_FS
    above, bounded = 0, 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        label = analyse(run_of(rng, lattice_walk(rng, 1000, n_ions, rate, dimension)), SETTINGS)
        top = label.diffusivity_upper_cm2_s
        if top is None:
            assert label.fit is not None
            top = label.fit.high_cm2_s
        bounded += 1
        above += top >= true_cm2_s
    assert above >= bounded - 1


@pytest.mark.parametrize("filling", [3, 6])
def test_the_bound_of_a_single_file_comes_from_its_charge(filling):
    n_sites, rate = 8, 0.05
    charge = rate * (1 - filling / n_sites) * n_sites / (n_sites - 1)
    true_cm2_s = charge * 9.0 / 6.0 * 0.1 / SPACING_FS
    above = seen = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        ions = single_file(rng, 1000, 4, n_sites, filling, rate)
        label = analyse(run_of(rng, ions, edge_x_A=3.0 * n_sites), SETTINGS)
        assert label.verdict in ("too_short", "diffusive")
        seen += label.evidence.single_file
        if label.evidence.single_file:
            assert "single file" in label.evidence.reason
        above += (label.diffusivity_upper_cm2_s or 0.0) >= true_cm2_s
    assert seen >= 5
    assert above >= 5


def test_free_walkers_along_channels_pass_each_other():
    found = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        ions = lattice_walk(rng, 1000, 16, 0.03, 1)
        # Four channels of four ions each.
        lines = np.repeat(np.arange(4) * 3.0, 4)
        ions[:, :, 1] += lines - ions[0, :, 1]
        ions[:, :, 2] += 1.5 - ions[0, :, 2]
        found += analyse(run_of(rng, ions), SETTINGS).evidence.single_file
    assert found <= 1


def test_the_charge_factors_follow_from_brownian_walks():
    rng = np.random.default_rng(0)
    n, walks = 400, 1500
    first, last = (int(share * n) for share in CHARGE_WINDOW)
    for dimension in (1, 2, 3):
        position = np.cumsum(rng.normal(size=(walks, n + 1, dimension)), axis=1)
        lags = np.arange(first, last + 1, 4)
        msd = np.array([np.square(position[:, k:] - position[:, :-k]).sum(2).mean(1) for k in lags])
        shown = np.maximum(msd[-1] - msd[0], 0) + 1.645 * msd.std(axis=0)
        low = np.quantile(shown / (dimension * (lags[-1] - lags[0])), 0.01)
        assert 1.0 / low == pytest.approx(CHARGE_FACTOR[dimension - 1], rel=0.35)


def test_a_charge_at_rest_is_bounded_by_the_hops_that_could_be_missed():
    assert charge_bound(np.zeros(1001), 20, 3.0) == pytest.approx(3 * 9 / (6 * 20 * 1000))


def test_effective_dimension():
    rng = np.random.default_rng(1)
    for dimension in (1, 2, 3):
        steps = rng.normal(size=(2000, 30, 3)) * (np.arange(3) < dimension)
        found = effective_dimension(np.cumsum(steps, axis=0), 50)
        assert found == pytest.approx(dimension, abs=0.1)
