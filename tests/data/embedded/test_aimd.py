"""The embedded AIMD table: structures expand to what they say, labels say what was published."""

import json
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from ionsieve.data import Label, StructureError, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.embedded.aimd import (
    MATCHES,
    aimd_structure_entries,
    aimd_summary,
    label_records,
    load_aimd_excluded,
    load_aimd_labels,
    load_aimd_structures,
)
from ionsieve.data.embedded.orbits import expand_site
from ionsieve.data.units import nernst_einstein_sigma_S_cm

ENTRIES = aimd_structure_entries()
RECORDS = {record.id: record for record in load_aimd_structures(include_doubtful=True)}
LABELS = load_aimd_labels(include_doubtful=True)

YANG = "10.1038/s41524-025-01559-9"
HE = "10.1038/s41524-018-0074-y"
YU = "10.1021/jacs.4c02170"
THAKUR = "arXiv:2601.03151"

OXIDATION = {
    **dict.fromkeys(("Li", "Na", "K", "Rb", "Cs", "Au"), 1),
    **dict.fromkeys(("Be", "Zn", "Cd", "Hg", "Sr", "Pb", "Pd", "V"), 2),
    **dict.fromkeys(("B", "Al", "Ga", "In", "Y", "La", "Sm", "Lu", "Cr", "Sb", "Rh"), 3),
    **dict.fromkeys(("Si", "Ge", "Sn", "Ti", "Zr", "Te"), 4),
    **dict.fromkeys(("P", "Bi", "Nb"), 5),
    "Mo": 6,
    **dict.fromkeys(("F", "Cl", "Br", "I"), -1),
    **dict.fromkeys(("O", "S", "Se"), -2),
    "N": -3,
}
"""Formal charges; what departs from them is listed below with its reason."""
DEPARTURES: dict[str, dict[str, float]] = {
    "Li2B2S5_Cmcm": {"S": -8 / 5},  # one S-S bond per formula
    "Li2B2Se5_C2_c": {"Se": -8 / 5},  # one Se-Se bond per formula
    "LiP7_I4_1_acd": {"P": -1 / 7},  # polyphosphide tubes
    "Li5SiP3_Cc": {"P": -3},
    "LiBeP_P4_nmm": {"P": -3},
    "LiAuF6_R-3": {"Au": 5},
    "LiY2Ti2S2O5_I4_mmm": {"Ti": 3.5},  # Li intercalated, Ti reduced
    "LiZrS2_R-3m": {"Zr": 3},  # Li intercalated, Zr reduced
}


def labels_of(structure_id: str) -> Any:
    return LABELS[LABELS["structure_id"] == structure_id]


# --- structures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("structure_id", sorted(ENTRIES))
def test_expanded_cell_has_the_stated_formula(structure_id: str) -> None:
    from pymatgen.core import Composition

    stated = Composition(ENTRIES[structure_id]["formula"]).fractional_composition
    found = Composition(RECORDS[structure_id].composition).fractional_composition
    # Occupancies are stored with six digits.
    assert stated.almost_equals(found, rtol=1e-4, atol=1e-5), (stated, found)


@pytest.mark.parametrize("structure_id", sorted(ENTRIES))
def test_cell_is_charge_neutral(structure_id: str) -> None:
    charges = {**OXIDATION, **DEPARTURES.get(structure_id, {})}
    composition = RECORDS[structure_id].composition
    total = sum(charges[element] * n for element, n in composition.items())
    assert abs(total) < 1e-4 * sum(composition.values())


@pytest.mark.parametrize("structure_id", sorted(ENTRIES))
def test_no_two_atoms_that_can_be_there_together_are_too_close(structure_id: str) -> None:
    from pymatgen.analysis.local_env import CovalentRadius

    structure = to_pymatgen(RECORDS[structure_id])
    for site, neighbours in zip(structure, structure.get_all_neighbors(3.0), strict=True):
        for neighbour in neighbours:
            if site.species.num_atoms + neighbour.species.num_atoms <= 1.0 + 1e-3:
                continue  # partly occupied sites that may exclude each other
            radii = sum(
                min(CovalentRadius.radius[e.symbol] for e in s.species) for s in (site, neighbour)
            )
            assert neighbour.nn_distance > 0.6 * radii, (site.species, neighbour.species)


