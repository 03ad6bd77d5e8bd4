"""Embedded candidates: neutral, plausible, unique, reproducible, and every drop counted."""

import re
from collections import Counter

import moyopy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
from pymatgen.core import Element

from ionsieve.data.embedded.prototypes import load_prototypes
from ionsieve.data.errors import InputError
from ionsieve.data.records import StructureRecord
from ionsieve.features.core.neighbors import neighbor_list
from ionsieve.features.core.prepared import prepare
from ionsieve.features.isolated.definition import find_isolated_anions
from ionsieve.screening.generate.lattice_scaling import Scaling
from ionsieve.screening.generate.plausibility import Variant, bond_length, judge, short_contact
from ionsieve.screening.generate.prototypes import GenerationResult, embedded_candidates, generate
from ionsieve.screening.generate.substitution import (
    CATION_POOLS,
    MOBILE_SPECIES,
    Assignment,
    allowed_elements,
    assignments,
    ionic_radius_A,
)

PROTOTYPES = load_prototypes()


@pytest.fixture(scope="module")
def lithium() -> GenerationResult:
    return embedded_candidates()


def _symbols(record: StructureRecord) -> list[str]:
    return [content[0].element for content in record.species]


def test_several_hundred_with_unique_file_safe_ids(lithium: GenerationResult) -> None:
    ids = [record.id for record in lithium.records]
    assert 300 <= len(ids) <= 900
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in ids)
    per_prototype = Counter(name.split("_")[0] for name in ids)
    assert set(per_prototype) == set(PROTOTYPES)
    assert max(per_prototype.values()) < 0.1 * len(ids)


