"""Static frustration (Wood 2021, 10.1098/rsta.2019.0467): entropies, valences, rotors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import structures
from ionsieve.data import StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.features import prepare
from ionsieve.features.catalogue import families
from ionsieve.features.featurizer import featurize_one
from ionsieve.features.frustration.structural import host_units, site_occupancy_entropy_kB


def columns(record: StructureRecord) -> dict:
    row = featurize_one(record, families(["frustration"]))
    assert row.values is not None, row.reason
    return row.values


@pytest.mark.parametrize(
    ("occupancy", "expected", "ions"),
    [
        # Tetrahedral, trigonal and linear sites of Li2B12H12 at three volumes (section 3a).
        ([0.03, 0.22, 0.03], 0.3308, 2.00),
        ([0.14, 0.14, 0.10], 0.3750, 2.00),
        ([0.09, 0.11, 0.15], 0.3696, 1.96),
    ],
)
def test_equation_3_1_on_li2b12h12(occupancy: list, expected: float, ions: float) -> None:
    sites = [2, 8, 6]
    assert site_occupancy_entropy_kB(occupancy, sites) == pytest.approx(expected, abs=0.0005)
    # Stoichiometry fixes which percentage belongs to which site.
    assert np.dot(occupancy, sites) == pytest.approx(ions, abs=0.001)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_entropy_is_bounded_and_blind_to_order(occupancy: list) -> None:
    entropy = site_occupancy_entropy_kB(occupancy)
    assert 0 <= entropy <= np.log(2) + 1e-12
    assert site_occupancy_entropy_kB(occupancy[::-1]) == pytest.approx(entropy, rel=1e-9, abs=1e-12)
    emptied = [1 - p for p in occupancy]
    assert site_occupancy_entropy_kB(emptied) == pytest.approx(entropy, rel=1e-9, abs=1e-9)


def test_impossible_occupancies_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        site_occupancy_entropy_kB([0.2, 1.2])


def test_occupancies_of_the_disordered_argyrodite() -> None:
    values = columns(structures.get("Li6PS5Cl_exp48h"))
    assert values["occupancy_entropy_kB"] == pytest.approx(0.6931, abs=0.0001)
    assert values["mobile_partial_fraction"] == 1.0
    mixed = -(0.615 * np.log(0.615) + 0.385 * np.log(0.385))
    assert values["anion_site_mixing_entropy_kB"] == pytest.approx(mixed * 2 / 6)
    assert values["host_site_mixing_entropy_kB"] == pytest.approx(mixed * 2 / 7)


def test_ordered_structures_have_no_occupancy_entropy() -> None:
    values = columns(structures.get("Li6PS5Cl_F43m"))
    assert values["occupancy_entropy_kB"] == 0.0
    assert values["anion_site_mixing_entropy_kB"] == 0.0
    x = np.array([5, 1]) / 6
    assert values["anion_mixing_entropy_kB"] == pytest.approx(-(x * np.log(x)).sum())


@pytest.mark.parametrize(
    ("name", "count", "fraction", "dimension"),
    [
        ("Li6PS5Cl_F43m", 1, 1.0, 0),  # one PS4
        ("Li6PS5Cl_exp48h", 1, 1.0, 0),
        ("Li10GeP2S12_ordered", 6, 1.0, 0),  # 2 GeS4 + 4 PS4
        ("LGPS_exp", 6, 1.0, 0),  # Ge and P on one site are one tetrahedron
        ("Li3PS4_gamma", 2, 1.0, 0),
        ("LiTi2P3O12", 0, 0.0, 3),  # TiO6 and PO4 share every corner
        ("Li7La3Zr2O12_tet", 0, 0.0, 3),
        ("LiYS2", 0, 0.0, 2),  # layers of edge-sharing YS6
        ("Li4TiS4", 2, 1.0, 0),
        ("LiAlCl4", 4, 1.0, 0),
        ("Li3InCl6_ordered", 1, 1.0, 0),
        ("Li3BS3", 4, 1.0, 0),
        ("Li2S", 0, np.nan, 0),
        ("LiN3", 1, np.nan, 0),  # the azide ion turns, without a framework cation
    ],
)
def test_rotatable_polyanions(name: str, count: int, fraction: float, dimension: int) -> None:
    for conventional in (False, True):
        values = columns(structures.get(name, conventional))
        assert values["rotatable_polyanion_count"] == pytest.approx(count)
        assert values["rotatable_cation_fraction"] == pytest.approx(fraction, nan_ok=True)
        assert values["framework_dimension"] == dimension


def test_sharing_counts_corner_linked_cations() -> None:
    record = structures.get("LiTi2P3O12")
    sharing = host_units(prepare(record)).sharing
    oxygen = np.array([c[0].element == "O" for c in record.species])
    assert (sharing[oxygen] == 2).all()  # one Ti and one P each
    assert (sharing[~oxygen] == 0).all()


@pytest.mark.parametrize("name", ["Li2S", "Li6PS5Cl_F43m", "LiTi2P3O12", "LiAlCl4"])
def test_bond_valence_sums_equal_a_plain_sum(name: str) -> None:
    """Reference: pymatgen's pair lengths, summed over every cation–anion pair within 6 Å."""
    from pymatgen.analysis.bond_valence import BV_PARAMS
    from pymatgen.core import Element

    def length(a: str, b: str) -> float:
        (r1, c1), (r2, c2) = (
            (BV_PARAMS[Element(e)]["r"], BV_PARAMS[Element(e)]["c"]) for e in (a, b)
        )
        return r1 + r2 - r1 * r2 * (c1**0.5 - c2**0.5) ** 2 / (c1 * r1 + c2 * r2)

    record = structures.get(name)
    roles = prepare(record).roles
    structure = to_pymatgen(record)
    sums = []
    for i, site in enumerate(structure):
        near = [n for n in structure.get_neighbors(site, 6.0) if roles.is_anion[n.index]]
        if roles.is_mobile[i]:
            pairs = ((length("Li", n.specie.symbol), n.nn_distance) for n in near)
            sums.append(sum(np.exp((r0 - d) / 0.31) for r0, d in pairs))
    values = columns(record)
    assert values["mobile_bond_valence_mean_e"] == pytest.approx(np.mean(sums), rel=1e-8)
    assert values["mobile_bond_valence_spread_e"] == pytest.approx(np.std(sums), rel=1e-6, abs=1e-9)


