"""The last step of an ingest: what follows from energies, one file a block of structures."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..atomic import write_rows_atomic
from ..stability.given_entries import read_given_entries
from ..stability.hull import GIVEN, HullEntry, HullIndex, Placed
from .store import HULLS, hull_entries, hull_table, hulls_name, structures_name, write_table

_INDEX: Final[str] = ".hulls.sqlite"
_COLUMNS: Final[tuple[str, ...]] = (
    "id",
    "e_above_hull_meV_atom",
    "li_window_low_V",
    "li_window_high_V",
    "li_reaction_eV_atom",
    "li_products",
    "li_voltage_profile",
    "reason",
)


def compute_hulls(folder: Path, sources: Sequence[str], entries: str | None) -> dict[str, Any]:
    """Place what has an energy but no distance to the hull among the entries of its source.

    Parameters
    ----------
    folder : path
        Of the store, all blocks written.
    sources : sequence of str
        For each block the source it comes from.
    entries : str, optional
        File of competing phases. With it every structure gets a row: its distance to the hull
        where the source gives none, its window against Li metal, or the reason why not.

    Returns
    -------
    dict
        Hashes of the files and counts, for the store's description; empty if nothing was computed.

    Raises
    ------
    InputError
        If the entries cannot be read, or their energies are not those of the sources.
    """
    path = folder / _INDEX
    path.unlink(missing_ok=True)
    windows = entries is not None
    try:
        with HullIndex(path) as index:
            if entries is not None:
                index.add(read_given_entries(entries), wanted=False)
            is_any = _add_energies(index, folder, sources, windows)
            return _write(index, folder, sources, windows) if is_any or windows else {}
    finally:
        path.unlink(missing_ok=True)


def _add_energies(index: HullIndex, folder: Path, sources: Sequence[str], windows: bool) -> bool:
    """Take in the energies of all blocks; False if none is to be placed."""
    is_any = False
    for number, source in enumerate(sources):
        for entry, is_known in hull_entries(folder / structures_name(number), source):
            energy: float | None = entry.energy_eV_atom
            if math.isnan(entry.energy_eV_atom):
                energy = index.energy_of(entry.id, GIVEN)
            if energy is None:
                continue
            wanted = windows or not is_known
            index.add([replace(entry, energy_eV_atom=energy)], wanted)
            is_any |= wanted
    return is_any


def _write(index: HullIndex, folder: Path, sources: Sequence[str], windows: bool) -> dict[str, Any]:
    """One file a block, and all of it for people; memory holds one block."""
    index.place_all(windows)
    files: dict[str, str] = {}
    counts = Counter({"computed": 0, "windows": 0, "not_computable": 0})

    def rows() -> Iterator[Sequence[str]]:
        yield _COLUMNS
        for number, source in enumerate(sources):
            entries = hull_entries(folder / structures_name(number), source)
            placed = [_placed(index, entry, is_known, windows) for entry, is_known in entries]
            found = [one for one in placed if one is not None]
            files[hulls_name(number)] = write_table(hull_table(found), folder / hulls_name(number))
            for one in found:
                counts["computed"] += one.e_above_hull_eV_atom is not None
                counts["windows"] += one.li_window_low_V is not None
                counts["not_computable"] += bool(one.reason)
                yield _row(one)

    write_rows_atomic(folder / HULLS, rows())
    return {"files": files, **counts}


def _placed(index: HullIndex, entry: HullEntry, is_known: bool, windows: bool) -> Placed | None:
    found = index.placed(entry.id, entry.source)
    if found is None:
        reason = "no energy in its source, and no entry of its id"
        return Placed(id=entry.id, reason=reason) if windows else None
    # What the source says goes before what follows from its energies.
    return replace(found, e_above_hull_eV_atom=None) if is_known else found


def _row(one: Placed) -> list[str]:
    distance = one.e_above_hull_eV_atom
    numbers = [
        None if distance is None else 1000.0 * distance,
        one.li_window_low_V,
        one.li_window_high_V,
        one.li_reaction_eV_atom,
    ]
    texts = ["" if n is None else f"{round(n, 6):g}" for n in numbers]
    return [one.id, *texts, one.li_products, one.li_voltage_profile, one.reason]


def read_hull_row(folder: Path, name: str) -> dict[str, str] | None:
    """Row of a structure in a store's ``hulls.csv``; None where there is none."""
    path = folder / HULLS
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as stream:
        return next((row for row in csv.DictReader(stream) if row["id"] == name), None)
