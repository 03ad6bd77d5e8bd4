"""The trajectory record: frames in equal steps of time, with the files they came from."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..elements import ATOMIC_NUMBER
from ..errors import TrajectoryError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

IN_MEMORY_BYTES: Final[int] = 1 << 30
"""Arrays beyond this live in an unnamed temporary file that the system maps as needed."""


def allocate(shape: tuple[int, ...], limit_bytes: int = IN_MEMORY_BYTES) -> FloatArray:
    """Return an uninitialised float64 array, mapped from a temporary file when it is large.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array.
    limit_bytes : int
        Largest array that is kept in memory, bytes.

    Returns
    -------
    array of ``shape``, float64
        The temporary file has no name, so it disappears with the array.
    """
    n_bytes = 8 * math.prod(shape)
    if n_bytes <= limit_bytes:
        return np.empty(shape)
    with tempfile.TemporaryFile() as stream:
        stream.truncate(n_bytes)
        return np.memmap(stream, dtype=np.float64, mode="r+", shape=shape)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One file of a trajectory: where its frames lie in the joined run."""

    file: str
    first_frame: int
    """Index of its first kept frame in the joined run, starting at 0."""
    n_frames: int
    """Frames kept, after overlap with the segment before was dropped."""
    sha256: str = ""
    first_time_fs: float | None = None
    """Time of its first frame as the file counts it, fs; None where it does not."""
    restarts: tuple[int, ...] = ()
    """Frames of the file, counted from 0, at which it begins to count anew."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Trajectory:
    """Positions of all atoms in equally spaced frames.

    Parameters
    ----------
    species : tuple of str, length n_atoms
        Element symbols, the same in every frame.
    lattices : array (1, 3, 3) or (n_frames, 3, 3), Å
        Rows are lattice vectors; one matrix when the cell is constant.
    frac : array (n_frames, n_atoms, 3)
        Fractional coordinates; may be a memory map.
    frame_spacing_fs : float
        Time between frames, fs.
    unwrapped : bool
        True when the coordinates already follow each ion across cell faces.
    segments : tuple of Segment
        The files, in order.
    warnings : tuple of str
        What the reader noticed and the user should know.
    temperature_K : float, optional
        Of the thermostat, K, where the file says it and it is constant.

    Raises
    ------
    TrajectoryError
        With the file and the frame, if shapes, spacing, species or numbers are not usable.
    """

    species: tuple[str, ...]
    lattices: FloatArray
    frac: FloatArray
    frame_spacing_fs: float
    unwrapped: bool = False
    segments: tuple[Segment, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    temperature_K: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "lattices", np.atleast_3d(np.asarray(self.lattices, float)))
        if self.lattices.shape == (3, 3, 1):
            object.__setattr__(self, "lattices", self.lattices[None, :, :, 0])
        _check_shapes(self)
        _check_numbers(self)

    @property
    def name(self) -> str:
        """File name of the first segment, for messages."""
        return self.segments[0].file if self.segments else "trajectory"

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return int(self.frac.shape[0])

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the cell."""
        return int(self.frac.shape[1])

    @property
    def duration_ps(self) -> float:
        """Time between the first and the last frame, ps."""
        return (self.n_frames - 1) * self.frame_spacing_fs / 1000.0

    @property
    def mean_volume_A3(self) -> float:
        """Cell volume averaged over frames, Å³."""
        return float(np.abs(np.linalg.det(self.lattices)).mean())

    def lattice(self, frame: int) -> FloatArray:
        """Lattice of one frame, shape (3, 3), Å."""
        return self.lattices[frame if len(self.lattices) > 1 else 0]

    def where(self, species: str | Sequence[str]) -> BoolArray:
        """Mask of the atoms of one or several elements, shape (n_atoms,)."""
        wanted = {species} if isinstance(species, str) else set(species)
        return np.array([s in wanted for s in self.species])

    def file_and_frame(self, frame: int) -> str:
        """Name a frame of the joined run by its file and its number in it, counted from 1."""
        for segment in reversed(self.segments):
            if frame >= segment.first_frame:
                return f"{segment.file}: frame {frame - segment.first_frame + 1}"
        return f"{self.name}: frame {frame + 1}"

    def between(self, start: int, stop: int | None = None) -> Trajectory:
        """Frames ``start`` to ``stop`` as a trajectory of its own; the data are not copied."""
        lattices = self.lattices if len(self.lattices) == 1 else self.lattices[start:stop]
        return Trajectory(
            species=self.species,
            lattices=lattices,
            frac=self.frac[start:stop],
            frame_spacing_fs=self.frame_spacing_fs,
            unwrapped=self.unwrapped,
            segments=(),
            warnings=self.warnings,
            temperature_K=self.temperature_K,
        )


def _check_shapes(run: Trajectory) -> None:
    if run.frac.ndim != 3 or run.frac.shape[2] != 3 or run.frac.shape[0] == 0:
        raise TrajectoryError(
            f"{run.name}: coordinates must be (frames, atoms, 3) with at least one frame, "
            f"got {run.frac.shape}"
        )
    if run.frac.shape[1] != len(run.species) or not run.species:
        raise TrajectoryError(
            f"{run.name}: {len(run.species)} species for {run.frac.shape[1]} atoms"
        )
    if run.lattices.shape[1:] != (3, 3) or len(run.lattices) not in (1, run.n_frames):
        raise TrajectoryError(
            f"{run.name}: {run.n_frames} frames need 1 or {run.n_frames} lattices of 3×3, "
            f"got {run.lattices.shape}"
        )


def _check_numbers(run: Trajectory) -> None:
    unknown = sorted(set(run.species) - ATOMIC_NUMBER.keys())
    if unknown:
        raise TrajectoryError(f"{run.name}: {', '.join(unknown)} is not an element")
    if not (math.isfinite(run.frame_spacing_fs) and run.frame_spacing_fs > 0):
        raise TrajectoryError(
            f"{run.name}: frame spacing must be positive, got {run.frame_spacing_fs} fs; "
            "give --frame-spacing-fs (VASP: POTIM × NBLOCK)"
        )
    lengths = np.linalg.norm(run.lattices, axis=2)
    volumes = np.abs(np.linalg.det(run.lattices))
    bad = ~(np.isfinite(volumes) & (volumes > 1e-3 * lengths.prod(axis=1)))
    if bad.any():
        where = run.file_and_frame(int(np.argmax(bad)))
        raise TrajectoryError(f"{where}: the cell is flat, empty or not finite")
    _check_finite(run)


def _check_finite(run: Trajectory) -> None:
    # In blocks, so that a mapped run is never loaded whole.
    for start in range(0, run.n_frames, 1024):
        finite = np.isfinite(run.frac[start : start + 1024]).all(axis=(1, 2))
        if not finite.all():
            where = run.file_and_frame(start + int(np.argmin(finite)))
            raise TrajectoryError(f"{where}: a coordinate is NaN or infinite")
