"""Energy above hull: pymatgen's own answer, and refusals instead of wrong numbers."""

import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from ionsieve.data.hull import HullEntry, energies_above_hull

# Formula, eV/atom: a made-up Li–P–S system with known geometry.
ENERGIES = {"Li": -1.9, "P": -5.4, "S": -4.1, "Li2S": -4.1, "P2S5": -5.0, "Li3P": -3.5}


def entry(formula: str, energy: float, source: str = "a") -> HullEntry:
    return HullEntry(f"{formula}-{source}", Composition(formula).as_dict(), energy, source)


KNOWN = [entry(formula, energy) for formula, energy in ENERGIES.items()]


def test_distances_are_pymatgens() -> None:
    wanted = [entry("Li3PS4", -4.4), entry("LiPS3", -4.6), entry("Li7PS6", -3.0)]
    found = energies_above_hull(wanted, KNOWN).e_above_hull_eV_atom
    entries = {
        e.id: PDEntry(
            Composition(dict(e.composition)),
            e.energy_eV_atom * Composition(dict(e.composition)).num_atoms,
        )
        for e in (*KNOWN, *wanted)
    }
    diagram = PhaseDiagram(list(entries.values()))
    for one in wanted:
        expected = diagram.get_e_above_hull(entries[one.id])
        assert found[one.id] == pytest.approx(expected, abs=1e-9)
    assert found["Li7PS6-a"] > 0.5


def test_by_hand_in_a_binary() -> None:
    """Half way between Li (−1.9) and Li2S (−4.1): LiS0.2 lies on their tie line at x = 1/6."""
    on_line = -1.9 + (1 / 6) / (1 / 3) * (-4.1 + 1.9)
    (found,) = energies_above_hull(
        [entry("Li5S", on_line + 0.025)], KNOWN
    ).e_above_hull_eV_atom.values()
    assert found == pytest.approx(0.025, rel=1e-6)


def test_without_elements_there_is_no_number() -> None:
    result = energies_above_hull([entry("Li3PS4", -4.4)], [e for e in KNOWN if e.id != "P-a"])
    assert result.e_above_hull_eV_atom == {}
    assert result.reasons == {"Li3PS4-a": "no energy of elemental P among the entries"}


def test_sources_do_not_mix() -> None:
    result = energies_above_hull([entry("Li2S", -4.0, "b")], KNOWN)
    assert "elemental Li, S" in result.reasons["Li2S-b"]
