"""How the cell of a run fluctuates: constant volume, constant pressure, or still relaxing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .trajectory import FloatArray, Trajectory

DRIFT_SIGMAS: Final[float] = 3.0
"""Halves of a run whose volumes differ by more standard errors than this have not settled."""
_BLOCKS: Final[int] = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class CellFluctuations:
    """Mean and standard deviation of a varying cell.

    Attributes
    ----------
    volume_A3, volume_spread_A3 : float
    lengths_A, lengths_spread_A : tuple of float
        Edges a, b, c.
    angles_deg, angles_spread_deg : tuple of float
        α, β, γ.
    volume_drift : float
        Mean volume of the second half over that of the first, less 1.
    drifts : bool
        Whether that is more than the volume's own noise (block means) explains.
    """

    volume_A3: float
    volume_spread_A3: float
    lengths_A: tuple[float, ...]
    lengths_spread_A: tuple[float, ...]
    angles_deg: tuple[float, ...]
    angles_spread_deg: tuple[float, ...]
    volume_drift: float
    drifts: bool


def cell_fluctuations(run: Trajectory, discard: int = 0) -> CellFluctuations | None:
    """Describe the cell of a run after ``discard`` frames; None where it is constant."""
    if len(run.lattices) == 1:
        return None
    cells = run.lattices[discard:]
    lengths = np.linalg.norm(cells, axis=2)
    unit = cells / lengths[:, :, None]
    cosines = np.stack([(unit[:, i] * unit[:, j]).sum(1) for i, j in ((1, 2), (0, 2), (0, 1))], 1)
    angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    volume = np.abs(np.linalg.det(cells))
    drift, drifts = _drift(volume)
    return CellFluctuations(
        volume_A3=float(volume.mean()),
        volume_spread_A3=float(volume.std()),
        lengths_A=tuple(lengths.mean(axis=0).tolist()),
        lengths_spread_A=tuple(lengths.std(axis=0).tolist()),
        angles_deg=tuple(angles.mean(axis=0).tolist()),
        angles_spread_deg=tuple(angles.std(axis=0).tolist()),
        volume_drift=drift,
        drifts=drifts,
    )


def _drift(volume: FloatArray) -> tuple[float, bool]:
    half = len(volume) // 2
    if half < _BLOCKS:
        return 0.0, False
    early, late = float(volume[:half].mean()), float(volume[-half:].mean())
    blocks = np.array([b.mean() for b in np.array_split(volume, _BLOCKS)])
    # Within halves, so that the drift itself does not count as noise.
    spread = np.concatenate([b - b.mean() for b in np.split(blocks, 2)]).std(ddof=2)
    error = float(spread) * np.sqrt(4.0 / _BLOCKS)
    return late / early - 1.0, bool(abs(late - early) > DRIFT_SIGMAS * error + 1e-9 * early)
