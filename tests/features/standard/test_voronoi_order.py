"""Voronoi-weighted features equal matminer's and do not depend on how a crystal is written."""

import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import pool
import structures
from ionsieve.data import RoleError, SiteSpecies, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.features import prepare
from ionsieve.features.core.roles import MOBILE_SPECIES
from ionsieve.features.standard import bond_order, voronoi_order
from ionsieve.features.standard.chemical_ordering import chemical_ordering
from ionsieve.features.standard.harmonics import bond_order as steinhardt
from ionsieve.features.standard.voronoi import Tessellation, tessellate

FACTS = (
    "Li2S",
    "LiF",
    "Li3N_alpha",
    "Li3N_beta",
    "Li3P",
    "Li6PS5Cl_F43m",
    "Li6NI3_Fm3m",
    "Li7N2I_R3m",
    "Li3PS4_gamma",
    "Li8SiSe6_hcp",
    "Li5CrCl8",
    "Li3BS3",
    "LiAlCl4",
)


@lru_cache(maxsize=1)
def matminer_featurizers() -> tuple:
    from matminer.featurizers.site import BondOrientationalParameter, LocalPropertyDifference
    from matminer.featurizers.structure import (
        ChemicalOrdering,
        MaximumPackingEfficiency,
        SiteStatsFingerprint,
        StructuralHeterogeneity,
    )

    statistics = tuple(voronoi_order.STATISTICS)
    local = LocalPropertyDifference.from_preset("ward-prb-2017", impute_nan=False)
    return (
        MaximumPackingEfficiency(),
        StructuralHeterogeneity(),
        SiteStatsFingerprint.from_preset("CoordinationNumber_ward-prb-2017"),
        ChemicalOrdering(),
        SiteStatsFingerprint(local, stats=statistics),
        SiteStatsFingerprint(BondOrientationalParameter(), stats=("mean", "std_dev")),
    )


def matminer_row(record: StructureRecord) -> np.ndarray:
    structure = to_pymatgen(record)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside matminer and pymatgen
        parts = [f.featurize(structure) for f in matminer_featurizers()]
    return np.concatenate([np.asarray(part, dtype=np.float64) for part in parts])


def our_row(record: StructureRecord, mobile: str = "Li") -> np.ndarray:
    prepared = prepare(record, mobile)
    values = voronoi_order.compute(prepared, []) | bond_order.compute(prepared, [])
    return np.array(list(values.values()))


@pytest.mark.parametrize("name", FACTS)
def test_equals_matminer(name: str) -> None:
    record = structures.get(name)
    np.testing.assert_allclose(our_row(record), matminer_row(record), rtol=1e-9, atol=1e-9)


def mobile_of(record: StructureRecord) -> str:
    return next((e for e in MOBILE_SPECIES if e in record.elements), "")


def test_pool_equals_matminer(shared_data: Path) -> None:
    compared = 0
    # Fifty of a hundred: matminer takes a second for each.
    for record in pool.crystals(shared_data, every=2, max_sites=7):
        try:
            ours = our_row(record, mobile_of(record))
        except RoleError:
            continue  # no mobile ion, or no anion: there are no columns to compare
        reference = matminer_row(record)
        np.testing.assert_allclose(ours, reference, rtol=1e-8, atol=1e-8, err_msg=record.id)
        compared += 1
        if compared == 52:
            break
    assert compared >= 50


def simple_ordering(cells: Tessellation, kinds: list[str]) -> list[float]:
    """Reference: every self-avoiding path, one by one, as Ward 2017 writes it."""
    largest = [cells.area_A2[cells.start[i] : cells.start[i + 1]].max() for i in range(len(kinds))]

    def ends(path: tuple, weight: float, steps: int) -> list[tuple[str, float]]:
        site, image = path[-1]
        if steps == 0:
            return [(kinds[site], weight)]
        found = []
        for f in range(cells.start[site], cells.start[site + 1]):
            place = (int(cells.neighbor[f]), tuple(np.add(image, cells.image[f]).tolist()))
            if place not in path:
                step = cells.area_A2[f] / largest[site]
                found += ends((*path, place), weight * step, steps - 1)
        return found

    result = []
    for shell in (1, 2, 3):
        order = []
        for site in range(len(kinds)):
            reached = ends(((site, (0, 0, 0)),), 1.0, shell)
            total = sum(w for _, w in reached)
            for kind in sorted(set(kinds)):
                share = sum(w for k, w in reached if k == kind) / total
                order.append(1 - share / (kinds.count(kind) / len(kinds)))
        result.append(float(np.abs(order).mean()))
    return result


def test_chemical_ordering_is_the_sum_over_paths() -> None:
    rng = np.random.default_rng(7)
    cells = tessellate(np.diag([4.0, 4.2, 4.4]), rng.random((4, 3)))
    kinds = ["a", "b", "b", "c"]
    share = np.array([[k == e for e in "abc"] for k in kinds], dtype=float)
    np.testing.assert_allclose(
        chemical_ordering(cells, share), simple_ordering(cells, kinds), rtol=1e-10
    )


def test_close_packing_has_the_published_bond_order() -> None:
    """Steinhardt 1983, 10.1103/PhysRevB.28.784, and Mickel 2013: fcc 0.191, 0.575."""
    fcc = tessellate(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 2.0, np.zeros((1, 3)))
    q = steinhardt(fcc.start, fcc.direction, fcc.solid_angle)[0]
    assert q[3] == pytest.approx(0.19094, abs=1e-5)
    assert q[5] == pytest.approx(0.57452, abs=1e-5)
    assert np.abs(q[[0, 1, 2, 4, 6, 8]]).max() < 1e-12
    sc = tessellate(np.eye(3) * 3.0, np.zeros((1, 3)))
    q = steinhardt(sc.start, sc.direction, sc.solid_angle)[0]
    np.testing.assert_allclose(q[[3, 5]], [np.sqrt(7 / 12), np.sqrt(1 / 8)], rtol=1e-12)


def mixed(fraction: float) -> StructureRecord:
    """Li2S with a share of the sulphur replaced by selenium on the same site."""
    record = structures.get("Li2S")
    content = (
        (SiteSpecies("S", 1 - fraction), SiteSpecies("Se", fraction))
        if fraction
        else (SiteSpecies("S"),)
    )
    species = tuple(content if c[0].element == "S" else c for c in record.species)
    return StructureRecord(
        id="Li2(S,Se)", lattice=record.lattice, species=species, frac=record.frac
    )


def test_mixed_sites_count_with_their_fractions() -> None:
    """A Li site faces S and Se in proportion: the differences interpolate linearly."""
    names = [c.name for c in voronoi_order.COLUMNS]
    at = names.index("local_difference_Number_mean")
    pure, half, tenth = (our_row(mixed(x))[at] for x in (0.0, 0.5, 0.1))
    # Two of three sites are Li; each S → Se adds 18 to |ΔZ| across every Li–anion face.
    assert half - pure == pytest.approx(5 * (tenth - pure), rel=1e-9)
    assert half > pure


def test_partly_empty_sites_leave_nan_and_a_reason() -> None:
    from ionsieve.features.catalogue import families
    from ionsieve.features.featurizer import featurize_one

    row = featurize_one(structures.get("LGPS_exp"), families(["voronoi_order", "bond_order"]))
    assert row.values is not None
    assert np.isnan(list(row.values.values())).all()
    assert "full sites" in row.reason
