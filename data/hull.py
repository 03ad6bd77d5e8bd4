"""Energy above hull from given entries, by pymatgen's ``PhaseDiagram``.

Energies are compared within one source only: two databases, or two corrections, have no common
zero. A value is computed only where all elemental references are among the entries; without them
there is no hull, and no number is better than a wrong one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HullEntry:
    """One composition with its energy.

    Parameters
    ----------
    id : str
    composition : mapping of element to amount
    energy_eV_atom : float
    source : str
        Entries of different sources never meet in one diagram.
    """

    id: str
    composition: Mapping[str, float]
    energy_eV_atom: float
    source: str


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
    wanted = list(wanted)
    by_source: dict[str, dict[frozenset[str], list[HullEntry]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for entry in {e.id: e for e in (*given, *wanted)}.values():
        by_source[entry.source][frozenset(entry.composition)].append(entry)
    groups: dict[tuple[str, frozenset[str]], list[HullEntry]] = defaultdict(list)
    for entry in wanted:
        groups[entry.source, frozenset(entry.composition)].append(entry)
    result = HullResult({}, {})
    for (source, system), members in groups.items():
        _place(members, system, by_source[source], result)
    return result


def _place(
    members: list[HullEntry],
    system: frozenset[str],
    known: Mapping[frozenset[str], list[HullEntry]],
    result: HullResult,
) -> None:
    """All members of one chemical system, on one diagram."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    competing = [e for subsystem, entries in known.items() if subsystem <= system for e in entries]
    if missing := sorted(system - {next(iter(e.composition)) for e in competing if _is_element(e)}):
        reason = f"no energy of elemental {', '.join(missing)} among the entries"
        result.reasons.update({entry.id: reason for entry in members})
        return

    def placed(entry: HullEntry) -> Any:
        composition = Composition(dict(entry.composition))
        return PDEntry(composition, entry.energy_eV_atom * composition.num_atoms)

    diagram = PhaseDiagram([placed(entry) for entry in competing])
    for entry in members:
        distance = float(diagram.get_e_above_hull(placed(entry), allow_negative=True))
        result.e_above_hull_eV_atom[entry.id] = max(distance, 0.0)


def _is_element(entry: HullEntry) -> bool:
    return len(entry.composition) == 1
