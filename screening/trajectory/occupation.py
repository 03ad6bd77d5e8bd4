"""How full the sites of each type are, and the entropy of that (Wood 2021, eq. 3.1)."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.errors import FeatureError
from ...data.records import IntArray
from ...features.motion.sites import (
    TypeOccupation,
    occupation_by_type,
    per_site_entropy,
    site_entropy,
)
from .sites import SiteSet

SHARED_SITE: Final[float] = 0.02
"""Mean number of surplus ions on a site beyond which a type is said to hold several."""

OVERFULL: Final[float] = 0.05
"""A type with a mean above 1 by less is full; above that its sites are too few."""


def occupation_measures(
    assignment: IntArray, sites: SiteSet, notes: list[str]
) -> dict[str, object]:
    """Occupancies by site type and both entropies.

    Parameters
    ----------
    assignment : int array (n_frames, n_ions)
        Nearest site of each ion.
    sites : SiteSet
    notes : list of str
        What is not defined is said here.

    Returns
    -------
    dict
        ``site_types`` maps each type to its number of sites and mean occupancy;
        ``occupancy_sum`` is Σ P_i n_i, which equals ``n_ions``.
    """
    found = occupation_by_type(assignment, sites.kind)
    shared = [
        f"{kind} ({mean:.2f} ions a site, {extra:.2f} of them surplus)"
        for kind, mean, extra in zip(found.kind, found.mean, found.multiply, strict=True)
        if extra > SHARED_SITE
    ]
    if shared:
        notes.append(
            f"a site of {', '.join(shared)} holds several ions at once: it stands for several "
            "sites, and eq. 3.1 counts its mean"
        )
    return {
        "sites_from": sites.source,
        "n_sites": len(sites),
        "site_types": {
            kind: {"n_sites": int(n), "occupancy": float(mean)}
            for kind, n, mean in zip(found.kind, found.n_sites, found.mean, strict=True)
        },
        "occupancy_sum": float(found.mean @ found.n_sites),
        "n_ions": int(assignment.shape[1]),
        "site_entropy_kB": _entropy(found, notes),
        "per_site_entropy_kB": per_site_entropy(assignment, len(sites)),
    }


def _entropy(found: TypeOccupation, notes: list[str]) -> float | None:
    # Ions on the border of two sites overfill a full one now and then.
    nearly = np.where(found.mean <= 1.0 + OVERFULL, np.minimum(found.mean, 1.0), found.mean)
    try:
        return site_entropy(nearly, found.n_sites)
    except FeatureError as error:
        notes.append(f"no site entropy: {error}")
        return None
