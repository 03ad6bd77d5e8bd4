"""POSCAR files."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Poscar

from ionsieve.data import Provenance, StructureError
from ionsieve.data.formats.poscar import parse_poscar

HEAD = "title\n1.0\n4 0 0\n0 4 0\n0 0 4\n"
BODY = "Direct\n0 0 0\n0.5 0.5 0.5\n"


def read(text: str):
    return parse_poscar(text, "x", Provenance(source="test"))


@pytest.mark.parametrize(
    ("symbols", "expected"),
    [
        ("Li F", ["Li", "F"]),
        ("Li_sv F", ["Li", "F"]),
        ("Li_sv/1a2b F/99", ["Li", "F"]),
        ("D F", ["H", "F"]),
        ("T 19F", ["H", "F"]),
    ],
)
def test_symbols(symbols: str, expected: list[str]) -> None:
    record = read(f"{HEAD}{symbols}\n1 1\n{BODY}")
    assert [content[0].element for content in record.species] == expected


@pytest.mark.parametrize("symbols", ["Vac F", "OH F", "Xx F", "Ni0.8Co0.2 F"])
def test_what_is_no_element_is_refused(symbols: str) -> None:
    with pytest.raises(StructureError, match="no element"):
        read(f"{HEAD}{symbols}\n1 1\n{BODY}")


@pytest.mark.parametrize(
    ("scale", "edge"), [("2.0", 8.0), ("1 2 3", (4.0, 8.0, 12.0)), ("-512", 8.0), ("-64.0", 4.0)]
)
def test_scales(scale: str, edge) -> None:
    text = f"{HEAD}Li F\n1 1\n{BODY}".replace("\n1.0\n", f"\n{scale}\n", 1)
    assert np.diag(read(text).lattice) == pytest.approx(np.broadcast_to(edge, 3), rel=1e-12)
    assert read(text).frac[1] == pytest.approx([0.5] * 3)
    cartesian = text.replace("Direct\n0 0 0\n0.5 0.5 0.5", "Cartesian\n0 0 0\n2 2 2")
    assert read(cartesian).frac[1] == pytest.approx([0.5] * 3)


def test_what_stands_behind_coordinates_is_passed_over() -> None:
    rows = "0 0 0 T T F Li\n.5 .5 .5 F F F ! F\n\n0 0 0\n"
    text = f"{HEAD}Li F\n1 1\nSelective dynamics\nDirect\n{rows}"
    assert read(text).frac[1] == pytest.approx([0.5] * 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{HEAD}Li F\n1\n{BODY}", "2 symbols in line 6, but 1 numbers"),
        (f"{HEAD}Li F\n1 one\n{BODY}", "line 7"),
        (f"{HEAD}Li F\n1 1\nOblique\n0 0 0\n.5 .5 .5\n", "line 8 must say Direct or Cartesian"),
        (f"{HEAD}Li F\n1 1\nDirect\n0 0 0\n.5 .5\n\n", "coordinates in line 10"),
        (f"{HEAD}Li F\n1 1\nDirect\n0 0 0\n.5 .5 nan\n", "coordinates in line 10"),
        (f"{HEAD}Li F\n1 1\n{BODY}".replace("\n1.0\n", "\n0\n"), "scale"),
        (f"{HEAD}Li F\n1 1\n{BODY}".replace("0 4 0", "0 4"), "lattice vector in line 4"),
        (f"{HEAD}Li F\n0 0\n{BODY}", "announces no atoms"),
    ],
)
def test_broken_files_name_the_line(text: str, reason: str) -> None:
    with pytest.raises(StructureError, match=reason):
        read(text)


def test_as_pymatgen_reads_what_it_writes() -> None:
    structure = Structure(
        Lattice.from_parameters(5.1, 6.2, 7.3, 80, 95, 110),
        ["Li", "Li", "P", "S"],
        np.random.default_rng(1).random((4, 3)),
    )
    for direct in (True, False):
        record = read(Poscar(structure).get_str(direct=direct, significant_figures=12))
        assert record.lattice == pytest.approx(structure.lattice.matrix, abs=1e-9)
        assert record.frac == pytest.approx(structure.frac_coords, abs=1e-9)
