"""Arrhenius fits: published numbers, bounds, coverage, faults."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ionsieve.data.errors import LabelError
from ionsieve.data.transport.arrhenius import DiffusivityPoint, fit_arrhenius, read_points
from ionsieve.data.units import BOLTZMANN_EV_K, nernst_einstein_sigma_S_cm


def points(temperatures, energy, prefactor, rel_error, rng=None):
    out = []
    for t in temperatures:
        ln_d = math.log(prefactor) - energy / (BOLTZMANN_EV_K * t)
        value = math.exp(ln_d + (rng.normal(0, rel_error) if rng is not None else 0.0))
        out.append(DiffusivityPoint(t, value, rel_error * value))
    return out


def test_llzo_numbers(shared_data: Path):
    """LLZO, nine temperatures, mogroupumd/aimd (MIT); numbers of its own Arrhenius example."""
    fit = fit_arrhenius(read_points(shared_data / "trajectories" / "LLZO_arrhenius" / "D_T.csv"))
    assert fit.activation_energy_eV == pytest.approx(0.25814, abs=5e-6)
    assert fit.activation_energy_error_eV == pytest.approx(0.01683, abs=5e-6)
    to_sigma = 1000 * nernst_einstein_sigma_S_cm(1.0, 56 / 12.98**3, 1.0, 300.0)
    assert to_sigma * fit.diffusivity_cm2_s(300.0) == pytest.approx(1.080, abs=5e-4)
    assert np.multiply(fit.interval_cm2_s(300.0), to_sigma) == pytest.approx(
        [0.687, 1.699], abs=5e-4
    )
    assert np.multiply(fit.interval_cm2_s(300.0, 0.95), to_sigma) == pytest.approx(
        [0.370, 3.150], abs=5e-4
    )
    assert fit.is_extrapolation(300.0)
    assert not fit.is_extrapolation(700.0)


def test_exact_line_is_recovered():
    fit = fit_arrhenius(points((600, 800, 1000), 0.3, 1e-3, 0.1))
    assert fit.activation_energy_eV == pytest.approx(0.3, rel=1e-10)
    assert fit.ln_prefactor == pytest.approx(math.log(1e-3), rel=1e-10)
    assert fit.chi2 == pytest.approx(0.0, abs=1e-15)


def test_t_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    truth = math.log(1e-3) - 0.3 / (BOLTZMANN_EV_K * 300.0)
    inside = 0
    for _ in range(400):
        fit = fit_arrhenius(points((600, 700, 800, 1000, 1200), 0.3, 1e-3, 0.2, rng))
        value, error = fit.ln_diffusivity(300.0)
        inside += abs(value - truth) <= 1.96 * error
    assert 0.92 <= inside / 400 <= 0.98


def test_bound_far_from_the_line_changes_nothing_and_a_violated_one_pulls():
    base = points((600, 800, 1000), 0.3, 1e-3, 0.1)
    plain = fit_arrhenius(base)
    at_500 = plain.diffusivity_cm2_s(500.0)
    slack = fit_arrhenius([*base, DiffusivityPoint(500.0, 100 * at_500, None, "upper")])
    assert slack.activation_energy_eV == pytest.approx(plain.activation_energy_eV, rel=1e-6)
    assert slack.n_bounds == 1
    pulled = fit_arrhenius([*base, DiffusivityPoint(500.0, at_500 / 3, None, "upper")])
    assert pulled.activation_energy_eV > plain.activation_energy_eV + 0.01
    raised = fit_arrhenius([*base, DiffusivityPoint(500.0, at_500 * 3, None, "lower")])
    assert raised.activation_energy_eV < plain.activation_energy_eV - 0.01
    # A bound taken for a value would pull much harder than as a bound that is kept.
    as_value = fit_arrhenius([*base, DiffusivityPoint(500.0, 100 * at_500, 10 * at_500)])
    assert as_value.activation_energy_eV < plain.activation_energy_eV - 0.1


def test_censored_fit_is_the_maximum_of_its_likelihood():
    base = points((600, 700, 900, 1100), 0.28, 1e-3, 0.15, np.random.default_rng(1))
    bound = DiffusivityPoint(500.0, base[0].diffusivity_cm2_s / 4, None, "upper")
    fit = fit_arrhenius([*base, bound])

    def loss(ln0, energy):
        total = 0.0
        for p in base:
            model = ln0 - energy / (BOLTZMANN_EV_K * p.temperature_K)
            total -= stats.norm.logpdf((math.log(p.diffusivity_cm2_s) - model) / 0.15)
        model = ln0 - energy / (BOLTZMANN_EV_K * 500.0)
        return total - stats.norm.logcdf((math.log(bound.diffusivity_cm2_s) - model) / 0.15)

    here = loss(fit.ln_prefactor, fit.activation_energy_eV)
    rng = np.random.default_rng(2)
    root = np.linalg.cholesky(fit.covariance)
    for _ in range(200):
        step = root @ rng.normal(size=2) * 0.3
        assert loss(fit.ln_prefactor + step[0], fit.activation_energy_eV + step[1]) >= here - 1e-9


def test_two_values_leave_no_t_interval():
    fit = fit_arrhenius(points((600, 800), 0.3, 1e-3, 0.1))
    assert fit.interval_cm2_s(300.0) is not None
    assert fit.interval_cm2_s(300.0, 0.95) is None


def test_bounds_alone_and_missing_errors_are_refused():
    with pytest.raises(LabelError, match="two temperatures"):
        fit_arrhenius([DiffusivityPoint(t, 1e-6, None, "upper") for t in (500.0, 600.0)])
    with pytest.raises(LabelError, match="600 K has no error"):
        fit_arrhenius([DiffusivityPoint(t, 1e-6) for t in (600.0, 700.0)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("T_K,D_cm2_s\n600,1e-6\n", "D_error_cm2_s is missing"),
        ("T_K,D_cm2_s,D_error_cm2_s\n", "no rows"),
        ("", "T_K, D_cm2_s, D_error_cm2_s is missing"),
        ("T_K,D_cm2_s,D_error_cm2_s\n600,1e-6,1e-7\n700,x,1e-7\n", "row 3: D_cm2_s is 'x'"),
        ("T_K,D_cm2_s,D_error_cm2_s\n600,-1e-6,1e-7\n", "row 2: D_cm2_s"),
        ("T_K,D_cm2_s,D_error_cm2_s\n600,1e-6,\n", "row 2: D_error_cm2_s"),
        ("T_K,D_cm2_s,D_error_cm2_s\nnan,1e-6,1e-7\n", "row 2: T_K"),
        ("T_K,D_cm2_s,D_error_cm2_s,censor\n600,1e-6,1e-7,maybe\n", "row 2: censor"),
    ],
)
def test_faulty_tables_name_row_and_column(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(LabelError, match=message):
        read_points(path)


def test_censor_column_and_sign(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("T_K,D_cm2_s,D_error_cm2_s,censor\n500,1e-7,,<\n550,>1e-8,,\n600,1e-6,1e-7,\n")
    assert [p.censor for p in read_points(path)] == ["upper", "lower", ""]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1e-320,6.7e-07,1e-7\n800,2e-6,1e-7", "row 2: T_K 9.99989e-321 is below 100 K"),
        ("1000,1e-5,1e-6\n1000.0000001,2e-5,1e-6", "fix no Arrhenius line"),
        ("1000,1e-5,1e-300\n1001,2e-5,1e-300\n900,<1e-5,1e-300", "fix no Arrhenius line"),
        ("1000,12,1\n900,10,1", "row 2: D_cm2_s 12 is above"),
        ("1000,1e-5,1e-6\n1001,2e-30,1e-31", "beyond all numbers at 300 K"),
    ],
)
def test_numbers_beyond_reason_are_one_line(tmp_path: Path, rows: str, message: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(f"T_K,D_cm2_s,D_error_cm2_s\n{rows}\n")
    with pytest.raises(LabelError, match=message):
        fit_arrhenius(read_points(path)).diffusivity_cm2_s(300.0)
