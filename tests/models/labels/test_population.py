from typing import Any

import numpy as np
import pytest

from ionsieve.models.labels import population
from ionsieve.models.labels.population import (
    EV_PER_DECADE_SLOPE,
    fit_arrhenius_population,
    inverse_temperature,
)

INF = np.inf


def sample(n_materials, temperatures, seed=0):
    """Labels of materials with A = 4.5 ± 0.4 and E = 0.30 ± 0.08 eV, noise 0.1 decades."""
    rng = np.random.default_rng(seed)
    t = np.tile(temperatures, n_materials)
    material = np.repeat(np.arange(n_materials), len(temperatures))
    prefactor = 4.5 + 0.4 * rng.normal(size=n_materials)
    energy = 0.30 + 0.08 * rng.normal(size=n_materials)
    x = inverse_temperature(t)
    y = prefactor[material] - energy[material] / EV_PER_DECADE_SLOPE * x - np.log10(t)
    return t, y + 0.1 * rng.normal(size=len(y)), material


def test_slope_is_an_activation_energy():
    # k_B ln 10 = 0.19841 meV/K (CODATA 2018)
    np.testing.assert_allclose(EV_PER_DECADE_SLOPE, 0.198413, rtol=1e-4)


def test_parameters_are_recovered_from_values():
    t, y, material = sample(150, [500.0, 700.0, 1000.0])
    found = fit_arrhenius_population(t, np.column_stack([y, y]), material, np.zeros(len(t)))
    assert found.activation_energy_eV == pytest.approx(0.30, rel=0.1)
    assert found.log10_prefactor == pytest.approx(4.5, rel=0.05)
    assert found.slope_sd * EV_PER_DECADE_SLOPE == pytest.approx(0.08, rel=0.3)


def test_fast_materials_at_300_K_do_not_flatten_the_line():
    # At 300 K only the fastest are printed, at 1000 K all: a line through all rows is too flat.
    t, y, material = sample(120, [300.0, 1000.0])
    fast_at_300 = y[t == 300.0] > np.quantile(y[t == 300.0], 0.8)
    keep = (t == 1000.0) | np.repeat(fast_at_300, 2)
    t, y, material = t[keep], y[keep], material[keep]
    found = fit_arrhenius_population(t, np.column_stack([y, y]), material, np.zeros(len(t)))
    plain = -np.polyfit(inverse_temperature(t), y + np.log10(t), 1)[0] * EV_PER_DECADE_SLOPE
    assert plain < 0.25
    assert abs(found.activation_energy_eV - 0.30) < 0.5 * abs(plain - 0.30)


def test_bounds_inform_without_being_values():
    t, y, material = sample(150, [500.0, 1000.0])
    bounds = np.column_stack([y, y])
    slow = y < np.quantile(y, 0.3)
    bounds[slow] = np.column_stack([np.full(slow.sum(), -INF), np.full(slow.sum(), y[slow].max())])
    with_bounds = fit_arrhenius_population(t, bounds, material, np.zeros(len(t)))
    dropped = fit_arrhenius_population(
        t[~slow], bounds[~slow], material[~slow], np.zeros((~slow).sum())
    )
    truth = fit_arrhenius_population(t, np.column_stack([y, y]), material, np.zeros(len(t)))
    at = 500.0
    error_bounds = abs(float(with_bounds.mean(at) - truth.mean(at)))
    error_dropped = abs(float(dropped.mean(at) - truth.mean(at)))
    assert error_bounds < 0.5 * error_dropped


def test_one_temperature_leaves_the_slope_to_the_prior():
    t, y, material = sample(40, [1000.0])
    found = fit_arrhenius_population(t, np.column_stack([y, y]), material, np.zeros(len(t)))
    assert found.activation_energy_eV == pytest.approx(0.30, abs=0.1)
    assert float(found.mean(1000.0)) == pytest.approx(np.mean(y), abs=0.1)
    assert float(found.material_sd(300.0)) > 2 * float(found.material_sd(1000.0))


def test_the_maximum_does_not_hang_on_where_the_search_stopped(monkeypatch: pytest.MonkeyPatch):
    """Another processor's search ends elsewhere by 1e-7: the parameters are the same numbers."""
    t, y, material = sample(20, [500.0, 1000.0])
    table = t, np.column_stack([y, y]), material, np.zeros(len(t))
    found = fit_arrhenius_population(*table)
    search = population.minimize

    def elsewhere(*args: Any, **options: Any) -> Any:
        result = search(*args, **options)
        result.x = result.x + 1e-6 * np.array([1.0, -1.0, 1.0, 1.0, -1.0])
        return result

    monkeypatch.setattr(population, "minimize", elsewhere)
    assert fit_arrhenius_population(*table) == found
