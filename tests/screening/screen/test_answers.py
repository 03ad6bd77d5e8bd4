"""Answers block by block: those for the whole table, and the same order of the ranking."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structures
from ionsieve.screening.screen.answers import TEMPERATURES_K, Answers, answers, descriptions
from ionsieve.screening.screen.feature_list import FeatureList
from ionsieve.screening.screen.known import Known
from ionsieve.screening.screen.ranking import rank_candidates
from ionsieve.screening.screen.training import TrainedModel, embedded_model

FAMILIES = ("isolated_anions", "density")
N = 23


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return embedded_model(families=FAMILIES, cache=tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def candidates(trained: TrainedModel) -> pd.DataFrame:
    """Structures of the table, some of them twice under two names."""
    rows = trained.features.drop(columns="formula").iloc[np.arange(N) % 17]
    return rows.set_axis(pd.Index([f"c{i}" for i in range(N)], name="id"))


def in_blocks(table: pd.DataFrame, folder: Path | None, block: int) -> FeatureList:
    found = FeatureList(folder, block)
    for start in range(0, len(table), block):
        found.add(table.iloc[start : start + block])
    return found


def ranking(table: pd.DataFrame, found: Answers, trained: TrainedModel) -> pd.DataFrame:
    said = pd.DataFrame(
        {"formula": "Li", "n_sites": 1, "source": "", "known_structure": "", "known_relation": ""},
        index=table.index,
    )
    return rank_candidates(table, found.aimd, said, trained.range, found.experiment)


@settings(max_examples=12)
@given(block=st.integers(1, N + 1))
def test_the_order_of_the_ranking_does_not_depend_on_blocks(
    trained: TrainedModel, candidates: pd.DataFrame, block: int
) -> None:
    whole = answers(in_blocks(candidates, None, N), trained, FAMILIES)
    with TemporaryDirectory() as folder:
        parts = answers(in_blocks(candidates, Path(folder), block), trained, FAMILIES)
    np.testing.assert_allclose(parts.curves, whole.curves, rtol=1e-9)
    one, other = (ranking(candidates, found, trained) for found in (whole, parts))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert one["p_fast"].is_monotonic_decreasing


@pytest.mark.parametrize("size", [1, 5, N, 1000])
def test_temperatures_are_one_table_in_any_parts(
    trained: TrainedModel, candidates: pd.DataFrame, size: int
) -> None:
    found = answers(in_blocks(candidates, None, N), trained, FAMILIES)
    parts = list(found.temperature_blocks(size))
    assert max(map(len, parts)) <= size
    table = pd.concat(parts, ignore_index=True)
    assert table["id"].tolist() == candidates.index.tolist() * len(TEMPERATURES_K)
    for temperature, part in table.groupby("temperature_K"):
        expected = trained.model.predict(candidates, temperature_K=float(str(temperature)))
        given = part[["log10_sigma_S_cm", "log10_sigma_low", "log10_sigma_high"]].to_numpy()
        np.testing.assert_allclose(given, expected[["prediction", "low", "high"]], atol=6e-7)


@pytest.mark.parametrize("block", [1, 2, 10])
def test_every_candidate_is_described_once(block: int) -> None:
    records = [structures.get(name) for name in ("LiCl", "Li2S", "Li3OCl")]
    asked: list[tuple[int, int]] = []

    def find_known(start: int, rows: object) -> list[Known]:
        asked.append((start, len(list(rows))))  # type: ignore[call-overload]
        return [Known(f"t{start}", "same")] * asked[-1][1]

    found = descriptions(records, find_known, {"LiCl": "stands for another"}, block)
    assert found.index.tolist() == ["LiCl", "Li2S", "Li3OCl"]
    assert found["formula"].tolist() == ["LiCl", "Li2S", "Li3ClO"]
    assert found["note"].tolist() == ["stands for another", "", ""]
    assert sum(n for _, n in asked) == 3
    assert (found["core_hours"] > 0).all()
    assert found["e_above_hull_meV_atom"].isna().all()
