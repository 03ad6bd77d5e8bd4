"""Other mobile ions: several species, melting judged on the host, cross terms."""

from dataclasses import replace

import numpy as np
import pytest

from ionsieve.data.errors import TrajectoryError
from ionsieve.data.transport.analysis import AnalysisSettings, analyse
from ionsieve.data.transport.species import analyse_species
from walks import SPACING_FS, lattice_walk, run_of

SETTINGS = AnalysisSettings(temperature_K=700.0)
RATES = {"Li": 0.05, "Na": 0.02}


def mixed(seed, n_frames=1000):
    rng = np.random.default_rng(seed)
    ions = [lattice_walk(rng, n_frames, 16, RATES[e], 3) for e in RATES]
    return run_of(rng, np.concatenate(ions, axis=1), ("Li",) * 16 + ("Na",) * 16)


def test_each_species_has_its_own_diffusivity():
    found = analyse_species(mixed(1), SETTINGS, ["Li", "Na"])
    for element, rate in RATES.items():
        label = found.labels[element]
        assert label.verdict == "diffusive"
        assert label.n_mobile == 16
        true_cm2_s = rate * 9.0 / 6.0 * 0.1 / SPACING_FS
        assert label.fit.low_cm2_s < true_cm2_s < label.fit.high_cm2_s
    parts = [label.as_dict()["sigma_mS_cm"] for label in found.labels.values()]
    assert found.sigma_sum_mS_cm == pytest.approx(sum(parts))
    low, value, high = found.sigma_charge_mS_cm
    assert low < value < high
    assert low < found.sigma_sum_mS_cm < high
    (term,) = found.cross_terms
    assert abs(term.correlation) < 0.5
    assert found.haven_ratio[0] < 1.0 < found.haven_ratio[1]


def test_a_second_mobile_ion_does_not_melt_the_host_and_is_named():
    label = analyse(mixed(2), AnalysisSettings(mobile="Li", temperature_K=700.0))
    assert label.verdict == "diffusive"
    assert any("Na moves" in text and "--mobile" in text for text in label.warnings)


def test_a_melting_host_is_molten_for_every_species():
    rng = np.random.default_rng(3)
    run = mixed(3)
    melt = np.cumsum(rng.normal(0, 0.01, (run.n_frames, 32, 3)), axis=0)
    frac = run.frac.copy()
    frac[:, 32:] += melt
    run = replace(run, frac=frac - np.floor(frac))
    found = analyse_species(run, SETTINGS, ["Li", "Na"])
    assert {label.verdict for label in found.labels.values()} == {"molten"}
    assert found.sigma_sum_mS_cm is None


def test_ions_that_drag_each_other_along_are_correlated():
    rng = np.random.default_rng(4)
    lead = lattice_walk(rng, 1000, 8, 0.05, 3)
    follow = lead + 1.5 + rng.normal(0, 0.2, lead.shape)
    run = run_of(rng, np.concatenate([lead, follow], axis=1), ("Ag",) * 8 + ("Cu",) * 8)
    (term,) = analyse_species(run, SETTINGS, ["Ag", "Cu"]).cross_terms
    assert (term.first, term.second) == ("Ag", "Cu")
    assert term.correlation > 0.8
    assert term.error < 0.2


@pytest.mark.parametrize("element", ["Na", "K", "Ag", "Cu"])
def test_any_mobile_ion_is_judged_alike(element):
    rng = np.random.default_rng(5)
    ions = lattice_walk(rng, 800, 16, 0.05, 3)
    one = analyse(run_of(np.random.default_rng(6), ions, "Li"), AnalysisSettings(mobile="Li"))
    other = analyse(
        run_of(np.random.default_rng(6), ions, element), AnalysisSettings(mobile=element)
    )
    assert one.verdict == other.verdict == "diffusive"
    assert other.fit.diffusivity_cm2_s == pytest.approx(one.fit.diffusivity_cm2_s, rel=1e-12)


def test_what_cannot_be_analysed_together():
    with pytest.raises(TrajectoryError, match="each element once"):
        analyse_species(mixed(1, 60), SETTINGS, ["Li", "Li"])
    with pytest.raises(TrajectoryError, match="no K among"):
        analyse_species(mixed(1, 60), SETTINGS, ["Li", "K"])