@pytest.mark.parametrize("structure_id", sorted(ENTRIES))
def test_spglib_finds_the_stated_space_group(structure_id: str) -> None:
    import spglib

    record = RECORDS[structure_id]
    kinds = {content: i for i, content in enumerate(dict.fromkeys(record.species), start=1)}
    cell = (record.lattice, record.frac, [kinds[content] for content in record.species])
    found = spglib.get_symmetry_dataset(cell, symprec=1e-3)
    assert found.number == ENTRIES[structure_id]["space_group"]["number"]
    assert found.international == ENTRIES[structure_id]["space_group"]["symbol"]


@pytest.mark.parametrize("structure_id", sorted(ENTRIES))
def test_entries_carry_source_licence_and_match(structure_id: str) -> None:
    entry = ENTRIES[structure_id]
    assert entry["match"] in MATCHES
    assert entry["source"]
    assert entry["licence"].startswith(("CC BY 4.0", "MIT", "facts"))
    assert entry["reference"].startswith("10.")
    assert len(entry["sites"]) >= 3
    if entry["match"] in ("same_entry", "same_formula", "same_formula_and_space_group"):
        assert entry["materials_project_id"].startswith("mp-")


def test_disordered_entries_say_so() -> None:
    for structure_id, record in RECORDS.items():
        assert record.is_ordered == ("disordered" not in ENTRIES[structure_id]["note"])


def test_same_table_same_structures() -> None:
    again = {r.id: r.content_hash for r in load_aimd_structures(include_doubtful=True)}
    assert again == {i: r.content_hash for i, r in RECORDS.items()}


def test_doubtful_polymorphs_are_left_out_by_default() -> None:
    doubtful = {i for i, e in ENTRIES.items() if e["match"] == "doubtful"}
    assert {r.id for r in load_aimd_structures()} == set(ENTRIES) - doubtful
    assert not doubtful & set(load_aimd_labels()["structure_id"])
    assert doubtful <= set(LABELS["structure_id"])


def test_24e_occupancy_of_yu_2024_follows_from_charge_balance() -> None:
    # 10.1021/jacs.4c02170 prints 0.966, with which the cell would hold 31 Li instead of 10.
    record = RECORDS["Li2.5N0.5S0.5_Fm-3m"]
    occupancies = {s.occupancy for c in record.species for s in c if s.element == "Li"}
    assert max(occupancies) == 1.0
    assert math.isclose(min(occupancies), 2 / 24, rel_tol=1e-4)
    assert math.isclose(record.composition["Li"], 10.0, rel_tol=1e-5)


@pytest.mark.parametrize("halide", ["Cl", "I"])
@pytest.mark.parametrize(("percent", "share"), [("000", 0.0), ("050", 0.5), ("100", 1.0)])
def test_site_inversion_is_the_share_of_halide_in_the_tetrahedral_hole(
    halide: str, percent: str, share: float
) -> None:
    # The 4d anion of an argyrodite lies a√3/4 from 4a and a·√11/4 from the nearest P, 4a at a/2.
    structure = to_pymatgen(RECORDS[f"Li6PS5{halide}_inversion{percent}"])
    phosphorus = [site for site in structure if "P" in site.species_string]
    for site in structure:
        amounts = site.species.get_el_amt_dict()
        to_p = min(site.distance(p) for p in phosphorus)
        if halide in amounts or (amounts.get("S") and to_p > 3.0):
            octahedral = math.isclose(to_p, structure.lattice.a / 2, rel_tol=1e-3)
            expected = 1.0 - share if octahedral else share
            assert math.isclose(amounts.get(halide, 0.0), expected, abs_tol=1e-9)


# --- expansion ----------------------------------------------------------------------------------


