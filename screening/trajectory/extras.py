"""Everything about a run beyond its label, from one unwrapping: measures, files, summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...data.sources.files import read_one_structure
from ...data.trajectories.displacements import displacements
from ...data.trajectories.trajectory import Trajectory
from ...data.transport.analysis import TransportLabel
from ...data.transport.arrhenius import fit_arrhenius, read_points
from .density import write_density
from .framed import frame_run
from .frustration import Frustration, FrustrationOptions, frustration
from .hops import write_jumps
from .sites import sites_from_structure
from .summary import write_summary

TETRAHEDRA: Final[Path] = Path("tetrahedra")
"""Given in place of a structure: the tetrahedra of the anion lattice."""


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What is wanted beyond the label.

    Attributes
    ----------
    measures : bool
        Dynamical frustration.
    sites : path, optional
        Structure whose sites are used, or :data:`TETRAHEDRA`.
    charges_e : mapping, optional
    anions : tuple of str
        Formulas of polyanions.
    wannier : tuple of path
        Files with Wannier centres.
    jumps : tuple of path
        Files for jump events, ``.csv`` or ``.cube``.
    density, summary, arrhenius : path, optional
    """

    measures: bool = False
    sites: Path | None = None
    charges_e: Mapping[str, float] | None = None
    anions: tuple[str, ...] = ()
    wannier: tuple[Path, ...] = ()
    jumps: tuple[Path, ...] = ()
    density: Path | None = None
    summary: Path | None = None
    arrhenius: Path | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything is."""
        return bool(
            self.measures
            or self.sites
            or self.wannier
            or self.jumps
            or self.density
            or self.summary
        )


def extras_of(run: Trajectory, label: TransportLabel, extras: Extras) -> dict[str, object]:
    """Measure and write what is wanted.

    Returns
    -------
    dict
        To be added to the answer: ``frustration``, or nothing.
    """
    points = None if extras.arrhenius is None else read_points(extras.arrhenius)
    # Other mobile ions stay in the picture: without them no charge balances.
    own = displacements(run, label.settings.mobile)
    framed = frame_run(run, own, label.n_equilibration_frames)
    found: Frustration | None = None
    if extras.measures or extras.jumps or extras.sites or extras.wannier:
        sites = None
        tetrahedra = extras.sites == TETRAHEDRA
        if extras.sites is not None and not tetrahedra:
            sites = sites_from_structure(read_one_structure(extras.sites), framed)
        options = FrustrationOptions(
            sites=sites,
            tetrahedra=tetrahedra,
            charges_e=extras.charges_e,
            anions=extras.anions,
            wannier=extras.wannier,
        )
        found = frustration(framed, options)
        for path in extras.jumps:
            write_jumps(path, framed, found.sites, found.jumps)
    if extras.density is not None:
        write_density(extras.density, framed)
    measures = None if found is None else found.measures
    if extras.summary is not None:
        fit = None if points is None else (fit_arrhenius(points), points)
        write_summary(extras.summary, label, own, found, fit)
    return {} if measures is None else {"frustration": measures}
