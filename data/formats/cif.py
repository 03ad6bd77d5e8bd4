"""CIF text → structure records: gemmi for ordered crystals, pymatgen where sites are shared.

gemmi reads a CIF some fifty times faster than pymatgen. Where a site is partly occupied or two
sites come closer than 0.5 Å, how symmetry copies merge matters, and pymatgen's parser decides.
"""

from __future__ import annotations

import io
import math
import warnings
from typing import Any, Final

import numpy as np

from ..convert import from_pymatgen
from ..elements import ATOMIC_NUMBER
from ..errors import StructureError
from ..records import MAX_EDGE_A, Provenance, Quarantined, SiteSpecies, StructureRecord

MAX_SITES: Final[int] = 2000
"""Larger cells are refused: they are simulation snapshots, not crystals to screen."""

_MERGE_A = 0.5


def parse_cif(
    text: str, record_id: str, provenance: Provenance
) -> list[StructureRecord | Quarantined]:
    """Every structure in a CIF; a file with several data blocks gives several records.

    A block that cannot be used, because its numbers or its symmetry make no crystal, is
    quarantined with its reason.

    Raises
    ------
    StructureError
        If the text is no CIF or holds no atoms at all.
    """
    import gemmi

    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError, UnicodeError) as error:
        raise StructureError(f"{record_id}: not a readable CIF: {_one_line(error)}") from None
    blocks = [b for b in document if b.find_loop("_atom_site_fract_x") or _has_single_site(b)]
    if not blocks:
        raise StructureError(f"{record_id}: the CIF has no atoms (_atom_site_fract_x)")
    several = len(blocks) > 1
    return [
        _block(b, f"{record_id}-{b.name}" if several else record_id, provenance) for b in blocks
    ]


def _block(block: Any, record_id: str, provenance: Provenance) -> StructureRecord | Quarantined:
    """One data block; what is wrong with it must not cost the others of the file."""
    try:
        return _parse_block(block, record_id, provenance)
    except StructureError as error:
        reason = str(error).removeprefix(f"{record_id}: ")
        return Quarantined(record_id, provenance.file or "", "read", reason)


def _has_single_site(block: Any) -> bool:
    return block.find_value("_atom_site_fract_x") is not None


def _parse_block(block: Any, record_id: str, provenance: Provenance) -> StructureRecord:
    import gemmi

    try:
        small = gemmi.make_small_structure_from_block(block)
        _check_cell(small.cell, record_id)
        # Before symmetry multiplies them: a stranger's file may list a million sites.
        _check_number(len(small.sites), record_id)
        sites = [] if not small.sites else list(small.get_all_unit_cell_sites())
    except (ValueError, RuntimeError) as error:
        raise StructureError(f"{record_id}: {_one_line(error)}") from None
    if not sites:
        raise StructureError(f"{record_id}: the CIF has no atoms")
    _check_symmetry(small, record_id)
    _check_number(len(sites), record_id)
    _check_occupancies(block, small.sites, record_id)
    shared = any(site.occ < 1.0 for site in sites) or _touching(small.cell, sites)
    if shared or _symmetry_left_out(block, small):
        return _parse_with_pymatgen(block, record_id, provenance)
    oxidation = _oxidation_by_symbol(block)
    lattice = np.array(small.cell.orth.mat.tolist()).T
    content = tuple((_species(site, oxidation, record_id),) for site in sites)
    frac = np.array([site.fract.tolist() for site in sites])
    return StructureRecord(record_id, lattice, content, frac, provenance)


def _check_number(n_sites: int, record_id: str) -> None:
    if n_sites > MAX_SITES:
        raise StructureError(
            f"{record_id}: {n_sites} sites in the cell, more than {MAX_SITES}; give a unit cell"
        )


def _check_cell(cell: Any, record_id: str) -> None:
    parameters = (cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma)
    angles = (cell.alpha, cell.beta, cell.gamma)
    possible = all(math.isfinite(p) and p <= MAX_EDGE_A for p in parameters) and all(
        0 < a < 180 for a in angles
    )
    if not possible or not cell.is_crystal():
        shown = ", ".join(f"{p:g}" for p in parameters)
        raise StructureError(f"{record_id}: cell parameters are missing or impossible ({shown})")
    if not math.isfinite(cell.volume) or cell.volume <= 0:
        raise StructureError(f"{record_id}: the cell angles do not close to a volume")


