"""Isolated-anion, net, charge and frustration columns: same crystal, same numbers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import structures
from ionsieve.data import StructureRecord
from ionsieve.features.catalogue import families
from ionsieve.features.featurizer import featurize_one

FAMILIES = families(
    ["isolated_anions", "isolated_net", "electrostatics", "li_metal", "frustration"]
)
NAMES = [
    "Li6PS5Cl_F43m",
    "Li6PS5Cl_exp48h",
    "Li8TiS6_hcp",
    "Li5CrCl8",
    "Li5SbS3I2",
    "Li6NI3_I4m",
    "Li7N2I_R3m",
    "Li2.5N0.5S0.5_avg",
    "LiTi2P3O12",
    "LGPS_exp",
    "LiN3",
    "LiYS2",
]


def columns(record: StructureRecord) -> dict:
    row = featurize_one(record, FAMILIES)
    assert row.values is not None, row.reason
    return row.values


def changed(record: StructureRecord, how: str) -> StructureRecord:
    rng = np.random.default_rng(7)
    lattice, frac, species = record.lattice, record.frac, record.species
    if how == "rotation":
        lattice = lattice @ Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    elif how == "reflection":
        lattice = lattice * [1.0, 1.0, -1.0]
    elif how == "translation":
        frac = frac + np.array([0.137, 0.619, 0.351])
    elif how == "permutation":
        order = rng.permutation(record.n_sites)
        frac, species = frac[order], tuple(species[k] for k in order)
    elif how == "other axes":
        unimodular = np.array([[1, 1, 0], [0, 1, -1], [0, 0, 1]])
        lattice, frac = unimodular @ lattice, frac @ np.linalg.inv(unimodular)
    elif how == "2×1×1":
        return structures.supercell(record, (2, 1, 1))
    elif how == "sheared supercell":
        return structures.supercell(record, np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]]))
    return StructureRecord(id=record.id, lattice=lattice, species=species, frac=frac)


@pytest.mark.parametrize(
    "how",
    [
        "rotation",
        "reflection",
        "translation",
        "permutation",
        "other axes",
        "2×1×1",
        "sheared supercell",
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_columns_do_not_depend_on_the_description(name: str, how: str) -> None:
    record = structures.get(name)
    expected, found = columns(record), columns(changed(record, how))
    for column, value in expected.items():
        if isinstance(value, str):
            assert found[column] == value, column
        else:
            assert found[column] == pytest.approx(value, rel=1e-6, abs=1e-7, nan_ok=True), column


@pytest.mark.parametrize("name", NAMES)
def test_input_stays_as_it_was(name: str) -> None:
    record = structures.get(name)
    before = record.content_hash
    first = columns(record)
    assert record.content_hash == before
    second = columns(record)
    assert first.keys() == second.keys()
    for column, value in first.items():
        assert value == second[column] or np.isnan(value), column


@pytest.mark.parametrize("name", structures.names())
def test_values_stay_in_the_ranges_of_the_catalogue(name: str) -> None:
    row = featurize_one(structures.get(name), FAMILIES, "Ag" if "Ag" in name else "Li")
    if row.values is None:
        assert name == "Li2B12H12_alpha_ideal"
        return
    for column in (c for family in FAMILIES for c in family.columns if c.dtype != "category"):
        value = row.values[column.name]
        if np.isnan(value):
            assert column.nan_means, column.name
            continue
        assert column.lower is None or value >= column.lower, column.name
        assert column.upper is None or value <= column.upper + 1e-12, column.name
