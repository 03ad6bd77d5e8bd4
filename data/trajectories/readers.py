"""Trajectory files of several codes → :class:`~ionsieve.data.trajectory.Trajectory`."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from ..errors import TrajectoryError
from .lammps import read_lammps_dump
from .trajectory import Segment, Trajectory, join
from .xdatcar import read_xdatcar
from .xyz import read_cp2k_xyz

SPACING_TOLERANCE: Final[float] = 1e-4


def read_trajectory(
    files: Sequence[str | Path],
    frame_spacing_fs: float | None = None,
    time_step_fs: float | None = None,
    cell: str | Path | None = None,
    elements: Sequence[str] | None = None,
    torn_end: bool = False,
) -> Trajectory:
    """Read consecutive segments of one run and join them in the order given.

    Parameters
    ----------
    files : sequence of paths
        XDATCAR (plain or gzip), vasprun.xml (plain or gzip), extended xyz, ASE ``.traj``, CP2K
        xyz with its ``.cell`` file, LAMMPS dump, or a displacement archive ``.npz``.
    frame_spacing_fs : float, optional
        Time between frames, fs. Needed where the file does not say it.
    time_step_fs : float, optional
        MD time step, fs. Where the file counts steps (LAMMPS dump) it is multiplied by them, else
        every frame is taken as one step.
    cell : path, optional
        CP2K ``.cell`` file, where it does not lie beside the xyz file.
    elements : sequence of str, optional
        Element of LAMMPS type 1, 2, …, where the dump has no element column.
    torn_end : bool
        XDATCAR, vasprun.xml and CP2K xyz: drop a last frame that a kill cut off and say so in
        ``warnings``, instead of raising.

    Raises
    ------
    TrajectoryError
        One line that names the file and the frame.
    """
    if not files:
        raise TrajectoryError("no trajectory given; name at least one file")
    parts = []
    for file in files:
        path = Path(file)
        _check_file(path)
        read = _TORN.get(_reader(path), _reader(path)) if torn_end else _reader(path)
        parts.append(read(path, frame_spacing_fs, time_step_fs, cell, elements))
    return join(parts)


Reader = Callable[
    [Path, float | None, float | None, str | Path | None, Sequence[str] | None], Trajectory
]


def _check_file(path: Path) -> None:
    if not path.exists():
        raise TrajectoryError(f"{path}: no such file")
    if not path.is_file():
        raise TrajectoryError(f"{path}: not a file; name the trajectory inside the folder")
    if path.stat().st_size == 0:
        raise TrajectoryError(f"{path}: the file is empty (frame 1 is missing)")


def _reader(path: Path) -> Reader:
    """Choose by name where it tells, else by the first bytes."""
    name = path.name.lower().removesuffix(".gz")
    head = _head(path)
    if "vasprun" in name or head.lstrip().startswith("<?xml"):
        return _read_vasprun
    if name.endswith(".traj"):
        return _read_ase
    if name.endswith(".npz"):
        return _read_displacement_archive
    if "ITEM: TIMESTEP" in head:
        return _read_lammps
    if "Lattice=" in head:
        return _read_ase
    if name.endswith((".xyz", ".extxyz")):
        return _read_xyz
    return _read_xdatcar


def _head(path: Path) -> str:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            return bytes(stream.read(2048)).decode("utf-8", "replace")
    except (EOFError, gzip.BadGzipFile) as error:
        raise TrajectoryError(f"{path}: the gzip file is cut off or damaged ({error})") from error


def _needed(path: Path, spacing_fs: float | None, step_fs: float | None) -> float:
    """Spacing given, or one frame a time step; the file itself does not tell."""
    if spacing_fs is None and step_fs is not None:
        return step_fs
    if spacing_fs is None:
        raise TrajectoryError(
            f"{path}: the file does not say the time between frames; give --frame-spacing-fs "
            "(VASP: POTIM × NBLOCK)"
        )
    return spacing_fs


def _read_xdatcar(
    path: Path,
    spacing_fs: float | None,
    step_fs: float | None,
    _cell: object,
    _elements: object,
    torn_end: bool = False,
) -> Trajectory:
    return read_xdatcar(path, _needed(path, spacing_fs, step_fs), torn_end=torn_end)


def _read_xyz(
    path: Path,
    spacing_fs: float | None,
    _step: object,
    cell: str | Path | None,
    _elements: object,
    torn_end: bool = False,
) -> Trajectory:
    return read_cp2k_xyz(path, spacing_fs, cell, torn_end)


def _read_lammps(
    path: Path,
    spacing_fs: float | None,
    step_fs: float | None,
    _cell: object,
    elements: Sequence[str] | None,
) -> Trajectory:
    return read_lammps_dump(path, spacing_fs, step_fs, elements)


def _read_ase(
    path: Path, spacing_fs: float | None, step_fs: float | None, _cell: object, _elements: object
) -> Trajectory:
    """ASE ``.traj`` or extended xyz, frame by frame."""
    import ase.io

    kind = "traj" if path.name.lower().endswith(".traj") else "extxyz"
    frac, cells, species, times = [], [], None, []
    number = 0
    try:
        for number, atoms in enumerate(ase.io.iread(path, index=":", format=kind), start=1):
            own = tuple(atoms.get_chemical_symbols())
            if species is not None and own != species:
                raise TrajectoryError(f"{path}: frame {number}: the atoms change within the file")
            if abs(atoms.cell.volume) < 1e-6:
                raise TrajectoryError(f"{path}: frame {number}: no cell; a crystal needs one")
            species = own
            cells.append(np.asarray(atoms.cell))
            frac.append(atoms.get_scaled_positions(wrap=False))
            times.append(atoms.info.get("time_fs", atoms.info.get("Time", np.nan)))
    except TrajectoryError:
        raise
    except Exception as error:
        raise TrajectoryError(
            f"{path}: frame {number + 1} cannot be read as {kind} ({_first_line(error)})"
        ) from error
    if species is None:
        raise TrajectoryError(f"{path}: no frame in it (frame 1 is missing)")
    _check_regular(path, times)
    cell_array = np.array(cells)
    constant = bool(np.array_equal(cell_array, np.broadcast_to(cell_array[0], cell_array.shape)))
    return Trajectory(
        species,
        cell_array[:1] if constant else cell_array,
        np.array(frac),
        _needed(path, spacing_fs, step_fs),
        segments=(Segment(str(path), 0, len(frac)),),
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _check_regular(path: Path, times_fs: Sequence[object]) -> None:
    try:
        steps = np.diff(np.array(times_fs, dtype=np.float64))
    except (TypeError, ValueError):
        return
    if len(steps) < 2 or not np.isfinite(steps).all():
        return
    odd = np.abs(steps - np.median(steps)) > SPACING_TOLERANCE * abs(float(np.median(steps)))
    if odd.any():
        frame = int(np.argmax(odd)) + 2
        raise TrajectoryError(
            f"{path}: frame {frame}: {steps[frame - 2]:g} fs after the frame before, elsewhere "
            f"{np.median(steps):g}; irregular frames cannot be analysed, thin them to equal steps"
        )


def _read_vasprun(
    path: Path,
    spacing_fs: float | None,
    _step_fs: float | None,
    _cell: object,
    _elements: object,
    torn_end: bool = False,
) -> Trajectory:
    """Ionic steps of an MD vasprun.xml, by pymatgen."""
    import warnings

    from pymatgen.io.vasp.outputs import Vasprun

    try:
        with warnings.catch_warnings():
            # POTCAR and convergence remarks say nothing about positions.
            warnings.simplefilter("ignore")
            run = Vasprun(
                str(path),
                parse_dos=False,
                parse_eigen=False,
                parse_potcar_file=False,
                exception_on_bad_xml=not torn_end,
            )
            structures = run.structures
    except Exception as error:
        raise TrajectoryError(
            f"{path}: cannot be read as vasprun.xml; cut off? ({_first_line(error)})"
        ) from error
    if not structures:
        raise TrajectoryError(f"{path}: no ionic step in it (frame 1 is missing)")
    spacing = spacing_fs if spacing_fs is not None else _vasprun_spacing(path, run, len(structures))
    _check_vasprun(path, run, len(structures))
    cells = np.array([s.lattice.matrix for s in structures])
    constant = bool(np.array_equal(cells, np.broadcast_to(cells[0], cells.shape)))
    return Trajectory(
        tuple(site.specie.symbol for site in structures[0]),
        cells[:1] if constant else cells,
        np.array([s.frac_coords for s in structures]),
        spacing,
        segments=(Segment(str(path), 0, len(structures)),),
        warnings=_torn_xml(path, len(structures)) if torn_end else (),
    )


def _torn_xml(path: Path, n_frames: int) -> tuple[str, ...]:
    """Say that the file ends early; complete steps have been read."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as stream:
        tail = b""
        while block := stream.read(1 << 20):
            tail = (tail + block)[-64:]
    return () if b"</modeling>" in tail else (f"{path}: cut off after frame {n_frames}",)


