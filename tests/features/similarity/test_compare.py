"""Environment similarity: kernels against dscribe and plain numpy, published scores, invariance."""

import itertools

import numpy as np
import pytest

import structures
from ionsieve.data.errors import FeatureError
from ionsieve.data.records import StructureRecord
from ionsieve.features import acsf_enrichment, find_isolated_anions, isolated_anions, prepare
from ionsieve.features.catalogue import family
from ionsieve.features.core.prepared import PreparedStructure
from ionsieve.features.similarity.acsf import (
    CUTOFF_A,
    ETA_PER_A2,
    N_RADIAL,
    SHIFT_A,
    dscribe_environments,
    element_channels,
    environment_vectors,
    radial_table,
)
from ionsieve.features.similarity.compare import compare_void
from ionsieve.features.similarity.kernels import (
    WIDTH,
    closest_threshold,
    nearest_environment,
    void_map,
    weighted_spread,
)
from ionsieve.features.void.grid import grid_shape, images_within
from ionsieve.features.void.host import Host, host_of

REAL = ["Li6PS5Cl_F43m", "Li8SiSe6_hcp", "Li3PS4_gamma", "Li7N2I_R3m", "LiAlCl4", "Li2CN2"]


def prepared_of(name: str) -> PreparedStructure:
    return prepare(structures.get(name))


@pytest.mark.parametrize("name", REAL)
def test_mobile_environments_are_those_of_dscribe(name: str) -> None:
    prepared = prepared_of(name)
    host = host_of(prepared)
    ours = environment_vectors(host, host.mobile_frac @ host.lattice)
    np.testing.assert_allclose(ours, dscribe_environments(prepared), rtol=1e-9, atol=1e-12)


def test_void_points_are_those_of_dscribe_with_a_dummy_atom() -> None:
    """An atom of an element that the host has not, put into the void, sees the host as we do."""
    from ase import Atoms
    from dscribe.descriptors import ACSF

    host = host_of(prepared_of("Li6PS5Cl_F43m"))
    points = np.random.default_rng(0).random((5, 3)) @ host.lattice
    species = [*np.unique(host.z).tolist(), 36]
    acsf = ACSF(
        r_cut=CUTOFF_A,
        g2_params=np.column_stack([ETA_PER_A2, SHIFT_A]).tolist(),
        species=species,
        periodic=True,
    )
    expected = []
    for point in points:
        crystal = Atoms(numbers=host.z, scaled_positions=host.frac, cell=host.lattice, pbc=True)
        crystal += Atoms("Kr", positions=[point])
        vector = acsf.create(crystal, centers=[len(host.z)])[0].reshape(len(species), -1)[:-1, 1:]
        expected.append(vector.ravel())
    ours = environment_vectors(host, points)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


def simple_void(host: Host, points: np.ndarray) -> tuple[np.ndarray, list[set[int]]]:
    """Distance to the nearest host atom, and the anions within 0.4 Å of the nearest anion."""
    shifts = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    copies = (host.frac[None] + shifts[:, None]).reshape(-1, 3) @ host.lattice
    atom = np.tile(np.arange(len(host.z)), len(shifts))
    distance = np.linalg.norm(points[:, None] - copies[None], axis=2)
    nearest = []
    for row in distance:
        to_anion = np.where(host.is_anion[atom], row, np.inf)
        nearest.append(set(atom[to_anion <= to_anion.min() + 0.4].tolist()))
    return distance.min(axis=1), nearest


def test_the_void_map_agrees_with_plain_numpy() -> None:
    host = host_of(prepared_of("Li6PS5Cl_F43m"))
    shape = np.array(grid_shape(host.lattice, 1.1))
    images = images_within(host, CUTOFF_A + 5.0)
    channel = element_channels(host)
    anion = np.where(host.is_anion, np.arange(len(host.z)), -1)
    result = void_map(
        host.lattice,
        shape,
        np.ones(shape.prod(), dtype=bool),
        images.position_A,
        channel[images.atom],
        host.occupancy[images.atom],
        anion[images.atom],
        int(channel.max()) + 1,
        radial_table(WIDTH),
        CUTOFF_A,
        1.6,
        0.4,
    )
    order = np.argsort(result[0])  # the map goes block by block
    index, clearance, vectors, nearest, nearest_A = (column[order] for column in result)
    grid = np.array(list(np.ndindex(*shape))) / shape @ host.lattice
    expected_clearance, expected_nearest = simple_void(host, grid)
    np.testing.assert_array_equal(index, np.flatnonzero(expected_clearance >= 1.6))
    np.testing.assert_allclose(clearance, expected_clearance[index], rtol=1e-12)
    exact = environment_vectors(host, grid[index])
    packed = vectors.reshape(len(index), -1, WIDTH)
    assert not packed[:, :, N_RADIAL:].any()
    np.testing.assert_allclose(
        packed[:, :, :N_RADIAL].reshape(len(index), -1), exact, rtol=0, atol=2e-4
    )
    for row, distances, point in zip(nearest, nearest_A, index, strict=True):
        found = set(row[row >= 0].tolist())
        assert found == expected_nearest[point]
        assert np.isfinite(distances[: int((row >= 0).sum())]).all()


