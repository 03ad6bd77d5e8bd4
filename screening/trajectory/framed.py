"""A run in the frame of its framework: what all measures beyond the label work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...data.elements import ATOMIC_NUMBER
from ...data.records import FloatArray, IntArray
from ...data.trajectories.displacements import Displacements
from ...data.trajectories.trajectory import Trajectory


@dataclass(frozen=True, eq=False, kw_only=True)
class FramedRun:
    """A run in the frame of its framework."""

    species: tuple[str, ...]
    frac: FloatArray
    """(n_frames, n_atoms, 3), mobile ions first."""
    n_mobile: int
    lattice: FloatArray
    """Mean cell, (3, 3), Å."""
    positions_A: FloatArray
    """Mobile ions, (n_frames, n_mobile, 3), Å."""
    frame_spacing_fs: float

    @property
    def mobile(self) -> str:
        """Element of the (first of the) mobile ions."""
        return self.species[0]

    @property
    def mobile_frac(self) -> FloatArray:
        """Mobile ions, (n_frames, n_mobile, 3)."""
        return self.frac[:, : self.n_mobile]

    @property
    def host_species(self) -> tuple[str, ...]:
        """Elements of all other atoms, in order."""
        return self.species[self.n_mobile :]

    @property
    def host_frac(self) -> FloatArray:
        """Mean place of every other atom, (n_host, 3)."""
        return np.asarray(self.frac[:, self.n_mobile :].mean(axis=0))

    @property
    def z(self) -> IntArray:
        """Atomic number of every atom, (n_atoms,)."""
        return np.array([ATOMIC_NUMBER[s] for s in self.species], dtype=np.int64)

    def frames(self, duration_ps: float) -> int:
        """Whole frames in a time, at least one."""
        return max(1, round(duration_ps * 1000.0 / self.frame_spacing_fs))


def frame_run(run: Trajectory, moves: Displacements, discard: int = 0) -> FramedRun:
    """Express all atoms in the mean cell, framework at rest, without ``discard`` first frames."""
    lattice = moves.lattice
    inverse = np.linalg.inv(lattice)
    ions, rest = moves.positions_A[discard:], moves.framework_A[discard:]
    return FramedRun(
        species=moves.mobile_species + moves.framework_species,
        frac=np.concatenate([ions @ inverse, rest @ inverse], axis=1),
        n_mobile=moves.n_mobile,
        lattice=lattice,
        positions_A=ions,
        frame_spacing_fs=moves.frame_spacing_fs,
    )