def test_expansion_agrees_with_pymatgen() -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Lattice, Structure

    a = ENTRIES["Li8SiSe6_F-43m"]["lattice"]["a_A"]
    sites = ENTRIES["Li8SiSe6_F-43m"]["sites"]
    reference = Structure.from_spacegroup(
        "F-43m",
        Lattice.cubic(a),
        [next(iter(s["occupancy"])) for s in sites],
        [s["xyz"] for s in sites],
    )
    assert StructureMatcher(scale=False, stol=1e-3).fit(
        reference, to_pymatgen(RECORDS["Li8SiSe6_F-43m"])
    )


def test_rounded_special_position_returns_to_its_element() -> None:
    hexagonal = np.array([[3.6, 0.0, 0.0], [-1.8, 1.8 * math.sqrt(3), 0.0], [0.0, 0.0, 3.9]])
    images = expand_site("-P 6 2", hexagonal, np.array([0.333333, 0.666667, 0.0]))
    assert np.allclose(sorted(images[:, 0]), [1 / 3, 2 / 3], rtol=0, atol=1e-15)


def test_point_near_but_not_on_an_element_is_refused() -> None:
    cube = np.eye(3) * 10.0
    # 0.0024 × 10 Å from the fourfold point: some images merge within 0.05 Å, others do not.
    with pytest.raises(StructureError, match=r"fixing\s+operations|not 192 together"):
        expand_site("-F 4 2 3", cube, np.array([0.0024, 0.0024, 0.0]))


# --- labels -------------------------------------------------------------------------------------


def test_every_label_has_a_structure_and_every_structure_a_label() -> None:
    assert set(LABELS["structure_id"]) == set(ENTRIES)
    for structure_id, rows in LABELS.groupby("structure_id"):
        assert set(rows["group"]) == {ENTRIES[structure_id]["group"]}
        assert set(rows["match"]) == {ENTRIES[structure_id]["match"]}


def test_labels_are_valid_records() -> None:
    records = label_records(LABELS)
    assert len(records) == len(LABELS)
    assert all(isinstance(record, Label) for record in records)


def test_schema() -> None:
    assert set(LABELS["kind"]) == {"aimd"}
    assert set(LABELS["quantity"]) == {"sigma_S_cm"}
    assert set(LABELS["grade"]) <= {"A", "B"}
    assert LABELS["derived"].dtype == bool
    assert LABELS["temperature_K"].between(300, 1500).all()
    assert (LABELS["doi"].str.startswith("10.") | LABELS["doi"].str.startswith("arXiv:")).all()
    assert not LABELS.duplicated(["structure_id", "temperature_K", "survey_row"]).any()


def test_a_bound_has_no_value_and_a_value_no_bound() -> None:
    bound = LABELS["value"].isna()
    assert 20 <= bound.sum() <= 40
    assert LABELS.loc[bound, ["lower", "upper"]].notna().any(axis=1).all()
    assert LABELS.loc[bound, "error_log10"].isna().all()
    assert LABELS.loc[bound, "note"].str.len().gt(20).all()
    assert LABELS.loc[~bound, ["lower", "upper"]].isna().all(axis=None)
    assert LABELS.loc[~bound, "error_log10"].between(0.02, 1.0).all()
    assert LABELS.loc[~bound, "error_basis"].ne("").all()


def test_values_are_physical_and_none_is_an_extrapolation_artefact() -> None:
    values = LABELS["value"].dropna()
    assert values.between(1e-10, 10.0).all()
    assert (LABELS["lower"] < LABELS["upper"]).sum() == LABELS["lower"].notna().sum()


def test_values_at_300_K_are_derived_unless_simulated_there() -> None:
    at_300 = LABELS[(LABELS["temperature_K"] == 300) & LABELS["value"].notna()]
    simulated = set(at_300[~at_300["derived"]]["structure_id"])
    # Yang 2025, Table 1: the three superionic cells with diffusion resolved at 300 K.
    assert simulated == {"Li8SiSe6_F-43m", "Li8SiSe6_Pmn2_1", "Li7SiSe5Cl_F-43m"}


