"""Which structures are one and the same: by identifier, by content, by matching.

Two structures are duplicates when reduced formula, space group (tolerance 0.1 Å) and size of the
primitive cell agree, their fingerprints (:mod:`.fingerprint`) agree within tolerance, their mean
sorted neighbour distances by species agree within 5 % of the mean atomic spacing, and pymatgen's
``StructureMatcher`` maps one onto the other (tolerances 0.1, 0.15 and 3°, half its defaults; cell
volume scaled, so that two functionals' relaxations of one phase are one). Distorted variants of
another symmetry stay apart on purpose: for conductors the difference between two phases may be all
that matters. The matcher takes minutes to find that two cells of 40 atoms do not match: it is asked
of those alone that an index of fingerprints finds (:mod:`.nearby`), so that the cost of a database
grows with its size, however many orderings of one formula it holds.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..records import FloatArray, StructureRecord, reduced_formula
from .fingerprint import Fingerprint, fingerprint
from .nearby import NearbyIndex

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC_A: Final[float] = 0.1
MAX_MATCHED_SITES: Final[int] = 80
"""Larger primitive cells are compared by content only: matching them could take minutes."""
SPACING_TOLERANCE: Final[float] = 0.05
_NEIGHBOURS = 12
_REACH = 2.2


@dataclass(frozen=True, eq=False, kw_only=True)
class Shape:
    """What duplicates are looked for by.

    Attributes
    ----------
    key : str
        Formula, space group number and primitive sites; empty if symmetry could not be found.
    space_group : int
        Number, 0 if not found.
    lattice : array (3, 3), Å; frac : array (n, 3); kinds : array (n,)
        The primitive cell; kinds index ``contents``.
    contents : list of {element: occupancy}
    """

    key: str
    space_group: int
    lattice: FloatArray
    frac: FloatArray
    kinds: np.ndarray
    contents: list[dict[str, float]]

    def structure(self) -> Structure:
        """The primitive cell for pymatgen."""
        from pymatgen.core import Lattice, Structure

        species = [self.contents[kind] for kind in self.kinds]
        return Structure(Lattice(self.lattice), species, self.frac)

    @cached_property
    def spacings(self) -> FloatArray:
        """See :func:`spacings`; computed once, for a shape is compared with many."""
        return spacings(self)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """See :func:`.fingerprint.fingerprint`."""
        return fingerprint(self.lattice, self.frac, self.kinds, len(self.contents))

    @property
    def group(self) -> str:
        """What duplicates have in common to the letter; their fingerprints have one length."""
        amounts = np.bincount(self.kinds, minlength=len(self.contents)).tolist()
        return f"{self.key}|{json.dumps([self.contents, amounts])}"

    @cached_property
    def reduced(self) -> Structure:
        """The primitive cell in Niggli form, as the matcher wants it."""
        return self.structure().get_reduced_structure(reduction_algo="niggli")

    def renamed(self, names: Mapping[str, str]) -> Shape:
        """The same sites under other names of elements; kinds in the order of the new names."""
        from pymatgen.core import Structure

        contents = [{names[e]: o for e, o in content.items()} for content in self.contents]
        order = sorted(range(len(contents)), key=lambda k: json.dumps(contents[k], sort_keys=True))
        place = np.argsort(order)
        new = replace(self, contents=[contents[k] for k in order], kinds=place[self.kinds])
        # Names change no distance and no cell.
        cell = self.reduced
        species = [contents[kind] for kind in self.kinds]
        vars(new)["spacings"] = self.spacings[order]
        vars(new)["reduced"] = Structure(cell.lattice, species, cell.frac_coords)
        return new


def shape_of(record: StructureRecord) -> Shape:
    """Standardise a structure with moyo; oxidation states do not count."""
    import moyopy

    # moyo reports on its way through unusual cells; its result is what counts here.
    logging.getLogger("moyo").setLevel(logging.ERROR)
    sites = [{s.element: round(s.occupancy, 3) for s in content} for content in record.species]
    labels = [json.dumps(content, sort_keys=True) for content in sites]
    names = sorted(set(labels))
    numbers = [names.index(label) for label in labels]
    contents = [json.loads(name) for name in names]
    try:
        cell = moyopy.Cell(record.lattice.tolist(), record.frac.tolist(), numbers)
        found = moyopy.MoyoDataset(cell, symprec=SYMPREC_A)
    except ValueError:
        # The symmetry search did not converge: such a cell is matched when identical, no further.
        return Shape(
            key="",
            space_group=0,
            lattice=record.lattice,
            frac=record.frac,
            kinds=np.array(numbers),
            contents=contents,
        )
    primitive = found.prim_std_cell
    formula = reduced_formula(record.composition)
    key = f"{formula}|{found.number}|{len(primitive.numbers)}"
    kinds = np.array(primitive.numbers)
    lattice, frac = np.array(primitive.basis), np.array(primitive.positions)
    return Shape(
        key=key,
        space_group=int(found.number),
        lattice=lattice,
        frac=frac,
        kinds=kinds,
        contents=contents,
    )


@cache
def _matcher() -> Any:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(ltol=0.1, stol=0.15, angle_tol=3, primitive_cell=False)


def spacings(shape: Shape) -> FloatArray:
    """Sorted distances to the 12 nearest neighbours, averaged over the sites of each kind.

    Returns
    -------
    array (n_kinds, 12), in units of the mean atomic spacing (V/N)^(1/3)
        Changes continuously with the coordinates, and not at all with the choice of cell.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres

    n = len(shape.kinds)
    scale = (abs(np.linalg.det(shape.lattice)) / n) ** (1 / 3)
    cartesian = np.ascontiguousarray(shape.frac @ shape.lattice)
    center, _, _, distance = find_points_in_spheres(
        cartesian,
        cartesian,
        r=_REACH * scale,
        pbc=np.ones(3, dtype=np.int64),
        lattice=np.ascontiguousarray(shape.lattice),
        tol=1e-8,
    )
    # Where fewer than 12 are within reach, the rest counts as at the reach.
    nearest = np.full((n, _NEIGHBOURS), _REACH)
    for site in range(n):
        found = np.sort(distance[(center == site) & (distance > 1e-6)])[:_NEIGHBOURS]
        nearest[site, : len(found)] = found / scale
    kinds = range(len(shape.contents))
    return np.array([nearest[shape.kinds == kind].mean(axis=0) for kind in kinds])


