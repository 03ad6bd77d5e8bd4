"""Is it diffusion? What a run shows, weighed in a fixed order with its evidence.

An ion that rattles in a cage has a large MSD and many "effective hops", so neither tells. What
tells is whether motion goes on: whether the *collective* displacement (which moves charge) grows
with the MSD, whether the tail of the self van Hove function moves outward, and whether the MSD
still rises on a log–log scale.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Final, Literal

import numpy as np

from ..trajectories.displacements import Displacements
from ..trajectories.msd import mean_squared_displacement
from ..trajectories.trajectory import FloatArray
from .diffusion import DiffusionFit

Verdict = Literal["diffusive", "confined", "molten", "too_short"]

COLLECTIVE_GROWTH_CONFINED: Final[float] = 0.15
"""Growth of the collective MSD per growth of the MSD. Independent ions give 1, concerted motion
more; inverse Haven ratios of crystals lie between about 0.5 and 5. A closed cage gives 0."""
TAIL_EXPONENT_CONFINED: Final[float] = 0.30
"""The farthest per cent of ions move as τ^0.5 when they diffuse and stop at the cage wall when
they do not; half-way is 0.25, and a cage that is still being filled adds a little."""
PLATEAU_EXPONENT: Final[float] = 0.10
"""An MSD that grows by less than a quarter while the lag grows tenfold is a plateau."""
STOPPED_EXPONENTS: Final[tuple[float, float]] = (0.20, 0.15)
"""MSD and van Hove tail that have both nearly stopped in the last part of the run: a cage that has
been filled. Diffusion has 1 and 0.5; lattice walks of 4–60 ions fall below both in under 1 %."""
BALLISTIC_EXPONENT: Final[float] = 1.6
"""Between 1 (diffusion) and 2 (free flight or an external drift)."""
MOLTEN_EXPONENT: Final[float] = 0.5
"""Vibration and bounded rotation give 0, diffusion of the framework gives 1."""
LINDEMANN: Final[float] = 0.2
"""Thermal amplitude over neighbour distance; crystals melt at 0.10–0.15 (Lindemann)."""
MINIMUM_MOVED_HOPS: Final[float] = 13.0
"""Below this the error of He 2018 exceeds 100 %: too little motion to say where it leads."""
MINIMUM_CONFINED_PS: Final[float] = 5.0
"""Shorter runs cannot have seen the relaxation of a cage, a few picoseconds."""


@dataclass(frozen=True)
class Evidence:
    """The numbers behind a verdict; None where they could not be had."""

    duration_ps: float
    msd_exponent: float | None
    """d ln MSD / d ln τ between a fifth and a half of the run."""
    plateau_exponent: float | None
    """The same between a twentieth and a half of the run."""
    collective_growth: float | None
    """Slope of the collective MSD against the MSD, lags of a twentieth to a quarter of the run."""
    van_hove_tail_exponent: float | None
    """d ln r99 / d ln τ between an eighth and a half of the run, r99 = 99th percentile of |Δr|."""
    van_hove_r99_A: float | None
    """99th percentile of |Δr| at half of the run, Å."""
    fraction_beyond_1_5_a: float | None
    """Share of ions farther than 1.5 site distances at half of the run."""
    framework_msd_A2: dict[str, float]
    """MSD of each framework species at half of the run, Å²."""
    framework_exponent: dict[str, float]
    reason: str = ""

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def gather_evidence(
    moves: Displacements, msd_A2: FloatArray, collective_A2: FloatArray, site_distance_A: float
) -> Evidence:
    """Compute what the verdict is weighed on.

    Parameters
    ----------
    moves : Displacements
        Production part of the run.
    msd_A2, collective_A2 : arrays (n_frames,), Å²
        MSD and collective MSD by lag.
    site_distance_A : float
        Site distance, Å.
    """
    half = (moves.n_frames - 1) // 2
    distances = [_moved(moves.positions_A, lag) for lag in (max(half // 4, 1), max(half, 1))]
    r99 = [float(np.quantile(d, 0.99)) for d in distances]
    framework = _framework_msd(moves)
    return Evidence(
        (moves.n_frames - 1) * moves.frame_spacing_fs / 1000.0,
        _exponent(msd_A2, 0.4, 1.0),
        _exponent(msd_A2, 0.1, 1.0),
        _collective_growth(msd_A2, collective_A2),
        _log_ratio(r99[1], r99[0], 4.0) if half >= 4 else None,
        r99[1],
        float((distances[1] > 1.5 * site_distance_A).mean()),
        {s: float(m[half]) for s, m in framework.items()},
        {s: e for s, m in framework.items() if (e := _exponent(m, 0.2, 1.0)) is not None},
    )


def _moved(positions_A: FloatArray, lag: int) -> FloatArray:
    # Overlapping origins closer than a sixteenth of the lag add cost, not information.
    stride = max(1, lag // 16)
    return np.linalg.norm(positions_A[lag::stride] - positions_A[:-lag:stride], axis=2).ravel()


def _log_ratio(late: float, early: float, factor: float) -> float | None:
    return math.log(late / early) / math.log(factor) if late > 0 and early > 0 else None


def _exponent(msd_A2: FloatArray, low: float, high: float) -> float | None:
    """Least-squares log–log slope over lags between two fractions of half of the run."""
    half = (len(msd_A2) - 1) // 2
    lags = np.unique(np.geomspace(max(low * half, 1), max(high * half, 1), 12).round().astype(int))
    if len(lags) < 3 or (msd_A2[lags] <= 0).any():
        return None
    return float(np.polyfit(np.log(lags), np.log(msd_A2[lags]), 1)[0])


def _collective_growth(msd_A2: FloatArray, collective_A2: FloatArray) -> float | None:
    n = len(msd_A2) - 1
    first, last = max(n // 20, 1), n // 4
    if last - first < 3:
        return None
    own, all_ = msd_A2[first : last + 1], collective_A2[first : last + 1]
    spread = own - own.mean()
    if spread @ spread <= 1e-12 * float(own @ own):
        return None
    return float(spread @ all_ / (spread @ spread))


def _framework_msd(moves: Displacements) -> dict[str, FloatArray]:
    species = np.array(moves.framework_species)
    return {
        str(s): mean_squared_displacement(moves.framework_A[:, species == s])
        for s in sorted(set(moves.framework_species))
    }


def nearest_framework_distance(moves: Displacements) -> dict[str, float]:
    """Mean distance from each framework species to its nearest framework neighbour, Å.

    Taken in the first frame without periodic images, over the inner half of the ions: a neighbour
    distance need only be right to a few tenths of an ångström here.
    """
    from scipy.spatial import cKDTree

    if len(moves.framework_species) < 2:
        return dict.fromkeys(moves.framework_species, math.inf)
    distance = cKDTree(moves.framework_A[0]).query(moves.framework_A[0], k=2)[0][:, 1]
    species = np.array(moves.framework_species)
    return {str(s): float(np.median(distance[species == s])) for s in set(species)}


def judge(
    evidence: Evidence, fit: DiffusionFit | None, n_eff: float, neighbour_A: dict[str, float]
) -> tuple[Verdict, str]:
    """Weigh the evidence in a fixed order: molten, flight, cage, statistics, diffusion.

    Parameters
    ----------
    evidence : Evidence
    fit : DiffusionFit or None
        None where no diffusivity could be fitted.
    n_eff : float
        Effective number of hops.
    neighbour_A : dict
        Neighbour distance of each framework species, Å.

    Returns
    -------
    verdict, reason : str
    """
    molten = _molten_species(evidence, neighbour_A)
    if molten:
        return "molten", f"the framework diffuses ({', '.join(molten)})"
    exponent = evidence.msd_exponent
    if exponent is None:
        return "too_short", "too few frames to see how the MSD grows"
    if exponent > BALLISTIC_EXPONENT:
        return "too_short", f"the MSD grows as τ^{exponent:.2f}: flight, not yet diffusion"
    caged = _caged(evidence, n_eff)
    if caged:
        return "confined", caged
    if fit is None:
        return "too_short", (
            f"the MSD rises by less than half a squared site distance "
            f"({n_eff:.1f} effective hops, rattling included)"
        )
    if fit.diffusivity_cm2_s <= 0 or fit.rel_error >= 1.0:
        return "too_short", (
            f"{fit.n_eff:.1f} effective hops give D an error of {100 * fit.rel_error:.0f} %"
        )
    # Few ions make the exponent noisy: where the tail moves outward all the same, it is diffusion.
    if exponent < 0.5 and (evidence.van_hove_tail_exponent or 0.0) < TAIL_EXPONENT_CONFINED:
        return "too_short", f"the MSD grows as τ^{exponent:.2f}: still sub-diffusive"
    return "diffusive", f"the MSD grows as τ^{exponent:.2f} and the ions leave their cages"


def _molten_species(evidence: Evidence, neighbour_A: dict[str, float]) -> list[str]:
    """Framework species that diffuse.

    A ligand that rotates about its centre at distance d keeps MSD ≤ 2 d²; beyond 2.5 d² it has
    left. Without that margin, all species together must exceed Lindemann and keep growing.
    """
    msd, growth = evidence.framework_msd_A2, evidence.framework_exponent
    growing = {s for s, e in growth.items() if e > MOLTEN_EXPONENT}
    left = sorted(s for s in growing if msd[s] > 2.5 * neighbour_A[s] ** 2)
    if left:
        return left
    limit = {s: 2.0 * (LINDEMANN * min(max(d, 2.5), 4.5)) ** 2 for s, d in neighbour_A.items()}
    everyone = bool(msd) and all(s in growing and msd[s] > 2.0 * limit[s] for s in msd)
    return sorted(msd) if everyone else []


def _caged(evidence: Evidence, n_eff: float) -> str:
    """Say why the ions are confined, or return an empty string."""
    if evidence.duration_ps < MINIMUM_CONFINED_PS:
        return ""
    plateau = evidence.plateau_exponent
    if plateau is not None and plateau < PLATEAU_EXPONENT:
        return f"the MSD is a plateau (τ^{plateau:.2f} over a decade of lags)"
    growth, tail = evidence.collective_growth, evidence.van_hove_tail_exponent
    late = evidence.msd_exponent
    if n_eff < MINIMUM_MOVED_HOPS or growth is None or tail is None or late is None:
        return ""
    if late < STOPPED_EXPONENTS[0] and tail < STOPPED_EXPONENTS[1]:
        return (
            f"the MSD stops growing (τ^{late:.2f}) and so does the van Hove tail (τ^{tail:.2f}) "
            f"at {evidence.van_hove_r99_A:.1f} Å"
        )
    if growth < COLLECTIVE_GROWTH_CONFINED and tail < TAIL_EXPONENT_CONFINED:
        return (
            f"the collective displacement does not grow ({growth:.2f} of the MSD's growth) and the "
            f"van Hove tail stops at {evidence.van_hove_r99_A:.1f} Å (τ^{tail:.2f})"
        )
    return ""
