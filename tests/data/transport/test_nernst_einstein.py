"""Nernst–Einstein against the printed pairs of D and σ of Yang 2025, Tables 1 and 2."""

import pytest

from ionsieve.data.units import nernst_einstein_sigma_S_cm

# Formula, D (cm²/s), T (K), ions and volume (Å³) a formula unit, printed σ (mS/cm), tolerance.
# Volumes from the printed spacings; where the cell was scaled to PBE by a guess, 6 %.
PRINTED = [
    ("Li7SiSe5Cl", 1.66e-6, 300, 7, 305.2, 237.7, 0.02),
    ("Li6VCl8", 2.9e-6, 1000, 6, 274.8, 117.8, 0.02),
    ("Li8TiS6", 3.84e-5, 1000, 8, 274.0, 2075.8, 0.02),
    ("Li7N2I", 8.63e-6, 1000, 7, 139.7, 801.8, 0.06),
    ("Li5CrCl8", 1.29e-5, 1000, 5, 273.4, 440.8, 0.06),
    ("Li5SbS3I2", 2.24e-5, 1000, 5, 268.7, 772.3, 0.06),
]


@pytest.mark.parametrize(("formula", "d", "t", "ions", "volume", "sigma", "tolerance"), PRINTED)
def test_printed_pairs_agree(formula, d, t, ions, volume, sigma, tolerance):
    """10.1038/s41524-025-01559-9."""
    found = 1000 * nernst_einstein_sigma_S_cm(d, ions / volume, 1.0, t)
    assert found == pytest.approx(sigma, rel=tolerance), formula


def test_printed_diffusivity_of_li7n2i_at_300_K_is_too_large_for_its_conductivity():
    """D 1.05e-6 cm²/s with σ 6.8 mS/cm do not fit each other: a factor of 48."""
    found = 1000 * nernst_einstein_sigma_S_cm(1.05e-6, 7 / 139.7, 1.0, 300.0)
    assert found / 6.8 == pytest.approx(48.0, rel=0.02)
