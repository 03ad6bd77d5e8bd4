"""Cages around isolated anions: how long an ion stays, and jumps within and between cages.

Yang 2025 (10.1038/s41524-025-01559-9) argues that fast conduction needs connected cages: many jumps
within a cage carry no charge unless some lead to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from .jumps import Jumps
from .sites import nearest_sites


@dataclass(frozen=True, kw_only=True)
class CageMotion:
    """Residence in cages and rates of jumps, per mobile ion."""

    n_cages: int
    mean_occupation: float
    """Ions a cage."""
    occupation_spread: float
    """Standard deviation over cages and frames."""
    n_exits: int
    residence_ps: float | None
    """Time in cages over the number of exits; None where no ion left (see the bound)."""
    residence_lower_ps: float
    """95 % lower bound (Poisson)."""
    intra_rate_per_ps: float
    """Jumps between sites of one cage, an ion and a picosecond."""
    inter_rate_per_ps: float
    """Jumps between sites of two cages, an ion and a picosecond."""


def cage_of_sites(
    sites_frac: FloatArray, centres_frac: FloatArray, lattice: FloatArray
) -> IntArray:
    """Cage that each site belongs to: that of the nearest centre.

    Parameters
    ----------
    sites_frac : array (n_sites, 3)
    centres_frac : array (n_cages, 3)
        Mean positions of the isolated anions.
    lattice : array (3, 3), Å

    Returns
    -------
    int array (n_sites,)

    Raises
    ------
    FeatureError
        If there are fewer than two cages.
    """
    if len(centres_frac) < 2:
        raise FeatureError(
            f"{len(centres_frac)} cage centres: residence needs two cages or more; "
            "use a larger cell or other anions"
        )
    return nearest_sites(sites_frac[None], centres_frac, lattice)[0]


def cage_motion(
    settled: IntArray, jumps: Jumps, site_cage: IntArray, frame_spacing_fs: float
) -> CageMotion:
    """Residence and jump rates of cages.

    Parameters
    ----------
    settled : int array (n_frames, n_ions)
        Settled site of each ion, from
        :func:`~ionsieve.features.trajectory_jumps.settled_sites`.
    jumps : Jumps
        Jumps between the same sites.
    site_cage : int array (n_sites,)
        From :func:`cage_of_sites`.
    frame_spacing_fs : float
        fs.

    Returns
    -------
    CageMotion
        An ion is in the cage of the site on which it has settled, so that rattling across the
        border between two cages is no exit.
    """
    n_cages = int(site_cage.max()) + 1
    ion_ps = settled.shape[1] * (len(settled) - 1) * frame_spacing_fs / 1000.0
    counts = np.stack([np.bincount(site_cage[row], minlength=n_cages) for row in settled])
    used = np.isin(np.arange(n_cages), site_cage)
    between = int((site_cage[jumps.origin] != site_cage[jumps.target]).sum())
    return CageMotion(
        n_cages=int(used.sum()),
        mean_occupation=float(counts[:, used].mean()),
        occupation_spread=float(counts[:, used].std()),
        n_exits=between,
        residence_ps=ion_ps / between if between else None,
        residence_lower_ps=ion_ps / _poisson_upper(between),
        intra_rate_per_ps=(len(jumps) - between) / ion_ps,
        inter_rate_per_ps=between / ion_ps,
    )


def _poisson_upper(count: int) -> float:
    """95 % upper limit of a Poisson mean; 3.0 for no event."""
    from scipy.stats import chi2

    return float(chi2.ppf(0.95, 2 * (count + 1))) / 2.0
