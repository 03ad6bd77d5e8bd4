"""Arrhenius law over several temperatures: weights, bounds, covariance, honest extrapolation."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from scipy import optimize, stats

from ..errors import LabelError
from ..trajectories.trajectory import FloatArray
from ..units import BOLTZMANN_EV_K
from .plausible import temperature_problem, value_problem

Censor = Literal["", "upper", "lower"]
CENSOR_WORDS: Final[dict[str, Censor]] = {
    "": "",
    "0": "",
    "none": "",
    "false": "",
    "value": "",
    "=": "",
    "<": "upper",
    "upper": "upper",
    "left": "upper",
    "1": "upper",
    "true": "upper",
    ">": "lower",
    "lower": "lower",
    "right": "lower",
}
DEFAULT_BOUND_REL_ERROR: Final[float] = 0.5
"""Softness of a bound that comes without an error, where no value has one either."""


@dataclass(frozen=True)
class DiffusivityPoint:
    """Diffusivity at one temperature, or a bound on it."""

    temperature_K: float
    diffusivity_cm2_s: float
    error_cm2_s: float | None = None
    """One standard deviation; for a bound, how soft it is (None: as the values')."""
    censor: Censor = ""
    """``upper`` where the diffusivity lies below the number, ``lower`` where above."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ArrheniusFit:
    """ln D = ln D₀ − E_a / (k_B T) with the covariance of both parameters."""

    ln_prefactor: float
    activation_energy_eV: float
    covariance: FloatArray
    """Of (ln D₀, E_a), shape (2, 2)."""
    n_values: int
    n_bounds: int
    chi2: float
    """Sum of squared residuals of the values in units of their errors."""
    temperatures_K: tuple[float, float]
    """Lowest and highest temperature of the fit."""

    @property
    def activation_energy_error_eV(self) -> float:
        """One standard deviation, eV."""
        return math.sqrt(self.covariance[1, 1])

    @property
    def degrees_of_freedom(self) -> int:
        """Values less two parameters; bounds are not counted."""
        return self.n_values - 2

    def ln_diffusivity(self, temperature_K: float) -> tuple[float, float]:
        """Natural logarithm of D (cm²/s) and its standard deviation at a temperature."""
        direction = np.array([1.0, -1.0 / (BOLTZMANN_EV_K * temperature_K)])
        value = self.ln_prefactor + direction[1] * self.activation_energy_eV
        return value, math.sqrt(float(direction @ self.covariance @ direction))

    def diffusivity_cm2_s(self, temperature_K: float) -> float:
        """Diffusivity at a temperature, cm²/s.

        Raises
        ------
        LabelError
            If the line leads beyond all numbers there.
        """
        try:
            return math.exp(self.ln_diffusivity(temperature_K)[0])
        except OverflowError:
            raise LabelError(
                f"the line leads beyond all numbers at {temperature_K:g} K: the values fix no slope"
            ) from None

    def interval_cm2_s(
        self, temperature_K: float, level: float | None = None
    ) -> tuple[float, float] | None:
        """One-σ interval, or Student's t interval at ``level``; None without degrees of freedom."""
        value, error = self.ln_diffusivity(temperature_K)
        if level is not None:
            if self.degrees_of_freedom < 1:
                return None
            error *= float(stats.t.ppf(0.5 + level / 2.0, self.degrees_of_freedom))
        try:
            return math.exp(value - error), math.exp(value + error)
        except OverflowError:
            return None

    def is_extrapolation(self, temperature_K: float) -> bool:
        """True when the temperature lies outside of those fitted."""
        low, high = self.temperatures_K
        return not low <= temperature_K <= high


def fit_arrhenius(points: Sequence[DiffusivityPoint]) -> ArrheniusFit:
    """Fit the Arrhenius law by maximum likelihood.

    Values are normal in ln D with standard deviation (error / D); a bound contributes the
    probability that the model lies on its side (Tobit). Without bounds this is the weighted linear
    fit. Errors are taken as given, not rescaled to χ² = 1.

    Parameters
    ----------
    points : sequence of DiffusivityPoint

    Returns
    -------
    ArrheniusFit

    Raises
    ------
    LabelError
        If fewer than two values at different temperatures are given, a value has no error, or
        they fix no line.
    """
    values = [p for p in points if not p.censor]
    if len({p.temperature_K for p in values}) < 2:
        raise LabelError(
            f"an Arrhenius fit needs values at two temperatures or more, got {len(values)} values; "
            "bounds alone fix no slope"
        )
    x, y, error = _columns(values)
    design = np.column_stack([np.ones_like(x), x]) / error[:, None]
    bounds = [p for p in points if p.censor]
    try:
        # What overflows is noticed below.
        with np.errstate(all="ignore"):
            covariance = np.linalg.inv(design.T @ design)
            best = covariance @ (design.T @ (y / error))
            if bounds:
                best, covariance = _with_bounds(best, design, y / error, _softened(bounds, error))
    except (np.linalg.LinAlgError, ValueError, FloatingPointError):
        raise _no_line() from None
    numbers = np.concatenate([best, covariance.ravel()])
    if not np.isfinite(numbers).all() or not (np.diag(covariance) > 0).all():
        raise _no_line()
    residual = design @ best - y / error
    everything = [p.temperature_K for p in points]
    return ArrheniusFit(
        ln_prefactor=float(best[0]),
        activation_energy_eV=float(best[1]),
        covariance=np.asarray(covariance, np.float64),
        n_values=len(values),
        n_bounds=len(bounds),
        chi2=float(residual @ residual),
        temperatures_K=(min(everything), max(everything)),
    )


def _no_line() -> LabelError:
    return LabelError(
        "the values fix no Arrhenius line: temperatures too close together, or errors beyond reason"
    )


def _columns(points: Sequence[DiffusivityPoint]) -> tuple[FloatArray, FloatArray, FloatArray]:
    x = np.array([-1.0 / (BOLTZMANN_EV_K * p.temperature_K) for p in points])
    y = np.log([p.diffusivity_cm2_s for p in points])
    errors = []
    for p in points:
        if p.error_cm2_s is None or not p.error_cm2_s > 0:
            raise LabelError(f"value at {p.temperature_K:g} K has no error; give D_error_cm2_s > 0")
        errors.append(p.error_cm2_s / p.diffusivity_cm2_s)
    return x, y, np.array(errors)


def _softened(
    bounds: Sequence[DiffusivityPoint], errors: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Columns of the bounds; the sign is +1 where the model must lie below."""
    typical = float(np.median(errors)) if len(errors) else DEFAULT_BOUND_REL_ERROR
    soft = [
        p.error_cm2_s / p.diffusivity_cm2_s if p.error_cm2_s and p.error_cm2_s > 0 else typical
        for p in bounds
    ]
    x = np.array([-1.0 / (BOLTZMANN_EV_K * p.temperature_K) for p in bounds])
    sign = np.array([1.0 if p.censor == "upper" else -1.0 for p in bounds])
    return x, np.log([p.diffusivity_cm2_s for p in bounds]), np.array(soft), sign


def _with_bounds(
    start: FloatArray,
    design: FloatArray,
    target: FloatArray,
    bounds: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Maximise the censored likelihood; covariance is the inverse of the observed information."""
    x, limit, soft, sign = bounds
    rows = np.column_stack([np.ones_like(x), x]) * (-sign / soft)[:, None]
    offset = sign * limit / soft

    def loss(p: FloatArray) -> float:
        residual = design @ p - target
        return 0.5 * float(residual @ residual) - float(stats.norm.logcdf(rows @ p + offset).sum())

    def gradient(p: FloatArray) -> FloatArray:
        return design.T @ (design @ p - target) - rows.T @ _mills(rows @ p + offset)

    def information(p: FloatArray) -> FloatArray:
        z = rows @ p + offset
        ratio = _mills(z)
        return design.T @ design + (rows * (ratio * (ratio + z))[:, None]).T @ rows

    found = optimize.minimize(
        loss, start, jac=gradient, hess=information, method="trust-exact", options={"gtol": 1e-8}
    )
    best = np.asarray(found.x, dtype=np.float64)
    return best, np.asarray(np.linalg.inv(information(best)), dtype=np.float64)


def _mills(z: FloatArray) -> FloatArray:
    """φ(z)/Φ(z), in logarithms so that far tails do not divide zero by zero."""
    return np.asarray(np.exp(stats.norm.logpdf(z) - stats.norm.logcdf(z)))


def read_points(path: str | Path) -> list[DiffusivityPoint]:
    """Read a CSV with columns ``T_K``, ``D_cm2_s``, ``D_error_cm2_s`` and optionally ``censor``.

    Short names ``T``, ``D``, ``D_error`` are understood. ``censor`` is empty for a value, ``<`` or
    ``upper`` for an upper bound, ``>`` or ``lower`` for a lower bound; ``<`` may also stand before
    the number.

    Raises
    ------
    LabelError
        With the row and the column at fault.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            names = {(n or "").strip(): n for n in reader.fieldnames or ()}
            rows = list(reader)
    except UnicodeDecodeError as error:
        raise LabelError(f"{path}: not a text table ({error.reason})") from error
    except csv.Error as error:
        raise LabelError(f"{path}: not a readable table ({error})") from None
    keys = {
        "T_K": names.get("T_K", names.get("T")),
        "D_cm2_s": names.get("D_cm2_s", names.get("D")),
        "D_error_cm2_s": names.get("D_error_cm2_s", names.get("D_error")),
        "censor": names.get("censor"),
    }
    missing = [name for name in ("T_K", "D_cm2_s", "D_error_cm2_s") if keys[name] is None]
    if missing:
        raise LabelError(f"{path}: column {', '.join(missing)} is missing")
    if not rows:
        raise LabelError(f"{path}: no rows below the header")
    return [
        _point({k: (row.get(n) or "").strip() if n else "" for k, n in keys.items()}, path, number)
        for number, row in enumerate(rows, start=2)
    ]


def _point(row: dict[str, str], path: Path, number: int) -> DiffusivityPoint:
    word, text = row["censor"].lower(), row["D_cm2_s"]
    if text[:1] in ("<", ">"):
        word, text = text[0], text[1:]
    if word not in CENSOR_WORDS:
        raise LabelError(
            f"{path}: row {number}: censor {row['censor']!r} is not empty, '<' (upper bound) or "
            "'>' (lower bound)"
        )
    temperature = _positive(row["T_K"], "T_K", path, number)
    diffusivity = _positive(text, "D_cm2_s", path, number)
    for column, value, problem in (
        ("T_K", temperature, temperature_problem(temperature)),
        ("D_cm2_s", diffusivity, value_problem("diffusivity_cm2_s", diffusivity, temperature)),
    ):
        if problem:
            raise LabelError(f"{path}: row {number}: {column} {value:g} {problem}")
    error = row["D_error_cm2_s"]
    if not error and CENSOR_WORDS[word]:
        return DiffusivityPoint(temperature, diffusivity, None, CENSOR_WORDS[word])
    return DiffusivityPoint(
        temperature,
        diffusivity,
        _positive(error, "D_error_cm2_s", path, number),
        CENSOR_WORDS[word],
    )


def _positive(text: str, column: str, path: Path, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise LabelError(f"{path}: row {number}: {column} is {text!r}, a positive number expected")
    return value
