"""Occupancies of site types in the answer of a run."""

import numpy as np
import pytest

from ionsieve.screening.trajectory.occupation import occupation_measures
from ionsieve.screening.trajectory.sites import SiteSet


def sites_of(*kinds):
    return SiteSet(frac=np.zeros((len(kinds), 3)), kind=kinds, source="structure")


def test_the_sum_rule_and_both_entropies():
    # Two ions that stay on two of four sites of one type: half full, and nothing mixes.
    notes = []
    found = occupation_measures(np.array([[0, 1]] * 50), sites_of("a", "a", "a", "a"), notes)
    assert found["occupancy_sum"] == found["n_ions"] == 2
    assert found["site_types"] == {"a": {"n_sites": 4, "occupancy": 0.5}}
    assert found["site_entropy_kB"] == pytest.approx(np.log(2))
    assert found["per_site_entropy_kB"] == 0.0
    assert notes == []


def test_sites_that_hold_several_ions_are_named():
    notes = []
    found = occupation_measures(np.array([[0, 0, 1]] * 10), sites_of("a", "b"), notes)
    assert found["site_entropy_kB"] is None
    assert "a (2.00 ions a site, 1.00 of them surplus)" in notes[0]
    # A little more than one, by ions on the border, is one.
    once = np.array([[0, 1]] * 98 + [[0, 0]] * 2)
    notes = []
    found = occupation_measures(once, sites_of("a", "b"), notes)
    assert found["site_entropy_kB"] == pytest.approx(0.5 * 0.098, rel=0.01)
