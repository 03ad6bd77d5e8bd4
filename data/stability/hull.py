"""Energy above hull and Li window from given entries, by pymatgen's ``PhaseDiagram``.

Energies are compared within one source only: two databases, or two corrections, have no common
zero. Entries that the user gives (source ``""``) are competing phases of every source: giving them
states that they were computed the same way. A value is computed only where all elemental
references are among the entries; without them there is no hull, and no number is better than a
wrong one.

The index of entries lies on disk, and one chemical system is looked at a time: memory does not
grow with the database.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from ..errors import FeatureError, InputError

GIVEN: Final[str] = ""
"""Source of entries that compete with those of every other source."""
MAX_ELEMENTS: Final[int] = 9
"""Chemical systems of more elements are not placed: their diagrams take minutes."""
_SAME_ENERGY_EV_ATOM: Final[float] = 5e-3
_MOBILE: Final[str] = "Li"


@dataclass(frozen=True)
class HullEntry:
    """One composition with its energy.

    Parameters
    ----------
    id : str
    composition : mapping of element to amount
    energy_eV_atom : float
    source : str
        Entries of different sources never meet in one diagram, but for :data:`GIVEN`.
    """

    id: str
    composition: Mapping[str, float]
    energy_eV_atom: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where an entry lies, as far as that can be said."""

    id: str
    e_above_hull_eV_atom: float | None = None
    li_window_low_V: float | None = None
    """Reduction limit against Li metal, V."""
    li_window_high_V: float | None = None
    """Oxidation limit against Li metal, V."""
    li_reaction_eV_atom: float | None = None
    """Energy of full reaction with Li metal, per atom of the compound; 0: stable against it."""
    li_products: str = ""
    """What is in equilibrium with Li metal then."""
    li_voltage_profile: str = ""
    """Plateaus against Li metal, the highest voltage first."""
    reason: str = ""
    """Why a value is missing."""


@dataclass(frozen=True)
class HullResult:
    """Energies above hull by id, and why others have none."""

    e_above_hull_eV_atom: dict[str, float]
    reasons: dict[str, str]


def energies_above_hull(wanted: Iterable[HullEntry], given: Iterable[HullEntry]) -> HullResult:
    """Distance of entries to the hull of all given ones.

    Parameters
    ----------
    wanted : iterable of HullEntry
        Those to place; they take part in the hull themselves.
    given : iterable of HullEntry
        Competing phases, elements among them.

    Returns
    -------
    HullResult
        Every wanted id is in one of its two parts.
    """
    result = HullResult({}, {})
    with HullIndex(":memory:") as index:
        index.add(wanted, wanted=True)
        index.add(given, wanted=False)
        for placed in index.place(windows=False):
            if placed.e_above_hull_eV_atom is None:
                result.reasons[placed.id] = placed.reason
            else:
                result.e_above_hull_eV_atom[placed.id] = placed.e_above_hull_eV_atom
    return result


