"""Cells and coordinates beyond reason: work grows with the atoms, and with nothing else."""

import resource
import time
from pathlib import Path

import pytest

from ionsieve.data.records import Quarantined, StructureRecord
from ionsieve.data.sources.paths import PathSource

CIF = """data_x
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha {angle}
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Li1 Li {x} 0 0
Cl1 Cl 0.5 0.5 0.5
"""
SOUND = {"a": 5, "b": 5, "c": 5, "angle": 90, "x": 0}


def entries(folder: Path, **changed: object) -> list[StructureRecord | Quarantined]:
    """What is read of a spoiled CIF and of its good neighbour, within bounds."""
    (folder / "a.cif").write_text(CIF.format(**{**SOUND, **changed}))
    (folder / "b.cif").write_text(CIF.format(**SOUND))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    found = [item.entry for item in PathSource(str(folder)).items()]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kB
    assert time.process_time() - began < 60.0
    assert isinstance(found[1], StructureRecord)
    return found


@pytest.mark.parametrize("x", ["1e5", "1e6", "-1e7", "1e9", "1000000.66666667"])
def test_far_coordinates_are_folded(tmp_path: Path, x: str) -> None:
    far, near = entries(tmp_path, x=x)
    assert isinstance(far, StructureRecord)
    assert far.n_sites == near.n_sites == 2


@pytest.mark.parametrize("x", ["99999999999", "1e17", "-1e300", "1e400", "nan"])
def test_coordinates_without_a_fraction_are_refused(tmp_path: Path, x: str) -> None:
    [spoiled, _] = entries(tmp_path, x=x)
    assert isinstance(spoiled, Quarantined)


@pytest.mark.parametrize(
    "changed",
    [
        {"a": 1000, "b": 1000, "c": 1000}, {"a": 1e9}, {"a": 1e300}, {"a": 1e-3}, {"a": 0.01},
        {"a": 1e-300}, {"a": 0}, {"a": -5}, {"angle": 0.001}, {"angle": 179.999}, {"angle": 1e9},
        {"a": "99999999999999999999999"}, {"a": "nan"},
    ],
)  # fmt: skip
def test_cells_beyond_reason_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    [spoiled, _] = entries(tmp_path, **changed)
    assert isinstance(spoiled, Quarantined)
    assert "\n" not in spoiled.reason
