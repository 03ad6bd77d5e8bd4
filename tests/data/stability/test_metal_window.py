"""Voltage profile and reaction with the metal (limits: with the antistructure rule)."""

import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from ionsieve.data.stability.hull import HullEntry, HullIndex
from ionsieve.data.stability.metal_window import metal_stability

KJ_MOL_PER_EV = 96.485332
# Standard enthalpies of formation, NIST-JANAF tables, kJ/mol.
FORMATION = {"Li": 0.0, "N2": 0.0, "S": 0.0, "O2": 0.0, "Li3N": -164.56, "Li2S": -441.41,
             "Li2O": -597.94, "Li2O2": -632.62}  # fmt: skip
ENTRIES = [PDEntry(Composition(f), e / KJ_MOL_PER_EV) for f, e in FORMATION.items()]


def entries_of(*elements):
    wanted = {Element(e) for e in elements}
    return [e for e in ENTRIES if set(e.composition.elements) <= wanted]


def test_profile_of_the_antifluorite():
    """Yu 2024 (10.1021/jacs.4c02170), Fig. 2b: Li2.5N0.5S0.5 is oxidised to nitrogen first."""
    energy = 0.5 * (FORMATION["Li3N"] + FORMATION["Li2S"]) / KJ_MOL_PER_EV + 3.5 * 0.017
    compound = PDEntry(Composition("Li2.5N0.5S0.5"), energy)
    found = metal_stability(compound, entries_of("Li", "N", "S"))
    assert [s.phases for s in found.profile] == [("Li2S", "N2"), ("Li2S", "Li3N")]
    assert [s.voltage_V for s in found.profile] == pytest.approx([2.287, 0.569], abs=0.001)
    assert found.profile_text() == "2.287 V: Li2S + N2; 0.569 V: Li2S + Li3N"
    assert found.reaction_energy_eV_atom == pytest.approx(-0.017, rel=1e-6)


def test_profile_equals_the_element_profile_of_pymatgen():
    entries = entries_of("Li", "O")
    compound = PDEntry(Composition("Li2O2"), FORMATION["Li2O2"] / KJ_MOL_PER_EV)
    found = metal_stability(compound, entries)
    steps = PhaseDiagram(entries).get_element_profile(Element("Li"), Composition("Li2O2"))
    expected = sorted((-s["chempot"] for s in steps if s["evolution"] <= 4.0), reverse=True)
    own = [s.voltage_V for s in found.profile]
    for voltage in own:
        assert any(voltage == pytest.approx(v, abs=1e-6) for v in expected)
    assert own == sorted(own, reverse=True)
    amounts = [(s.metal_from, s.metal_to) for s in found.profile]
    assert amounts == [pytest.approx((0.0, 0.5)), pytest.approx((0.5, 1.0))]


def test_columns_of_a_store(tmp_path):
    def hull_entry(formula):
        composition = Composition(formula)
        energy = FORMATION[formula] / KJ_MOL_PER_EV / composition.num_atoms
        return HullEntry(formula, composition.as_dict(), energy, "a")

    with HullIndex(tmp_path / "index.sqlite") as index:
        index.add([hull_entry(f) for f in ("Li", "O2", "Li2O", "Li2O2")], wanted=True)
        index.place_all(windows=True)
        peroxide = index.placed("Li2O2", "a")
    assert peroxide.li_products == "Li2O"
    reaction = (2 * FORMATION["Li2O"] - FORMATION["Li2O2"]) / KJ_MOL_PER_EV / 4
    assert peroxide.li_reaction_eV_atom == pytest.approx(reaction)
    assert peroxide.li_voltage_profile.endswith("V: Li2O")
