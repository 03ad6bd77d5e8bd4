"""Featurizers of matminer as families, on real crystals."""

import math

import numpy as np
import pandas as pd
import pytest
from matminer.featurizers.composition import ElementProperty, IonProperty
from matminer.featurizers.structure import DensityFeatures, GlobalSymmetryFeatures

import structures
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.errors import FeatureError
from ionsieve.features import StructureFeaturizer
from ionsieve.features.catalogue import catalogue, descriptor_code, families
from ionsieve.features.featurizer import featurize_one

NAMES = ("Li6PS5Cl_F43m", "Li3InCl6_ordered", "Li3PO4")


def values_of(family: str, name: str):
    row = featurize_one(structures.get(name), families([family]))
    assert row.values is not None, row.reason
    return row


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_matminer(name: str) -> None:
    structure = to_pymatgen(structures.get(name))
    expected = DensityFeatures().featurize(structure)
    row = values_of("matminer:DensityFeatures", name)
    assert list(row.values.values()) == pytest.approx(expected, rel=1e-7)
    magpie = ElementProperty.from_preset("magpie", impute_nan=False)
    row = values_of("matminer:ElementProperty:magpie", name)
    expected = magpie.featurize(structure.composition)
    np.testing.assert_allclose(list(row.values.values()), expected, rtol=1e-7, equal_nan=True)


def test_words_and_flags_keep_their_kind() -> None:
    family = "matminer:GlobalSymmetryFeatures"
    row = values_of(family, "Li3PO4")
    expected = GlobalSymmetryFeatures().featurize(to_pymatgen(structures.get("Li3PO4")))
    assert [float(v) if not isinstance(v, str) else v for v in expected] == list(
        row.values.values()
    )
    kinds = {c.name: c.dtype for c in catalogue([family])}
    assert kinds["matminer_GlobalSymmetryFeatures_crystal_system"] == "category"
    assert kinds["matminer_GlobalSymmetryFeatures_spacegroup_num"] == "float"


def test_what_needs_oxidation_states_gets_those_of_the_roles() -> None:
    row = values_of("matminer:IonProperty", "Li3InCl6_ordered")
    composition = to_pymatgen(structures.get("Li3InCl6_ordered")).composition
    expected = IonProperty(impute_nan=False).featurize(composition)
    assert list(row.values.values()) == pytest.approx([float(v) for v in expected], rel=1e-6)


def test_structures_get_oxidation_states_where_they_are_wanted() -> None:
    (energy,) = list(values_of("matminer:EwaldEnergy", "Li3PO4").values.values())[:1]
    assert energy < 0


def test_a_failure_is_nan_with_its_reason() -> None:
    row = values_of("matminer:DensityFeatures", "LGPS_exp")
    assert "matminer:DensityFeatures: ValueError: Disordered" in row.reason
    assert all(math.isnan(v) for v in row.values.values())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("matminer:Nothing", "no structure or composition featurizer"),
        ("matminer:ElementProperty", "PRESET"),
        ("matminer:SineCoulombMatrix", "fitted"),
        ("matminer:SiteElementalProperty", "no structure or composition"),
    ],
)
def test_what_cannot_join_is_refused(name: str, words: str) -> None:
    with pytest.raises(FeatureError, match=words):
        families([name])


def test_they_join_the_table_and_the_catalogue() -> None:
    chosen = ["density", "matminer:DensityFeatures"]
    table = StructureFeaturizer(families=chosen).fit_transform([structures.get(n) for n in NAMES])
    assert isinstance(table, pd.DataFrame)
    own = [c for c in table.columns if c.startswith("matminer_DensityFeatures_")]
    assert own == ["matminer_DensityFeatures_density", "matminer_DensityFeatures_vpa",
                   "matminer_DensityFeatures_packing_fraction"]  # fmt: skip
    assert table[own].notna().all(axis=None)
    assert descriptor_code(["density"]) != descriptor_code(chosen)
    # Nothing of it is in the default set.
    assert not any(c.family.startswith("matminer") for c in catalogue())
