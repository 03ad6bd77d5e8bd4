"""An engine is checked before it is believed: its forces against stored DFT forces.

A silently wrong weight file has been seen: a potential that loaded without a word and whose error
was larger than the forces themselves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ...data.embedded.registry import read_table
from ...data.records import FloatArray

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

MIN_CORRELATION: Final[float] = 0.6
"""Between the components of the forces; NEP89 has 0.9, wrong weights 0."""
MAX_ERROR_SHARE: Final[float] = 0.8
"""Mean absolute error over the mean absolute force: 1 is what a potential of no force has."""


@dataclass(frozen=True, kw_only=True)
class ForceCheck:
    """Forces of a potential beside those of DFT.

    Parameters
    ----------
    n_frames : int
    mean_force_eV_A, error_eV_A : float
        Mean absolute component of the DFT forces, and of the difference, eV/Å.
    slope : float
        Of the potential's forces on those of DFT through the origin; below 1 it is soft.
    correlation : float
    by_system : mapping of str to float
        Mean absolute error of each system, eV/Å.
    """

    n_frames: int
    mean_force_eV_A: float
    error_eV_A: float
    slope: float
    correlation: float
    by_system: dict[str, float]

    @property
    def believed(self) -> bool:
        """Whether the forces resemble those of DFT at all."""
        small = self.error_eV_A <= MAX_ERROR_SHARE * self.mean_force_eV_A
        return bool(small and self.correlation >= MIN_CORRELATION)

    def text(self) -> str:
        """The numbers in one line."""
        return (
            f"forces against DFT on {self.n_frames} stored frames: mean error "
            f"{self.error_eV_A:.2f} eV/Å of {self.mean_force_eV_A:.2f}, slope {self.slope:.2f}, "
            f"correlation {self.correlation:.2f}"
        )


@lru_cache(maxsize=1)
def dft_frames() -> tuple[dict[str, Any], ...]:
    """Stored frames: ``name``, ``source``, ``species``, ``lattice_A``, ``positions_A``,
    ``forces_eV_A``.
    """
    return tuple(json.loads(read_table("dft_forces.json"))["structures"])


def check_forces(
    calculator: Calculator, frames: Sequence[dict[str, Any]] | None = None
) -> ForceCheck:
    """Compare a calculator's forces with stored DFT forces.

    Parameters
    ----------
    calculator : ASE calculator
    frames : sequence, optional
        As :func:`dft_frames`, which is the default.

    Returns
    -------
    ForceCheck
    """
    from ase import Atoms

    frames = dft_frames() if frames is None else frames
    stored: list[FloatArray] = []
    given: list[FloatArray] = []
    for frame in frames:
        atoms = Atoms(
            frame["species"], positions=frame["positions_A"], cell=frame["lattice_A"], pbc=True
        )
        atoms.calc = calculator
        given.append(np.asarray(atoms.get_forces(), dtype=np.float64).ravel())
        stored.append(np.asarray(frame["forces_eV_A"], dtype=np.float64).ravel())
    return _compared(np.concatenate(stored), np.concatenate(given), frames, stored, given)


def _compared(
    dft: FloatArray,
    own: FloatArray,
    frames: Sequence[dict[str, Any]],
    stored: Sequence[FloatArray],
    given: Sequence[FloatArray],
) -> ForceCheck:
    errors: dict[str, list[float]] = {}
    for frame, one, other in zip(frames, stored, given, strict=True):
        errors.setdefault(frame["name"], []).append(float(np.abs(one - other).mean()))
    spread = float(np.std(own))
    # Forces that are all equal correlate with nothing; NaN would pass no test and name no reason.
    correlation = float(np.corrcoef(dft, own)[0, 1]) if spread > 0 else 0.0
    return ForceCheck(
        n_frames=len(frames),
        mean_force_eV_A=float(np.abs(dft).mean()),
        error_eV_A=float(np.abs(dft - own).mean()),
        slope=float(dft @ own / (dft @ dft)),
        correlation=correlation,
        by_system={name: float(np.mean(values)) for name, values in errors.items()},
    )
