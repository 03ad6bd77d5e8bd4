"""Residence in cages and jumps within and between them."""

import numpy as np
import pytest

from ionsieve.data.errors import FeatureError
from ionsieve.features.motion.cages import cage_motion, cage_of_sites
from ionsieve.features.motion.jumps import find_jumps, settled_sites


def test_cages_tell_inner_from_outer_jumps():
    lattice = np.eye(3) * 20.0
    centres = np.array([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    sites = np.array([[0.2, 0.5, 0.5], [0.3, 0.5, 0.5], [0.7, 0.5, 0.5], [0.8, 0.5, 0.5]])
    cages = cage_of_sites(sites, centres, lattice)
    assert cages.tolist() == [0, 0, 1, 1]
    assignment = np.array([[0], [1], [0], [1], [2], [3], [3], [3], [3], [3], [3]])
    jumps = find_jumps(assignment, sites, lattice, 1)
    motion = cage_motion(settled_sites(assignment, 1), jumps, cages, 1000.0)
    assert (motion.n_exits, motion.residence_ps) == (1, 10.0)
    assert motion.intra_rate_per_ps == pytest.approx(0.4)
    assert motion.inter_rate_per_ps == pytest.approx(0.1)
    assert motion.residence_lower_ps == pytest.approx(10 / 4.7439, rel=1e-3)
    with pytest.raises(FeatureError, match="two cages"):
        cage_of_sites(sites, centres[:1], lattice)
