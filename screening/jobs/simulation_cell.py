"""A crystal structure → the ordered, neutral cell that AIMD can run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ...data.convert import from_pymatgen, to_pymatgen
from ...data.disorder.arrangements import (
    Arrangement,
    DisorderedCell,
    rank_arrangements,
    site_permutations,
)
from ...data.disorder.ordering import element_charges
from ...data.errors import StructureError
from ...data.records import IntArray, SiteSpecies, StructureRecord
from ...features.core.prepared import prepare
from .cell_choice import CellChoice, CellOption, choose_cell
from .electrons import valence_electrons
from .occupancies import Content, Occupancies

if TYPE_CHECKING:
    from pymatgen.core import Structure

_SYMPREC = 0.01
_ROOM: Final[tuple[float, ...]] = (1.0, 0.9, 0.8, 0.65, 0.5)
"""Shares of the places between overlapping alternatives that are tried: counting them says how many
atoms fit at most, and geometry may leave less."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulationCell:
    """What is simulated, and what was done to get there."""

    record: StructureRecord
    """Ordered, with formal charges."""
    image_distance_A: float
    method: str
    """``ordered``, ``enumerated`` or ``annealed``."""
    n_configurations: float
    ewald_energy_eV: float
    notes: tuple[str, ...]
    alternatives: tuple[CellOption, ...] = ()

    @property
    def n_electrons(self) -> float:
        """Valence electrons of the cell."""
        amounts = self.record.composition
        return float(sum(n * valence_electrons(e) for e, n in amounts.items()))


def simulation_cells(
    record: StructureRecord,
    mobile: str = "Li",
    target_A: float = 10.0,
    max_atoms: int = 240,
    keep: int = 1,
    seed: int = 0,
) -> list[SimulationCell]:
    """Build the ordered supercell that is worth its cost (:mod:`.cell_choice`).

    Parameters
    ----------
    record : StructureRecord
    mobile : str
        Mobile species.
    target_A : float
        Wanted distance of periodic images, Å; 0.9 of it is enough.
    max_atoms : int
        Largest cell.
    keep : int
        Arrangements wanted of a disordered structure, lowest Ewald energy first.
    seed : int
        For annealing.

    Raises
    ------
    RoleError
        If oxidation states cannot be assigned.
    StructureError
        If no arrangement of whole atoms exists in an allowed cell.
    """
    try:
        return _cells(
            _charged_primitive(record, mobile), record, mobile, target_A, max_atoms, keep, seed
        )
    except StructureError:
        if record.is_ordered:
            raise
        # Charges by bonds may not add up in a crystal of averages: those by composition do, or say
        # what is wrong.
        charged = _with_charges(record, element_charges(record))
        return _cells(charged, record, mobile, target_A, max_atoms, keep, seed)


def _cells(
    parent: Structure,
    record: StructureRecord,
    mobile: str,
    target_A: float,
    max_atoms: int,
    keep: int,
    seed: int,
) -> list[SimulationCell]:
    orbits, content = _orbits(parent)
    error: StructureError | None = None
    for room in _ROOM:
        occupancies = Occupancies(
            parent.lattice.matrix, parent.frac_coords, orbits, content, mobile, room
        )
        choice = choose_cell(record.id, parent.lattice.matrix, occupancies, target_A, max_atoms)
        cell = _disordered_cell(parent, orbits, choice)
        try:
            found = rank_arrangements(cell, keep, seed)
        except StructureError as clash:
            error = clash
            continue
        notes = _notes(record, parent, choice, target_A, max_atoms)
        return [_finished(record, cell, one, choice, notes) for one in found]
    raise error or StructureError(f"{record.id}: has no arrangement without overlaps")


def _notes(
    record: StructureRecord,
    parent: Structure,
    choice: CellChoice,
    target_A: float,
    max_atoms: int,
) -> tuple[str, ...]:
    """What was done to the crystal, in words."""
    notes, numbers = [], choice.numbers
    if not choice.cell.near_target:
        notes.append(
            f"periodic images {choice.cell.image_distance_A:.1f} Å apart, less than 0.9 × "
            f"{target_A:g} Å: a larger cell would exceed {max_atoms} atoms"
        )
    if numbers.largest_change > 5e-4:
        notes.append(
            f"occupancies changed by up to {numbers.largest_change:.3f}, composition by "
            f"{100 * numbers.composition_change:.1f} %"
        )
    if abs(numbers.charge_e) > 0.05:
        notes.append(
            f"formal charges leave {numbers.charge_e:+.2f} e: oxidation states are averages or "
            "do not fit; the simulated cell is neutral"
        )
    return tuple(notes)


