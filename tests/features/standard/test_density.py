"""Density columns: matminer's numbers where they carry its name, sums where disorder allows."""

from pathlib import Path

import numpy as np
import pytest

import pool
import structures
from ionsieve.data import RoleError, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.elements import ATOMIC_NUMBER
from ionsieve.data.units import AMU_A3_TO_G_CM3, AVOGADRO_MOL
from ionsieve.features import prepare
from ionsieve.features.core.elements import atomic_masses_amu, electronegativities, slater_radii_A
from ionsieve.features.standard.density import COLUMNS, compute


def assert_equals_matminer(record: StructureRecord) -> None:
    from matminer.featurizers.structure import DensityFeatures

    values = compute(prepare(record), [])
    ours = [values[k] for k in ("density_g_cm3", "volume_per_atom_A3", "packing_fraction")]
    reference = DensityFeatures().featurize(to_pymatgen(record))
    np.testing.assert_allclose(ours, np.array(reference, dtype=float), rtol=1e-12)


@pytest.mark.parametrize("name", ["Li2S", "Li6PS5Cl_F43m", "Li5SbS3I2", "Li7La3Zr2O12_tet"])
def test_equals_matminer(name: str) -> None:
    assert_equals_matminer(structures.get(name))


def test_pool_equals_matminer(shared_data: Path) -> None:
    sample = list(pool.crystals(shared_data, every=4, element="Li", max_sites=60))
    assert len(sample) > 100
    for record in sample:
        try:
            assert_equals_matminer(record)
        except RoleError:
            continue  # without roles there are no columns to compare


def test_atomic_mass_unit_is_the_molar_mass_over_avogadro() -> None:
    assert pytest.approx(1e24 / AVOGADRO_MOL, rel=1e-8) == AMU_A3_TO_G_CM3


def test_disordered_cell_counts_occupancies() -> None:
    """LGPS measured in powder: 2.04 g/cm³ from the cell of Kamaya 2011, 10.1038/nmat3066."""
    values = compute(prepare(structures.get("LGPS_exp")), [])
    assert 1.9 < values["density_g_cm3"] < 2.1
    assert list(values) == [c.name for c in COLUMNS]


def test_a_missing_radius_is_nan_with_a_reason() -> None:
    """Xenon has a covalent, but no Slater radius."""
    record = StructureRecord.ordered(
        "LiXeF3",
        np.eye(3) * 5.0,
        ["Li", "Xe", "F", "F", "F"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    )
    prepared = prepare(record)
    notes: list[str] = []
    values = compute(prepared, notes)
    assert np.isnan(values["packing_fraction"])
    assert np.isfinite(values["covalent_packing_fraction"])
    assert notes == ["density: no atomic radius is tabulated for Xe"]


@pytest.mark.parametrize("element", ["Ca", "Hg", "Li", "F"])
def test_element_tables_are_pymatgens(element: str) -> None:
    """Also where pymatgen stores a whole number: calcium has X = 1, not a missing value."""
    from pymatgen.core import Element

    z = ATOMIC_NUMBER[element]
    assert electronegativities()[z] == Element(element).X
    assert slater_radii_A()[z] == Element(element).atomic_radius
    assert atomic_masses_amu()[z] == Element(element).atomic_mass
