"""Energy above hull: pymatgen's own answer, and refusals instead of wrong numbers."""

import bz2
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element, Lattice, Structure
from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

from ionsieve.data.errors import InputError
from ionsieve.data.stability.given_entries import read_given_entries
from ionsieve.data.stability.hull import HullEntry, HullIndex, energies_above_hull
from ionsieve.data.store.ingest import IngestSettings, ingest
from ionsieve.data.store.open import open_source
from ionsieve.data.store.store import Store

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


# Standard enthalpies of formation, NIST-JANAF tables, kJ/mol: facts to build real diagrams from.
FORMATION_KJ_MOL = {
    "Li": 0.0, "Cl2": 0.0, "F2": 0.0, "S": 0.0, "O2": 0.0, "LiCl": -408.27, "LiF": -616.93,
    "Li2S": -441.41, "Li2O": -597.94, "Li2O2": -632.62,
}  # fmt: skip
KJ_MOL_PER_EV = 96.485


def computed(formula: str) -> ComputedEntry:
    """Half of the energy as a correction, as databases give them."""
    energy = FORMATION_KJ_MOL[formula] / KJ_MOL_PER_EV
    return ComputedEntry(formula, energy / 2, correction=energy / 2, entry_id=f"given-{formula}")


def given_file(folder: Path, formulas: list[str]) -> str:
    content = json.dumps({"entries": [computed(f).as_dict() for f in formulas]}).encode()
    (folder / "entries.json.bz2").write_bytes(bz2.compress(content))
    return str(folder / "entries.json.bz2")


