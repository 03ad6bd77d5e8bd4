"""Cages around isolated anions: how long an ion stays, and jumps within and between cages.

Yang 2025 (10.1038/s41524-025-01559-9) argues that fast conduction needs connected cages: many jumps
within a cage carry no charge unless some lead to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.errors import FeatureError
from ..data.records import FloatArray
from .trajectory_jumps import Jumps, settled_sites
from .trajectory_sites import nearest_sites


@dataclass(frozen=True)
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


def cage_motion(
    frac: FloatArray,
    centres_frac: FloatArray,
    sites_frac: FloatArray,
    jumps: Jumps,
    lattice: FloatArray,
    frame_spacing_fs: float,
    min_residence: int = 2,
) -> CageMotion:
    """Residence and jump rates of cages around given anions.

    Parameters
    ----------
    frac : array (n_frames, n_ions, 3)
        Mobile ions, framework at rest.
    centres_frac : array (n_cages, 3)
        Mean positions of the isolated anions.
    sites_frac : array (n_sites, 3)
        Sites that the jumps refer to.
    jumps : Jumps
    lattice : array (3, 3), Å
    frame_spacing_fs : float
        fs.
    min_residence : int
        Frames that an ion must stay in a cage to have entered it.

    Returns
    -------
    CageMotion
        An ion belongs to the cage of the nearest centre.

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
    cage = settled_sites(nearest_sites(frac, centres_frac, lattice), min_residence)
    exits = int(np.count_nonzero(np.diff(cage, axis=0)))
    ion_ps = frac.shape[1] * (len(frac) - 1) * frame_spacing_fs / 1000.0
    counts = np.stack([np.bincount(row, minlength=len(centres_frac)) for row in cage])
    site_cage = nearest_sites(sites_frac[None], centres_frac, lattice)[0]
    same = site_cage[jumps.origin] == site_cage[jumps.target]
    return CageMotion(
        len(centres_frac),
        float(counts.mean()),
        float(counts.std()),
        exits,
        ion_ps / exits if exits else None,
        ion_ps / _poisson_upper(exits),
        float(same.sum() / ion_ps),
        float((~same).sum() / ion_ps),
    )


def _poisson_upper(count: int) -> float:
    """95 % upper limit of a Poisson mean; 3.0 for no event."""
    from scipy.stats import chi2

    return float(chi2.ppf(0.95, 2 * (count + 1))) / 2.0
