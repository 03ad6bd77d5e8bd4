"""Symmetry of the host, and grids whose orbits need one calculation each."""

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structures
from ionsieve.data.records import StructureRecord
from ionsieve.features import bvse_landscape, prepare
from ionsieve.features.bvse.kernels import energies_at
from ionsieve.features.bvse.landscape import force_field
from ionsieve.features.similarity import compare
from ionsieve.features.void.host import Host, host_of
from ionsieve.features.void.reduction import CellSymmetry
from ionsieve.features.void.symmetry import (
    DENOMINATORS,
    SymmetricGrid,
    _groups_of,
    pair_orbits,
    symmetric_grid,
)

NAMES = ["Li6PS5Cl_F43m", "Li2S", "Li8SiSe6_hcp", "Li3PS4_gamma", "LGPS_exp", "Li7N2I_R3m"]
START = np.array([0.37, 0.23, 0.41])


def host_named(name: str) -> Host:
    return host_of(prepare(structures.get(name)))


def grid_points_A(host: Host, grid: SymmetricGrid) -> np.ndarray:
    index = np.array(list(np.ndindex(*grid.shape)))
    return index / grid.shape @ host.lattice + grid.start_A


def without_symmetry(host: Host) -> Host:
    identity = CellSymmetry(
        rotation=np.eye(3, dtype=int)[None],
        translation=np.zeros((1, 3)),
        image=np.arange(len(host.z))[None],
        is_clear=True,
    )
    return replace(host, symmetry=identity)


# moyopy does not take two atoms on one point, as on mixed sites.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "LGPS_exp"])
def test_operations_are_those_of_moyopy(name: str) -> None:
    import moyopy

    host = host_named(name)
    kinds = [hash(k) % 10**6 for k in zip(host.z, host.occupancy, host.oxidation, strict=True)]
    cell = moyopy.Cell(host.lattice.tolist(), host.frac.tolist(), kinds)
    expected = moyopy.MoyoDataset(cell, symprec=1e-3, rotate_basis=False).operations
    found = {tuple(r.T.ravel()) for r in host.symmetry.rotation}
    assert found == {tuple(np.ravel(r)) for r in expected.rotations}
    assert len(host.symmetry.rotation) == len(found)


