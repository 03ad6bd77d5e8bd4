"""The quick verdict on runs that are still growing; the full one is tested with the analysis."""

import numpy as np

from ionsieve.data.trajectories.displacements import displacements
from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from ionsieve.data.transport.verdict import verdict
from walks import lattice_walk, run_of


def test_a_growing_run_comes_to_the_verdict_of_the_whole():
    rng = np.random.default_rng(1)
    run = run_of(rng, lattice_walk(rng, 1200, 16, 0.03, 3))
    found = [verdict(displacements(run.between(0, n), "Li"))[0] for n in (20, 60, 600, 1200)]
    assert found[0] == "too_short"
    assert found[-1] == analyse(run, AnalysisSettings()).verdict == "diffusive"


def test_long_runs_are_thinned_and_say_the_same():
    rng = np.random.default_rng(2)
    caged = rng.normal(0, 0.4, (6000, 12, 3)) + rng.random((12, 3)) * 12
    moves = displacements(run_of(rng, caged), "Li")
    thinned, reason = verdict(moves, max_frames=1000)
    assert thinned == verdict(moves, max_frames=6000)[0] == "confined"
    assert "plateau" in reason
