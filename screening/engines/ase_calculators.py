"""GPAW through ASE, and how optional packages are had. Potentials: :mod:`.potentials`."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...data.errors import MissingDependencyError
from ..jobs.plan import Plan, RelaxPlan

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

REMEDIES: Final[dict[str, str]] = {
    "gpaw": "'make gpaw' (needs Debian's g++, libxc-dev and libopenblas-dev, or their like)",
    "torch": "pip install torch==2.13.0",
    "chgnet": "pip install torch==2.13.0 chgnet",
    "sevenn": "pip install torch==2.13.0 sevenn",
    "calorine": "'make nep' (compiles calorine, brings the NEP89 file)",
    "jobflow": "pip install jobflow",
    "atomate2": "pip install 'atomate2>=0.1' jobflow",
}
"""Optional packages and how they are had."""


def require(package: str, *modules: str) -> None:
    """Ask for an optional package, and for the modules of it that are about to be used.

    Raises
    ------
    MissingDependencyError
        With the remedy, if the package is absent or does not go with the other packages here.
    """
    if importlib.util.find_spec(package) is None:
        raise MissingDependencyError(f"{package} is not installed: {REMEDIES[package]}")
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingDependencyError(
                f"{package} is installed, but {module} does not start with the other packages "
                f"here ({' '.join(str(error).split())}): another version may, {REMEDIES[package]}"
            ) from None


def gpaw_calculator(plan: Plan, folder: Path) -> Calculator:
    """GPAW in plane waves, PBE, symmetry of the crystal off.

    Engine settings: ``cutoff_eV`` (340; a relaxation has its own), ``smearing_eV`` (0.05),
    ``density_convergence`` (1e-5 electrons per valence electron), ``max_scf_steps`` (150),
    ``mixing`` (GPAW's default).
    """
    require("gpaw", "gpaw")
    from gpaw import GPAW, PW, FermiDirac, Mixer

    own: dict[str, Any] = plan.engine_settings
    more = {"mixer": Mixer(own["mixing"], 5, 50.0)} if "mixing" in own else {}
    tighter = own.get("convergence_factor", 1.0)
    cutoff_eV = own.get("cutoff_eV", 340.0)
    if isinstance(plan, RelaxPlan):
        cutoff_eV = max(cutoff_eV, plan.settings.cutoff_eV)
    return GPAW(
        mode=PW(cutoff_eV),
        xc="PBE",
        kpts={"size": plan.k_points, "gamma": True},
        # Heat leaves no symmetry but that of time.
        symmetry={"point_group": False},
        occupations=FermiDirac(own.get("smearing_eV", 0.05)),
        spinpol=plan.spin_polarised,
        convergence={"density": tighter * own.get("density_convergence", 1e-5)},
        maxiter=own.get("max_scf_steps", 150),
        txt=str(folder / "gpaw.txt"),
        **more,
    )
