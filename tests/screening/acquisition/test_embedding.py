"""Distances read in blocks: those of the embedding that memory holds whole."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionsieve.screening.acquisition import embedding
from ionsieve.screening.acquisition.embedding import BlockEmbedding, element_fractions_of
from ionsieve.screening.acquisition.selection import diversity_embedding
from ionsieve.screening.acquisition.shortlist import element_fractions

FORMULAS = ["Li2S", "Li6PS5Cl", "LiCl", "Li3PS4", "Li2S", "Li6.6La3Zr1.6Ta0.4O12", "NaCl"]


@given(st.integers(2, 7), st.integers(1, 9), st.integers(0, 5))
def test_distances_are_those_of_the_whole(n: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 5)) * [1, 1e3, 1e-3, 1, 1] + [0, 5e4, 0, 0, 0]
    values[:, 3] = 0.1
    values[:, 4] = np.nan
    values[0, 0] = np.nan
    order = rng.permutation(n)
    formulas = FORMULAS[:n]
    fractions, _ = element_fractions_of(formulas)
    found = BlockEmbedding(lambda rows: values[rows.start : rows.stop], fractions, order, block)
    shares = element_fractions([Composition(f).get_el_amt_dict() for f in formulas])
    # 0.1 and its mean differ in the last bit: the whole table is given without such a column.
    where = diversity_embedding(pd.DataFrame(values[:, [0, 1, 2]]), shares)[order]
    for i in range(n):
        expected = ((where - where[i]) ** 2).sum(axis=1)
        np.testing.assert_allclose(found.squared_distances(i), expected, rtol=1e-8, atol=1e-12)
        assert found.squared_distances(i)[i] == 0.0


def test_distances_that_were_forgotten_are_computed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedding, "_KEPT", 2)
    values, asked = np.random.default_rng(0).normal(size=(5, 3)), []

    def read(rows: range) -> np.ndarray:
        asked.append(rows)
        return values[rows.start : rows.stop]

    found = BlockEmbedding(read, element_fractions_of(["Li2S"] * 5)[0])
    first = [found.squared_distances(i).copy() for i in range(5)]
    asked.clear()
    assert np.array_equal(found.squared_distances(4), first[4])
    assert asked == []
    assert np.array_equal(found.squared_distances(0), first[0])
    assert asked


def test_equal_candidates_have_no_distance() -> None:
    values = np.array([[0.1, np.nan], [0.3, 2.0], [0.1, np.nan]])
    fractions, systems = element_fractions_of(["Li2S", "LiCl", "Li2S"])
    found = BlockEmbedding(lambda rows: values[rows.start : rows.stop], fractions, block=2)
    assert found.squared_distances(0)[2] == 0.0
    assert found.squared_distances(0)[1] > 0.0
    assert len(found) == 3
    assert list(systems) == [0, 1, 0]


def test_fractions_and_systems_are_those_of_the_formulas() -> None:
    fractions, systems = element_fractions_of(FORMULAS)
    np.testing.assert_allclose(fractions.sum(axis=1), 1.0)
    assert fractions.toarray()[0, 2] == pytest.approx(2 / 3)
    assert len(set(systems)) == len(set(FORMULAS))
