"""Density of the mobile ion: sites, cube and CHGCAR."""

import io

import numpy as np
import pytest

from ionsieve.features.motion.density import (
    chgcar_text,
    cube_text,
    density_sites,
    probability_density,
)
from ionsieve.features.motion.sites import nearest_sites

TRICLINIC = np.array([[9.0, 0.0, 0.0], [2.0, 8.0, 0.0], [-1.5, 1.0, 10.0]])


def test_density_counts_ions_and_finds_their_sites():
    rng = np.random.default_rng(6)
    sites = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.98, 0.5, 0.2]])
    noise = rng.normal(0, 0.2, (800, 3, 3)) @ np.linalg.inv(TRICLINIC)
    density = probability_density(sites + noise, TRICLINIC, 0.35, smear_A=0.3)
    volume = abs(np.linalg.det(TRICLINIC))
    assert density.mean() * volume == pytest.approx(3.0, rel=1e-9)
    found = density_sites(density, TRICLINIC, separation_A=1.5)
    assert len(found) == 3
    apart = found[nearest_sites(sites[None], found, TRICLINIC)[0]] - sites
    assert np.linalg.norm((apart - np.rint(apart)) @ TRICLINIC, axis=1).max() < 0.35


def test_cube_and_chgcar_are_read_back_by_other_programs(tmp_path):
    from ase.io.cube import read_cube
    from pymatgen.io.vasp.outputs import Chgcar

    rng = np.random.default_rng(7)
    density = rng.random((4, 5, 6))
    frac = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5], [0.7, 0.1, 0.0]])
    species = ["P", "S", "P"]
    cube = read_cube(io.StringIO(cube_text(density, TRICLINIC, species, frac)))
    np.testing.assert_allclose(cube["atoms"].cell.array, TRICLINIC, atol=1e-4)
    np.testing.assert_allclose(cube["atoms"].positions, frac @ TRICLINIC, atol=1e-5)
    assert cube["atoms"].get_chemical_symbols() == species
    bohr = 0.529177210903
    np.testing.assert_allclose(cube["data"], density * bohr**3, rtol=1e-5)
    (tmp_path / "CHGCAR").write_text(chgcar_text(density, TRICLINIC, species, frac))
    poscar, data, _ = Chgcar.parse_file(str(tmp_path / "CHGCAR"))
    np.testing.assert_allclose(data["total"], density * abs(np.linalg.det(TRICLINIC)), rtol=1e-9)
    assert [s.specie.symbol for s in poscar.structure] == ["P", "P", "S"]