def test_families_are_neither_one_big_nor_all_single() -> None:
    sizes = Counter(entry["group"] for entry in ENTRIES.values())
    assert 8 <= len(sizes) <= 15
    assert max(sizes.values()) <= 0.25 * len(ENTRIES)
    assert sum(size == 1 for size in sizes.values()) <= 2


@pytest.mark.parametrize(
    ("structure_id", "temperature_K", "doi", "sigma_S_cm"),
    [
        ("Li8TiS6_P6_3cm", 1000, YANG, 2.0758),
        ("Li8SiSe6_F-43m", 300, YANG, 0.4172),
        ("Li8SiSe6_Pna2_1", 400, YANG, 0.3322),
        ("Li7N2I_R3m", 300, YANG, 0.0068),
        ("Li7N2I_R3m", 1000, YANG, 0.8018),
        ("Li6VCl8_Fm-3m", 300, YANG, 5.64e-8),
        ("Li5CrCl8_Cmmm", 300, YANG, 1.61e-9),
        ("Li5SbS3I2_Pnnm", 1000, YANG, 0.7723),
        ("Li2.5N0.5S0.5_Fm-3m", 300, YU, 8.31e-3),
        ("Li7La3Zr2O12_192", 300, HE, 1.08e-3),
        ("Cs2Li3Br5_C2_m", 1000, THAKUR, 0.844),
        ("Li3AuS2_Ibam", 1000, THAKUR, 0.008),
    ],
)
def test_published_conductivities(
    structure_id: str, temperature_K: float, doi: str, sigma_S_cm: float
) -> None:
    rows = labels_of(structure_id)
    row = rows[(rows["temperature_K"] == temperature_K) & rows["value"].notna()]
    assert list(row["doi"]) == [doi]
    assert math.isclose(row["value"].iloc[0], sigma_S_cm, rel_tol=5e-4)


@pytest.mark.parametrize(
    ("temperature_K", "diffusivity_cm2_s", "error_cm2_s"),
    [
        # He 2018 (10.1038/s41524-018-0074-y), data published with the paper's code.
        (600, 1.24e-6, 3.4e-7),
        (800, 3.51e-6, 7.0e-7),
        (1050, 8.24e-6, 1.34e-6),
        (1500, 1.83e-5, 2.58e-6),
    ],
)
def test_garnet_conductivities_follow_from_the_published_diffusivities(
    temperature_K: float, diffusivity_cm2_s: float, error_cm2_s: float
) -> None:
    rows = labels_of("Li7La3Zr2O12_192")
    row = rows[rows["temperature_K"] == temperature_K].iloc[0]
    sigma = nernst_einstein_sigma_S_cm(diffusivity_cm2_s, 56 / 12.98**3, 1.0, temperature_K)
    assert math.isclose(row["value"], sigma, rel_tol=1e-3)
    assert math.isclose(
        row["error_log10"], error_cm2_s / diffusivity_cm2_s / math.log(10), rel_tol=1e-3
    )
    assert not row["derived"]


def test_cells_agree_with_the_printed_sigma_and_diffusivity() -> None:
    # Yang 2025 prints both, so their ratio gives the Li density of the simulated cell.
    printed = {
        "Li8SiSe6_Pna2_1": (400, 2.65e-6, 0.3322),
        "Li8SiSe6_Pmn2_1": (300, 1.57e-6, 0.2613),
        "Li7SiSe5Cl_F-43m": (300, 1.66e-6, 0.2377),
        "Li6VCl8_Fm-3m": (1000, 2.9e-6, 0.1178),
        "Li5CrCl8_Cmmm": (1000, 1.29e-5, 0.4408),
        "Li8TiS6_P6_3cm": (1000, 3.84e-5, 2.0758),
    }
    for structure_id, (temperature, diffusivity, sigma) in printed.items():
        record = RECORDS[structure_id]
        density = record.composition["Li"] / record.volume_A3
        found = nernst_einstein_sigma_S_cm(diffusivity, density, 1.0, temperature)
        assert math.isclose(found, sigma, rel_tol=0.03), structure_id