def _charged_primitive(record: StructureRecord, mobile: str) -> Structure:
    prepared = prepare(record, mobile)
    states = iter(prepared.roles.oxidation)
    species = tuple(
        tuple(SiteSpecies(s.element, s.occupancy, float(next(states))) for s in content)
        for content in record.species
    )
    charged = to_pymatgen(replace(record, species=species), oxidation_states=True)
    return charged.get_primitive_structure(tolerance=0.05)


def _with_charges(record: StructureRecord, charges: dict[str, float]) -> Structure:
    species = tuple(
        tuple(SiteSpecies(s.element, s.occupancy, charges[s.element]) for s in content)
        for content in record.species
    )
    charged = to_pymatgen(replace(record, species=species), oxidation_states=True)
    return charged.get_primitive_structure(tolerance=0.05)


def _orbits(parent: Structure) -> tuple[IntArray, Content]:
    """Symmetry orbit of each site, and occupancy of each (element, charge) on an orbit."""
    import spglib

    contents = [
        {(_symbol(s), float(s.oxi_state or 0.0)): float(o) for s, o in site.species.items()}
        for site in parent
    ]
    kinds = [repr(sorted((k, round(v, 4)) for k, v in c.items())) for c in contents]
    numbers = [sorted(set(kinds)).index(kind) + 1 for kind in kinds]
    cell = (parent.lattice.matrix, parent.frac_coords, numbers)
    symmetry = spglib.get_symmetry(cell, symprec=_SYMPREC)
    orbits = np.arange(len(parent)) if symmetry is None else symmetry["equivalent_atoms"]
    return np.asarray(orbits, dtype=np.int64), {int(o): contents[int(o)] for o in set(orbits)}


def _symbol(species: object) -> str:
    return str(getattr(species, "symbol", species))


def _disordered_cell(parent: Structure, orbits: IntArray, choice: CellChoice) -> DisorderedCell:
    tagged = parent.copy(site_properties={"orbit": orbits.tolist()})
    supercell = tagged.make_supercell(choice.cell.matrix, in_place=False)
    orbit = np.array(supercell.site_properties["orbit"], dtype=np.int64)
    options: dict[int, tuple[tuple[str, float] | None, ...]] = {}
    dealt: dict[int, tuple[int, ...]] = {}
    for o, counted in choice.numbers.counts.items():
        # A species of which no atom is left is no option.
        amounts = {key: n for key, n in counted.items() if n}
        empty = int((orbit == o).sum()) - sum(amounts.values())
        options[o] = (*amounts, *((None,) if empty else ()))
        dealt[o] = (*amounts.values(), *((empty,) if empty else ()))
    return DisorderedCell(
        lattice=np.asarray(supercell.lattice.matrix),
        frac=np.asarray(supercell.frac_coords) % 1.0,
        options=tuple(options[int(o)] for o in orbit),
        orbit=orbit,
        counts=dealt,
        permutations=site_permutations(supercell.lattice.matrix, supercell.frac_coords, orbit),
    )


def _finished(
    parent: StructureRecord,
    cell: DisorderedCell,
    found: Arrangement,
    choice: CellChoice,
    notes: tuple[str, ...],
) -> SimulationCell:
    from pymatgen.core import Species, Structure

    chosen = [options[c] for options, c in zip(cell.options, found.choice, strict=True)]
    filled = [i for i, option in enumerate(chosen) if option is not None]
    species = [Species(o[0], o[1]) for o in chosen if o is not None]
    # Sorted by element: input files group species, and outputs come back in that order.
    structure = Structure(cell.lattice, species, cell.frac[filled]).get_sorted_structure(
        key=lambda site: site.specie.X
    )
    record = from_pymatgen(structure, parent.id, parent.provenance)
    return SimulationCell(
        record=record,
        image_distance_A=choice.cell.image_distance_A,
        method=found.method,
        n_configurations=found.n_configurations,
        ewald_energy_eV=found.energy_eV,
        notes=notes,
        alternatives=choice.options,
    )