def _check_symmetry(small: Any, record_id: str) -> None:
    """A symmetry that is stated but cannot be read must not become no symmetry at all."""
    import gemmi

    for operation in small.symops:
        try:
            gemmi.Op(operation)
        except (ValueError, RuntimeError):
            raise StructureError(
                f"{record_id}: {operation!r} is no symmetry operation; correct it"
            ) from None
    name = small.spacegroup_hm or small.spacegroup_hall
    if small.spacegroup is None and name and not small.symops and not small.spacegroup_number:
        raise StructureError(
            f"{record_id}: space group {name!r} is unknown and the CIF gives no symmetry "
            "operations; add them"
        )


def _symmetry_left_out(block: Any, small: Any) -> bool:
    """True where gemmi applies none of the stated symmetry: a number alone, an origin that its
    tables lack, or a magnetic CIF. pymatgen reads these.
    """
    if small.spacegroup is not None:
        return False
    magnetic = any(block.find_loop(f"_space_group_symop_magn_operation{c}xyz") for c in "._")
    return magnetic or len(small.symops) > 1 or small.spacegroup_number > 1


def _check_occupancies(block: Any, sites: Any, record_id: str) -> None:
    import gemmi

    for text in block.find_values("_atom_site_occupancy"):
        # "?" and "." mean full by the CIF dictionary; a word would be read as full, too.
        if not gemmi.cif.is_null(text) and not math.isfinite(gemmi.cif.as_number(text)):
            raise StructureError(f"{record_id}: {text!r} is no occupancy; give a number in (0, 1]")
    for site in sites:
        if not math.isfinite(site.occ) or not 0 < site.occ <= 1.1:
            raise StructureError(
                f"{record_id}: site {site.label} has occupancy {site.occ:g}; it must be in (0, 1]"
            )


def _species(site: Any, oxidation: dict[str, float], record_id: str) -> SiteSpecies:
    symbol = site.element.name
    symbol = "H" if symbol == "D" else symbol
    if symbol not in ATOMIC_NUMBER:
        raise StructureError(f"{record_id}: site {site.label} is {site.type_symbol!r}, no element")
    state = oxidation.get(site.type_symbol)
    if state is None and site.charge != 0:
        state = float(site.charge)
    return SiteSpecies(symbol, 1.0, state)


def _oxidation_by_symbol(block: Any) -> dict[str, float]:
    table = block.find(["_atom_type_symbol", "_atom_type_oxidation_number"])
    found = {}
    for symbol, number in table:
        try:
            found[symbol.strip("'\"")] = float(number)
        except ValueError:
            continue  # "?" or ".": the CIF does not say
    return found


def _touching(cell: Any, sites: list[Any]) -> bool:
    """True if two sites lie within 0.5 Å of each other (minimum image)."""
    if len(sites) < 2:
        return False
    from .distances import closest_pair_A

    lattice = np.array(cell.orth.mat.tolist()).T
    return closest_pair_A(lattice, np.array([s.fract.tolist() for s in sites])) < _MERGE_A


def _parse_with_pymatgen(block: Any, record_id: str, provenance: Provenance) -> StructureRecord:
    from pymatgen.io.cif import CifParser

    text = block.as_string()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            parser = CifParser(io.StringIO(text), occupancy_tolerance=1.1, site_tolerance=1e-3)
            structures = parser.parse_structures(primitive=False, on_error="raise")
        except Exception as error:
            # The parser meets arbitrary text and fails in arbitrary ways; the reason is kept.
            raise StructureError(f"{record_id}: {_one_line(error)}") from None
    if len(structures) != 1:
        raise StructureError(f"{record_id}: expected one structure, found {len(structures)}")
    if len(structures[0]) > MAX_SITES:
        raise StructureError(f"{record_id}: {len(structures[0])} sites, more than {MAX_SITES}")
    notes = sorted({_one_line(w.message) for w in caught if "UserWarning" in str(w.category)})
    kept = Provenance(
        provenance.source,
        provenance.licence,
        provenance.reference,
        provenance.file,
        "; ".join(filter(None, [provenance.note, *notes])),
    )
    return from_pymatgen(structures[0], record_id, kept)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
