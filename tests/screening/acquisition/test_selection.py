"""Batches: likeness, cost, quota and caps each change the choice as they say."""

import numpy as np
import pandas as pd
import pytest

from ionsieve.data.errors import InputError
from ionsieve.screening.acquisition.scores import ACQUISITIONS, AcquisitionSettings, Beliefs
from ionsieve.screening.acquisition.selection import choose_batch, diversity_embedding

PLAIN = {"cost_weight": 0.0, "diversity": 0.0, "max_per_system": None, "out_of_domain_quota": 0.0}


def make(n: int = 50, seed: int = 0) -> Beliefs:
    rng = np.random.default_rng(seed)
    return Beliefs(rng.normal(-4, 1, n), rng.uniform(0.2, 1.5, n), rng.uniform(0, 3, n))


def indices(known: Beliefs, size: int, settings: dict, **more) -> list[int]:
    more = {"best": -2.0, "seed": 0} | more
    return [p.index for p in choose_batch(known, size, AcquisitionSettings(**settings), **more)]


def test_plain_greedy_is_the_top_of_the_list() -> None:
    known = make()
    expected = list(np.argsort(-known.mean)[:7])
    assert indices(known, 7, PLAIN | {"function": "greedy"}) == expected


@pytest.mark.parametrize("function", ACQUISITIONS)
def test_no_candidate_twice_and_the_same_under_a_seed(function: str) -> None:
    known = make()
    embedding = np.random.default_rng(1).normal(size=(50, 3))
    more = {"embedding": embedding, "cost": np.linspace(1, 9, 50), "seed": 3}
    first = indices(known, 20, {"function": function}, **more)
    assert len(set(first)) == 20
    assert first == indices(known, 20, {"function": function}, **more)


# Not Thompson and random: their draws are dealt in the order of the candidates.
@pytest.mark.parametrize("function", ["greedy", "ucb", "ei", "poe", "max_variance"])
def test_order_of_the_candidates_does_not_matter(function: str) -> None:
    known, order = make(), np.random.default_rng(5).permutation(50)
    embedding = np.random.default_rng(1).normal(size=(50, 3))
    shuffled = Beliefs(known.mean[order], known.sd[order], known.domain_distance[order])
    straight = indices(known, 8, {"function": function}, embedding=embedding)
    permuted = indices(shuffled, 8, {"function": function}, embedding=embedding[order])
    assert [int(order[i]) for i in permuted] == straight


def test_a_duplicate_is_left_for_later() -> None:
    known = Beliefs(np.array([-1.0, -1.0, -1.5]), np.full(3, 0.5), np.zeros(3))
    embedding = np.array([[0.0], [0.0], [5.0]])
    settings = PLAIN | {"function": "greedy", "diversity": 0.5}
    assert indices(known, 2, settings, embedding=embedding) == [0, 2]
    assert indices(known, 2, PLAIN | {"function": "greedy"}, embedding=embedding) == [0, 1]


def test_cost_is_weighed_in_decades() -> None:
    # Ten times the cost for 0.4 decades more: worth it at weight 0.3, not at weight 0.5.
    known = Beliefs(np.array([-1.0, -1.4]), np.full(2, 0.5), np.zeros(2))
    cost = np.array([100.0, 10.0])
    assert indices(known, 1, PLAIN | {"function": "greedy", "cost_weight": 0.3}, cost=cost) == [0]
    assert indices(known, 1, PLAIN | {"function": "greedy", "cost_weight": 0.5}, cost=cost) == [1]


def test_quota_is_filled_from_far_candidates() -> None:
    known = make()
    settings = AcquisitionSettings(**(PLAIN | {"function": "greedy", "out_of_domain_quota": 0.3}))
    picks = choose_batch(known, 10, settings, -2.0, 0)
    bought = [p for p in picks if p.reason == "out_of_domain_quota"]
    assert len(bought) == 3
    assert all(known.domain_distance[p.index] >= settings.out_of_domain for p in bought)
    far = np.flatnonzero(known.domain_distance >= settings.out_of_domain)
    assert bought[0].index == far[np.argmax(known.mean[far])]


def test_quota_without_far_candidates_goes_by_score() -> None:
    known = Beliefs(np.array([-1.0, -2.0]), np.full(2, 0.5), np.zeros(2))
    picks = choose_batch(known, 2, AcquisitionSettings(function="greedy"), -2.0, 0)
    assert [p.reason for p in picks] == ["score", "score"]


def test_chemical_systems_are_capped() -> None:
    known = Beliefs(np.linspace(-1, -2, 6), np.full(6, 0.5), np.zeros(6))
    settings = PLAIN | {"function": "greedy", "max_per_system": 1}
    assert indices(known, 6, settings, systems=["a", "a", "b", "a", "c", "b"]) == [0, 2, 4]


def test_what_is_not_available_is_not_bought() -> None:
    known = make()
    available = np.zeros(50, dtype=bool)
    available[[4, 8]] = True
    assert set(indices(known, 10, {"function": "ei"}, available=available)) == {4, 8}


def test_random_is_uniform_whatever_the_beliefs() -> None:
    known = make(10)
    counts = np.zeros(10)
    for seed in range(2000):
        counts[indices(known, 1, {"function": "random"}, seed=seed, cost=np.arange(1.0, 11))] += 1
    # 200 expected, standard deviation 13.4.
    assert np.abs(counts - 200).max() < 60


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"size": 0}, "at least one"),
        ({"cost": np.ones(3)}, "3 entries for 50"),
        ({"cost": np.r_[np.ones(49), 0.0]}, "candidate 49"),
    ],
)
def test_bad_arguments_are_named(more, words) -> None:
    arguments = {"size": 5} | more
    with pytest.raises(InputError, match=words):
        choose_batch(make(), settings=AcquisitionSettings(), best=-2.0, seed=0, **arguments)


def test_embedding_weighs_structure_and_composition_alike() -> None:
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(30, 5)) * [1, 10, 100, 1, 1])
    features.iloc[3, 2] = np.nan
    features[5] = 7.0
    fractions = pd.DataFrame(rng.dirichlet(np.ones(4), size=30))
    where = diversity_embedding(features, fractions)
    # A constant column says nothing and is left out.
    assert where.shape == (30, 9)
    assert (where[:, :5] ** 2).sum(axis=1).mean() == pytest.approx(0.5)
    assert (where[:, 5:] ** 2).sum(axis=1).mean() == pytest.approx(0.5)
