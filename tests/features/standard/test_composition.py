"""Composition features equal matminer's, one composition at a time or in a batch."""

import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pool
import structures
from ionsieve.data import FeatureError
from ionsieve.data.elements import SYMBOLS
from ionsieve.features import prepare
from ionsieve.features.standard.composition import COLUMNS, compute, magpie_matrix

NAMES = [c.name for c in COLUMNS]


@lru_cache(maxsize=1)
def matminer_featurizers() -> tuple:
    from matminer.featurizers.composition import (
        ElementProperty,
        IonProperty,
        Stoichiometry,
        ValenceOrbital,
    )

    return (
        ElementProperty.from_preset("magpie", impute_nan=False),
        Stoichiometry(),
        ValenceOrbital(impute_nan=False),
        IonProperty(impute_nan=False, fast=True),
    )


def matminer_row(composition: dict[str, float]) -> np.ndarray:
    from pymatgen.core import Composition

    with warnings.catch_warnings():
        # matminer announces its imputation setting, pymatgen each missing electronegativity.
        warnings.simplefilter("ignore")
        parts = [list(f.featurize(Composition(composition))) for f in matminer_featurizers()]
    # The first of IonProperty (is a neutral compound possible?) belongs to the roles.
    return np.array([*parts[0], *parts[1], *parts[2], *parts[3][1:]], dtype=np.float64)


def assert_equals_matminer(compositions: list[dict[str, float]]) -> None:
    rows = magpie_matrix(compositions)
    for composition, row in zip(compositions, rows, strict=True):
        np.testing.assert_allclose(
            row, matminer_row(composition), rtol=1e-9, atol=1e-11, err_msg=str(composition)
        )


def test_every_structure_of_the_tests_equals_matminer() -> None:
    compositions = [structures.get(name).composition for name in structures.names()]
    assert len(compositions) > 40
    assert_equals_matminer(compositions)


def test_pool_equals_matminer(shared_data: Path) -> None:
    compositions = [record.composition for record in pool.crystals(shared_data, every=80)]
    assert len(compositions) > 100
    assert_equals_matminer(compositions)


@pytest.mark.parametrize(
    "composition", [{"Cf": 1, "O": 2}, {"Li": 1, "He": 2}, {"Np": 2, "O": 5}, {"Ca": 1, "Hg": 1}]
)
def test_gaps_of_the_table_stay_nan_where_matminer_has_nan(composition: dict[str, float]) -> None:
    assert_equals_matminer([composition])


def test_known_row_of_lithium_nitride() -> None:
    """Li3N by hand: Z 3 and 7, fractions 3/4 and 1/4."""
    row = dict(zip(NAMES, magpie_matrix([{"Li": 3, "N": 1}])[0], strict=True))
    expected = {
        "magpie_Number_mean": 4.0,
        "magpie_Number_avg_dev": 1.5,
        "magpie_Number_mode": 3.0,
        "magpie_Electronegativity_range": 3.04 - 0.98,
        "stoichiometry_norm_2": np.sqrt(0.625),
        "valence_s_mean": 0.75 * 1 + 0.25 * 2,
        "valence_p_fraction": (0.25 * 3) / (0.75 + 0.25 * 5),
        "ionic_character_max": 1 - np.exp(-0.25 * 2.06**2),
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-12)


amounts = st.dictionaries(st.sampled_from(SYMBOLS[:86]), st.floats(0.1, 20), min_size=1, max_size=6)


@given(st.lists(amounts, min_size=1, max_size=5), st.floats(0.1, 10))
def test_batch_equals_single_and_scale_does_not_matter(
    compositions: list[dict[str, float]], scale: float
) -> None:
    batch = magpie_matrix(compositions)
    scaled = [{e: a * scale for e, a in reversed(c.items())} for c in compositions]
    single = np.concatenate([magpie_matrix([c]) for c in scaled])
    np.testing.assert_allclose(single, batch, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("bad", [{}, {"Xx": 1.0}, {"Li": 0.0}, {"Li": float("nan")}])
def test_bad_compositions_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(FeatureError):
        magpie_matrix([{"Li": 1.0}, bad])


def test_no_compositions_give_no_rows() -> None:
    assert magpie_matrix([]).shape == (0, len(COLUMNS))


def test_structure_columns_are_those_of_its_composition() -> None:
    record = structures.get("LGPS_exp")
    notes: list[str] = []
    values = compute(prepare(record), notes)
    np.testing.assert_allclose(
        list(values.values()), magpie_matrix([record.composition])[0], rtol=1e-12
    )
    assert list(values) == NAMES
    assert notes == []