@pytest.mark.parametrize(
    "wanted",
    [
        # Yang et al. 2025, 10.1038/s41524-025-01559-9: the polymorphs and relatives of Li8SiSe6.
        *(f"Li8SiSe6-F43m_Li8{m}6" for m in ("SiSe", "TiS", "GeSe")),
        *(f"Li8TiS6-P63cm_Li8{m}6" for m in ("SiSe", "TiS", "GeSe")),
        *(f"Ag8GeS6-Pna21_Li8{m}6" for m in ("SiSe", "TiS", "GeSe")),
        *(f"argyrodite-F43m_Li6{t}S5{x}" for t in ("P", "As", "Sb") for x in ("Cl", "Br", "I")),
        *(f"Li7PS6-Pna21_Li7{m}S5{x}" for m in ("Si", "Ge") for x in ("Cl", "Br")),
        *(
            f"Li6FeCl8-Fm3m_Li6{m}Cl8"
            for m in ("Mg", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Zn", "Cd")
        ),
        *(f"Li3YCl6-P321_Li3{m}Cl6" for m in ("Y", "Gd", "Dy", "Ho", "Er", "Tm", "Yb", "Lu")),
        "Li5SbS3I2-Pnnm_Li5SbS3I2",
        "Li5CrCl8-Cmmm_Li5CrCl8",
        "Li7N2I-R3m_Li7N2I",
        "Li3OCl-Pm3m_Li3OBr",
    ],
)
def test_known_families_are_among_them(lithium: GenerationResult, wanted: str) -> None:
    assert wanted in {record.id for record in lithium.records}


def test_every_assignment_is_kept_or_dropped(lithium: GenerationResult) -> None:
    offered = sum(1 for p in PROTOTYPES.values() for _ in assignments(p))
    assert lithium.n_generated == offered
    assert sum(lithium.dropped_by_reason.values()) == len(lithium.dropped)
    assert all(entry.stage == "policy" and ": " in entry.reason for entry in lithium.dropped)


def test_every_candidate_is_neutral(lithium: GenerationResult) -> None:
    for record in lithium.records:
        states = [content[0].oxidation for content in record.species]
        assert sum(s for s in states if s is not None) == 0, record.id
        assert None not in states


def test_formal_charges_are_known_ones(lithium: GenerationResult) -> None:
    pairs = {(c[0].element, c[0].oxidation) for r in lithium.records for c in r.species}
    unknown = {(e, q) for e, q in pairs if q not in Element(e).oxidation_states}
    assert unknown == set()


def test_no_short_contacts_in_the_final_structures(lithium: GenerationResult) -> None:
    """Measured on the records themselves, periodic images included, with pymatgen's radii."""
    covalent = {e: CovalentRadius.radius[e] for r in lithium.records for e in r.elements}
    for record in lithium.records:
        pairs = neighbor_list(record.lattice, record.frac, 4.0)
        radius = np.array([covalent[e] for e in _symbols(record)])
        ratio = pairs.distance_A / (radius[pairs.center] + radius[pairs.neighbor])
        # Ionic bonds of the small mobile ion are the shortest against covalent radii: 0.7.
        assert ratio.min() > 0.65, record.id


def test_candidates_keep_symmetry_and_isolated_anions_of_the_prototype(
    lithium: GenerationResult,
) -> None:
    for record in lithium.records[::7]:
        prototype = PROTOTYPES[record.id.split("_")[0]]
        numbers = record.dominant_atomic_numbers.tolist()
        cell = moyopy.Cell(record.lattice.tolist(), record.frac.tolist(), numbers)
        assert moyopy.MoyoDataset(cell, symprec=1e-3).number == prototype.number, record.id
        roles = {label.role for label in prototype.labels.values()}
        expected = "none" if "isolated_anion" not in roles else "framework"
        if "framework_cation" not in roles:
            expected = "antistructure"
        found = find_isolated_anions(prepare(record))
        assert found.isolated_class == expected, record.id


def test_sources_stay_what_they_are(lithium: GenerationResult) -> None:
    kept = {record.id: record for record in lithium.records}
    for prototype in PROTOTYPES.values():
        if prototype.default_elements["A"] != "Li":
            continue
        record = kept[f"{prototype.name}_{prototype.formula}"]
        assert record.provenance.source == prototype.source
        np.testing.assert_array_equal(record.lattice, prototype.primitive.lattice)


def test_generated_ones_say_so(lithium: GenerationResult) -> None:
    record = next(r for r in lithium.records if r.id == "argyrodite-F43m_Li6PS5Br")
    assert record.provenance.source == (
        "generated by substitution into argyrodite-F43m, cell scaled with DLS; not relaxed"
    )
    assert "mp-985592" in record.provenance.note


def test_same_result_every_time(lithium: GenerationResult) -> None:
    again = embedded_candidates()
    assert [r.id for r in again.records] == [r.id for r in lithium.records]
    assert [r.content_hash for r in again.records] == [r.content_hash for r in lithium.records]
    assert again.dropped == lithium.dropped


def test_unwanted_elements_are_absent(lithium: GenerationResult) -> None:
    unwanted = {"Tc", "Pm", "Po", "At", "Ac", "Th", "U", "Tl", "Hg", "Be", "He", "Ne", "Ar", "Os"}
    assert not unwanted & {e for record in lithium.records for e in record.elements}
    without = generate(PROTOTYPES.values(), exclude={"As", "Cd", "Pb"})
    assert not {"As", "Cd", "Pb"} & {e for record in without.records for e in record.elements}


@pytest.mark.parametrize("mobile", ["Na", "K", "Ag", "Cu"])
def test_other_mobile_species(mobile: str, lithium: GenerationResult) -> None:
    result = embedded_candidates(mobile)
    assert len(result.records) > 100
    assert result.n_generated == lithium.n_generated
    for record in result.records:
        assert mobile in record.elements
        assert "Li" not in record.elements


def test_the_source_of_ag8ges6_is_kept_for_silver() -> None:
    kept = {record.id: record for record in embedded_candidates("Ag").records}
    source = kept["Ag8GeS6-Pna21_Ag8GeS6"].provenance.source
    assert "mp-9770" in source


def test_unknown_mobile_species_is_an_error() -> None:
    with pytest.raises(InputError, match="mobile species 'Mg' is not one of Li, Na"):
        embedded_candidates("Mg")


def test_equal_structure_types_give_one_candidate_per_formula(lithium: GenerationResult) -> None:
    keys = [
        (PROTOTYPES[r.id.split("_")[0]].structure_type, r.id.split("_")[1]) for r in lithium.records
    ]
    assert len(set(keys)) == len(keys)
    twice = [PROTOTYPES["Li2S-Fm3m"], PROTOTYPES["Li2S-Fm3m"]]
    result = generate(twice)
    assert result.dropped_by_reason["duplicate"] == len(result.records)
    assert result.n_generated == 8


def _judged(name: str, **changes: str) -> Variant | str:
    prototype = PROTOTYPES[name]
    charges = {n: label.oxidation for n, label in prototype.labels.items()}
    return judge(prototype, Assignment({**prototype.default_elements, **changes}, charges))


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("Li2S-Fm3m", {"Y": "O"}, "anion of another row: O for S"),
        ("Li3PS4-beta-Pnma", {"X": "Te"}, "cation not compatible with anion: P–Te"),
        ("Li3YCl6-P321", {"M": "Fe", "X": "I"}, "cation not compatible with anion: Fe–I"),
        ("Li3YCl6-P321", {"M": "Al", "X": "I"}, "radius mismatch: Al/I"),
        ("LiYS2-R3m", {"M": "Al", "X": "Te"}, "radius mismatch: Al/Te"),
        ("Li2S-Fm3m", {"A": "K"}, "volume change too large"),
        ("Li2S-Fm3m", {"A": "Xe"}, "no ionic radius: Xe"),
        ("argyrodite-F43m", {"M": "P", "Y2": "Cl"}, ""),
    ],
)
def test_rules(name: str, changes: dict[str, str], reason: str) -> None:
    judged = _judged(name, **changes)
    if reason:
        assert isinstance(judged, str)
        assert judged.startswith(reason)
    else:
        assert isinstance(judged, Variant)