@pytest.mark.parametrize("name", NAMES)
def test_denominators_are_those_of_fractions(name: str) -> None:
    """Reference: every possible denominator tried for every operation."""
    for group in _groups_of(host_named(name)):
        for origin, found in zip(group.origins, group.denominators, strict=True):
            seen = group.translation + origin @ group.rotation - origin
            for axis in range(3):
                fitting = [
                    q
                    for q in DENOMINATORS
                    if np.abs(q * seen[:, axis] - np.rint(q * seen[:, axis])).max() < 2e-4 * q
                ]
                assert found[axis] == min(fitting, default=0)
        np.testing.assert_allclose(group.back, np.linalg.inv(group.cartesian), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_points_of_an_orbit_see_the_same(name: str) -> None:
    prepared = prepare(structures.get(name))
    host = host_of(prepared)
    grid = symmetric_grid(host, (9, 10, 11), START)
    assert (grid.shape >= [9, 10, 11]).all()
    assert grid.size.sum() == len(grid.orbit) == prod(grid.shape.tolist())
    np.testing.assert_array_equal(np.bincount(grid.orbit), grid.size)
    assert len(grid.first) < 0.7 * len(grid.orbit)
    energy = energies_at(grid_points_A(host, grid), *force_field(prepared, host).arguments(), 0.0)
    of_first = energy[grid.first][grid.orbit]
    low = energy < energy.min() + 10.0
    np.testing.assert_allclose(of_first[low], energy[low], rtol=1e-4, atol=1e-4)


def test_a_crystal_without_symmetry_has_orbits_of_one_point() -> None:
    rng = np.random.default_rng(3)
    record = StructureRecord.ordered(
        "odd", rng.normal(size=(3, 3)) + 7 * np.eye(3), ["Li", "S", "P", "S"], rng.random((4, 3))
    )
    grid = symmetric_grid(host_of(prepare(record)), (7, 8, 9), START)
    assert grid.shape.tolist() == [7, 8, 9]
    np.testing.assert_array_equal(grid.orbit, np.arange(504))
    np.testing.assert_array_equal(grid.size, 1)


@pytest.mark.parametrize("name", ["Li6PS5Cl_F43m", "Li3PS4_gamma"])
def test_one_point_of_each_orbit_says_what_all_points_say(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same grid, every point for itself."""
    host = host_named(name)
    expected = compare.compare_void(host)

    def every_point(host: Host, shape: tuple[int, int, int], start: np.ndarray) -> SymmetricGrid:
        grid = symmetric_grid(host_named(name), shape, start)
        every = np.arange(len(grid.orbit))
        return replace(grid, orbit=every, first=every, size=np.ones(len(every), dtype=int))

    monkeypatch.setattr(compare, "symmetric_grid", every_point)
    found = compare.compare_void(without_symmetry(host))
    assert len(found.distance) > 1.5 * len(expected.distance)
    np.testing.assert_allclose(found.enrichment, expected.enrichment, rtol=0, atol=2e-4)
    np.testing.assert_allclose(found.shell_radius_A, expected.shell_radius_A, rtol=1e-4)
    assert found.void_fraction == pytest.approx(expected.void_fraction, rel=1e-6)
    assert found.threshold == pytest.approx(expected.threshold, rel=1e-4)


@pytest.mark.parametrize("name", ["Li6PS5Cl_F43m", "Li8SiSe6_Pna21", "Li7N2I_R3m"])
def test_barriers_need_no_symmetry(name: str) -> None:
    """With a grid from elsewhere, without symmetry: 0.03 eV, the error of passes off the grid."""
    prepared = prepare(structures.get(name))
    expected = bvse_landscape(prepared)
    plain = prepare(structures.get(name))
    from ionsieve.features.void import host as module

    module._KNOWN[plain] = without_symmetry(host_of(prepared))
    found = bvse_landscape(plain)
    np.testing.assert_allclose(found.barrier_eV, expected.barrier_eV, rtol=0, atol=0.03)
    assert found.lowest_eV == pytest.approx(expected.lowest_eV, abs=1e-4)


@settings(max_examples=10, deadline=None)
@given(noise=st.integers(0, 1000))
def test_noise_of_rounded_coordinates_costs_no_operation(noise: int) -> None:
    """Files give four or five digits."""
    record = structures.get("Li6PS5Cl_F43m")
    shift = np.random.default_rng(noise).normal(size=record.frac.shape) * 1e-5
    moved = StructureRecord(
        id="noisy", lattice=record.lattice, species=record.species, frac=record.frac + shift
    )
    assert len(host_of(prepare(moved)).symmetry.rotation) == 24


@pytest.mark.parametrize("name", ["Li6PS5Cl_F43m", "Li8SiSe6_hcp", "LiVPO4F_triclinic"])
def test_pairs_of_an_orbit_are_turned_onto_each_other(name: str) -> None:
    host = host_named(name)
    grid = symmetric_grid(host, (12, 12, 12), START)
    rng = np.random.default_rng(5)
    one = rng.integers(0, len(grid.orbit), 40)
    # Neighbours along an axis, and what the operations make of the pairs.
    triple = np.stack(np.unravel_index(one, tuple(grid.shape)), axis=1)
    other = np.ravel_multi_index(
        tuple(((triple + np.array([1, 0, 0])) % grid.shape).T), tuple(grid.shape)
    )
    pairs = np.concatenate([_moved(grid, np.stack([one, other], 1), g) for g in range(3)])
    found = pair_orbits(grid, pairs)
    assert (found.orbit[:40] == found.orbit[40:80]).all()
    assert (found.orbit[:40] == found.orbit[80:]).all()
    points = grid_points_A(host, grid)
    step = (points[pairs[:, 1]] - points[pairs[:, 0]]) @ np.linalg.inv(host.lattice)
    step = (step - np.rint(step)) @ host.lattice
    np.testing.assert_allclose(found.turned(step[found.first]), step, rtol=0, atol=1e-4)


def _moved(grid: SymmetricGrid, pairs: np.ndarray, operation: int) -> np.ndarray:
    g = operation % len(grid.turn)
    triple = np.stack(np.unravel_index(pairs, tuple(grid.shape)), axis=-1)
    image = (triple @ grid.turn[g] + grid.move[g]) % grid.shape
    return np.ravel_multi_index(tuple(np.moveaxis(image, -1, 0)), tuple(grid.shape))
