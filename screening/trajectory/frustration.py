"""All dynamical frustration measures of one run, put together from its displacements."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Final

import numpy as np

from ...data.errors import FeatureError, RoleError, StructureError
from ...data.records import FloatArray, IntArray, StructureRecord
from ...features.core.elements import covalent_radii_A
from ...features.core.prepared import PreparedStructure, prepare
from ...features.isolated.definition import find_isolated_anions
from ...features.motion.cages import cage_motion, cage_of_sites
from ...features.motion.displacements import (
    distinct_van_hove,
    gini,
    ion_msd,
    non_gaussian_parameter,
    self_van_hove,
)
from ...features.motion.jumps import (
    Jumps,
    find_jumps,
    jump_space_time_correlation,
    neighbouring_jump_cosine,
    settled_sites,
    successive_jump_cosine,
)
from ...features.motion.rotation import (
    bond_directions,
    find_polyanions,
    orientation_entropy,
    rotational_autocorrelation,
)
from ...features.motion.sites import (
    coordination_numbers,
    nearest_sites,
)
from .framed import FramedRun
from .occupation import occupation_measures
from .sites import SiteSet, sites_from_density

COORDINATION_CUTOFF_A: Final[float] = 3.5
HOT_SPOT_A: Final[float] = 4.0
HOT_SPOT_PS: Final[float] = 2.0
RESIDENCE_PS: Final[float] = 0.2
"""A new site counts after this stay: a vibration is shorter."""
VAN_HOVE_BIN_A: Final[float] = 0.2
BOND_FACTOR: Final[float] = 1.25
LAGS_PS: Final[tuple[float, ...]] = (1.0, 5.0, 10.0, 20.0)


def frustration(run: FramedRun, given: SiteSet | None = None) -> dict[str, object]:
    """Measure dynamical frustration.

    Parameters
    ----------
    run : FramedRun
    given : SiteSet, optional
        Sites of the mobile ion; by default the maxima of its density.

    Returns
    -------
    dict
        Names carry units; what is not defined for this run is None, with the reason in ``notes``.
    """
    notes: list[str] = []
    site_set = sites_from_density(run) if given is None else given
    sites = site_set.frac
    assignment = nearest_sites(run.mobile_frac, sites, run.lattice)
    stay = max(1, math.ceil(RESIDENCE_PS * 1000.0 / run.frame_spacing_fs))
    jumps = find_jumps(assignment, sites, run.lattice, stay)
    result: dict[str, object] = {
        **occupation_measures(assignment, site_set, notes),
        **_motion(run),
        **_jump_measures(run, jumps),
    }
    prepared = _prepared(run, notes)
    if prepared is not None:
        settled = settled_sites(assignment, stay)
        result.update(_around_anions(run, prepared, sites, jumps, settled, notes))
        result.update(_rotation(run, prepared, notes))
    return {**result, "notes": notes}


def _motion(run: FramedRun) -> dict[str, object]:
    n = len(run.positions_A)
    lags = {lag: round(lag * 1000.0 / run.frame_spacing_fs) for lag in LAGS_PS}
    return {
        "non_gaussian_parameter": {
            f"{lag:g}": (
                non_gaussian_parameter(run.positions_A, k) if 0 < k < n and n > 1 else None
            )
            for lag, k in lags.items()
        },
        "single_ion_gini": gini(ion_msd(run.positions_A, max(1, (n - 1) // 2))),
        "van_hove": _van_hove(run, {lag: k for lag, k in lags.items() if 0 < k < n}),
    }


def _van_hove(run: FramedRun, lags: dict[float, int]) -> dict[str, object]:
    """4πr² G_s in 1/Å and G_d over its long-distance limit, by lag in ps."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(run.lattice), axis=0)
    edges = np.arange(0.0, 10.0 + VAN_HOVE_BIN_A / 2, VAN_HOVE_BIN_A)
    # Nearest images are all images only within half of the cell.
    inner = edges[edges <= 0.5 * heights.min()]
    pairs = run.n_mobile > 1 and len(inner) > 1
    return {
        "r_self_A": ((edges[1:] + edges[:-1]) / 2.0).tolist(),
        "self_per_A": {
            f"{lag:g}": self_van_hove(run.positions_A, k, edges).tolist() for lag, k in lags.items()
        },
        "r_distinct_A": ((inner[1:] + inner[:-1]) / 2.0).tolist(),
        "distinct": {
            f"{lag:g}": distinct_van_hove(run.mobile_frac, run.lattice, k, inner).tolist()
            for lag, k in lags.items()
        }
        if pairs
        else {},
    }


