"""``ionsieve arrhenius``: diffusivities at several temperatures → activation energy and 300 K."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..data.transport.arrhenius import ArrheniusFit


def arrhenius(
    table: Path = typer.Argument(
        ..., help="CSV with T_K, D_cm2_s, D_error_cm2_s and optionally censor (<, >)."
    ),
    structure: Path | None = typer.Option(
        None, "--structure", help="CIF or POSCAR of the cell: gives conductivities."
    ),
    mobile: str = typer.Option("Li", "--mobile", help="Mobile element."),
    charge: float | None = typer.Option(None, "--charge", help="Its charge, units of e."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Fit the Arrhenius law with bounds and full covariance; extrapolate to 300 K."""
    from ..data.transport.arrhenius import fit_arrhenius, read_points

    fit = fit_arrhenius(read_points(table))
    result = _result(fit, _sigma_per_diffusivity(structure, mobile, charge))
    if as_json:
        typer.echo(json.dumps(result, allow_nan=False))
        return
    for key, value in result.items():
        shown = "-" if value is None else f"{value:.5g}" if isinstance(value, float) else value
        typer.echo(f"{key:32s} {shown}")


def _sigma_per_diffusivity(
    structure: Path | None, mobile: str, charge: float | None
) -> float | None:
    """Conductivity at 300 K (mS/cm) of one cm²/s in this cell; None without a structure."""
    from ..data.errors import InputError
    from ..data.sources.files import read_one_structure
    from ..data.transport.analysis import CHARGES_E
    from ..data.units import ROOM_TEMPERATURE_K, nernst_einstein_sigma_S_cm

    if structure is None:
        return None
    record = read_one_structure(structure)
    ions = record.composition.get(mobile, 0.0)
    if ions == 0.0:
        raise InputError(f"{structure}: no {mobile} in it; give --mobile")
    if charge is None and mobile not in CHARGES_E:
        raise InputError(f"{structure}: charge of {mobile} unknown; give --charge")
    q = CHARGES_E[mobile] if charge is None else charge
    density = ions / record.volume_A3
    return 1000.0 * nernst_einstein_sigma_S_cm(1.0, density, q, ROOM_TEMPERATURE_K)


def _result(fit: ArrheniusFit, sigma_mS_cm: float | None) -> dict[str, object]:
    from ..data.units import ROOM_TEMPERATURE_K

    t = ROOM_TEMPERATURE_K
    one_sigma, t_interval = fit.interval_cm2_s(t), fit.interval_cm2_s(t, 0.95)
    limits = {
        "low68": None if one_sigma is None else one_sigma[0],
        "high68": None if one_sigma is None else one_sigma[1],
        "low95": None if t_interval is None else t_interval[0],
        "high95": None if t_interval is None else t_interval[1],
    }

    def scaled(value: float | None) -> float | None:
        return None if value is None or sigma_mS_cm is None else value * sigma_mS_cm

    return {
        "activation_energy_eV": fit.activation_energy_eV,
        "activation_energy_error_eV": fit.activation_energy_error_eV,
        "ln_prefactor_cm2_s": fit.ln_prefactor,
        "covariance_lnD0_Ea": fit.covariance.tolist(),
        "n_values": fit.n_values,
        "n_bounds": fit.n_bounds,
        "degrees_of_freedom": fit.degrees_of_freedom,
        "chi2": fit.chi2,
        "T_min_K": fit.temperatures_K[0],
        "T_max_K": fit.temperatures_K[1],
        "extrapolated_300K": fit.is_extrapolation(t),
        "diffusivity_300K_cm2_s": fit.diffusivity_cm2_s(t),
        **{f"diffusivity_300K_{name}_cm2_s": value for name, value in limits.items()},
        "sigma_300K_mS_cm": scaled(fit.diffusivity_cm2_s(t)),
        **{f"sigma_300K_{name}_mS_cm": scaled(value) for name, value in limits.items()},
        "warnings": _warnings(fit),
    }


def _warnings(fit: ArrheniusFit) -> list[str]:
    from scipy.stats import chi2

    texts = []
    if fit.is_extrapolation(300.0):
        low, high = fit.temperatures_K
        texts.append(
            f"300 K is extrapolated from {low:g}–{high:g} K: a change of mechanism or phase in "
            "between would not be seen"
        )
    if fit.degrees_of_freedom < 1:
        texts.append("two values leave no degree of freedom: no 95 % interval can be given")
    elif chi2.sf(fit.chi2, fit.degrees_of_freedom) < 0.01:
        texts.append("the values scatter more than their errors allow: not one Arrhenius line")
    return texts
