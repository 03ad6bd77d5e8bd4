"""The density of the mobile ion as a file that crystal viewers open."""

from __future__ import annotations

from pathlib import Path

from ...data.atomic import write_text_atomic
from ...features.motion.density import chgcar_text, cube_text, probability_density
from .framed import FramedRun


def write_density(
    path: str | Path, run: FramedRun, spacing_A: float = 0.25, smear_A: float = 0.2
) -> None:
    """Write the probability density of the mobile ion, with the framework as atoms.

    Parameters
    ----------
    path : path
        A Gaussian cube file where it ends in ``.cube``, else a VASP CHGCAR.
    run : FramedRun
    spacing_A : float
        Grid spacing, Å.
    smear_A : float
        Standard deviation of the smoothing, Å.
    """
    density = probability_density(run.mobile_frac, run.lattice, spacing_A, smear_A)
    framework = run.species[run.n_mobile :]
    places = run.frac[:, run.n_mobile :].mean(axis=0)
    form = cube_text if Path(path).suffix.lower() == ".cube" else chgcar_text
    write_text_atomic(path, form(density, run.lattice, framework, places))