def _squeezed(name: str, scale: float) -> Variant:
    prototype = PROTOTYPES[name]
    charges = {n: label.oxidation for n, label in prototype.labels.items()}
    fixed = np.ones(len(prototype.primitive.labels))
    return Variant(
        prototype, Assignment(prototype.default_elements, charges), Scaling(scale, fixed)
    )


def test_short_contacts_are_measured_through_the_cell_faces() -> None:
    """Li3OCl, a = 3.84 Å: Li–O is a/2 = 1.92 Å, and O meets its own images at a only."""
    # Limit: 0.7 × (0.59 + 1.40) = 1.393 Å, reached at a scale of 0.726.
    assert short_contact(_squeezed("Li3OCl-Pm3m", 0.73)) is None
    assert short_contact(_squeezed("Li3OCl-Pm3m", 0.72)) == (
        "short contact: Li–O 1.38 Å, below 1.39 Å"
    )


def test_short_contact_between_two_cations_uses_covalent_radii() -> None:
    """Na in place of Li in α-Li3N, cell shrunk by a tenth."""
    prototype = PROTOTYPES["Li3N-P6mmm"]
    charges = {n: label.oxidation for n, label in prototype.labels.items()}
    n_sites = len(prototype.primitive.labels)
    candidate = Variant(
        prototype, Assignment({"A": "Na", "Y": "N"}, charges), Scaling(0.9, np.ones(n_sites))
    )
    # In-plane Na–Na: a/√3 = 3.6039 × 0.9 / √3 = 1.87 Å against 0.7 × 2 × 1.66 (Cordero) = 2.32 Å.
    reason = short_contact(candidate)
    assert reason is not None
    assert reason.startswith("short contact: Na–Na 1.87 Å")


def test_two_anions_are_kept_further_apart() -> None:
    """SbS4 in the cell of Li7PS6: S–S would be 2.61 Å, between 0.70 and 0.75 × 3.68 Å."""
    prototype = PROTOTYPES["Li7PS6-Pna21"]
    charges = {n: label.oxidation for n, label in prototype.labels.items()}
    elements = {**prototype.default_elements, "M": "Sb"}
    judged = judge(prototype, Assignment(elements, charges))
    assert isinstance(judged, str)
    assert judged.startswith("short contact: S–S")


@pytest.mark.parametrize(("scale", "kept"), [(0.75, False), (1.0, True), (1.3, False)])
def test_bond_length_rule(scale: float, kept: bool) -> None:
    reason = bond_length(_squeezed("LiYS2-R3m", scale))
    assert (reason is None) == kept
    assert kept or str(reason).startswith("bond length: mean Y–S")


def test_charge_rule_counts_per_formula_unit() -> None:
    prototype = PROTOTYPES["Li7PS6-Pna21"]
    charges = {n: label.oxidation for n, label in prototype.labels.items()}
    elements = {**prototype.default_elements, "Y2": "Cl"}
    judged = judge(prototype, Assignment(elements, {**charges, "Y2": -1}))
    assert judged == "not charge neutral: +1 per formula unit"


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(PROTOTYPES)),
    mobile=st.sampled_from(MOBILE_SPECIES),
    pick=st.randoms(use_true_random=False),
)
def test_what_passes_is_neutral_whatever_is_tried(name: str, mobile: str, pick) -> None:  # type: ignore[no-untyped-def]
    prototype = PROTOTYPES[name]
    assignment = pick.choice(list(assignments(prototype, mobile)))
    judged = judge(prototype, assignment)
    total = sum(assignment.charges[n] * prototype.labels[n].count for n in prototype.labels)
    if isinstance(judged, Variant):
        assert total == 0
    elif total != 0:
        assert judged == f"not charge neutral: {total:+d} per formula unit"


def test_shannon_radii_are_those_of_the_table() -> None:
    # Shannon, Acta Cryst. A32, 751 (1976), Table 1.
    assert ionic_radius_A("Li", 1, 4) == 0.59
    assert ionic_radius_A("P", 5, 4) == 0.17
    assert ionic_radius_A("S", -2, 6) == 1.84
    assert ionic_radius_A("La", 3, 8) == 1.16
    assert ionic_radius_A("Fe", 2, 6) == 0.78  # high spin
    assert ionic_radius_A("P", -3, 6) == 2.12  # Pauling
    assert ionic_radius_A("Sb", 5, 4) == 0.60  # only six-fold is tabulated
    assert ionic_radius_A("Xe", 1, 6) is None


def test_pools_hold_elements_known_with_their_charge() -> None:
    for pool in CATION_POOLS:
        for element in pool.elements:
            assert pool.charge in Element(element).oxidation_states, (element, pool.charge)
            assert ionic_radius_A(element, pool.charge, pool.coordination[0]) is not None


def test_a_lone_pair_cation_is_replaced_by_its_like_only() -> None:
    label = PROTOTYPES["Li3AsS3-Pna21"].labels["M"]
    assert allowed_elements(label, 3) == ("As", "Sb", "Bi")
    label = PROTOTYPES["Li3BS3-Pnma"].labels["M"]
    assert allowed_elements(label, 3) == ("B",)
