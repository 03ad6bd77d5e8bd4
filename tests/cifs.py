"""CIF texts for tests: a cell, a symmetry, sites, and what comes out of them."""

from ionsieve.data import Provenance, Quarantined, StructureRecord
from ionsieve.data.formats.cif import parse_cif

PARAMETERS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
COLUMNS = "label type_symbol fract_x fract_y fract_z occupancy"
HEXAGONAL = (90, 90, 120)


def cell(a, b=None, c=None, angles=(90, 90, 90)) -> str:
    """Six parameters; b and c are as long as a where not given."""
    values = (a, b or a, c or a, *angles)
    return "".join(f"_cell_{k} {v}\n" for k, v in zip(PARAMETERS, values, strict=True))


def sites(*rows: str, columns: str = COLUMNS) -> str:
    """A loop of sites, one text a row."""
    head = "".join(f"_atom_site_{c}\n" for c in columns.split())
    return f"loop_\n{head}" + "".join(f"{row}\n" for row in rows)


def operators(*triplets: str, tag: str = "_symmetry_equiv_pos_as_xyz") -> str:
    """A loop of symmetry operations."""
    return f"loop_\n{tag}\n" + "".join(f"'{t}'\n" for t in triplets)


def named(name: str) -> str:
    """A space group by its Hermann–Mauguin symbol."""
    return f'_symmetry_space_group_name_H-M "{name}"\n'


def formula(text: str, z: float | None = None) -> str:
    """Formula sum, and Z if given."""
    units = "" if z is None else f"_cell_formula_units_Z {z}\n"
    return f"_chemical_formula_sum '{text}'\n{units}"


def read(*parts: str) -> StructureRecord:
    """The one structure of a block made of these parts."""
    (entry,) = parse_cif("data_x\n" + "".join(parts), "x", Provenance(source="test"))
    assert isinstance(entry, StructureRecord), entry
    return entry


def refused(*parts: str) -> str:
    """The reason why a block made of these parts is not used."""
    (entry,) = parse_cif("data_x\n" + "".join(parts), "x", Provenance(source="test"))
    assert isinstance(entry, Quarantined), entry
    return entry.reason
