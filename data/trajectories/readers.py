"""Trajectory files of several codes → :class:`~ionsieve.data.trajectory.Trajectory`."""

from __future__ import annotations

import contextlib
import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import IonsieveError, TrajectoryError
from .clock import Clock, clock_of_infos, first_time_fs, frame_spacing
from .joining import join
from .lammps import read_lammps_dump
from .limits import check_archive, check_xyz_counts
from .trajectory import Segment, Trajectory
from .xdatcar import read_xdatcar
from .xyz import read_cp2k_xyz


def read_trajectory(
    files: Sequence[str | Path],
    frame_spacing_fs: float | None = None,
    time_step_fs: float | None = None,
    cell: str | Path | None = None,
    elements: Sequence[str] | None = None,
    torn_end: bool = False,
    consecutive: bool = False,
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
    consecutive : bool
        The files are one run even where a file does not begin near the end of the one before.

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
        with told_as_one_line(path):
            read = _TORN.get(_reader(path), _reader(path)) if torn_end else _reader(path)
            parts.append(read(path, frame_spacing_fs, time_step_fs, cell, elements))
    return join(parts, consecutive)


_NVE: Final[float] = -3.0
"""SMASS of VASP's microcanonical runs, where TEBEG sets the first velocities only."""

Reader = Callable[
    [Path, float | None, float | None, str | Path | None, Sequence[str] | None], Trajectory
]


@contextlib.contextmanager
def told_as_one_line(path: Path) -> Iterator[None]:
    """Whatever a damaged file does to a reader or its library is an error that names the file.

    Raises
    ------
    TrajectoryError
        For anything but errors of ours and of the operating system.
    """
    try:
        yield
    except (IonsieveError, OSError) as error:
        if isinstance(error, gzip.BadGzipFile):
            raise TrajectoryError(f"{path}: the gzip file is damaged ({error})") from None
        raise
    except MemoryError:
        raise TrajectoryError(
            f"{path}: needs more memory than there is; keep every second frame, or fewer"
        ) from None
    except (EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise TrajectoryError(
            f"{path}: the file is cut off or damaged ({_first_line(error)[:200]})"
        ) from None
    except Exception as error:
        raise TrajectoryError(f"{path}: cannot be read ({_first_line(error)[:300]})") from None


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
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrajectoryError(f"{path}: the gzip file is cut off or damaged ({error})") from error


def _read_xdatcar(
    path: Path,
    spacing_fs: float | None,
    step_fs: float | None,
    _cell: object,
    _elements: object,
    torn_end: bool = False,
) -> Trajectory:
    return read_xdatcar(path, spacing_fs, torn_end=torn_end, time_step_fs=step_fs)


def _read_xyz(
    path: Path,
    spacing_fs: float | None,
    step_fs: float | None,
    cell: str | Path | None,
    _elements: object,
    torn_end: bool = False,
) -> Trajectory:
    return read_cp2k_xyz(path, spacing_fs, cell, torn_end, step_fs)


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
    frac, cells, species = [], [], None
    infos: list[Mapping[str, object]] = []
    number = 0
    kind = "traj" if path.name.lower().endswith(".traj") else "extxyz"
    try:
        for number, atoms in enumerate(_ase_frames(path, kind), start=1):
            own = tuple(atoms.get_chemical_symbols())
            if species is not None and own != species:
                raise TrajectoryError(f"{path}: frame {number}: the atoms change within the file")
            if abs(atoms.cell.volume) < 1e-6:
                raise TrajectoryError(f"{path}: frame {number}: no cell; a crystal needs one")
            species = own
            cells.append(np.asarray(atoms.cell))
            frac.append(atoms.get_scaled_positions(wrap=False))
            infos.append(atoms.info)
    except TrajectoryError:
        raise
    except Exception as error:
        raise TrajectoryError(
            f"{path}: frame {number + 1} cannot be read as {kind} ({_first_line(error)})"
        ) from error
    if species is None:
        raise TrajectoryError(f"{path}: no frame in it (frame 1 is missing)")
    clock = clock_of_infos(infos)
    spacing = frame_spacing(path, clock, spacing_fs, step_fs)
    start = first_time_fs(clock, spacing)
    cell_array = np.array(cells)
    constant = bool(np.array_equal(cell_array, np.broadcast_to(cell_array[0], cell_array.shape)))
    return Trajectory(
        species=species,
        lattices=cell_array[:1] if constant else cell_array,
        frac=np.array(frac),
        frame_spacing_fs=spacing,
        segments=(Segment(file=str(path), first_frame=0, n_frames=len(frac), first_time_fs=start),),
    )


def _ase_frames(path: Path, kind: str) -> Iterator[Any]:
    """Frames by ASE, which takes an ``@`` in a file's name for a selection: it gets no name."""
    if kind == "traj":
        from ase.io.trajectory import TrajectoryReader

        with path.open("rb") as stream:
            reader = TrajectoryReader(stream)
            yield from (reader[k] for k in range(len(reader)))
        return
    from ase.io.extxyz import read_xyz

    check_xyz_counts(path)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as text:
        yield from read_xyz(text, index=slice(None))


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _read_vasprun(
    path: Path,
    spacing_fs: float | None,
    step_fs: float | None,
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
    _check_vasprun(path, run, len(structures))
    spacing = frame_spacing(path, _vasprun_clock(run, len(structures)), spacing_fs, step_fs)
    cells = np.array([s.lattice.matrix for s in structures])
    constant = bool(np.array_equal(cells, np.broadcast_to(cells[0], cells.shape)))
    return Trajectory(
        species=tuple(site.specie.symbol for site in structures[0]),
        lattices=cells[:1] if constant else cells,
        frac=np.array([s.frac_coords for s in structures]),
        frame_spacing_fs=spacing,
        segments=(Segment(file=str(path), first_frame=0, n_frames=len(structures)),),
        warnings=(*_ramp(path, run), *(_torn_xml(path, len(structures)) if torn_end else ())),
        temperature_K=_vasprun_temperature(run),
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


def _vasprun_clock(run: object, n_frames: int) -> Clock:
    """POTIM a frame: vasprun.xml holds every step, of a machine-learned run each NBLOCK-th."""
    time_step = _parameter(run, "POTIM", 0.0)
    steps, block = _parameter(run, "NSW", 0.0), int(_parameter(run, "NBLOCK", 1.0))
    learned = bool(getattr(run, "incar", {}).get("ML_LMLFF", False))
    thinned = learned and block > 1 and steps > 0 and n_frames <= steps // block
    return Clock(
        steps=[block * k for k in range(1, n_frames + 1)] if thinned else (),
        step_fs=time_step if time_step > 0 else None,
        step_name=f"POTIM = {time_step:g} fs",
    )


def _vasprun_temperature(run: object) -> float | None:
    """TEBEG, K, where TEEND says nothing else; None for a ramp or a run without thermostat."""
    start, end = _thermostat(run)
    no_thermostat = _parameter(run, "SMASS", 0.0) == _NVE
    return start if start > 0 and end == start and not no_thermostat else None


def _thermostat(run: object) -> tuple[float, float]:
    """TEBEG and TEEND, K; VASP takes TEBEG where TEEND is not given."""
    start = _parameter(run, "TEBEG", 0.0)
    end = _parameter(run, "TEEND", start)
    return start, end if end > 0 else start


def _ramp(path: Path, run: object) -> tuple[str, ...]:
    start, end = _thermostat(run)
    if start == end:
        return ()
    return (f"{path}: the temperature goes from TEBEG {start:g} K to TEEND {end:g} K",)


def _read_displacement_archive(
    path: Path, spacing_fs: float | None, step_fs: float | None, _cell: object, _elements: object
) -> Trajectory:
    """Arrays ``disp`` (frames, atoms, 3) in Å, ``latt``, ``species``, ``frac0``; never pickled."""
    check_archive(path)
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
        species=tuple(str(s) for s in species),
        lattices=latt,
        frac=frac0 + disp @ np.linalg.inv(latt),
        frame_spacing_fs=frame_spacing(path, Clock(), spacing_fs, step_fs),
        unwrapped=True,
        segments=(Segment(file=str(path), first_frame=0, n_frames=len(disp)),),
    )


_TORN: Final[dict[Reader, Reader]] = {
    reader: partial(reader, torn_end=True) for reader in (_read_xdatcar, _read_xyz, _read_vasprun)
}
"""The same readers, dropping a last frame that is cut off."""
