"""The replay benchmark on an invented world: interruptions change nothing, figures are right."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def world(n: int = 60):
    from replay_world import World

    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    onset = np.where(features["a"] > 1.0, 500.0, 1500.0)
    return World(
        features,
        ["b"],
        features.to_numpy(),
        ["Li-X"] * n,
        onset,
        np.where(onset <= 1000, 1e-6, 0.0),
        pd.DataFrame(),
        rng.uniform(1.0, 10.0, n),
    )


def replay(tmp_path: Path):
    from replay import Replay
    from replay_world import LightModel

    return Replay(world(), LightModel(trees=10), tmp_path)


@pytest.mark.parametrize("name", ["poe", "random", "poe, cost weight 0.5"])
def test_a_replay_in_pieces_is_the_same(name: str, tmp_path: Path) -> None:
    from replay import methods

    method = next(m for m in methods(["cost"]) if m.name == name)
    whole = replay(tmp_path / "whole").order(method, 4, seed=1)
    pieces = tmp_path / "pieces"
    replay(pieces).order(method, 2, seed=1)
    np.testing.assert_array_equal(replay(pieces).order(method, 4, seed=1), whole)
    assert len(set(whole)) == 40
    (kept,) = (pieces / "replay").rglob("*.json")
    assert json.loads(kept.read_text())["order"] == list(whole)


def test_a_search_beats_random_where_there_is_something_to_learn(tmp_path: Path) -> None:
    from replay import methods, run

    chosen = [m for m in methods([]) if m.name in ("greedy", "random")]
    orders = run(replay(tmp_path), chosen, seeds=3, rounds=3)
    found = {k: world().conductors(600.0)[order].sum() for k, order in orders.items()}
    assert found["greedy"] > found["random"]


def test_tables_count_what_was_found() -> None:
    from replay_tables import cost_table, found_table, half_table

    # Two seeds: greedy finds 3 and 4 of 4 conductors with four labels, random 1 and 1.
    curves = {
        "greedy": np.array([[0, 1, 2, 3], [1, 2, 3, 4]]),
        "random": np.array([[0, 0, 1, 1], [1, 1, 1, 1]]),
    }
    greedy = found_table(curves, 4, total=4, n=16, label="4 labels")[2]
    # 3.5 found on average, 3.5 times random's; a quarter of 4 was to be expected.
    assert greedy.startswith("| greedy | 3.5 | 3.0 to 4.0 | 3.50 |")
    assert "| 3.50 | +0.0 |" in greedy
    half = half_table(curves, 4, 16, "half")
    assert half[2] == "| greedy | 2.5 | 2 to 3 | 2 of 2 |"
    assert half[3] == "| random | more than 4 | more than 4 to more than 4 | 0 of 2 |"
    # The second of four among sixteen comes on average after 2 · 17/5.
    assert half[4] == "| random, expectation | 7 | | |"
    cost = np.array([1.0, 1.0, 2.0, 4.0])
    orders = {"poe": np.array([[0, 1, 2, 3]]), "random": np.array([[3, 2, 1, 0]])}
    lines = cost_table(orders, cost, np.array([True, True, False, False]), share=0.5)
    # 4 of 8 spent: poe has bought three and found both, random one and none.
    assert lines[2].startswith("| poe | 3 | 2.0 |")
    assert lines[3].startswith("| random | 1 | 0.0 |")