def _jump_measures(run: FramedRun, jumps: Jumps) -> dict[str, object]:
    ion_ps = run.n_mobile * (len(run.frac) - 1) * run.frame_spacing_fs / 1000.0
    back = successive_jump_cosine(jumps)
    window = max(1, round(HOT_SPOT_PS * 1000.0 / run.frame_spacing_fs))
    beside = neighbouring_jump_cosine(jumps, run.lattice, HOT_SPOT_A, window)
    hot = None
    if len(jumps) > 1 and 3 * window < len(run.frac):
        table = jump_space_time_correlation(
            jumps, run.lattice, np.array([0.0, HOT_SPOT_A]), np.array([0, window])
        )
        hot = float(table[0, 0]) if np.isfinite(table[0, 0]) else None
    return {
        "n_jumps": len(jumps),
        "jump_rate_per_ion_ps": len(jumps) / ion_ps,
        "successive_jump_cosine": float(back.mean()) if len(back) else None,
        "neighbouring_jump_cosine": float(beside.mean()) if len(beside) else None,
        "jump_correlation_4A_2ps": hot,
    }


def _prepared(run: FramedRun, notes: list[str]) -> PreparedStructure | None:
    try:
        record = StructureRecord.ordered("trajectory", run.lattice, run.species, run.frac[0])
        return prepare(record, run.species[0])
    except (RoleError, StructureError) as error:
        notes.append(f"no roles, so nothing about anions, cages and polyanions: {error}")
        return None


def _around_anions(
    run: FramedRun,
    prepared: PreparedStructure,
    sites: FloatArray,
    jumps: Jumps,
    settled: IntArray,
    notes: list[str],
) -> dict[str, object]:
    found = find_isolated_anions(prepared)
    isolated = np.flatnonzero(found.is_isolated)
    out: dict[str, object] = {
        "isolated_class": found.isolated_class,
        "n_isolated_anions": len(isolated),
        "coordination": {},
        "cages": None,
    }
    species = np.array(run.species)
    try:
        out["coordination"] = {
            str(element): _coordination(run, isolated[species[isolated] == element])
            for element in sorted(set(species[isolated]))
        }
    except FeatureError as error:
        notes.append(f"no coordination numbers: {error}")
    if found.isolated_class != "framework":
        notes.append(f"no cages: isolated-anion class is {found.isolated_class!r}")
        return out
    centres = run.frac[:, isolated].mean(axis=0)
    try:
        site_cage = cage_of_sites(sites, centres, run.lattice)
        motion = cage_motion(settled, jumps, site_cage, run.frame_spacing_fs)
        out["cages"] = asdict(motion)
    except FeatureError as error:
        notes.append(f"no cages: {error}")
    return out


def _coordination(run: FramedRun, centres: IntArray) -> dict[str, float]:
    numbers = coordination_numbers(
        run.frac, run.lattice, centres, np.arange(run.n_mobile), COORDINATION_CUTOFF_A
    )
    return {"mean": float(numbers.mean()), "breadth": float(numbers.std())}


def _rotation(run: FramedRun, prepared: PreparedStructure, notes: list[str]) -> dict[str, object]:
    roles, radii = prepared.roles, covalent_radii_A()
    centres = np.flatnonzero(roles.is_framework_cation)
    ligands = np.flatnonzero(roles.is_anion)
    empty: dict[str, object] = {
        "n_polyanions": 0,
        "orientation_entropy_kB": None,
        "orientation_entropy_relative": None,
        "rotational_autocorrelation": None,
    }
    if not len(centres) or not len(ligands):
        return empty
    z = prepared.atoms.z
    bond = BOND_FACTOR * (radii[z[centres]][:, None] + radii[z[ligands]][None])
    groups = find_polyanions(run.frac[0], run.lattice, centres, ligands, bond)
    if not len(groups):
        notes.append("no polyanion found")
        return empty
    directions = bond_directions(run.frac, run.lattice, groups)
    entropy, relative = orientation_entropy(directions)
    memory = rotational_autocorrelation(directions)
    lags = {lag: round(lag * 1000.0 / run.frame_spacing_fs) for lag in LAGS_PS}
    return {
        "n_polyanions": len(groups),
        "n_shared_polyanions": sum(groups.shared),
        "orientation_entropy_kB": entropy,
        "orientation_entropy_relative": relative,
        "rotational_autocorrelation": {
            f"{lag:g}": float(memory[k]) if k < len(memory) else None for lag, k in lags.items()
        },
    }
