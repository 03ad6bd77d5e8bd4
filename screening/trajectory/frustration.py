"""All dynamical frustration measures of one run, put together from its displacements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ...data.errors import FeatureError, RoleError, StructureError
from ...data.records import IntArray, SiteSpecies, StructureRecord
from ...features.core.prepared import PreparedStructure, prepare
from ...features.isolated.definition import find_isolated_anions
from ...features.motion.cages import cage_motion, cage_of_sites
from ...features.motion.jumps import Jumps, find_jumps, settled_sites
from .anions import (
    AnionClass,
    angles_by_class,
    anion_classes,
    coordination_by_class,
    host_groups,
)
from .distributions import motion_measures, well_measures
from .framed import FramedRun
from .hops import jump_measures
from .occupation import occupation_measures
from .polarisation import polarisation_measures
from .polyanions import rotation_measures
from .sites import SiteSet, sites_from_density, sites_from_tetrahedra

RESIDENCE_PS: Final[float] = 0.2
"""A new site counts after this stay: a vibration is shorter."""


@dataclass(frozen=True, kw_only=True)
class FrustrationOptions:
    """What the user says about the run beyond its files."""

    sites: SiteSet | None = None
    """None: maxima of the density."""
    tetrahedra: bool = False
    """Sites are the tetrahedra of the anion lattice instead."""
    charges_e: Mapping[str, float] | None = None
    """Oxidation states by element; None: assigned from the structure."""
    anions: tuple[str, ...] = ()
    """Formulas of the polyanions; empty: every finite bonded group."""
    wannier: tuple[Path, ...] = ()
    """Files with Wannier centres."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Frustration:
    """Measures of a run with the events they rest on."""

    measures: dict[str, object]
    """Names carry units; what is not defined for this run is None, with the reason in ``notes``."""
    sites: SiteSet
    jumps: Jumps


def frustration(run: FramedRun, options: FrustrationOptions | None = None) -> Frustration:
    """Measure dynamical frustration.

    Parameters
    ----------
    run : FramedRun
    options : FrustrationOptions, optional
    """
    options = options or FrustrationOptions()
    notes: list[str] = []
    prepared = _prepared(run, options.charges_e, notes)
    sites = _sites(run, options, prepared)
    assignment = sites.assign(run.mobile_frac, run.lattice)
    stay = max(1, math.ceil(RESIDENCE_PS * 1000.0 / run.frame_spacing_fs))
    jumps = find_jumps(assignment, sites.frac, run.lattice, stay)
    motion, ions = motion_measures(run)
    wells, well_curves = well_measures(run, sites, assignment)
    groups = host_groups(run, options.anions)
    classes = anion_classes(run, groups, prepared)
    angles, angle_curves = angles_by_class(run, classes)
    turning, memory = rotation_measures(run, groups, notes)
    settled = settled_sites(assignment, stay)
    measures: dict[str, object] = {
        **occupation_measures(assignment, sites, notes),
        **motion,
        **jump_measures(run, jumps),
        **_around_anions(run, prepared, sites, jumps, settled, notes),
        **_coordination(run, classes, notes),
        "angles": angles,
        "wells": wells,
        **turning,
        "polarisation": polarisation_measures(options.wannier, run, prepared, notes),
        "curves": {
            "single_ions": ions,
            "wells": well_curves,
            "angles": angle_curves,
            "rotation": memory,
        },
        "notes": notes,
    }
    return Frustration(measures=measures, sites=sites, jumps=jumps)


def _sites(
    run: FramedRun, options: FrustrationOptions, prepared: PreparedStructure | None
) -> SiteSet:
    if options.tetrahedra:
        if prepared is None:
            raise FeatureError(
                "--sites tetrahedra: anions cannot be told in this run; give --charges"
            )
        return sites_from_tetrahedra(run, prepared)
    return sites_from_density(run) if options.sites is None else options.sites


def _prepared(
    run: FramedRun, charges_e: Mapping[str, float] | None, notes: list[str]
) -> PreparedStructure | None:
    """The first frame with its roles; None, with a note, where it has none."""
    given = charges_e or {}
    species = tuple((SiteSpecies(s, 1.0, given.get(s)),) for s in run.species)
    try:
        record = StructureRecord(
            id="trajectory", lattice=run.lattice, species=species, frac=run.frac[0]
        )
        return prepare(record, run.mobile)
    except (RoleError, StructureError) as error:
        notes.append(
            f"no roles ({error}): anions are told by connectivity alone, nothing about isolated "
            "anions and cages; give --charges"
        )
        return None


def _coordination(
    run: FramedRun, classes: Sequence[AnionClass], notes: list[str]
) -> dict[str, object]:
    found = coordination_by_class(run, classes, notes)
    isolated = {k.removesuffix(" isolated"): v for k, v in found.items() if k.endswith(" isolated")}
    return {"coordination": isolated, "coordination_by_class": found}


def _around_anions(
    run: FramedRun,
    prepared: PreparedStructure | None,
    sites: SiteSet,
    jumps: Jumps,
    settled: IntArray,
    notes: list[str],
) -> dict[str, object]:
    """Class, number and cages of the isolated anions."""
    if prepared is None:
        return {"isolated_class": None, "n_isolated_anions": None, "cages": None}
    found = find_isolated_anions(prepared)
    isolated = np.flatnonzero(found.is_isolated)
    out: dict[str, object] = {
        "isolated_class": found.isolated_class,
        "n_isolated_anions": len(isolated),
        "cages": None,
    }
    if found.isolated_class != "framework":
        notes.append(f"no cages: isolated-anion class is {found.isolated_class!r}")
        return out
    centres = run.frac[:, isolated].mean(axis=0)
    try:
        site_cage = cage_of_sites(sites.frac, centres, run.lattice)
        out["cages"] = asdict(cage_motion(settled, jumps, site_cage, run.frame_spacing_fs))
    except FeatureError as error:
        notes.append(f"no cages: {error}")
    return out
