"""Several mobile species in one run: a label for each, and how their charges move together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
from scipy import stats

from ..errors import TrajectoryError
from ..trajectories.displacements import Displacements, displacements
from ..trajectories.msd import mean_squared_displacement
from ..trajectories.trajectory import FloatArray, Trajectory
from ..units import nernst_einstein_sigma_S_cm
from .analysis import CHARGES_E, AnalysisSettings, TransportLabel, analyse_displacements
from .bounds import charge_freedom, effective_dimension
from .diffusion import CM2_S_PER_A2_FS

CHARGE_LAGS: Final[tuple[float, float]] = (0.02, 0.10)
"""Lags, of the run, over which the charge displacement is read: longer ones are single events."""
_BLOCKS: Final[int] = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossTerm:
    """How the displacements of two species are correlated.

    Attributes
    ----------
    first, second : str
    correlation : float
        ⟨ΔA·ΔB⟩ / √(⟨ΔA²⟩⟨ΔB²⟩), ΔA the summed displacement of all ions of a species: 0 where they
        move independently, positive where they are dragged along, negative where they exchange.
    error : float
        Standard error over five blocks of the run.
    """

    first: str
    second: str
    correlation: float
    error: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SpeciesTransport:
    """Labels of all mobile species of one run, and their charge together.

    Attributes
    ----------
    labels : dict
        Element → label; the host excludes all of them.
    cross_terms : tuple of CrossTerm
    sigma_sum_mS_cm : float or None
        Sum of the Nernst–Einstein conductivities; None unless all diffuse.
    sigma_charge_mS_cm : (low, value, high) or None
        Conductivity from the displacement of the whole charge, with its 95 % interval; None where
        the charge does not move on, or the run is too short.
    haven_ratio : (low, high) or None
        Their ratio, 95 %.
    """

    labels: dict[str, TransportLabel]
    cross_terms: tuple[CrossTerm, ...]
    sigma_sum_mS_cm: float | None
    sigma_charge_mS_cm: tuple[float, float, float] | None
    haven_ratio: tuple[float, float] | None

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "species": {element: label.as_dict() for element, label in self.labels.items()},
            "cross_terms": [asdict(term) for term in self.cross_terms],
            "sigma_sum_mS_cm": self.sigma_sum_mS_cm,
            "sigma_charge_mS_cm": (
                None if self.sigma_charge_mS_cm is None else list(self.sigma_charge_mS_cm)
            ),
            "haven_ratio_together": None if self.haven_ratio is None else list(self.haven_ratio),
        }


def analyse_species(
    run: Trajectory,
    settings: AnalysisSettings,
    elements: Sequence[str],
    charges_e: Mapping[str, float] | None = None,
) -> SpeciesTransport:
    """Analyse one run for several mobile elements.

    Parameters
    ----------
    run : Trajectory
    settings : AnalysisSettings
        ``mobile``, ``also_mobile`` and ``charge_e`` are set here for each element.
    elements : sequence of str
        Two or more, each once.
    charges_e : mapping, optional
        Charge of each element, units of e; the usual one by default.

    Raises
    ------
    TrajectoryError
        As :func:`~ionsieve.data.transport.analysis.analyse`, and if an element is named twice.
    """
    if len(set(elements)) != len(elements) or len(elements) < 2:
        raise TrajectoryError(f"--mobile {','.join(elements)}: name each element once")
    charges = {e: _charge(e, charges_e or {}) for e in elements}
    moves = displacements(run, elements)
    labels = {}
    for element in elements:
        others = tuple(e for e in elements if e != element)
        own = replace(settings, mobile=element, also_mobile=others, charge_e=charges[element])
        labels[element] = analyse_displacements(run, moves.of(element), own)
    discard = max(label.n_equilibration_frames for label in labels.values())
    production = moves.after(discard)
    sums = {e: production.of(e).positions_A.sum(axis=1, keepdims=True) for e in elements}
    charge = _charge_conductivity(production, sums, charges, settings.temperature_K)
    total = _sum([label.as_dict()["sigma_mS_cm"] for label in labels.values()])
    return SpeciesTransport(
        labels=labels,
        cross_terms=tuple(_cross_term(a, b, sums[a], sums[b]) for a, b in combinations(sums, 2)),
        sigma_sum_mS_cm=total,
        sigma_charge_mS_cm=charge,
        haven_ratio=None
        if total is None or charge is None
        else (total / charge[2], total / charge[0]),
    )


def _charge(element: str, given: Mapping[str, float]) -> float:
    if element in given:
        return given[element]
    if element not in CHARGES_E:
        raise TrajectoryError(f"charge of {element} unknown; give --charges {element}=…")
    return CHARGES_E[element]


def _sum(values: Sequence[object]) -> float | None:
    known = [v for v in values if isinstance(v, float)]
    return sum(known) if len(known) == len(values) else None


def _lags(n_frames: int) -> np.ndarray:
    first, last = (round(share * (n_frames - 1)) for share in CHARGE_LAGS)
    return np.arange(max(first, 1), max(last, first) + 1)


def _charge_conductivity(
    moves: Displacements, sums: dict[str, FloatArray], charges: dict[str, float], kelvin: float
) -> tuple[float, float, float] | None:
    """Conductivity of the summed charge, mS/cm, with the χ² interval of a single walker."""
    lags = _lags(moves.n_frames)
    if len(lags) < 4:
        return None
    dipole = sum(charges[e] * sums[e] for e in sums)
    msd = mean_squared_displacement(np.asarray(dipole))
    slope = float(np.polyfit(lags, msd[lags], 1)[0])
    if slope <= 0:
        return None
    # As if one particle with a charge of 1 e had this diffusivity.
    diffusivity = slope / 6.0 * CM2_S_PER_A2_FS / moves.frame_spacing_fs
    sigma = 1000.0 * nernst_einstein_sigma_S_cm(
        diffusivity, 1.0 / moves.mean_volume_A3, 1.0, kelvin
    )
    dimension = effective_dimension(moves.positions_A, int(lags[-1]))
    freedom = charge_freedom(int(lags[0]), int(lags[-1]), moves.n_frames, dimension)
    low, high = (float(q) / freedom for q in stats.chi2.ppf((0.025, 0.975), freedom))
    return sigma / high, sigma, sigma / low


def _cross_term(first: str, second: str, a: FloatArray, b: FloatArray) -> CrossTerm:
    lag = int(_lags(len(a))[-1])
    blocks = [
        _correlation(a[part], b[part], max(1, min(lag, len(part) // 4)))
        for part in np.array_split(np.arange(len(a)), _BLOCKS)
        if len(part) > 4
    ]
    spread = float(np.std(blocks, ddof=1) / math.sqrt(len(blocks))) if len(blocks) > 1 else math.nan
    return CrossTerm(first=first, second=second, correlation=_correlation(a, b, lag), error=spread)


def _correlation(a: FloatArray, b: FloatArray, lag: int) -> float:
    left, right = (x[lag:] - x[:-lag] for x in (a, b))
    norm = math.sqrt(float(np.square(left).sum()) * float(np.square(right).sum()))
    return float((left * right).sum()) / norm if norm > 0 else 0.0
