"""A crystal structure → the ordered, neutral cell that AIMD can run."""

from __future__ import annotations

from collections.abc import Mapping
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
from ...data.errors import StructureError
from ...data.records import IntArray, SiteSpecies, StructureRecord
from ...features.core.prepared import prepare
from .cell_choice import CellOption
from .electrons import valence_electrons
from .supercell import find_supercell

if TYPE_CHECKING:
    from pymatgen.core import Structure

OCCUPANCY_CHANGE: Final[tuple[float, ...]] = (0.002, 0.02, 0.06)
"""How far whole atoms may move an occupancy; the first that fits a small enough cell is taken."""
_SYMPREC = 0.01


@dataclass(frozen=True, eq=False)
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
    """Build the smallest ordered supercell with periodic images near the target distance.

    Parameters
    ----------
    record : StructureRecord
    mobile : str
        Mobile species; its number is adjusted where rounding leaves a net charge.
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
        If no neutral arrangement of whole atoms exists in an allowed cell.
    """
    parent = _charged_primitive(record, mobile)
    orbits, content = _orbits(parent)
    notes: list[str] = []
    for change in OCCUPANCY_CHANGE:
        if any(_whole(content, orbits, m, change) for m in range(1, _most(parent, max_atoms) + 1)):
            break
    else:
        raise StructureError(
            f"{record.id}: occupancies need more than {max_atoms} atoms to become whole atoms; "
            "allow more atoms or give an ordered structure"
        )
    n_atoms = _atoms_per_cell(parent)
    cell = find_supercell(
        parent.lattice.matrix,
        n_atoms,
        target_A,
        max_atoms,
        lambda m: _whole(content, orbits, m, change),
    )
    if not cell.near_target:
        notes.append(
            f"periodic images {cell.image_distance_A:.1f} Å apart, less than 0.9 × {target_A:g} Å: "
            f"a larger cell would exceed {max_atoms} atoms"
        )
    disordered = _disordered_cell(record.id, parent, orbits, content, cell.matrix, mobile, notes)
    return [
        _finished(record, disordered, found, cell.image_distance_A, tuple(notes))
        for found in rank_arrangements(disordered, keep, seed)
    ]


def _charged_primitive(record: StructureRecord, mobile: str) -> Structure:
    prepared = prepare(record, mobile)
    states = iter(prepared.roles.oxidation)
    species = tuple(
        tuple(SiteSpecies(s.element, s.occupancy, float(next(states))) for s in content)
        for content in record.species
    )
    charged = to_pymatgen(replace(record, species=species), oxidation_states=True)
    return charged.get_primitive_structure(tolerance=0.05)


Content = dict[int, Mapping[tuple[str, float], float]]


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


def _atoms_per_cell(parent: Structure) -> int:
    return max(1, round(sum(site.species.num_atoms for site in parent)))


def _most(parent: Structure, max_atoms: int) -> int:
    return max_atoms // _atoms_per_cell(parent)


def _whole(content: Content, orbits: IntArray, multiple: int, change: float) -> bool:
    for orbit, amounts in content.items():
        sites = int((orbits == orbit).sum()) * multiple
        if any(abs(round(o * sites) - o * sites) > change * sites for o in amounts.values()):
            return False
    return True


def _disordered_cell(
    record_id: str,
    parent: Structure,
    orbits: IntArray,
    content: Content,
    matrix: IntArray,
    mobile: str,
    notes: list[str],
) -> DisorderedCell:
    tagged = parent.copy(site_properties={"orbit": orbits.tolist()})
    supercell = tagged.make_supercell(matrix, in_place=False)
    orbit = np.array(supercell.site_properties["orbit"], dtype=np.int64)
    sites = {o: int((orbit == o).sum()) for o in content}
    counts = {
        o: {s: round(occupancy * sites[o]) for s, occupancy in amounts.items()}
        for o, amounts in content.items()
    }
    _neutralise(record_id, counts, sites, mobile, notes)
    options: dict[int, tuple[tuple[str, float] | None, ...]] = {}
    dealt: dict[int, tuple[int, ...]] = {}
    for o, amounts in counts.items():
        empty = sites[o] - sum(amounts.values())
        options[o] = (*amounts, *((None,) if empty else ()))
        dealt[o] = (*amounts.values(), *((empty,) if empty else ()))
    return DisorderedCell(
        np.asarray(supercell.lattice.matrix),
        np.asarray(supercell.frac_coords) % 1.0,
        tuple(options[int(o)] for o in orbit),
        orbit,
        dealt,
        site_permutations(supercell.lattice.matrix, supercell.frac_coords, orbit),
    )


def _neutralise(
    record_id: str,
    counts: dict[int, dict[tuple[str, float], int]],
    sites: dict[int, int],
    mobile: str,
    notes: list[str],
) -> None:
    """Add or take mobile ions until the cell is neutral; partly filled orbits only."""
    charge = sum(key[1] * n for amounts in counts.values() for key, n in amounts.items())
    room = [
        (o, key)
        for o, amounts in counts.items()
        for key in amounts
        if key[0] == mobile and (sum(amounts.values()) < sites[o] or len(amounts) > 1)
    ]
    step = -1 if charge > 0 else 1
    needed = round(abs(charge))
    if abs(abs(charge) - needed) > 0.05:
        raise StructureError(
            f"{record_id}: average charges leave {charge:+.2f} e; give whole oxidation states"
        )
    for _ in range(needed):
        fitting = [
            (o, key)
            for o, key in room
            if (counts[o][key] > 0 if step < 0 else sum(counts[o].values()) < sites[o])
        ]
        if not fitting:
            raise StructureError(
                f"{record_id}: the cell carries {charge:+.0f} e and no partly occupied {mobile} "
                "position can take it up; check occupancies and oxidation states"
            )
        o, key = max(fitting, key=lambda f: counts[f[0]][f[1]])
        counts[o][key] += step
    if needed:
        notes.append(f"{needed} {mobile} {'added' if step > 0 else 'removed'} for neutrality")


def _finished(
    parent: StructureRecord,
    cell: DisorderedCell,
    found: Arrangement,
    image_distance_A: float,
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
        record, image_distance_A, found.method, found.n_configurations, found.energy_eV, notes
    )