def rock_salt(name: str, anion: str, energy_eV_atom: float | None) -> dict[str, Any]:
    elements, frac = ["Li", anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
    lattice = [[0, 2.6, 2.6], [2.6, 0, 2.6], [2.6, 2.6, 0]]
    row = {"id": name, "lattice": lattice, "species": elements, "frac": frac}
    return row if energy_eV_atom is None else {**row, "energy_eV_atom": energy_eV_atom}


def stored(folder: Path, rows: list[dict[str, Any]], entries: str | None) -> Store:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    settings = IngestSettings(duplicates="keep", entries=entries)
    ingest([open_source(str(folder / "rows.jsonl"))], folder / "store", settings)
    return Store(folder / "store")


def reasons(store: Store) -> dict[str, dict[str, str]]:
    with (store.folder / "hulls.csv").open() as lines:
        return {row["id"]: row for row in csv.DictReader(lines)}


def test_windows_of_salts_are_their_formation_voltages(tmp_path: Path) -> None:
    """LiCl 4.23 V and LiF 6.39 V; Zhu 2015 (10.1021/acsami.5b07517) computes 4.21 and 6.36."""
    per_atom = {f: FORMATION_KJ_MOL[f] / KJ_MOL_PER_EV / 2 for f in ("LiCl", "LiF")}
    rows = [rock_salt("a", "Cl", per_atom["LiCl"]), rock_salt("b", "F", per_atom["LiF"] + 0.02)]
    store = stored(tmp_path, rows, given_file(tmp_path, ["Li", "Cl2", "F2", "LiCl", "LiF"]))
    found = {s.record.id: s for s in store.records()}
    chloride, fluoride = found["a"].record, found["b"].record
    assert chloride.li_window_low_V == fluoride.li_window_low_V == 0.0
    assert chloride.li_window_high_V == pytest.approx(408.27 / KJ_MOL_PER_EV, rel=1e-9)
    assert chloride.li_window_high_V == pytest.approx(4.21, rel=0.01)
    assert fluoride.li_window_high_V == pytest.approx(6.36, rel=0.01)
    assert fluoride.e_above_hull_eV_atom == pytest.approx(0.02, rel=1e-6)
    assert found["b"].hull_origin == "computed from entries"
    assert reasons(store)["b"]["e_above_hull_meV_atom"] == "20"


def test_windows_are_where_pymatgens_grand_potential_diagram_has_the_compound() -> None:
    """Compounds on the hull of a made-up Li–P–S system: stable inside, gone outside."""
    everything = [*KNOWN, entry("Li3PS4", -4.9)]
    placed = {}
    with HullIndex(":memory:") as index:
        index.add(everything, wanted=True)
        for one in index.place():
            placed[one.id] = one
    pd_entries = [
        PDEntry(Composition(dict(e.composition)), e.energy_eV_atom * sum(e.composition.values()))
        for e in everything
    ]
    reference = ENERGIES["Li"]
    checked = 0
    for formula in ("Li3PS4", "Li2S", "Li3P"):
        one = placed[f"{formula}-a"]
        low, high = one.li_window_low_V, one.li_window_high_V
        assert one.e_above_hull_eV_atom == 0.0
        assert low is not None
        assert high is not None
        for volt, expected in [(low + 0.01, True), (high - 0.01, True), (high + 0.01, False)] + (
            [(low - 0.01, False)] if low > 0.02 else []
        ):
            diagram = GrandPotentialPhaseDiagram(pd_entries, {Element("Li"): reference - volt})
            stable = {e.original_comp.reduced_formula for e in diagram.stable_entries}
            assert (formula in stable) == expected, (formula, volt)
            checked += 1
    assert checked >= 10


def test_what_cannot_be_placed_has_no_number_but_a_reason(tmp_path: Path) -> None:
    rows = [
        rock_salt("no-energy", "Cl", None),
        rock_salt("no-element", "Br", -1.5),
        rock_salt("given-LiCl", "Cl", None),
        {**rock_salt("placed", "Cl", -2.0), "e_above_hull": 0.123},
    ]
    store = stored(tmp_path, rows, given_file(tmp_path, ["Li", "Cl2", "LiCl"]))
    found = {s.record.id: s.record for s in store.records()}
    said = reasons(store)
    assert found["no-energy"].e_above_hull_eV_atom is None
    assert said["no-energy"]["reason"] == "no energy in its source, and no entry of its id"
    assert found["no-element"].li_window_high_V is None
    assert said["no-element"]["reason"] == "no energy of elemental Br among the entries"
    # An entry of the same id lends its energy; what the source says stays.
    assert found["given-LiCl"].e_above_hull_eV_atom == pytest.approx(0.0, abs=1e-12)
    assert found["placed"].e_above_hull_eV_atom == 0.123
    assert found["placed"].li_window_high_V is not None
    counts = store.manifest["hulls"]
    assert (counts["computed"], counts["windows"], counts["not_computable"]) == (1, 2, 2)


def test_entries_computed_another_way_are_refused(tmp_path: Path) -> None:
    rows = [rock_salt("given-LiCl", "Cl", -2.5)]
    with pytest.raises(InputError, match=r"given-LiCl: -2\.5000 eV/atom in its source, -2\.1157"):
        stored(tmp_path, rows, given_file(tmp_path, ["Li", "Cl2", "LiCl"]))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"energy": 1.0}]', "entry 1: has no composition"),
        ('[{"composition": {"Li": 1}}]', "entry 1: has no energy"),
        ('[{"composition": {"Qq": 1}, "energy": 1}]', "'Qq' in its composition"),
        ('[{"composition": {"Li": -1}, "energy": 1}]', "'Li' in its composition"),
        ("[1]", "entry 1: is no object"),
        ('[{"composition"', "not valid JSON"),
    ],
)
def test_broken_entries_are_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(InputError, match=reason) as error:
        list(read_given_entries(tmp_path / "e.json"))
    assert "e.json" in str(error.value)


def test_entries_of_all_layouts(tmp_path: Path) -> None:
    structure = Structure(Lattice.cubic(3), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rows = [
        ComputedStructureEntry(structure, -4.0, entry_id="cse").as_dict(),
        {"structure": structure.as_dict(), "energy": -3.0, "energy_adjustments": [{"value": -1}]},
        {"composition": {"Li+": 1, "Cl-": 1}, "energy": -4.0},
    ]
    (tmp_path / "e.json").write_text(json.dumps(rows))
    found = list(read_given_entries(tmp_path / "e.json"))
    assert [e.energy_eV_atom for e in found] == [-2.0, -2.0, -2.0]
    assert [e.id for e in found] == ["cse", "entry-2", "entry-3"]
    assert all(e.composition == {"Li": 1.0, "Cl": 1.0} for e in found)
