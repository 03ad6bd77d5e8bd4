"""Isolated anions (Yang 2025, 10.1038/s41524-025-01559-9): counts, classes, margins, records."""

import numpy as np
import pytest

import structures
from ionsieve.data import FeatureError, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.elements import ATOMIC_NUMBER
from ionsieve.features import find_isolated_anions, isolated_anions, prepare
from ionsieve.features.catalogue import catalogue, families
from ionsieve.features.core.elements import covalent_radii_A
from ionsieve.features.featurizer import featurize_one
from ionsieve.features.isolated import definition
from ionsieve.features.isolated.definition import leading_element

# Structure → isolated anions and all anions of an element per primitive cell (figures 1, 2 and
# table 2 of Yang 2025); the two antistructures by the text.
COUNTS = [
    ("Li6PS5Cl_F43m", "S", 1, 5),
    ("Li6PS5Cl_F43m", "Cl", 1, 1),
    ("Li8SiSe6_F43m", "Se", 2, 6),
    ("Li8SiSe6_Pna21", "Se", 8, 24),
    ("Li8SiSe6_hcp", "Se", 4, 12),
    ("Li8TiS6_hcp", "S", 4, 12),
    ("Li5CrCl8", "Cl", 2, 8),
    ("Li6VCl8", "Cl", 2, 8),
    ("Li5SbS3I2", "I", 8, 8),
    ("Li5SbS3I2", "S", 0, 12),
    ("Li6NI3_I4m", "N", 1, 1),
    ("Li6NI3_I4m", "I", 3, 3),
    ("Li7N2I_R3m", "N", 4, 4),
    ("Li7N2I_R3m", "I", 2, 2),
]
CONTROLS = [
    "Li3PS4_beta_ordered",
    "Li3PS4_gamma",
    "Li10GeP2S12_ordered",
    "Li7La3Zr2O12_tet",
    "LiTi2P3O12",
    "Li3InCl6_ordered",
    "LGPS_exp",
    "Li3YCl6_exp",
    "LiAlCl4",
]
ANTISTRUCTURES = ["Li2S", "Li2O", "Li3N_alpha", "Li3N_beta", "LiCl", "Li6NI3_Fm3m", "Li3OCl"]


def columns(record: StructureRecord) -> dict:
    row = featurize_one(record, families(["isolated_anions"]))
    assert row.values is not None, row.reason
    return row.values


@pytest.mark.parametrize("conventional", [False, True])
@pytest.mark.parametrize(("name", "element", "isolated", "total"), COUNTS)
def test_published_counts(
    name: str, element: str, isolated: int, total: int, conventional: bool
) -> None:
    record = structures.get(name, conventional)
    values = columns(record)
    assert values[f"isolated_fraction_{element}"] == pytest.approx(isolated / total)
    found = [anion for anion in isolated_anions(record) if anion.element == element]
    cells = record.n_sites / structures.get(name).n_sites
    assert len(found) == isolated * cells
    others = sum(n for other, e, n, _ in COUNTS if other == name and e != element)
    assert values["isolated_count"] == pytest.approx(isolated + others)


@pytest.mark.parametrize("name", CONTROLS)
def test_framework_structures_without_isolated_anions(name: str) -> None:
    values = columns(structures.get(name))
    assert values["isolated_class"] == "none"
    assert values["isolated_fraction"] == 0.0
    assert np.isnan(values["isolated_margin"])
    assert values["isolated_site_symmetry"] == ""
    assert isolated_anions(structures.get(name)) == []


@pytest.mark.parametrize("name", ANTISTRUCTURES)
def test_without_framework_cations_everything_is_isolated_and_marked(name: str) -> None:
    values = columns(structures.get(name))
    assert values["isolated_class"] == "antistructure"
    assert values["isolated_fraction"] == pytest.approx(1.0)
    assert values["isolated_in_framework_fraction"] == 0.0
    assert np.isnan(values["isolated_clearance_A"])