def test_cells_without_diffusion_are_bounds() -> None:
    hcp = labels_of("Li8SiSe6_hcp")
    assert hcp["value"].isna().all()
    # 7.11e-8 cm2/s printed at 400 K; 8 Li in 296 Å3.
    bound = nernst_einstein_sigma_S_cm(7.11e-8, 8 / 296.0, 1.0, 400.0)
    assert math.isclose(hcp["upper"].iloc[0], bound, rel_tol=1e-3)
    assert list(labels_of("Li6NI3_Fm-3m")["temperature_K"]) == [300, 1000]
    for inversion, bounded in (("000", True), ("050", False), ("100", True)):
        for halide in ("Cl", "I"):
            row = labels_of(f"Li6PS5{halide}_inversion{inversion}").iloc[0]
            assert np.isnan(row["value"]) == bounded
    no_diffusion = LABELS[LABELS["upper"].eq(0.008)]
    assert set(no_diffusion["doi"]) == {THAKUR}
    assert set(no_diffusion["temperature_K"]) == {1000}


def test_a_printed_range_stays_an_interval() -> None:
    row = labels_of("Li2B2S5_Cmcm").iloc[0]
    assert np.isnan(row["value"])
    assert (row["lower"], row["upper"]) == (5.6e-6, 1.6e-4)


def test_two_papers_on_one_phase_stay_two_labels() -> None:
    rows = labels_of("Li7P3S11_P-1")
    assert sorted(rows["value"]) == [0.057, 0.072]
    assert rows["doi"].nunique() == 2
    assert not rows["doi_confirmed"].any()


def test_excluded_rows_have_a_reason_and_are_not_labels() -> None:
    excluded = load_aimd_excluded()
    assert excluded["reason"].str.len().gt(15).all()
    assert not set(excluded["survey_row"]) & set(LABELS["survey_row"])
    assert set(excluded.loc[excluded["grade"].eq("C"), "reason"].str[:7]) == {"grade C"}
    # The first survey has 134 rows; each is either used or excluded.
    first = LABELS[LABELS["survey_row"].str.startswith("V")]
    assert len(excluded) + first["survey_row"].nunique() == 134


def test_summary_counts_and_says_what_the_table_is() -> None:
    summary = aimd_summary()
    labels = load_aimd_labels()
    assert summary.n_labels == len(labels)
    assert summary.n_structures == labels["structure_id"].nunique()
    assert 40 <= summary.n_compositions <= summary.n_structures
    assert summary.n_bounds == int(labels["value"].isna().sum())
    for number in (summary.n_labels, summary.n_structures, summary.n_bounds, summary.n_derived):
        assert str(number) in summary.text
    assert "optimistic" in summary.text


# --- against the database the structures were read from -----------------------------------------


def _pool_structure(row: dict[str, Any]) -> Any:
    from pymatgen.core import Structure

    return Structure(row["lattice"], row["species"], row["frac"])


def test_database_structures_are_those_of_the_database(shared_data: Any) -> None:
    import gzip

    from pymatgen.analysis.structure_matcher import StructureMatcher

    wanted = {e["materials_project_id"]: i for i, e in ENTRIES.items() if e["materials_project_id"]}
    matcher = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.01, scale=False)
    checked = []
    with gzip.open(shared_data / "pool" / "phonondb.jsonl.gz", "rt") as stream:
        for line in stream:
            row = json.loads(line)
            if row["id"] in wanted:
                record: StructureRecord = RECORDS[wanted[row["id"]]]
                assert matcher.fit(_pool_structure(row), to_pymatgen(record)), record.id
                checked.append(row["id"])
    # Li7P3S11 (mp-641703) comes from the Materials Project itself.
    assert set(wanted) - set(checked) == {"mp-641703"}
