"""Antistructure rule and voltage limits (Yu 2024, 10.1021/jacs.4c02170)."""

import math

import pytest
from pymatgen.analysis.phase_diagram import PDEntry
from pymatgen.core import Composition

import structures
from ionsieve.data import FeatureError
from ionsieve.data.stability.metal_window import metal_stability
from ionsieve.features.catalogue import families
from ionsieve.features.electrostatics.li_metal import is_antistructure
from ionsieve.features.featurizer import featurize_one

KJ_MOL_PER_EV = 96.48533


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Li5NS", True),
        ("Li6NI3", True),
        ("Li7N2I", True),
        ("Li3OCl", True),
        ("Li2S", True),
        ("Li6PS5Cl", False),
        ("Li10GeP2S12", False),
        ("Li3InCl6", False),  # neutral with In 3+, but a metal can be reduced
        ("LiN3", False),
        ("Li3Sb", False),
        ("Li3As", False),
        ("Li3P", True),
        ("Li2CO3", False),
        ("Li3PO4", False),
        ("Li", False),
    ],
)
def test_rule(formula: str, expected: bool) -> None:
    composition = {str(e): n for e, n in Composition(formula).get_el_amt_dict().items()}
    assert is_antistructure(composition) is expected
    scaled = {e: 0.37 * n for e, n in composition.items()}
    assert is_antistructure(scaled) is expected


def test_other_mobile_species() -> None:
    assert is_antistructure({"Na": 3, "O": 1, "Br": 1}, "Na")
    assert not is_antistructure({"Na": 3, "O": 1, "Br": 1}, "Li")
    assert not is_antistructure({"Li": 1, "Na": 1, "S": 1}, "Li")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Li2.5N0.5S0.5_avg", 1), ("Li6NI3_I4m", 1), ("Li6PS5Cl_exp48h", 0), ("LGPS_exp", 0)],
)
def test_columns(name: str, expected: int) -> None:
    row = featurize_one(structures.get(name), families(["li_metal"]))
    assert row.values is not None
    assert row.values["is_antistructure"] == expected
    assert (abs(row.values["lowest_valence_excess_e"]) < 1e-6) == bool(expected)


def test_antifluorite_occupancy_follows_from_charge_balance() -> None:
    # Yu 2024 prints 0.966 for one of the sites; neutrality of Li2.5N0.5S0.5 leaves 1/12.
    composition = structures.get("Li2.5N0.5S0.5_avg", conventional=True).composition
    assert (3 * composition["N"] + 2 * composition["S"] - 8) / 24 == pytest.approx(1 / 12)
    assert composition["Li"] == pytest.approx(10.0, rel=1e-9)


def entry(formula: str, formation_kJ_mol: float = 0.0) -> PDEntry:
    return PDEntry(Composition(formula), formation_kJ_mol / KJ_MOL_PER_EV)


# Standard enthalpies of formation, NIST-JANAF tables, kJ/mol.
LI3N, LI2S, LI2O, LI2O2 = -164.56, -441.41, -597.94, -632.62
ENTRIES = [entry("Li"), entry("N2"), entry("S"), entry("Li3N", LI3N), entry("Li2S", LI2S)]


def test_limits_of_the_antifluorite() -> None:
    """Yu 2024, figure 2b: stable at 0 V, oxidised from 0.53 V; 17 meV/atom above the hull."""
    energy = (0.5 * LI3N + 0.5 * LI2S) / KJ_MOL_PER_EV + 3.5 * 0.017
    found = metal_stability(PDEntry(Composition("Li2.5N0.5S0.5"), energy), ENTRIES)
    assert found.reduction_limit_V == 0.0
    assert found.oxidation_limit_V == pytest.approx(0.53, abs=0.005)
    assert found.energy_above_hull_eV_atom == pytest.approx(0.017, rel=1e-6)
    assert found.products == ("Li2S", "Li3N")
    assert found.metal_uptake == 0.0


@pytest.mark.parametrize(
    ("formula", "formation", "volts"), [("Li3N", LI3N, 0.569), ("Li2S", LI2S, 2.287)]
)
def test_binaries_are_oxidised_at_their_formation_voltage(
    formula: str, formation: float, volts: float
) -> None:
    found = metal_stability(entry(formula, formation), ENTRIES)
    assert found.oxidation_limit_V == pytest.approx(volts, abs=0.001)
    assert (found.reduction_limit_V, found.reaction_energy_eV_atom) == (0.0, 0.0)


def test_peroxide_is_reduced_to_oxide() -> None:
    entries = [entry("Li"), entry("O2"), entry("Li2O", LI2O), entry("Li2O2", LI2O2)]
    found = metal_stability(entry("Li2O2", LI2O2), entries)
    # Li2O2 + 2 Li → 2 Li2O, and Li2O2 → 2 Li + O2.
    reaction = (2 * LI2O - LI2O2) / KJ_MOL_PER_EV
    assert found.reduction_limit_V == pytest.approx(-reaction / 2, rel=1e-9)
    assert found.oxidation_limit_V == pytest.approx(-LI2O2 / KJ_MOL_PER_EV / 2, rel=1e-9)
    assert found.reaction_energy_eV_atom == pytest.approx(reaction / 4, rel=1e-9)
    assert found.metal_uptake == pytest.approx(0.5)
    assert found.products == ("Li2O",)


def test_limits_equal_the_element_profile_of_pymatgen() -> None:
    from pymatgen.analysis.phase_diagram import PhaseDiagram
    from pymatgen.core import Element

    entries = [entry("Li"), entry("O2"), entry("Li2O", LI2O), entry("Li2O2", LI2O2)]
    profile = PhaseDiagram(entries).get_element_profile(Element("Li"), Composition("Li2O2"))
    volts = sorted(-step["chempot"] for step in profile)
    found = metal_stability(entry("Li2O2", LI2O2), entries)
    assert any(math.isclose(found.reduction_limit_V, v, rel_tol=1e-6) for v in volts)


@pytest.mark.parametrize(
    ("formula", "message"), [("Li3PS4", "do not span"), ("N2", "not a compound of Li")]
)
def test_what_cannot_be_computed_says_why(formula: str, message: str) -> None:
    with pytest.raises(FeatureError, match=message):
        metal_stability(entry(formula, -1.0), ENTRIES)