@pytest.mark.parametrize("name", ["LiN3", "Li2CN2"])
def test_polyanions_are_never_isolated(name: str) -> None:
    assert columns(structures.get(name))["isolated_class"] == "none"


def test_disordered_argyrodite_equals_the_ordered_one_in_counts() -> None:
    values = columns(structures.get("Li6PS5Cl_exp48h", conventional=True))
    assert values["isolated_class"] == "framework"
    assert values["isolated_count"] == pytest.approx(2.0)
    assert values["isolated_fraction"] == pytest.approx(2 / 6)
    found = isolated_anions(structures.get("Li6PS5Cl_exp48h"))
    expected = [("Cl", 0.385), ("Cl", 0.615), ("S", 0.385), ("S", 0.615)]
    assert sorted((a.element, a.occupancy) for a in found) == expected
    assert len({a.index for a in found}) == 2


def test_the_one_hard_case_is_flagged() -> None:
    # Sb–I 3.61 Å in Li5SbS3I2 is 1.30 × the covalent sum: isolated, but ambiguous.
    found = isolated_anions(structures.get("Li5SbS3I2"))
    closest = min(found, key=lambda anion: anion.margin)
    assert closest.margin == pytest.approx(1.30, abs=0.02)
    assert closest.is_ambiguous
    assert closest.nearest_framework_cation_A == pytest.approx(3.61, abs=0.03)
    clear = isolated_anions(structures.get("Li6PS5Cl_F43m"))
    assert not any(anion.is_ambiguous for anion in clear)


@pytest.mark.parametrize("name", ["Li6PS5Cl_F43m", "Li8TiS6_hcp", "Li5SbS3I2", "Li3PS4_gamma"])
def test_margins_and_bonds_equal_the_plain_definition(name: str) -> None:
    prepared = prepare(structures.get(name))
    roles, z, radii = prepared.roles, prepared.atoms.z, covalent_radii_A()
    distance = to_pymatgen(structures.get(name)).distance_matrix
    cations, anions = np.flatnonzero(roles.is_framework_cation), np.flatnonzero(roles.is_anion)
    ratio = distance / (radii[z][:, None] + radii[z][None, :])
    shell = 1.30 * distance[np.ix_(cations, anions)].min(axis=1)
    found = find_isolated_anions(prepared)
    for x in anions:
        bonded = (ratio[cations, x] <= 1.25) | (distance[cations, x] <= shell)
        assert found.is_isolated[x] == (not bonded.any())
        assert found.margin[x] == pytest.approx(ratio[cations, x].min(), rel=1e-6)
        assert found.nearest_framework_cation_A[x] == pytest.approx(distance[cations, x].min())
        room = (distance - 1.25 * (radii[z][:, None] + radii[z][None, :]))[cations, x].min()
        assert found.clearance_A[x] == pytest.approx(room, rel=1e-6, abs=1e-9)


@pytest.mark.filterwarnings("ignore::UserWarning")  # CrystalNN on radii it has to guess
@pytest.mark.filterwarnings("ignore:No oxidation states:UserWarning")
@pytest.mark.parametrize(
    "name",
    ["Li6PS5Cl_F43m", "Li8SiSe6_hcp", "Li8TiS6_hcp", "Li6VCl8", "LiTi2P3O12", "Li3InCl6_ordered"],
)
def test_crystalnn_agrees(name: str) -> None:
    from pymatgen.analysis.local_env import CrystalNN

    prepared = prepare(structures.get(name))
    structure = to_pymatgen(structures.get(name))
    structure.add_oxidation_state_by_site([float(q) for q in prepared.roles.oxidation])
    finder = CrystalNN(weighted_cn=False, cation_anion=True)
    cation = prepared.roles.is_framework_cation
    for x in np.flatnonzero(prepared.roles.is_anion):
        neighbors = {info["site_index"] for info in finder.get_nn_info(structure, int(x))}
        assert find_isolated_anions(prepared).is_isolated[x] == (not cation[list(neighbors)].any())


