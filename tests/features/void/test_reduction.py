"""The host's own cell and frame."""

import itertools

import numpy as np
import pytest

import structures
from ionsieve.data.errors import FeatureError
from ionsieve.data.records import StructureRecord
from ionsieve.features import prepare
from ionsieve.features.core.primitive import minkowski_reduced
from ionsieve.features.void.host import host_of
from ionsieve.features.void.reduction import symmetric_frames

NAMES = ["Li6PS5Cl_F43m", "Li2S", "Li8SiSe6_hcp", "Li7La3Zr2O12_tet", "Li3YCl6_exp", "Li5CrCl8"]


def test_the_host_of_lithium_sulfide_is_one_sulfide() -> None:
    host = host_of(prepare(structures.get("Li2S", conventional=True)))
    assert len(host.z) == 1
    assert host.n_cells == 4
    # 5.719 Å or so: the primitive cell of an fcc lattice is a quarter of the cube.
    cube = structures.get("Li2S", conventional=True).volume_A3
    assert host.volume_A3 == pytest.approx(cube / 4, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_supercell_has_the_same_host(name: str) -> None:
    record = structures.get(name)
    small = host_of(prepare(record))
    large = host_of(prepare(structures.supercell(record, [[1, 1, 0], [0, 1, 1], [0, 0, 2]])))
    assert large.n_cells == 2 * small.n_cells
    assert large.volume_A3 == pytest.approx(small.volume_A3, rel=1e-9)
    np.testing.assert_allclose(_metric(large.lattice), _metric(small.lattice), rtol=0, atol=1e-7)
    assert sorted(large.z) == sorted(small.z)
    # Every atom of the supercell knows its host atom, every host atom is met equally often.
    members = large.host_of_atom[large.host_of_atom >= 0]
    assert set(np.bincount(members)) == {large.n_cells}


def _metric(lattice: np.ndarray) -> np.ndarray:
    return lattice @ lattice.T


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_is_the_crystals_own(name: str) -> None:
    """After rotation, shift and reordering, the host has the same coordinates in its own frame."""
    record = structures.get(name)
    host, moved = (host_of(prepare(r)) for r in (record, _moved(record)))
    np.testing.assert_allclose(_metric(moved.lattice), _metric(host.lattice), rtol=0, atol=1e-6)
    for atom, z in zip(host.frac, host.z, strict=True):
        difference = moved.frac[moved.z == z] - atom
        difference -= np.rint(difference)
        assert np.linalg.norm(difference @ host.lattice, axis=1).min() < 1e-5


def _moved(record: StructureRecord) -> StructureRecord:
    rng = np.random.default_rng(7)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(record.n_sites)
    frac = (record.frac + rng.random(3))[order]
    species = tuple(record.species[i] for i in order)
    return StructureRecord(
        id=record.id, lattice=record.lattice @ rotation, species=species, frac=frac
    )


@pytest.mark.parametrize(
    ("lattice", "count"),
    [
        (np.eye(3) * 5.0, 48),
        (np.diag([4.0, 4.0, 6.0]), 16),
        (np.diag([4.0, 5.0, 6.0]), 8),
        (np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 3.0, 48),
        (np.array([[4.0, 0, 0], [0.5, 5.0, 0], [0.3, 0.7, 6.0]]), 2),
    ],
)
def test_number_of_frames_is_the_order_of_the_lattice_group(
    lattice: np.ndarray, count: int
) -> None:
    assert len(symmetric_frames(minkowski_reduced(lattice))) == count


def simple_frames(lattice: np.ndarray) -> np.ndarray:
    """All triples of short vectors with the lengths and the volume of the basis, most acute."""
    corners = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ lattice
    length = np.linalg.norm(corners, axis=1)
    lists = [corners[np.abs(length - w) < 1e-4] for w in np.sort(np.linalg.norm(lattice, axis=1))]
    volume = abs(np.linalg.det(lattice))
    triples = [t for t in itertools.product(*lists) if abs(np.linalg.det(t)) > 0.5 * volume]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        most = max(t[i] @ t[j] for t in triples)
        triples = [t for t in triples if t[i] @ t[j] > most - 1e-4]
    return np.array(triples)


@pytest.mark.parametrize("seed", range(12))
def test_frames_are_those_of_a_plain_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = (
        np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 3.0,
        np.array([[4, 0, 0], [-2, 4 * np.sqrt(0.75), 0], [0, 0, 6.0]]),
        np.diag([4.0, 4.0, 5.0]),
        rng.normal(size=(3, 3)) * 5,
    )
    turned = shapes[seed % 4] @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    lattice = minkowski_reduced(turned)
    np.testing.assert_allclose(symmetric_frames(lattice), simple_frames(lattice), atol=1e-9)


def test_a_crystal_of_mobile_ions_alone_is_refused() -> None:
    prepared = prepare(structures.get("Li2S"))
    object.__setattr__(prepared.roles, "is_mobile", np.ones(3, dtype=bool))
    with pytest.raises(FeatureError, match="only mobile ions"):
        host_of(prepared)