def test_spread_distance_and_threshold_agree_with_numpy() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.random((400, 16)).astype(np.float32)
    weights = rng.random(400)
    mean = np.average(vectors, axis=0, weights=weights)
    expected = np.sqrt(np.average((vectors - mean) ** 2, axis=0, weights=weights))
    np.testing.assert_allclose(weighted_spread(vectors, weights), expected, rtol=1e-6)
    inverse = (1 / expected).astype(np.float32)
    environments = rng.random((7, 16)).astype(np.float32) * inverse
    scaled = vectors * inverse
    nearest = np.linalg.norm(scaled[:, None] - environments[None], axis=2).min(axis=1)
    distance = nearest_environment(vectors, inverse, environments)
    np.testing.assert_allclose(distance, nearest, rtol=1e-5)
    # A vanishing edge turns the smooth threshold into the weighted quantile.
    threshold = closest_threshold(distance, weights, 0.1, 1e-6, float(np.median(distance)))
    share = weights[distance <= threshold].sum() / weights.sum()
    assert share == pytest.approx(0.1, abs=2 * weights.max() / weights.sum())


def scores(name: str) -> dict[tuple[int, bool], np.ndarray]:
    prepared = prepared_of(name)
    score, isolated = acsf_enrichment(prepared), find_isolated_anions(prepared).is_isolated
    anion = prepared.roles.is_anion
    return {
        (int(z), bool(i)): score[anion & (prepared.atoms.z == z) & (isolated == i)]
        for z in np.unique(prepared.atoms.z[anion])
        for i in (True, False)
    }


def test_argyrodite_scores_of_the_literature() -> None:
    """Li6PS5Cl: 1.61 at isolated S, 0.00 at Cl (no Li sphere, Yang 2025 Fig. S1), 1.21 bonded."""
    found = scores("Li6PS5Cl_F43m")
    assert found[16, True].mean() == pytest.approx(1.61, abs=0.10)
    assert found[17, True].mean() == pytest.approx(0.00, abs=0.02)
    assert found[16, False].mean() == pytest.approx(1.21, abs=0.10)


def test_argyrodite_shell_is_a_sphere_of_lithium_sites() -> None:
    prepared = prepared_of("Li6PS5Cl_F43m")
    values = family("similarity").compute(prepared, [])
    assert values["cage_shell_radius_A"] == pytest.approx(2.10, abs=0.06)
    assert values["cage_shell_spread_A"] == pytest.approx(0.12, abs=0.04)


def test_hcp_selenide_score_of_the_literature() -> None:
    assert scores("Li8SiSe6_hcp")[34, True].mean() == pytest.approx(1.28, abs=0.10)


def test_scores_are_a_partition() -> None:
    """Weighted by their void, the scores average to one; sites without void have none."""
    for name in REAL:
        host = host_of(prepared_of(name))
        found = compare_void(host)
        defined = np.isfinite(found.enrichment)
        like = found.mobile_like_weight[defined]
        void = like / np.maximum(found.enrichment[defined], 1e-12)
        assert like.sum() == pytest.approx(1.0, abs=1e-3)
        assert void[found.enrichment[defined] > 1e-6].sum() <= 1.0 + 1e-6
        assert not np.isfinite(found.enrichment[~host.is_anion]).any()


def test_records_carry_the_score() -> None:
    record = structures.get("Li6PS5Cl_F43m")
    expected = acsf_enrichment(prepare(record))
    for anion in isolated_anions(record):
        assert anion.acsf_enrichment == pytest.approx(expected[anion.index], rel=1e-12)


