"""Physical constants and unit conversions, all derived from :mod:`scipy.constants`."""

from typing import Final

from scipy import constants as _c

BOLTZMANN_J_K: Final[float] = _c.Boltzmann
"""Boltzmann constant, J/K."""
BOLTZMANN_EV_K: Final[float] = _c.Boltzmann / _c.elementary_charge
"""Boltzmann constant, eV/K."""
ELEMENTARY_CHARGE_C: Final[float] = _c.elementary_charge
"""Elementary charge, C."""
COULOMB_EV_A: Final[float] = _c.elementary_charge / (4.0 * _c.pi * _c.epsilon_0) / _c.angstrom
"""e²/(4πε₀) in eV·Å: energy of two unit charges one ångström apart."""
AVOGADRO_MOL: Final[float] = _c.Avogadro
"""Avogadro constant, 1/mol."""
AMU_A3_TO_G_CM3: Final[float] = _c.atomic_mass / _c.gram / (_c.angstrom / _c.centi) ** 3
"""One atomic mass unit per Å³ in g/cm³."""
ROOM_TEMPERATURE_K: Final[float] = 300.0
"""The temperature at which conductivities are ranked, K."""

_A3_TO_CM3: Final[float] = (_c.angstrom / _c.centi) ** 3


def nernst_einstein_sigma_S_cm(
    diffusivity_cm2_s: float, carriers_per_A3: float, charge_e: float, temperature_K: float
) -> float:
    """Ionic conductivity from a tracer diffusivity: σ = n q² D / (k_B T).

    Parameters
    ----------
    diffusivity_cm2_s : float
        Diffusivity, cm²/s.
    carriers_per_A3 : float
        Number density of the mobile species, 1/Å³.
    charge_e : float
        Charge of the mobile species, units of e.
    temperature_K : float
        Temperature, K; must be positive.

    Returns
    -------
    float
        Conductivity, S/cm. Correlation between ions (Haven ratio) is not included.

    Examples
    --------
    Yang 2025 (10.1038/s41524-025-01559-9), Li6VCl8 at 1000 K, 117.8 mS/cm printed:

    >>> round(1e3 * nernst_einstein_sigma_S_cm(2.9e-6, 6 / 274.8, 1.0, 1000.0), 1)
    117.7
    """
    if temperature_K <= 0:
        raise ValueError(f"temperature_K must be positive, got {temperature_K}")
    carriers_per_cm3 = carriers_per_A3 / _A3_TO_CM3
    # q² / (k_B T) in C²/J; with n in 1/cm³ and D in cm²/s the result is S/cm.
    charge = charge_e * ELEMENTARY_CHARGE_C
    return carriers_per_cm3 * charge**2 * diffusivity_cm2_s / (BOLTZMANN_J_K * temperature_K)
