"""The smallest cell with distant images, against known counts and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.data.errors import InputError
from ionsieve.screening.jobs.supercell import find_supercell, hermite_normal_forms, image_distances

FCC = 2.86 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("multiple", "count"), [(1, 1), (2, 7), (3, 13), (4, 35), (5, 31), (6, 91), (8, 155), (12, 455)]
)
def test_number_of_sublattices(multiple: int, count: int) -> None:
    # Sublattices of Z³ by index: OEIS A001001.
    forms = hermite_normal_forms(multiple)
    assert len(np.unique(forms, axis=0)) == count
    np.testing.assert_allclose(np.linalg.det(forms), multiple, rtol=1e-9)


def brute_force_distance(lattice: np.ndarray) -> float:
    grid = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3, indexing="ij"), -1).reshape(-1, 3)
    lengths = np.linalg.norm(grid[(grid != 0).any(axis=1)] @ lattice, axis=1)
    return float(lengths.min())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_image_distance_is_the_shortest_vector(multiple: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lattice = np.diag(rng.uniform(3, 5, 3)) + rng.uniform(-1, 1, (3, 3))
    forms = hermite_normal_forms(multiple)[:5]
    found = image_distances(lattice, forms, reach_A=40.0)
    np.testing.assert_allclose(found, [brute_force_distance(f @ lattice) for f in forms], rtol=1e-9)


def test_cubic_cell_is_repeated_as_expected() -> None:
    cell = find_supercell(np.diag([5.0, 5.0, 10.0]), 20, target_A=10.0)
    assert round(np.linalg.det(cell.matrix)) == 4
    assert cell.image_distance_A == pytest.approx(10.0)


def test_no_smaller_multiple_would_do() -> None:
    cell = find_supercell(FCC, 3)
    multiple = round(np.linalg.det(cell.matrix))
    assert brute_force_distance(cell.matrix @ FCC) == pytest.approx(cell.image_distance_A)
    assert cell.image_distance_A >= 9.0
    for smaller in range(1, multiple):
        forms = hermite_normal_forms(smaller)
        assert image_distances(FCC, forms, 12.0).max() < 9.0


def test_limit_of_atoms_is_kept_and_said() -> None:
    cell = find_supercell(FCC, 3, max_atoms=12)
    assert not cell.near_target
    assert round(np.linalg.det(cell.matrix)) <= 4


def test_impossible_disorder_is_an_error() -> None:
    with pytest.raises(InputError, match="disorder"):
        find_supercell(FCC, 3, accepts=lambda _: False)