def test_random_points_give_the_same_scores() -> None:
    """The published way, counted on 40,000 random points, against the smooth grid."""
    prepared = prepared_of("Li6PS5Cl_F43m")
    host = host_of(prepared)
    rng = np.random.default_rng(5)
    points = rng.random((40_000, 3)) @ host.lattice
    clearance, nearest = _nearest_in_chunks(host, points)
    points, nearest = points[clearance >= 1.9], nearest[clearance >= 1.9]
    vectors = environment_vectors(host, points)
    spread = vectors.std(axis=0)
    used = spread > 1e-4
    environments = environment_vectors(host, host.mobile_frac @ host.lattice)
    difference = (vectors[:, None, used] - environments[None, :, used]) / spread[used]
    distance = np.linalg.norm(difference, axis=2).min(axis=1)
    close = distance <= np.quantile(distance, 0.1)
    smooth = compare_void(host).enrichment
    for anion in np.flatnonzero(host.is_anion):
        counted = (nearest[close] == anion).mean() / (nearest == anion).mean()
        assert smooth[anion] == pytest.approx(counted, abs=0.15)


def _nearest_in_chunks(host: Host, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import cKDTree

    images = images_within(host, CUTOFF_A)
    clearance, _ = cKDTree(images.position_A).query(points)
    is_anion = host.is_anion[images.atom]
    _, index = cKDTree(images.position_A[is_anion]).query(points)
    return clearance, images.atom[is_anion][index]


def moved(record: StructureRecord) -> StructureRecord:
    """Rotated, shifted, reordered, repeated."""
    rng = np.random.default_rng(11)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(record.n_sites)
    shuffled = StructureRecord(
        id=record.id,
        lattice=record.lattice @ rotation,
        species=tuple(record.species[i] for i in order),
        frac=(record.frac + rng.random(3))[order],
    )
    return structures.supercell(shuffled, [[1, 1, 0], [0, 1, 0], [0, -1, 2]])


@pytest.mark.parametrize(
    "name", ["Li6PS5Cl_F43m", "Li8SiSe6_hcp", "LGPS_exp", "Li5CrCl8", "Li2.5N0.5S0.5_avg", "Li2S"]
)
def test_columns_do_not_depend_on_the_description(name: str) -> None:
    compute = family("similarity").compute
    before = compute(prepare(structures.get(name)), [])
    after = compute(prepare(moved(structures.get(name))), [])
    for column in family("similarity").columns:
        assert after[column.name] == pytest.approx(before[column.name], abs=2e-5, nan_ok=True), (
            column.name
        )


def test_columns_keep_their_ranges_and_say_nothing_without_isolated_anions() -> None:
    for name in ("Li3PS4_gamma", "Li6PS5I_F43m", "Li3N_alpha"):
        values = family("similarity").compute(prepared_of(name), [])
        for column in family("similarity").columns:
            value = values[column.name]
            assert not value < (column.lower if column.lower is not None else -np.inf)
            assert not value > (column.upper if column.upper is not None else np.inf)
    none = family("similarity").compute(prepared_of("Li3PS4_gamma"), [])
    assert np.isnan(none["acsf_enrichment_max"])
    assert np.isfinite(none["mobile_like_void_fraction"])


def test_a_crystal_without_void_is_refused_with_a_reason() -> None:
    record = StructureRecord.ordered("dense", np.eye(3) * 1.8, ["Li", "F"], [[0.5] * 3, [0] * 3])
    with pytest.raises(FeatureError, match="dense: no point is"):
        acsf_enrichment(prepare(record))


def spread_of_equivalents(record) -> list[float]:
    """Relative spread of the score over each set of equivalent isolated anions."""
    import moyopy

    prepared = prepare(record)
    isolated = find_isolated_anions(prepared).is_isolated
    score = acsf_enrichment(prepared)
    kinds = {content: k for k, content in enumerate(dict.fromkeys(record.species))}
    cell = moyopy.Cell(
        record.lattice.tolist(), record.frac.tolist(), [kinds[c] for c in record.species]
    )
    orbit = np.array(moyopy.MoyoDataset(cell, symprec=0.01).orbits)[prepared.atoms.site]
    spreads = []
    for one in np.unique(orbit):
        own = score[(orbit == one) & isolated]
        if len(own) > 1 and np.isfinite(own).all() and own.mean() > 0.05:
            spreads.append(float(np.ptp(own) / own.mean()))
    return spreads


@pytest.mark.parametrize(
    "name", ["Li6PS5Cl_F43m", "Li8SiSe6_Pna21", "Li8TiS6_hcp", "Li5CrCl8", "Li5SbS3I2", "Li3OCl"]
)
def test_equivalent_isolated_anions_have_one_score(name: str) -> None:
    spreads = spread_of_equivalents(structures.get(name, conventional=True))
    assert all(s < 0.02 for s in spreads)
    if name == "Li8SiSe6_Pna21":
        assert spreads