def same_structure(
    one: Shape, other: Shape, tolerance: float = SPACING_TOLERANCE, matcher: Any = None
) -> bool:
    """True if distances agree and a pymatgen matcher, by default ours, maps one onto the other."""
    if one.contents != other.contents:
        return False
    if np.abs(one.spacings - other.spacings).max() > tolerance:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Reduced once here: the matcher's own cache compares site by site, again and again.
        return bool(
            (matcher or _matcher()).fit(one.reduced, other.reduced, skip_structure_reduction=True)
        )


class SeenIndex:
    """What has been read so far, on disk: memory does not grow with the database.

    One transaction a block. After a kill, :meth:`forget_from` takes back what belongs to a block
    that was not finished.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, block INTEGER) WITHOUT ROWID"
        )
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS shapes "
            "(n INTEGER PRIMARY KEY, hash TEXT, id TEXT, cell BLOB, block INTEGER)"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS by_hash ON shapes (hash)")
        self._nearby = NearbyIndex(self._db)
        self._db.commit()

    def __enter__(self) -> SeenIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def forget_from(self, block: int) -> None:
        """Remove everything of this block and later ones."""
        for table in ("ids", "shapes"):
            self._db.execute(f"DELETE FROM {table} WHERE block >= ?", (block,))
        self._nearby.forget_from(block)
        self._db.commit()

    def commit(self) -> None:
        """Make the block durable."""
        self._db.commit()

    def is_new_id(self, record_id: str, block: int) -> bool:
        """Take note of an identifier; False if it was there."""
        with contextlib.suppress(sqlite3.IntegrityError):
            self._db.execute("INSERT INTO ids VALUES (?, ?)", (record_id, block))
            return True
        return False

    def twin_of(self, record: StructureRecord, shape: Shape) -> str | None:
        """Identifier of an earlier structure that is the same, None if there is none."""
        query = "SELECT id FROM shapes WHERE hash = ? ORDER BY n LIMIT 1"
        if found := self._db.execute(query, (record.content_hash,)).fetchone():
            return str(found[0])
        if not _is_matched(shape):
            return None
        for n in self._nearby.near(shape.group, shape.fingerprint):
            query = "SELECT id, cell FROM shapes WHERE n = ?"
            record_id, cell = self._db.execute(query, (n,)).fetchone()
            if same_structure(_unpacked(cell), shape):
                return str(record_id)
        return None

    def add(self, record: StructureRecord, shape: Shape, block: int) -> None:
        """Take note of a structure that is kept."""
        row = (record.content_hash, record.id, _packed(shape), block)
        added = self._db.execute(
            "INSERT INTO shapes (hash, id, cell, block) VALUES (?, ?, ?, ?)", row
        )
        if _is_matched(shape):
            assert added.lastrowid is not None
            self._nearby.add(shape.group, added.lastrowid, shape.fingerprint, block)


def _is_matched(shape: Shape) -> bool:
    return bool(shape.key) and len(shape.kinds) <= MAX_MATCHED_SITES


def _packed(shape: Shape) -> bytes:
    if not _is_matched(shape):
        return b""
    numbers = np.vstack([shape.lattice, shape.frac]).astype(np.float32).tobytes()
    labels = json.dumps([shape.contents, shape.kinds.tolist()]).encode()
    return len(numbers).to_bytes(4, "little") + numbers + labels


def _unpacked(cell: bytes) -> Shape:
    size = int.from_bytes(cell[:4], "little")
    numbers = np.frombuffer(cell[4 : 4 + size], dtype=np.float32).astype(np.float64).reshape(-1, 3)
    contents, kinds = json.loads(cell[4 + size :])
    return Shape(
        key="",
        space_group=0,
        lattice=numbers[:3],
        frac=numbers[3:],
        kinds=np.array(kinds),
        contents=contents,
    )
