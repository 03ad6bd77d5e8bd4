"""Is it diffusion? What a run shows, weighed in a fixed order with its evidence.

An ion that rattles in a cage has a large MSD and many "effective hops", so neither tells. What
tells is whether motion goes on: whether the *collective* displacement (which moves charge) grows
with the MSD, whether the tail of the self van Hove function moves outward, and whether the MSD
still rises on a log–log scale.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

import numpy as np

from ..trajectories.displacements import (
    MOBILE_CANDIDATES,
    Displacements,
    equilibration_frames,
)
from ..trajectories.msd import collective_msd, mean_squared_displacement
from ..trajectories.trajectory import FloatArray
from .bounds import charge_bound, effective_dimension, hop_bound
from .diffusion import (
    CM2_S_PER_A2_FS,
    SITE_DISTANCE_A,
    DiffusionFit,
    effective_hops,
    fit_diffusivity,
    fit_window,
)
from .rigid_units import rigid_units, unit_centres
from .single_file import ONE_DIMENSION, is_single_file

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
CAGE_REACH: Final[float] = 2.0
CAGE_REACH_A: Final[float] = 6.0
"""The farthest per cent of caged ions cover less than two site distances, and less than 6 Å: they
reach 5.2 Å in Li6PS5Cl, whose cages are among the largest."""
_UNIT_FRAMES: Final[int] = 2000
MINIMUM_CONFINED_PS: Final[float] = 5.0
"""Shorter runs cannot have seen the relaxation of a cage, a few picoseconds."""


@dataclass(frozen=True, kw_only=True)
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
    unit_msd_A2: dict[str, float]
    """The same of the centres of the rigid parts that hold each species (polyanions, the whole
    crystal): what turns within them does not count."""
    unit_exponent: dict[str, float]
    dimension: float = 3.0
    """Effective number of dimensions of the motion at half of the run, 1 to 3."""
    single_file: bool = False
    """Ions move along channels without passing each other."""
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
    framework, units = _framework_msd(moves), _unit_msd(moves)
    exponent, growth = _exponent(msd_A2, 0.4, 1.0), _collective_growth(msd_A2, collective_A2)
    return Evidence(
        duration_ps=(moves.n_frames - 1) * moves.frame_spacing_fs / 1000.0,
        msd_exponent=exponent,
        plateau_exponent=_exponent(msd_A2, 0.1, 1.0),
        collective_growth=growth,
        van_hove_tail_exponent=_log_ratio(r99[1], r99[0], 4.0) if half >= 4 else None,
        van_hove_r99_A=r99[1],
        fraction_beyond_1_5_a=float((distances[1] > 1.5 * site_distance_A).mean()),
        framework_msd_A2={s: float(m[half]) for s, m in framework.items()},
        framework_exponent={
            s: e for s, m in framework.items() if (e := _exponent(m, 0.2, 1.0)) is not None
        },
        unit_msd_A2={s: float(m[(len(m) - 1) // 2]) for s, m in units.items()},
        unit_exponent={s: e for s, m in units.items() if (e := _exponent(m, 0.2, 1.0)) is not None},
        dimension=effective_dimension(moves.positions_A, half) if half > 0 else 3.0,
        single_file=is_single_file(moves, exponent, growth),
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


def _unit_msd(moves: Displacements) -> dict[str, FloatArray]:
    """MSD of the rigid parts of the framework by species, over thinned frames."""
    step = max(1, moves.n_frames // _UNIT_FRAMES)
    frames = moves.framework_A[::step]
    unit = rigid_units(frames, moves.lattice)
    centres = unit_centres(frames, unit)
    species = np.array(moves.framework_species)
    return {
        str(s): mean_squared_displacement(centres[:, np.unique(unit[species == s])])
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


@dataclass(frozen=True, eq=False, kw_only=True)
class Judgement:
    """A verdict with the curves and the fit it rests on."""

    verdict: Verdict
    evidence: Evidence
    n_eff: float
    fit: DiffusionFit | None
    """Where one could be made, whatever the verdict."""
    msd_A2: FloatArray
    collective_A2: FloatArray
    warnings: tuple[str, ...] = ()


def judge_displacements(
    moves: Displacements, site_distance_A: float = SITE_DISTANCE_A
) -> Judgement:
    """Judge the production part of a run.

    Parameters
    ----------
    moves : Displacements
        Without equilibration.
    site_distance_A : float
        Mean site distance a, Å.
    """
    msd = mean_squared_displacement(moves.positions_A)
    collective = collective_msd(moves.positions_A)
    window = fit_window(msd, site_distance_A)
    fit = None
    if window is not None:
        spacing = moves.frame_spacing_fs
        fit = fit_diffusivity(moves.positions_A, msd, window, spacing, site_distance_A)
    n_eff = effective_hops(msd, moves.n_mobile, site_distance_A)
    evidence = gather_evidence(moves, msd, collective, site_distance_A)
    distance = nearest_framework_distance(moves)
    verdict, reason = judge(evidence, fit, n_eff, distance, site_distance_A)
    others = [s for s in _walking(evidence, distance) if s in MOBILE_CANDIDATES]
    warnings = [
        f"{element} moves through the crystal, too: give --mobile with both elements"
        for element in others
        if verdict != "molten"
    ]
    return Judgement(
        verdict=verdict,
        evidence=replace(evidence, reason=reason),
        n_eff=n_eff,
        fit=fit,
        msd_A2=msd,
        collective_A2=collective,
        warnings=tuple(warnings),
    )


def verdict(
    moves: Displacements, site_distance_A: float = SITE_DISTANCE_A, max_frames: int = 2000
) -> tuple[Verdict, str]:
    """Quick verdict on a run that is still growing, cheap enough to ask again and again.

    Parameters
    ----------
    moves : Displacements
        All frames so far; equilibration is discarded here.
    site_distance_A : float
        Mean site distance a, Å.
    max_frames : int
        Longer runs are thinned to this many frames; the verdict needs no more.

    Returns
    -------
    verdict, reason : str
    """
    found = moves.after(equilibration_frames(moves))
    step = -(-found.n_frames // max_frames)
    if step > 1:
        found = replace(
            found,
            positions_A=found.positions_A[::step],
            framework_A=found.framework_A[::step],
            frame_spacing_fs=found.frame_spacing_fs * step,
        )
    judged = judge_displacements(found, site_distance_A)
    return judged.verdict, judged.evidence.reason


def upper_bound(
    found: Judgement, moves: Displacements, site_distance_A: float = SITE_DISTANCE_A
) -> float | None:
    """95 % bound where a run gives no value, cm²/s; None for a molten one or one in flight.

    Confined ions can carry charge only as far as their collective displacement grows. Where a run
    is too short to tell, the hops seen bound the tracer. Along channels the charge may outrun it
    (ions in single file slow down for ever, their charge does not): the larger bound holds.
    """
    dimension, n_mobile = found.evidence.dimension, moves.n_mobile
    flying = (found.evidence.msd_exponent or 2.0) > BALLISTIC_EXPONENT
    if found.verdict not in ("confined", "too_short") or (flying and found.verdict == "too_short"):
        return None
    bounds = []
    if found.verdict == "too_short":
        half = max((len(found.msd_A2) - 1) // 2, 1)
        msd = float(found.msd_A2[half])
        bounds.append(hop_bound(msd, half, n_mobile, site_distance_A, dimension))
    if found.verdict == "confined" or dimension <= ONE_DIMENSION:
        bounds.append(charge_bound(found.collective_A2, n_mobile, site_distance_A, dimension))
    return max(bounds) * CM2_S_PER_A2_FS / moves.frame_spacing_fs


def judge(
    evidence: Evidence,
    fit: DiffusionFit | None,
    n_eff: float,
    neighbour_A: dict[str, float],
    site_distance_A: float = SITE_DISTANCE_A,
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
    site_distance_A : float
        Mean site distance, Å.

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
    caged = _caged(evidence, n_eff, site_distance_A)
    if caged:
        return "confined", caged
    if evidence.single_file:
        return "too_short", (
            f"ions move in single file (τ^{exponent:.2f}): a tracer that nothing can pass has no "
            "diffusivity to extrapolate, the charge may still move"
        )
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
    """Host species that diffuse.

    A ligand that rotates about its centre at distance d keeps MSD ≤ 2 d²; beyond 2.5 d² it has
    left. Without that margin, all species together must exceed Lindemann and keep growing. Other
    cations that may move (Na beside Li) are no host where anything else is: they do not melt it.
    """
    host = [s for s in evidence.unit_msd_A2 if s not in MOBILE_CANDIDATES]
    host = host or list(evidence.unit_msd_A2)
    left = [s for s in _walking(evidence, neighbour_A) if s in host]
    if left:
        return left
    msd, growing = evidence.unit_msd_A2, _growing(evidence)
    limit = {s: 2.0 * (LINDEMANN * min(max(neighbour_A[s], 2.5), 4.5)) ** 2 for s in host}
    everyone = bool(host) and all(s in growing and msd[s] > 2.0 * limit[s] for s in host)
    return sorted(host) if everyone else []


def _growing(evidence: Evidence) -> set[str]:
    return {s for s, e in evidence.unit_exponent.items() if e > MOLTEN_EXPONENT}


def _walking(evidence: Evidence, neighbour_A: dict[str, float]) -> list[str]:
    """Framework species that have left their neighbours and keep moving."""
    msd = evidence.unit_msd_A2
    return sorted(s for s in _growing(evidence) if msd[s] > 2.5 * neighbour_A[s] ** 2)


def _caged(evidence: Evidence, n_eff: float, site_distance_A: float) -> str:
    """Say why the ions are confined, or return an empty string.

    Beyond a plateau of the MSD, only ions that stay within the reach of a cage can be: few walkers
    in one dimension pause often enough to look stopped after they have gone farther.
    """
    if evidence.duration_ps < MINIMUM_CONFINED_PS:
        return ""
    plateau = evidence.plateau_exponent
    if plateau is not None and plateau < PLATEAU_EXPONENT:
        return f"the MSD is a plateau (τ^{plateau:.2f} over a decade of lags)"
    growth, tail = evidence.collective_growth, evidence.van_hove_tail_exponent
    late = evidence.msd_exponent
    if (evidence.van_hove_r99_A or 0.0) > max(CAGE_REACH * site_distance_A, CAGE_REACH_A):
        return ""
    if n_eff < MINIMUM_MOVED_HOPS or growth is None or tail is None or late is None:
        return ""
    if late < STOPPED_EXPONENTS[0] and tail < STOPPED_EXPONENTS[1]:
        return (
            f"the MSD stops growing (τ^{late:.2f}) and so does the van Hove tail (τ^{tail:.2f}) "
            f"at {evidence.van_hove_r99_A:.1f} Å"
        )
    if growth < _growth_limit(evidence.dimension) and tail < TAIL_EXPONENT_CONFINED:
        return (
            f"the collective displacement does not grow ({growth:.2f} of the MSD's growth) and the "
            f"van Hove tail stops at {evidence.van_hove_r99_A:.1f} Å (τ^{tail:.2f})"
        )
    return ""


def _growth_limit(dimension: float) -> float:
    """Growth of the collective MSD below which it stands still, for motion in fewer dimensions.

    One walker in one dimension falls below 0.15 of its mean in one run of twelve, in three
    dimensions in one of seven hundred; the limit keeps that rarity.
    """
    return float(np.interp(dimension, (1.0, 2.0, 3.0), (0.02, 0.07, COLLECTIVE_GROWTH_CONFINED)))
