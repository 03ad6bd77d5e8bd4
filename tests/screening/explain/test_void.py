"""The similarity map and the path of lowest barrier, laid into the crystal."""

import numpy as np
import pytest
from ase.io.cube import read_cube
from pymatgen.core import Lattice, Structure
from scipy.spatial import cKDTree

from ionsieve.data.convert import from_pymatgen
from ionsieve.features.bvse.landscape import bvse_landscape
from ionsieve.features.core.prepared import PreparedStructure, prepare
from ionsieve.features.void.host import host_of
from ionsieve.screening.explain.picture import View, view_of
from ionsieve.screening.explain.void import host_origin_A, migration_path, similarity_map
from ionsieve.screening.explain.volumes import write_cubes
from ionsieve.screening.explain.write import vesta_cif
from ionsieve.screening.pages.scene import build_scene

SITES = {
    "bonded": np.array([0.6199, 0.6199, 0.6199]),
    "S": np.array([0.25, 0.25, 0.25]),
    "Cl": np.array([0.0, 0.0, 0.0]),
}


@pytest.fixture(scope="module")
def argyrodite() -> PreparedStructure:
    """Li6PS5Cl: isolated S on 4c with lithium close around it, isolated Cl on 4a far from any."""
    structure = Structure.from_spacegroup(
        "F-43m",
        Lattice.cubic(9.859),
        ["Li", "P", "S", "S", "Cl"],
        [[0.183, 0.183, 0.024], [0.5, 0.5, 0.5], SITES["S"], SITES["bonded"], SITES["Cl"]],
    )
    keep = [i for i, s in enumerate(structure) if s.specie.symbol != "Li" or i % 2 == 0]
    return prepare(from_pymatgen(Structure.from_sites([structure[i] for i in keep]), "a"), "Li")


@pytest.fixture(scope="module")
def view(argyrodite: PreparedStructure) -> View:
    return view_of(argyrodite, build_scene(argyrodite))


def test_the_origin_of_the_host_is_found(argyrodite: PreparedStructure) -> None:
    host = host_of(argyrodite)
    atoms, chosen = argyrodite.atoms, host.host_of_atom >= 0
    placed = host.frac[host.host_of_atom[chosen]] @ host.lattice + host_origin_A(argyrodite, host)
    apart = (atoms.frac[chosen] @ atoms.lattice - placed) @ np.linalg.inv(host.lattice)
    np.testing.assert_allclose(apart, np.rint(apart), atol=1e-9)


def test_points_of_the_map_lie_where_the_host_looks_alike(argyrodite: PreparedStructure) -> None:
    """Around the isolated S, hardly any around the isolated Cl (Yang 2025, Fig. S1)."""
    block = argyrodite.record.lattice
    found = similarity_map(argyrodite, block)
    share = found.points_A @ np.linalg.inv(block)
    assert ((share > -1e-6) & (share < 1 + 1e-6)).all()
    assert ((found.closeness > 0) & (found.closeness <= 1)).all()
    record = argyrodite.record
    images = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T
    elements = [content[0].element for content in record.species]
    anions = [i for i, e in enumerate(elements) if e in ("S", "Cl")]
    places = np.concatenate([(record.frac[anions] + shift) @ block for shift in images])
    nearest = np.array(anions * len(images))[cKDTree(places).query(found.points_A)[1]]
    isolated_s = {
        i for i in anions if np.allclose(record.frac[i] * 4 % 1, 0) and elements[i] == "S"
    }
    assert len(isolated_s) == 4
    around_s = sum(int(i) in isolated_s for i in nearest)
    around_cl = sum(elements[i] == "Cl" for i in nearest)
    assert around_s > 3 * around_cl
    assert cKDTree(found.points_A).query(found.points_A, k=2)[0][:, 1].min() > 0.44


def test_the_path_leads_through_the_crystal_below_the_barrier(
    argyrodite: PreparedStructure,
) -> None:
    path, landscape = migration_path(argyrodite), bvse_landscape(argyrodite)
    assert path is not None
    assert path.barrier_eV == pytest.approx(float(landscape.barrier_eV[0]), rel=1e-9)
    assert path.energy_eV.max() <= path.barrier_eV + 0.4
    assert path.energy_eV.max() >= path.barrier_eV - 0.02
    # It ends at its own image in another cell of the host.
    moved = (path.points_A[-1] - path.points_A[0]) @ np.linalg.inv(host_of(argyrodite).lattice)
    np.testing.assert_allclose(moved, np.rint(moved), atol=1e-6)
    assert np.abs(np.rint(moved)).sum() >= 1
    steps = np.linalg.norm(np.diff(path.points_A, axis=0), axis=1)
    assert path.distance_A[-1] == pytest.approx(steps.sum(), rel=1e-9)
    assert steps.max() < 1.0


def test_the_view_says_what_it_shows(view: View) -> None:
    assert view.without == {}
    assert view.n_points * 4 == len(view.packed["points"])
    assert sum(n for _, n in view.around) == view.n_points
    assert view.profile is not None
    assert len(view.packed["path"]) % 4 == 0


def test_cubes_hold_the_volumes_in_the_frame_of_the_crystal(
    argyrodite: PreparedStructure, tmp_path
) -> None:
    written, failed = write_cubes(argyrodite, tmp_path / "a")
    assert failed == {}
    with written["bvse"].open() as stream:
        content = read_cube(stream)
    landscape = bvse_landscape(argyrodite)
    expected = landscape.energy_eV - landscape.lowest_eV
    np.testing.assert_allclose(content["data"], expected, rtol=1e-4, atol=1e-5)
    # Atoms of the file are atoms of the crystal, up to translations of the host.
    host = host_of(argyrodite)
    atoms = content["atoms"]
    sulfur = atoms.positions[[s == "Cl" for s in atoms.get_chemical_symbols()]][0]
    record = argyrodite.record
    of_crystal = next(
        record.frac[i] @ record.lattice
        for i, content in enumerate(record.species)
        if content[0].element == "Cl"
    )
    apart = (sulfur - of_crystal) @ np.linalg.inv(host.lattice)
    np.testing.assert_allclose(apart, np.rint(apart), atol=1e-4)


def test_isolated_anions_have_labels_of_their_own(argyrodite: PreparedStructure) -> None:
    text = vesta_cif(argyrodite.record, argyrodite)
    assert text.count("S_iso") == 4
    assert text.count("Cl_iso") == 4
    again = Structure.from_str(text, fmt="cif")
    assert len(again) == argyrodite.record.n_sites


def test_labels_are_apart_on_mixed_sites_too(argyrodite: PreparedStructure) -> None:
    from dataclasses import replace

    from ionsieve.data.records import SiteSpecies

    record = argyrodite.record
    mixed = tuple(
        (SiteSpecies("Cl", 0.5), SiteSpecies("Br", 0.5)) if content[0].element == "Cl" else content
        for content in record.species
    )
    changed = replace(record, species=mixed)
    text = vesta_cif(changed, prepare(changed, "Li"))
    assert text.count("Cl_iso") == text.count("Br_iso") == text.count("S_iso") == 4