def test_records_come_from_pymatgen_structures_too() -> None:
    record = structures.get("Li6PS5Cl_F43m")
    ours = isolated_anions(record)
    theirs = isolated_anions(to_pymatgen(record))
    assert ours == theirs == isolated_anions(prepare(record))
    sulfide, chloride = sorted(ours, key=lambda a: -ATOMIC_NUMBER[a.element])[::-1]
    assert (sulfide.element, chloride.element) == ("S", "Cl")
    assert sulfide.ewald_site_energy_eV == pytest.approx(-19.76, abs=0.01)
    assert chloride.ewald_site_energy_eV == pytest.approx(-2.86, abs=0.01)
    assert sulfide.mobile_coordination == 6
    assert record.species[sulfide.index][0].element == "S"
    with pytest.raises(AttributeError):
        sulfide.margin = 1.0  # type: ignore[misc]


def test_the_leading_anion_is_the_most_charged() -> None:
    leading = {n: leading_element(prepare(structures.get(n))) for n in ("Li6NI3_I4m", "Li7N2I_R3m")}
    assert leading == {"Li6NI3_I4m": "N", "Li7N2I_R3m": "N"}
    assert leading_element(prepare(structures.get("Li6PS5Cl_F43m"))) == "S"
    assert leading_element(prepare(structures.get("Li3PS4_gamma"))) == ""


@pytest.mark.parametrize("wrong", [None, "Li2S.cif", {"Li": 2}])
def test_what_is_no_structure_is_named(wrong: object) -> None:
    with pytest.raises(FeatureError, match=f"a {type(wrong).__name__} was given"):
        isolated_anions(wrong)  # type: ignore[arg-type]


def test_zintl_phases_are_no_antistructures_of_interest() -> None:
    """Li3Sb, cubic (Weppner & Huggins 1977, 10.1149/1.2133112, measured electrons in it)."""
    places = [(0, 0, 0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), (0.75, 0.75, 0.75)]
    fcc = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    for anion, edge, expected in (
        ("Sb", 6.57, "zintl"),
        ("As", 6.1, "zintl"),
        ("P", 5.98, "antistructure"),
    ):
        frac = [np.add(p, f) for p in places for f in fcc]
        elements = [anion] * 4 + ["Li"] * 12
        record = StructureRecord.ordered(f"Li3{anion}", np.eye(3) * edge, elements, frac)
        assert find_isolated_anions(prepare(record)).isolated_class == expected


def test_texts_name_the_constants() -> None:
    """A ratio that changes changes what the catalogue says of it."""
    definitions = {column.name: column.definition for column in catalogue()}
    bond, cage = f"{definition.BOND_RATIO:.2f}", f"{definition.CAGE_RATIO:.2f}"
    assert f"less {bond} ×" in definitions["isolated_clearance_A"]
    assert f"above {bond} by definition" in definitions["isolated_margin"]
    for name in ("isolated_mobile_coordination", "mobile_coordination_mean"):
        assert f"within {cage} ×" in definitions[name]


def test_bonds_and_cages_have_their_own_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wider cage takes in more mobile ions and makes no anion less isolated."""
    before = definition.find_isolated_anions(prepare(structures.get("Li6PS5Cl_F43m")))
    monkeypatch.setattr(definition, "CAGE_RATIO", 1.6)
    wide = definition.find_isolated_anions(prepare(structures.get("Li6PS5Cl_F43m")))
    assert (wide.is_isolated == before.is_isolated).all()
    assert np.nansum(wide.mobile_coordination) > np.nansum(before.mobile_coordination)
    monkeypatch.undo()
    monkeypatch.setattr(definition, "BOND_RATIO", 2.5)
    bonded = definition.find_isolated_anions(prepare(structures.get("Li6PS5Cl_F43m")))
    assert bonded.is_isolated.sum() < before.is_isolated.sum()
