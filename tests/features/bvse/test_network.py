"""Passes of the landscape: which ones are looked at, and up to which energy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structures
from ionsieve.features import prepare
from ionsieve.features.bvse import landscape
from ionsieve.features.bvse.stationary import undecided


def simple_undecided(levels, is_used, level, grid_level, is_refined, point, error):
    finite = [x for x in levels if np.isfinite(x)]
    pending, doubtful = [], []
    for e in range(len(level)):
        near = any(0 < level[e] - x <= error for x in finite)
        in_use = is_used[e] and any(level[e] <= x for x in finite)
        if not is_refined[e] and (near or in_use):
            pending.append(e)
        lowered = any(level[e] <= x + 1e-9 < grid_level[e] for x in finite)
        if lowered and is_used[e] and np.isfinite(point[e, 0]):
            doubtful.append(e)
    return pending, doubtful


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 30), n_levels=st.integers(0, 3))
def test_what_is_undecided(seed: int, n: int, n_levels: int) -> None:
    rng = np.random.default_rng(seed)
    levels = np.full(3, np.inf)
    levels[:n_levels] = np.sort(rng.integers(0, 10, n_levels) / 10)
    # Few distinct values, so that ties are met.
    level, lowered = rng.integers(0, 15, n) / 10, rng.integers(0, 3, n) / 10
    point = np.where(rng.random((n, 1)) < 0.5, np.nan, rng.random((n, 3)))
    used, refined = rng.random(n) < 0.5, rng.random(n) < 0.5
    arguments = (levels, used, level, level + lowered, refined, point, 0.15)
    pending, doubtful = undecided(*arguments)
    assert (pending.tolist(), doubtful.tolist()) == simple_undecided(*arguments)


@pytest.mark.parametrize("name", ["Li6PS5Cl_F43m", "Li3PS4_gamma", "Li8SiSe6_hcp", "Li5CrCl8"])
def test_low_passes_are_enough_where_they_connect(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Barriers do not depend on how far up passes are looked for first."""
    prepared = prepare(structures.get(name))
    found = landscape.bvse_landscape(prepared).barrier_eV
    monkeypatch.setattr(landscape, "_USUALLY_ENOUGH_EV", landscape.HIGHEST_EV)
    np.testing.assert_allclose(landscape.bvse_landscape(prepared).barrier_eV, found, rtol=1e-6)
    # So low that nothing is connected: the second look finds everything.
    monkeypatch.setattr(landscape, "_USUALLY_ENOUGH_EV", 0.01)
    np.testing.assert_allclose(landscape.bvse_landscape(prepared).barrier_eV, found, rtol=1e-6)