def test_perfect_coordination_is_undistorted() -> None:
    salt = columns(structures.get("LiF"))
    assert salt["mobile_coordination_mean"] == 6
    for name in ("mobile_polyhedron_distortion", "mobile_off_center_A", "mobile_bond_variation"):
        assert salt[name] == pytest.approx(0.0, abs=1e-9)
    assert columns(structures.get("Li8TiS6_hcp"))["mobile_polyhedron_distortion"] > 0.01


def test_anion_character() -> None:
    values = columns(structures.get("Li6PS5Cl_F43m"))
    # Pauling 1927: S²⁻ 10.2 Å³, Cl⁻ 3.66 Å³.
    assert values["anion_polarizability_mean_A3"] == pytest.approx((5 * 10.2 + 3.66) / 6)
    assert values["anion_polarizability_max_A3"] == 10.2
    expected = 6.54 * np.sqrt(5) / 6
    assert values["anion_polarizability_spread_A3"] == pytest.approx(expected)
    assert columns(structures.get("Li2S"))["anion_electronegativity_spread"] == 0.0


def test_missing_polarisability_is_nan_with_the_reason() -> None:
    row = featurize_one(structures.get("Li7N2I_R3m"), families(["frustration"]))
    assert row.values is not None
    assert np.isnan(row.values["anion_polarizability_mean_A3"])
    assert "polarisability of N" in row.reason


def test_symmetry_mismatch_of_tetrahedra() -> None:
    # PS4 on a Td site has all its symmetry; on a mirror of Pmn2_1 it has lost a factor of 12.
    assert columns(structures.get("Li6PS5Cl_F43m"))["polyanion_symmetry_mismatch"] == 0.0
    mismatch = columns(structures.get("Li3PS4_gamma"))["polyanion_symmetry_mismatch"]
    assert mismatch == pytest.approx(np.log(24 / 2))
