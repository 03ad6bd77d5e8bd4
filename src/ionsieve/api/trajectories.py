"""Trajectories to labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..data.trajectories.readers import read_trajectory
from ..data.transport.analysis import AnalysisSettings, TransportLabel, analyse


def analyse_md(
    files: str | Path | Sequence[str | Path],
    *,
    temperature_K: float,
    mobile: str = "Li",
    frame_spacing_fs: float | None = None,
    equilibration_ps: float | None = None,
) -> TransportLabel:
    """Decide whether a run shows diffusion, and give a conductivity or an upper bound.

    Parameters
    ----------
    files : path or sequence of path
        XDATCAR, vasprun.xml, extxyz, ASE .traj, xyz with cell or LAMMPS dump; several are
        segments of one run, in order.
    temperature_K : float
        Of the run, K.
    mobile : str
    frame_spacing_fs : float, optional
        Time between frames, fs; needed where the file does not say it.
    equilibration_ps : float, optional
        Discarded at the start, ps; found automatically by default.

    Returns
    -------
    TransportLabel
        ``verdict`` (``diffusive``, ``confined``, ``molten``, ``too_short``), diffusivity and
        conductivity with intervals, or an upper bound; ``label()`` makes a row of a label table.

    Raises
    ------
    TrajectoryError
        If the files cannot be read or contradict what is given.
    """
    paths = [files] if isinstance(files, (str, Path)) else list(files)
    run = read_trajectory([Path(p) for p in paths], frame_spacing_fs)
    settings = AnalysisSettings(
        mobile=mobile, temperature_K=temperature_K, equilibration_ps=equilibration_ps
    )
    return analyse(run, settings)
