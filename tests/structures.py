"""Crystal structures that tests share, built from crystallographic facts.

``get("Li6PS5Cl_F43m")`` gives the primitive cell as a record; ``names()`` lists what there is.
The facts are in ``crystal_facts.txt``: space group setting, cell, asymmetric unit, origin, licence.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ionsieve.data import Provenance, SiteSpecies, StructureRecord

FACTS = Path(__file__).with_name("crystal_facts.txt")
_SAME_A = 1e-2


class Fact(NamedTuple):
    """One block of the file of facts."""

    space_group: str
    hall_number: int
    lattice: np.ndarray
    sites: list[tuple[str, int, np.ndarray]]
    origin: str


def names() -> tuple[str, ...]:
    """Names of all structures, in alphabetical order."""
    return tuple(_facts())


def get(name: str, conventional: bool = False) -> StructureRecord:
    """The structure of that name: primitive cell, or the conventional one."""
    fact = _facts()[name]
    contents, frac = _expanded(fact)
    lattice = fact.lattice
    if not conventional:
        lattice, frac, contents = _primitive(lattice, frac, contents)
    return StructureRecord(
        id=name,
        lattice=lattice,
        species=tuple(_content(text) for text in contents),
        frac=frac,
        provenance=Provenance(source="crystal facts of the tests", reference=fact.origin),
    )


def supercell(record: StructureRecord, scaling: object) -> StructureRecord:
    """Repeat a cell; ``scaling`` is a 3×3 integer matrix or three integers."""
    matrix = np.diag(scaling) if np.ndim(scaling) == 1 else np.asarray(scaling)
    n_cells = abs(round(float(np.linalg.det(matrix))))
    reach = range(-int(np.abs(matrix).sum()), int(np.abs(matrix).sum()) + 1)
    shifts = np.stack(np.meshgrid(reach, reach, reach, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = shifts @ np.linalg.inv(matrix)
    inside = shifts[((inside > -1e-9) & (inside < 1 - 1e-9)).all(axis=1)]
    assert len(inside) == n_cells
    frac = (record.frac[:, None, :] + inside[None, :, :]).reshape(-1, 3) @ np.linalg.inv(matrix)
    species = tuple(content for content in record.species for _ in inside)
    return StructureRecord(
        id=record.id,
        lattice=matrix @ record.lattice,
        species=species,
        frac=frac,
        provenance=record.provenance,
    )


@lru_cache(maxsize=1)
def _facts() -> dict[str, Fact]:
    blocks: dict[str, Fact] = {}
    name = ""
    for line in FACTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            content, n_sites, *point = line.split()
            entry = (content, int(n_sites), np.array([float(x) for x in point]))
            blocks[name].sites.append(entry)
            continue
        name, group, hall, cell, origin = (part.strip() for part in line.split(" | "))
        lattice = _lattice(*(float(x) for x in cell.split()))
        blocks[name] = Fact(group, int(hall), lattice, [], origin)
    return blocks


def _lattice(a: float, b: float, c: float, *angles_deg: float) -> np.ndarray:
    cos_a, cos_b, cos_g = np.cos(np.radians(angles_deg))
    sin_g = np.sqrt(1 - cos_g**2)
    cy = (cos_a - cos_b * cos_g) / sin_g
    cz = np.sqrt(1 - cos_b**2 - cy**2)
    return np.array([[a, 0, 0], [b * cos_g, b * sin_g, 0], [c * cos_b, c * cy, c * cz]])


def _expanded(fact: Fact) -> tuple[list[str], np.ndarray]:
    """Apply the space group to the asymmetric unit."""
    import spglib

    operations = spglib.get_symmetry_from_database(fact.hall_number)
    contents, points = [], []
    for content, n_sites, point in fact.sites:
        images = operations["rotations"] @ point + operations["translations"]
        orbit: list[np.ndarray] = []
        for image in images:
            offset = np.array(orbit).reshape(-1, 3) - image
            offset -= np.round(offset)
            if not (np.linalg.norm(offset @ fact.lattice, axis=1) < _SAME_A).any():
                orbit.append(image)
        assert len(orbit) == n_sites, f"{content} at {point}: {len(orbit)} sites, not {n_sites}"
        contents += [content] * n_sites
        points += orbit
    return contents, np.array(points)


def _primitive(
    lattice: np.ndarray, frac: np.ndarray, contents: list[str]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    import spglib

    kinds = sorted(set(contents), key=contents.index)
    cell = (lattice, frac, [kinds.index(content) + 1 for content in contents])
    found = spglib.standardize_cell(cell, to_primitive=True, no_idealize=True, symprec=1e-3)
    return found[0], found[1], [kinds[k - 1] for k in found[2]]


def _content(text: str) -> tuple[SiteSpecies, ...]:
    parts = [part.split(":") for part in text.split(",")]
    return tuple(SiteSpecies(p[0], float(p[1]) if len(p) == 2 else 1.0) for p in parts)
