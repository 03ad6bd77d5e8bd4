"""Arrangements: energies against pymatgen, annealing against enumeration, symmetry counted once."""

import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from campaigns import argyrodite
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.disorder import arrangements
from ionsieve.data.disorder.arrangements import DisorderedCell, n_configurations, rank_arrangements
from ionsieve.data.errors import StructureError
from ionsieve.data.records import SiteSpecies, StructureRecord
from ionsieve.screening.jobs.simulation_cell import simulation_cells


def rock_salt_with_vacancies() -> DisorderedCell:
    """LiCl, conventional cell doubled: 6 Li on 8 positions; anions of charge −0.75 balance."""
    sites = [[0.0] * 3, [0.5] * 3]
    unit = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.1), ["Li", "Cl"], sites)
    cell = unit.make_supercell([2, 1, 1], in_place=False)
    is_li = np.array([site.specie.symbol == "Li" for site in cell])
    counts = {0: (6, 2), 1: (8, 0)}
    options = tuple((("Li", 1.0) if li else ("Cl", -0.75), None) for li in is_li)
    identity = np.arange(len(cell))[None]
    return DisorderedCell(
        lattice=cell.lattice.matrix,
        frac=cell.frac_coords,
        options=options,
        orbit=np.where(is_li, 0, 1),
        counts=counts,
        permutations=identity,
    )


def test_number_of_arrangements() -> None:
    assert n_configurations(rock_salt_with_vacancies()) == 28


def test_energy_is_that_of_the_ordered_structure() -> None:
    cell = rock_salt_with_vacancies()
    best = rank_arrangements(cell)[0]
    kept = [(o[c], f) for o, c, f in zip(cell.options, best.choice, cell.frac, strict=True) if o[c]]
    structure = Structure(cell.lattice, [k[0][0] for k in kept], [k[1] for k in kept])
    structure.add_oxidation_state_by_site([k[0][1] for k in kept])
    # Two sums split differently between real and reciprocal space: 1e-5 of the energy.
    assert best.energy_eV == pytest.approx(EwaldSummation(structure).total_energy, rel=1e-5)


def test_annealing_finds_the_enumerated_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = rock_salt_with_vacancies()
    exact = rank_arrangements(cell)[0]
    monkeypatch.setattr(arrangements, "ENUMERATION_LIMIT", 0)
    annealed = rank_arrangements(cell, seed=1)[0]
    assert (exact.method, annealed.method) == ("enumerated", "annealed")
    assert annealed.energy_eV == pytest.approx(exact.energy_eV, rel=1e-9)


def test_swap_costs_are_energy_differences() -> None:
    cell = rock_salt_with_vacancies()
    model = arrangements._Energy(cell)
    choice = arrangements._random_choice(cell, np.random.default_rng(0))
    field = model.pair[:, model.rows(choice)].sum(axis=1)
    pairs = arrangements._swappable(cell)
    costs = arrangements._swap_costs(choice, field, model, pairs)
    for (i, j), cost in zip(pairs, costs, strict=True):
        swapped = choice.copy()
        swapped[[i, j]] = swapped[[j, i]]
        if choice[i] == choice[j]:
            assert np.isinf(cost)
        else:
            direct = float((model.of(swapped[None]) - model.of(choice[None]))[0])
            assert cost == pytest.approx(direct, rel=1e-8, abs=1e-9)


def record(species: list[list[tuple[str, float]]], frac, a: float = 5.0) -> StructureRecord:
    content = tuple(tuple(SiteSpecies(e, o) for e, o in site) for site in species)
    return StructureRecord(id="test", lattice=np.eye(3) * a, species=content, frac=np.array(frac))


def test_symmetry_copies_count_once() -> None:
    # Half-filled rock-salt-like anion mix: many arrangements, few that differ.
    mixed = record(
        [[("Li", 1.0)]] * 4 + [[("Cl", 0.5), ("Br", 0.5)]] * 4,
        [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0],
         [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [0.5, 0.5, 0.5]],
        a=5.3,
    )  # fmt: skip
    cells = simulation_cells(mixed, target_A=4.5, max_atoms=8, keep=10)
    structures = [to_pymatgen(c.record) for c in cells]
    matcher = StructureMatcher(primitive_cell=False, attempt_supercell=False)
    groups = matcher.group_structures(structures)
    assert len(groups) == len(structures)
    assert all(c.method == "enumerated" for c in cells)


def test_disordered_argyrodite_becomes_a_neutral_ordered_cell() -> None:
    cell = simulation_cells(argyrodite())[0]
    made = cell.record
    per_formula = made.composition["P"]
    assert made.is_ordered
    assert {e: n / per_formula for e, n in made.composition.items()} == {
        "Li": 6.0, "P": 1.0, "S": 5.0, "Cl": 1.0
    }  # fmt: skip
    assert sum(c[0].oxidation or 0.0 for c in made.species) == pytest.approx(0.0, abs=1e-9)
    distances = to_pymatgen(made).distance_matrix
    np.fill_diagonal(distances, np.inf)
    # The closest atoms are P–S at 2.0 Å: no split Li pair (1.2 Å and less) is filled twice.
    assert distances.min() > 1.3
    assert cell.image_distance_A >= 9.0


def test_same_seed_same_arrangement() -> None:
    first, again = (simulation_cells(argyrodite(), seed=3)[0].record for _ in range(2))
    assert first.content_hash == again.content_hash


def test_neutrality_is_restored_by_mobile_ions() -> None:
    # 13 of 24 half sites after rounding: the cell must still come out neutral.
    cell = simulation_cells(argyrodite(0.4), max_atoms=120)[0]
    assert sum(c[0].oxidation or 0.0 for c in cell.record.species) == pytest.approx(0.0, abs=1e-9)


def test_occupancies_that_clash_are_refused() -> None:
    # Two of three positions along a line must be filled, 1 Å apart each, in a cell of 3 Å.
    frac = np.array([[0.0, 0, 0], [1 / 3, 0, 0], [2 / 3, 0, 0], [0.5, 0.5, 0.5]])
    line, anion = (("Li", 1.0), None), (("S", -2.0),)
    crowded = DisorderedCell(
        lattice=np.diag([3.0, 5.0, 5.0]),
        frac=frac,
        options=(line, line, line, anion),
        orbit=np.array([0, 0, 0, 3]),
        counts={0: (2, 1), 3: (1,)},
        permutations=np.arange(4)[None],
    )
    with pytest.raises(StructureError, match="closer than"):
        rank_arrangements(crowded)