def _parameter(run: object, name: str, default: float) -> float:
    parameters = {**getattr(run, "parameters", {}), **getattr(run, "incar", {})}
    value = parameters.get(name, default)
    return float(value) if isinstance(value, int | float) else default


def _check_vasprun(path: Path, run: object, n_frames: int) -> None:
    incar = getattr(run, "incar", {})
    if _parameter(run, "IBRION", 0) != 0:
        raise TrajectoryError(f"{path}: IBRION is not 0: a relaxation, not molecular dynamics")
    machine_learned = bool(incar.get("ML_LMLFF", False))
    predicted_only = str(incar.get("ML_MODE", "")).strip().lower() == "run" or (
        incar.get("ML_ISTART") == 2
    )
    if machine_learned and not predicted_only:
        raise TrajectoryError(
            f"{path}: frame 1 to {n_frames}: on-the-fly machine-learned MD writes ab initio steps "
            "and every NBLOCK-th step mixed, so frames are not equally spaced in time; use the "
            "XDATCAR of the run with --frame-spacing-fs POTIM × NBLOCK"
        )


def _vasprun_spacing(path: Path, run: object, n_frames: int) -> float:
    """POTIM × steps between frames: vasprun.xml holds every step, or every NBLOCK-th (ML_MODE)."""
    time_step = _parameter(run, "POTIM", 0.0)
    steps, block = _parameter(run, "NSW", 0.0), _parameter(run, "NBLOCK", 1.0)
    if time_step <= 0:
        raise TrajectoryError(f"{path}: no POTIM in it; give --frame-spacing-fs")
    if block > 1 and steps and n_frames <= steps // block:
        return time_step * block
    return time_step


