"""What temperature alone explains: a population of Arrhenius lines.

Each material g follows ``log10(σT) = (A + u_g) − (B + v_g)·1000/T`` with ``u_g``, ``v_g`` drawn
from normal distributions. The five parameters are found by penalised maximum likelihood with the
rows of one material correlated as the model says and bounds entering through their probability
given the values. Tables in this field report slow materials at 1000 K and fast ones at
300 K; a line drawn through all rows is therefore far too flat, and only the within-material
correlation repairs it.

The penalty is a weak prior from hopping theory: D₀ = a²ν/6 with a = 3 Å and ν = 10¹³ Hz and
0.02 ions/Å³ give A ≈ 4.7 (σT in S K/cm); activation energies lie around 0.3 ± 0.15 eV. It matters
only where the table does not speak, for instance when it holds a single temperature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from ...data.units import BOLTZMANN_EV_K
from .censoring import FloatArray, is_exact, log_mass

EV_PER_DECADE_SLOPE: Final[float] = BOLTZMANN_EV_K * 1000.0 * float(np.log(10.0))
"""Activation energy of one decade per 1000/T, eV."""

_PRIOR_MEAN: Final[FloatArray] = np.array(
    [4.7, 0.30 / EV_PER_DECADE_SLOPE, np.log(0.4), np.log(0.12 / EV_PER_DECADE_SLOPE), np.log(0.3)]
)
_PRIOR_LOG10_D0: Final[float] = -2.8
"""log10 of a²ν/6 in cm²/s."""
_DECIMALS: Final = 6
"""Of the fitted parameters: far finer than what labels say, far coarser than what is left of
differences between processors."""
_STEP: Final = 2e-3
_NEWTON_STEPS: Final = 2
_PRIOR_SD: Final[FloatArray] = np.array([0.7, 0.15 / EV_PER_DECADE_SLOPE, 0.5, 0.5, 0.5])


def inverse_temperature(temperature_K: ArrayLike) -> FloatArray:
    """1000/T for temperatures in K."""
    return 1000.0 / np.asarray(temperature_K, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class ArrheniusPopulation:
    """Parameters of the population.

    ``log10_prefactor`` belongs to σT in S K/cm, slopes to 1000/T in 1/K.
    """

    times_temperature: float
    """1 where the line is that of σT, 0 where it is that of the quantity itself."""
    log10_prefactor: float
    slope: float
    prefactor_sd: float
    slope_sd: float
    noise_sd: float

    @property
    def activation_energy_eV(self) -> float:
        """Mean activation energy, eV."""
        return self.slope * EV_PER_DECADE_SLOPE

    def mean(self, temperature_K: ArrayLike) -> FloatArray:
        """Population mean of log10 σ (S/cm) or log10 D (cm²/s) at temperatures in K."""
        x = inverse_temperature(temperature_K)
        shift = self.times_temperature * np.log10(x / 1000.0)
        return np.asarray(self.log10_prefactor - self.slope * x + shift)

    def material_sd(self, temperature_K: ArrayLike) -> FloatArray:
        """Spread between materials at temperatures in K, decades."""
        x = inverse_temperature(temperature_K)
        return np.sqrt(self.prefactor_sd**2 + (self.slope_sd * x) ** 2)

    def as_dict(self) -> dict[str, float]:
        """Plain numbers for a JSON file."""
        return asdict(self)


def fit_arrhenius_population(
    temperature_K: FloatArray,
    log10_bounds: FloatArray,
    material: NDArray[np.int64],
    error_log10: FloatArray,
    times_temperature: bool = True,
) -> ArrheniusPopulation:
    """Fit the population to values and bounds.

    Parameters
    ----------
    temperature_K : array (n,), K
    log10_bounds : array (n, 2), log10 of S/cm or cm²/s
        Equal columns for values, infinite ones for bounds.
    material : array (n,) of int
        Which material a row belongs to.
    error_log10 : array (n,), decades
        Standard error of each label; 0 where the source gives none.
    times_temperature : bool
        True for conductivity, whose product with T follows the line; False for diffusivity.

    Returns
    -------
    ArrheniusPopulation
    """
    x = inverse_temperature(temperature_K)
    prior = _PRIOR_MEAN.copy()
    bounds = log10_bounds
    if times_temperature:
        bounds = bounds + np.log10(temperature_K)[:, None]
    else:
        prior[0] = _PRIOR_LOG10_D0
    blocks = _blocks(x, bounds, error_log10**2, material)
    found = minimize(
        _negative_log_posterior,
        prior,
        args=(blocks, prior),
        method="L-BFGS-B",
        bounds=[(c - 4 * w, c + 4 * w) for c, w in zip(prior, _PRIOR_SD, strict=True)],
    )
    sharp = _sharpened(found.x, blocks, prior)
    a, b, log_u, log_v, log_n = (round(float(p), _DECIMALS) for p in sharp)
    return ArrheniusPopulation(
        times_temperature=float(times_temperature),
        log10_prefactor=a,
        slope=b,
        prefactor_sd=float(np.exp(log_u)),
        slope_sd=float(np.exp(log_v)),
        noise_sd=float(np.exp(log_n)),
    )


def _sharpened(start: FloatArray, blocks: list[_Block], prior: FloatArray) -> FloatArray:
    """Newton's steps from where the search stopped to the maximum itself.

    The search ends 1e-7 from it, at a place that differs between processors. Trees break ties
    between splits by the last bit of their targets: the place has to be the same everywhere.
    """
    width = 4.0 * _PRIOR_SD
    free = np.flatnonzero(np.abs(start - prior) < width * (1.0 - 1e-9))
    place = start.copy()

    def value(shift: FloatArray) -> float:
        at = place.copy()
        at[free] += shift
        return _negative_log_posterior(at, blocks, prior)

    curvature = _second_differences(value, len(free))
    for _ in range(_NEWTON_STEPS):
        step = np.linalg.solve(curvature, _differences(value, len(free)))
        if not np.abs(step).max() < _STEP:
            break  # not near: nothing that a step could sharpen
        place[free] -= step
    return np.clip(place, prior - width, prior + width)


def _differences(value: Callable[[FloatArray], float], n: int) -> FloatArray:
    """Gradient at zero, shape (n,), by differences of fourth order: correct to about 1e-11."""
    found = np.empty(n)
    for i, unit in enumerate(np.eye(n) * _STEP):
        near, far = (value(k * unit) - value(-k * unit) for k in (1.0, 2.0))
        found[i] = (8.0 * near - far) / (12.0 * _STEP)
    return found


def _second_differences(value: Callable[[FloatArray], float], n: int) -> FloatArray:
    """Second derivatives at zero, shape (n, n), correct to about 1e-4."""
    centre, units = value(np.zeros(n)), np.eye(n) * _STEP

    def form(v: FloatArray) -> float:
        """v·H·v, by the central difference."""
        return value(v) + value(-v) - 2.0 * centre

    single = [form(unit) for unit in units]
    found = np.empty((n, n))
    for i, j in zip(*np.tril_indices(n), strict=True):
        mixed = form(units[i] + units[j]) - single[i] - single[j]
        found[i, j] = found[j, i] = mixed / (2.0 * _STEP**2)
    return found


class _Block(NamedTuple):
    """Rows of materials that have k values and m bounds of log10(σT) each.

    Shapes (n_materials, k) for ``x``, ``y`` and ``noise``, (n_materials, m) for the others, and
    (n_materials, m, 2) for ``bound``.
    """

    x: FloatArray
    y: FloatArray
    noise: FloatArray
    x_bound: FloatArray
    bound: FloatArray
    noise_bound: FloatArray


def _blocks(
    x: FloatArray, bounds: FloatArray, noise: FloatArray, material: NDArray[np.int64]
) -> list[_Block]:
    """Materials with as many values and bounds together: one calculation for all of them."""
    exact = is_exact(bounds)
    alike: dict[tuple[int, int], list[tuple[NDArray[np.intp], NDArray[np.intp]]]] = {}
    for m in np.unique(material):
        own = material == m
        rows = np.flatnonzero(own & exact), np.flatnonzero(own & ~exact)
        alike.setdefault((len(rows[0]), len(rows[1])), []).append(rows)
    stacked = [[np.stack(part) for part in zip(*rows, strict=True)] for rows in alike.values()]
    return [_Block(x[a], bounds[a, 0], noise[a], x[b], bounds[b], noise[b]) for a, b in stacked]


def _negative_log_posterior(
    parameters: FloatArray, blocks: list[_Block], prior: FloatArray
) -> float:
    penalty = 0.5 * float(np.sum(((parameters - prior) / _PRIOR_SD) ** 2))
    return penalty - sum(_log_likelihood(parameters, block) for block in blocks)


def _log_likelihood(parameters: FloatArray, block: _Block) -> float:
    """Joint density of the values times the probability of each bound given the values.

    Exact where a material has one bound; several are taken as independent given the values.
    """
    u2, v2, n2 = np.exp(2.0 * parameters[2:5])
    total, mean, variance = 0.0, 0.0 * block.x_bound, u2 + v2 * block.x_bound**2
    if block.y.shape[1]:
        own = (n2 + block.noise)[:, :, None] * np.eye(block.y.shape[1])
        covariance = u2 + v2 * block.x[:, :, None] * block.x[:, None, :] + own
        factor = np.linalg.cholesky(covariance)
        residual = block.y - (parameters[0] - parameters[1] * block.x)
        white = np.linalg.solve(factor, residual[:, :, None])
        total = -0.5 * float((white**2).sum())
        total -= float(np.log(np.diagonal(factor, axis1=1, axis2=2)).sum())
        shared = u2 + v2 * block.x[:, :, None] * block.x_bound[:, None, :]
        gain = np.linalg.solve(factor, shared)
        mean, variance = (gain * white).sum(axis=1), variance - (gain**2).sum(axis=1)
    if block.x_bound.shape[1]:
        centre = parameters[0] - parameters[1] * block.x_bound + mean
        sd = np.sqrt(variance + n2 + block.noise_bound)
        scaled = (block.bound - centre[..., None]) / sd[..., None]
        total += float(log_mass(scaled.reshape(-1, 2)).sum())
    return total
