"""Disordered structure → ordered cells of low electrostatic energy (policy ``enumerate``).

Sites of equal content form a group. Its species and vacancies are distributed over the sites of
the smallest supercell of the primitive cell that holds whole numbers of them without net charge.
:mod:`.arrangements` ranks the arrangements by the Ewald energy of formal charges: all where they
are few, by annealing where they are many, which is bounded in time and deterministic but does not
prove that it found the minimum. Formal charges rank arrangements only roughly: relax what matters.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

from ..errors import StructureError
from ..records import FloatArray, SiteContent, SiteSpecies, StructureRecord
from .arrangements import (
    CLOSEST_A,
    Arrangement,
    DisorderedCell,
    capacity,
    rank_arrangements,
    site_permutations,
    too_close,
)

MAX_SUPERCELL_SITES: Final[int] = 160
MAX_MULTIPLE: Final[int] = 8
ROUNDING: Final[tuple[float, ...]] = (0.02, 0.05, 0.10)
"""How far occupancies may move so that numbers become whole and the cell neutral; the first that
fits a small enough cell is taken, and the largest move is noted with the structure."""
_CHARGE_TOLERANCES: Final[tuple[float, ...]] = (0.01, 0.05, 0.10)
"""Net charge over positive charge that refined occupancies may leave; the first that any
combination of oxidation states meets."""
_MOST_COMBINATIONS: Final[int] = 20_000
"""Of oxidation states: more elements than a handful would take minutes."""
_SYMPREC_A: Final[float] = 0.01
_FULL: Final[float] = 0.999


@dataclass(frozen=True, eq=False)
class OrderedCell:
    """An ordered cell and what it leaves empty."""

    record: StructureRecord
    empty_frac: FloatArray
    """Positions that no ion took, shape (n, 3)."""
    empty_content: tuple[SiteContent, ...]
    """What the disordered structure has on them, length n."""


def ordered_variants(record: StructureRecord, count: int) -> Iterator[StructureRecord]:
    """The structures of :func:`ordered_cells`, one after the other."""
    yield from (cell.record for cell in ordered_cells(record, count))


def ordered_cells(record: StructureRecord, count: int) -> list[OrderedCell]:
    """Ordered cells that stand for a disordered structure, lowest energy first.

    Parameters
    ----------
    record : StructureRecord
    count : int
        How many at most; arrangements that symmetry maps onto each other count once.

    Returns
    -------
    list of OrderedCell
        Without the energies of the source, which belong to the structure that was computed.

    Raises
    ------
    StructureError
        If charges cannot be assigned, no supercell of at most 160 sites holds whole numbers of
        all species without net charge when occupancies move by up to 0.10, or split positions
        cannot be kept apart. Two halves of a split position whose occupancies sum to a little
        over one share what one position holds.
    """
    charges = element_charges(record)
    parent = _primitive(record)
    multiples, counts = _supercell(parent, charges)
    cell = _disordered_cell(parent, multiples, counts, charges)
    seed = int(record.content_hash[:8], 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = rank_arrangements(cell, count, seed)
    shown = "×".join(map(str, multiples))
    moved = _largest_move(parent, math.prod(multiples), counts)
    note = (
        f"of disordered {record.id}, supercell {shown} of the primitive cell, occupancies moved by "
        f"up to {moved:.3f}, not relaxed"
    )
    return [
        _ordered(record, parent, cell, one, number, note)
        for number, one in enumerate(found, start=1)
    ]


def element_charges(record: StructureRecord) -> dict[str, float]:
    """Charge of each element: as given if it is one, else the most common neutral combination."""
    given: dict[str, set[float]] = defaultdict(set)
    for species in (s for content in record.species for s in content):
        given[species.element].add(math.nan if species.oxidation is None else species.oxidation)
    if all(len(states) == 1 and not math.isnan(min(states)) for states in given.values()):
        return {element: min(states) for element, states in given.items()}
    options = _likeliest({element: _states(element) for element in given})
    for tolerance in _CHARGE_TOLERANCES:
        if found := _most_common(record.composition, options, tolerance):
            return found
    raise StructureError(
        f"{record.id}: is disordered, and no oxidation states, one an element, make it neutral; "
        "give oxidation states"
    )


def _likeliest(
    options: dict[str, list[tuple[float, float]]],
) -> dict[str, list[tuple[float, float]]]:
    """The states with the rarest left out until their combinations can all be tried."""
    kept = {e: sorted(states, key=lambda s: -s[1]) for e, states in options.items()}
    while math.prod(map(len, kept.values())) > _MOST_COMBINATIONS:
        # The element whose last state is the least likely of all; each keeps one.
        rarest = min((e for e in kept if len(kept[e]) > 1), key=lambda e: kept[e][-1][1])
        kept[rarest].pop()
    return kept


def _states(element: str) -> list[tuple[float, float]]:
    """Oxidation states found in the ICSD with the logarithm of their share (pymatgen's counts)."""
    from pymatgen.core import Composition, Element, Species

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if Composition.oxi_prob is None:
            Composition("LiF").oxi_state_guesses()
        found = Element(element)
        states = found.icsd_oxidation_states or found.common_oxidation_states
    counts = {q: float(Composition.oxi_prob.get(Species(element, q), 0.0)) for q in states}
    total = sum(counts.values()) or 1.0
    return [(float(q), math.log(max(n / total, 1e-6))) for q, n in counts.items() if q]


def _most_common(
    composition: dict[str, float], options: dict[str, list[tuple[float, float]]], tolerance: float
) -> dict[str, float] | None:
    """The combination of highest probability with a net charge within the tolerance."""
    anion = max(composition, key=_electronegativity)
    best: tuple[float, dict[str, float]] | None = None
    for chosen in product(*(options[element] for element in composition)):
        states = {e: q for e, (q, _) in zip(composition, chosen, strict=True)}
        positive = sum(composition[e] * q for e, q in states.items() if q > 0)
        charge = sum(composition[e] * q for e, q in states.items())
        if states[anion] >= 0 or abs(charge) > tolerance * positive:
            continue
        score = sum(composition[e] * p for e, (_, p) in zip(composition, chosen, strict=True))
        if best is None or score > best[0]:
            best = score, states
    return best[1] if best else None


def _electronegativity(element: str) -> float:
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = float(Element(element).X)
    return 0.0 if math.isnan(x) else x


def _primitive(record: StructureRecord) -> StructureRecord:
    """The primitive cell; the structure itself where no smaller one is found."""
    import moyopy

    logging.getLogger("moyo").setLevel(logging.ERROR)
    labels = [json.dumps(_rounded(content)) for content in record.species]
    names = sorted(set(labels))
    cell = moyopy.Cell(
        record.lattice.tolist(), record.frac.tolist(), [names.index(label) for label in labels]
    )
    try:
        found = moyopy.MoyoDataset(cell, symprec=_SYMPREC_A).prim_std_cell
    except ValueError:
        return record
    if len(found.numbers) >= record.n_sites:
        return record
    contents = dict(zip(labels, record.species, strict=True))
    species = tuple(contents[names[number]] for number in found.numbers)
    lattice, frac = np.array(found.basis), np.array(found.positions)
    return replace(record, lattice=lattice, species=species, frac=frac)


def _rounded(content: SiteContent) -> list[tuple[str, float]]:
    return sorted((s.element, round(s.occupancy, 3)) for s in content)


def _groups(record: StructureRecord) -> list[tuple[SiteContent, list[int]]]:
    """Content and sites of every group."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, content in enumerate(record.species):
        groups[json.dumps(_rounded(content))].append(index)
    return [(record.species[members[0]], members) for members in groups.values()]


def _supercell(
    parent: StructureRecord, charges: dict[str, float]
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Smallest supercell with whole numbers of every species and no net charge."""
    limit = min(MAX_MULTIPLE, MAX_SUPERCELL_SITES // parent.n_sites)
    lengths = np.linalg.norm(parent.lattice, axis=1)
    options = [m for m in product(range(1, MAX_MULTIPLE + 1), repeat=3) if math.prod(m) <= limit]
    # The most compact one of each size; others of its size hold the same numbers.
    options.sort(key=lambda m: (math.prod(m), float((lengths * m).max()), m))
    sizes: dict[int, tuple[int, ...]] = {}
    for multiples in options:
        sizes.setdefault(math.prod(multiples), multiples)
    groups = _groups(parent)
    excluded = too_close(parent.lattice, parent.frac)
    room = [capacity(excluded[np.ix_(members, members)]) for _, members in groups]
    for rounding in ROUNDING:
        for size, multiples in sizes.items():
            if counts := _whole_numbers(groups, room, size, charges, rounding):
                return multiples, counts
    overfull = [
        content[0].element
        for (content, members), most in zip(groups, room, strict=True)
        if sum(s.occupancy for s in content) * len(members) > most + ROUNDING[-1] * len(members)
    ]
    if overfull:
        raise StructureError(
            f"{parent.id}: is disordered, and its {overfull[0]} positions lie closer than "
            f"{CLOSEST_A} Å to each other with occupancies too high to be kept apart; check the "
            "structure"
        )
    raise StructureError(
        f"{parent.id}: is disordered, and no supercell of up to {MAX_SUPERCELL_SITES} sites holds "
        f"whole numbers of its species without net charge, even if occupancies move by "
        f"{ROUNDING[-1]:g}"
    )


def _whole_numbers(
    groups: Sequence[tuple[SiteContent, list[int]]],
    room: Sequence[int],
    multiple: int,
    charges: dict[str, float],
    rounding: float,
) -> list[tuple[int, ...]] | None:
    """Numbers of each species in each group, neutral together, nearest to the occupancies.

    ``room``: most sites of each group that can be filled together in one cell. Refined occupancies
    of two halves of a split position may sum to a little over one.
    """
    # By net charge so far: smallest deviation, and the numbers that lead there.
    reached: dict[float, tuple[float, list[tuple[int, ...]]]] = {0.0: (0.0, [])}
    for (content, members), most in zip(groups, room, strict=True):
        dealt = _dealt(content, multiple * len(members), multiple * most, charges, rounding)
        further: dict[float, tuple[float, list[tuple[int, ...]]]] = {}
        for charge, (deviation, before) in reached.items():
            for numbers, more, off in dealt:
                total = round(charge + more, 4)
                if total not in further or deviation + off < further[total][0] - 1e-12:
                    further[total] = deviation + off, [*before, numbers]
        reached = further
    neutral = [entry for charge, entry in reached.items() if abs(charge) < 1e-3]
    return min(neutral, key=lambda entry: entry[0])[1] if neutral else None


def _largest_move(
    parent: StructureRecord, multiple: int, counts: Sequence[tuple[int, ...]]
) -> float:
    """Largest change of an occupancy."""
    return max(
        abs(n / (multiple * len(members)) - s.occupancy)
        for (content, members), numbers in zip(_groups(parent), counts, strict=True)
        for n, s in zip(numbers, content, strict=True)
    )


def _dealt(
    content: SiteContent, n_sites: int, most: int, charges: dict[str, float], rounding: float
) -> list[tuple[tuple[int, ...], float, float]]:
    """Whole numbers a group may have, each with its charge and its squared deviation."""
    exact = [n_sites * s.occupancy for s in content]
    slack = rounding * n_sites + 1e-6
    is_full = sum(s.occupancy for s in content) >= _FULL
    options = [
        range(max(1, math.ceil(x - slack)), min(n_sites, math.floor(x + slack)) + 1) for x in exact
    ]
    found = []
    for numbers in product(*options):
        total = sum(numbers)
        if (is_full and total != n_sites) or (not is_full and total > most):
            continue
        charge = sum(n * charges[s.element] for n, s in zip(numbers, content, strict=True))
        off = sum((n - x) ** 2 for n, x in zip(numbers, exact, strict=True))
        found.append((numbers, charge, off))
    return found


def _disordered_cell(
    parent: StructureRecord,
    multiples: tuple[int, ...],
    counts: list[tuple[int, ...]],
    charges: dict[str, float],
) -> DisorderedCell:
    orbit = np.empty(parent.n_sites, dtype=np.int64)
    options: list[tuple[tuple[str, float] | None, ...]] = []
    dealt: dict[int, tuple[int, ...]] = {}
    for number, ((content, members), numbers) in enumerate(
        zip(_groups(parent), counts, strict=True)
    ):
        orbit[members] = number
        empty = math.prod(multiples) * len(members) - sum(numbers)
        options.append(
            (*((s.element, charges[s.element]) for s in content), *((None,) if empty else ()))
        )
        dealt[number] = (*numbers, *((empty,) if empty else ()))
    shifts = np.array(list(product(*(range(m) for m in multiples))), dtype=np.float64)
    frac = (parent.frac[None, :, :] + shifts[:, None, :]).reshape(-1, 3) / multiples
    lattice = parent.lattice * np.array(multiples)[:, None]
    orbit = np.tile(orbit, len(shifts))
    permutations = site_permutations(lattice, frac, orbit)
    return DisorderedCell(
        lattice=lattice,
        frac=frac,
        options=tuple(options[int(o)] for o in orbit),
        orbit=orbit,
        counts=dealt,
        permutations=permutations,
    )


def _ordered(
    origin: StructureRecord,
    parent: StructureRecord,
    cell: DisorderedCell,
    found: Arrangement,
    number: int,
    note: str,
) -> OrderedCell:
    chosen = [options[c] for options, c in zip(cell.options, found.choice, strict=True)]
    taken = [i for i, option in enumerate(chosen) if option is not None]
    empty = [i for i, option in enumerate(chosen) if option is None]
    has_states = all(s.oxidation is not None for content in origin.species for s in content)
    species = tuple((_species(chosen[i], has_states),) for i in taken)
    text = "; ".join(filter(None, [origin.provenance.note, f"ordered cell {number} {note}"]))
    record = replace(
        origin,
        id=f"{origin.id}-ord{number}",
        lattice=cell.lattice,
        species=species,
        frac=cell.frac[taken],
        provenance=replace(origin.provenance, note=text),
        e_above_hull_eV_atom=None,
        band_gap_eV=None,
        energy_eV_atom=None,
    )
    contents = tuple(parent.species[i % parent.n_sites] for i in empty)
    return OrderedCell(record, cell.frac[empty], contents)


def _species(option: tuple[str, float] | None, has_states: bool) -> SiteSpecies:
    assert option is not None
    return SiteSpecies(option[0], 1.0, option[1] if has_states else None)


__all__ = ["OrderedCell", "ordered_cells", "ordered_variants"]