def _read_displacement_archive(
    path: Path, spacing_fs: float | None, step_fs: float | None, _cell: object, _elements: object
) -> Trajectory:
    """Arrays ``disp`` (frames, atoms, 3) in Å, ``latt``, ``species``, ``frac0``; never pickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            disp, latt = archive["disp"], archive["latt"]
            species, frac0 = archive["species"], archive["frac0"]
    except (KeyError, ValueError, OSError) as error:
        raise TrajectoryError(
            f"{path}: arrays disp, latt, species and frac0 expected ({_first_line(error)})"
        ) from error
    if disp.ndim != 3 or frac0.shape != disp.shape[1:] or latt.shape != (3, 3):
        raise TrajectoryError(
            f"{path}: disp {disp.shape}, frac0 {frac0.shape} and latt {latt.shape} do not fit"
        )
    return Trajectory(
        tuple(str(s) for s in species),
        latt,
        frac0 + disp @ np.linalg.inv(latt),
        _needed(path, spacing_fs, step_fs),
        unwrapped=True,
        segments=(Segment(str(path), 0, len(disp)),),
    )


_TORN: Final[dict[Reader, Reader]] = {
    reader: partial(reader, torn_end=True) for reader in (_read_xdatcar, _read_xyz, _read_vasprun)
}
"""The same readers, dropping a last frame that is cut off."""
