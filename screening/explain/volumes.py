"""Volumes for other programs: the similarity map and the bond-valence landscape as cube files."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from ...data.atomic import write_text_atomic
from ...data.elements import ATOMIC_NUMBER
from ...data.errors import FeatureError
from ...data.records import FloatArray
from ...features.bvse.landscape import bvse_landscape, landscape_grid
from ...features.core.prepared import PreparedStructure
from ...features.void.host import Host, host_of
from .void import host_origin_A, similarity_of


def write_cubes(prepared: PreparedStructure, base: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Write ``.similarity.cube`` and ``.bvse.cube`` beside an explanation.

    Values: distance to the nearest mobile-ion environment (root mean square per column, in spreads
    of the void; the largest outside the void), and the energy of the mobile ion, eV, above the
    lowest. The cell is that of the host, the crystal without its mobile ions, which may be smaller
    than the crystal's own; both lie in one frame.

    Parameters
    ----------
    prepared : PreparedStructure
    base : path
        Without ending.

    Returns
    -------
    dict, dict
        Files by name, and why others are not there.
    """
    written: dict[str, Path] = {}
    failed: dict[str, str] = {}
    for name, compute in (("similarity", _similarity), ("bvse", _landscape)):
        path = base.with_name(f"{base.name}.{name}.cube")
        try:
            write_text_atomic(path, compute(prepared))
            written[name] = path
        except FeatureError as error:
            path.unlink(missing_ok=True)
            failed[name] = str(error)
    return written, failed


def _similarity(prepared: PreparedStructure) -> str:
    found, distance = similarity_of(prepared)
    largest = float(np.nanmax(distance))
    title = f"distance to mobile environments; mobile-like below {found.threshold:.4f}"
    return _cube(prepared, np.nan_to_num(distance, nan=largest), found.grid.start_A, title)


def _landscape(prepared: PreparedStructure) -> str:
    found = bvse_landscape(prepared)
    start_A = landscape_grid(host_of(prepared)).start_A
    title = f"bond-valence energy of {prepared.roles.mobile} in eV above the lowest point"
    return _cube(prepared, found.energy_eV - found.lowest_eV, start_A, title)


def _cube(prepared: PreparedStructure, values: FloatArray, start_A: FloatArray, title: str) -> str:
    from ase import Atoms
    from ase.io.cube import write_cube

    host = host_of(prepared)
    origin_A = host_origin_A(prepared, host)
    numbers, positions = _atoms(host, prepared.roles.mobile)
    atoms = Atoms(numbers, positions=positions + origin_A, cell=host.lattice, pbc=True)
    # ASE writes the numbers past Python's buffer: it takes a true file alone.
    with TemporaryFile("w+", encoding="ascii") as stream:
        write_cube(stream, atoms, values, origin=start_A + origin_A, comment=title)
        stream.seek(0)
        return stream.read()


def _atoms(host: Host, mobile: str) -> tuple[list[int], FloatArray]:
    """Host atoms, then the mobile ions folded into the host's cell; positions in Å."""
    frac = np.concatenate([host.frac, host.mobile_frac])
    numbers = [*map(int, host.z), *[ATOMIC_NUMBER[mobile]] * len(host.mobile_frac)]
    return numbers, np.asarray(frac @ host.lattice)