class HullIndex:
    """Entries by source and chemical system, in a database on disk."""

    def __init__(self, path: str | Path) -> None:
        self._db = sqlite3.connect(path)
        # Rebuilt whenever it is needed: nothing in it has to survive.
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE entries (source TEXT, id TEXT, system TEXT, composition TEXT, "
            "energy REAL, wanted INTEGER, PRIMARY KEY (source, id)) WITHOUT ROWID"
        )
        self._db.execute("CREATE INDEX by_system ON entries (source, system)")
        self._db.execute(
            "CREATE TABLE placed (source TEXT, id TEXT, content TEXT, "
            "PRIMARY KEY (source, id)) WITHOUT ROWID"
        )

    def __enter__(self) -> HullIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(self, entries: Iterable[HullEntry], wanted: bool) -> None:
        """Take in entries; an id of the same source counts once, the first time.

        Raises
        ------
        InputError
            If a given entry and one of a source share an id, but not the energy.
        """
        for entry in entries:
            if entry.source != GIVEN:
                self._check_same(entry)
            self._db.execute(
                "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?, ?)",
                (
                    entry.source,
                    entry.id,
                    _key(entry.composition),
                    json.dumps(dict(entry.composition)),
                    entry.energy_eV_atom,
                    int(wanted),
                ),
            )

    def _check_same(self, entry: HullEntry) -> None:
        energy = self.energy_of(entry.id, GIVEN)
        if energy is not None and abs(energy - entry.energy_eV_atom) > _SAME_ENERGY_EV_ATOM:
            raise InputError(
                f"{entry.id}: {entry.energy_eV_atom:.4f} eV/atom in its source, {energy:.4f} among "
                "the entries given: they were not computed the same way, and no hull holds both"
            )

    def energy_of(self, entry_id: str, source: str) -> float | None:
        """Energy of an entry, eV/atom; None if it is not there."""
        query = "SELECT energy FROM entries WHERE source = ? AND id = ?"
        found = self._db.execute(query, (source, entry_id)).fetchone()
        return None if found is None else float(found[0])

    def place(self, windows: bool = True) -> Iterator[Placed]:
        """Every entry wanted, by source and chemical system.

        Parameters
        ----------
        windows : bool
            Also compute the window against lithium metal, where lithium is in the compound.
        """
        for source, system in self._systems():
            yield from self._place(source, system, windows)

    def place_all(self, windows: bool) -> None:
        """Place every entry wanted and keep the results for :meth:`placed`."""
        for source, system in self._systems():
            placed = self._place(source, system, windows)
            rows = [(source, one.id, json.dumps(vars(one))) for one in placed]
            self._db.executemany("INSERT INTO placed VALUES (?, ?, ?)", rows)

    def placed(self, entry_id: str, source: str) -> Placed | None:
        """Result of :meth:`place_all` for an entry; None if it has no energy."""
        query = "SELECT content FROM placed WHERE source = ? AND id = ?"
        found = self._db.execute(query, (source, entry_id)).fetchone()
        return None if found is None else Placed(**json.loads(found[0]))

    def _systems(self) -> list[tuple[str, str]]:
        query = (
            "SELECT DISTINCT source, system FROM entries WHERE wanted = 1 ORDER BY source, system"
        )
        return list(self._db.execute(query))

    def _place(self, source: str, system: str, windows: bool) -> Iterator[Placed]:
        """All wanted entries of one chemical system, on one diagram."""
        elements = system.split("-")
        query = "SELECT id FROM entries WHERE source = ? AND system = ? AND wanted = 1 ORDER BY id"
        ids = [row[0] for row in self._db.execute(query, (source, system))]
        if len(elements) > MAX_ELEMENTS:
            reason = f"{len(elements)} elements, more than {MAX_ELEMENTS}: no hull is computed"
            yield from (Placed(id=name, reason=reason) for name in ids)
            return
        competing = list(self._competing(source, elements))
        known = {next(iter(e.composition)) for e in competing if len(e.composition) == 1}
        if missing := sorted(set(elements) - known):
            reason = f"no energy of elemental {', '.join(missing)} among the entries"
            yield from (Placed(id=name, reason=reason) for name in ids)
            return
        yield from _on_one_diagram(ids, competing, source, windows and _MOBILE in elements)

    def _competing(self, source: str, elements: list[str]) -> Iterator[HullEntry]:
        """Entries of the system and all its parts, those given among them."""
        for number in range(1, len(elements) + 1):
            for part in combinations(elements, number):
                query = (
                    "SELECT source, id, composition, energy FROM entries "
                    "WHERE source IN (?, ?) AND system = ? ORDER BY source, id"
                )
                for row in self._db.execute(query, (source, GIVEN, "-".join(part))):
                    yield HullEntry(row[1], json.loads(row[2]), row[3], row[0])


def _key(composition: Mapping[str, float]) -> str:
    return "-".join(sorted(composition))


def _on_one_diagram(
    ids: list[str], competing: list[HullEntry], source: str, windows: bool
) -> Iterator[Placed]:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    entries: dict[tuple[str, str], Any] = {}
    for entry in competing:
        composition = Composition(dict(entry.composition))
        energy = entry.energy_eV_atom * composition.num_atoms
        entries[entry.source, entry.id] = PDEntry(composition, energy)
    diagram = PhaseDiagram(list(entries.values()))
    for name in ids:
        one = entries[source, name]
        distance = float(diagram.get_e_above_hull(one, allow_negative=True))
        placed = Placed(id=name, e_above_hull_eV_atom=max(distance, 0.0))
        yield _with_window(placed, diagram, one) if windows else placed


def _with_window(placed: Placed, diagram: Any, entry: Any) -> Placed:
    from .metal_window import stability_on

    try:
        found = stability_on(diagram, entry, _MOBILE)
    except FeatureError as error:
        return replace(placed, reason=f"no window: {error}")
    endless = found.oxidation_limit_V == float("inf")
    return replace(
        placed,
        li_window_low_V=found.reduction_limit_V,
        li_window_high_V=None if endless else found.oxidation_limit_V,
        li_reaction_eV_atom=found.reaction_energy_eV_atom,
        li_products=" + ".join(found.products),
        li_voltage_profile=found.profile_text(),
        reason="no oxidation limit: nothing to oxidise" if endless else "",
    )
