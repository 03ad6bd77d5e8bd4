"""Machine-learning potentials, any of them: calculators that give labels of kind ``mlip_md``.

Three are known by name; any other comes as ``package.module:factory``, a callable without
arguments that gives an ASE calculator. The name is taken from the command line only: what a job
folder says is never imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...data.errors import InputError, MissingDependencyError
from ..jobs.plan import Plan
from .ase_calculators import require
from .ase_engine import AseEngine
from .settings import SettingNames

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

NEP_MODEL_VARIABLE: Final[str] = "IONSIEVE_NEP_MODEL"
"""Environment variable with the path of a NEP model file (``nep.txt``)."""
_ENTRY_POINT: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True)
class Potential:
    """One potential: how it is made and what its labels say of it.

    Parameters
    ----------
    name : str
        Name on the command line and in labels.
    package : str
        Package whose version goes into the labels.
    needs : tuple of str
        Modules that must be importable.
    make : callable
        Gives the ASE calculator, on the CPU unless a device is named.
    source : str
        Paper.
    """

    name: str
    package: str
    needs: tuple[str, ...]
    make: Callable[[], Calculator]
    source: str

    def calculator(self) -> Calculator:
        """Make the calculator.

        Raises
        ------
        MissingDependencyError
            If a package or the weights are absent.
        """
        for module in self.needs:
            require(module, module)
        return self.make()

    def engine(self) -> AseEngine:
        """The potential as an engine of kind ``mlip_md``."""

        def calculator(plan: Plan, folder: Path) -> Calculator:
            return self.calculator()

        return AseEngine(
            name=self.name,
            kind="mlip_md",
            calculator=calculator,
            packages=self.needs,
            settings=SettingNames(frozenset()),
        )

    @property
    def version(self) -> str:
        """Version of the package, for the labels; ``unknown`` where it has none."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return "unknown"


def device() -> str:
    """``IONSIEVE_DEVICE`` (``cpu``, ``cuda``); the CPU where it is not set."""
    return os.environ.get("IONSIEVE_DEVICE", "cpu")


def _chgnet() -> Calculator:
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    # CHGNet makes a tensor of tensors at every step, and torch says so each time.
    warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad")
    where = device()
    return CHGNetCalculator(CHGNet.load(use_device=where, verbose=False), use_device=where)


def _sevennet() -> Calculator:
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator("7net-0", device=device())


def _nep89() -> Calculator:
    from calorine.calculators import CPUNEP

    return CPUNEP(str(nep_model()))


def nep_model() -> Path:
    """The NEP89 file: the path in ``IONSIEVE_NEP_MODEL``, or that in the package neptrainkit.

    The file is under GPL-3 and never a dependency: ``make nep`` brings it.

    Raises
    ------
    MissingDependencyError
        If there is none.
    """
    given = os.environ.get(NEP_MODEL_VARIABLE)
    if given:
        if not Path(given).is_file():
            raise MissingDependencyError(f"{NEP_MODEL_VARIABLE}: {given} is no file")
        return Path(given)
    found = importlib.util.find_spec("NepTrainKit")
    if found is not None and found.origin is not None:
        path = Path(found.origin).parent / "Config" / "nep89.txt"
        if path.is_file():
            return path
    raise MissingDependencyError(
        f"the NEP89 model file is not here: 'make nep', or set {NEP_MODEL_VARIABLE} to its path"
    )


POTENTIALS: Final[dict[str, Potential]] = {
    p.name: p
    for p in (
        Potential(
            name="chgnet",
            package="chgnet",
            needs=("torch", "chgnet"),
            make=_chgnet,
            source="Deng 2023, 10.1038/s42256-023-00716-3",
        ),
        Potential(
            name="sevennet",
            package="sevenn",
            needs=("torch", "sevenn"),
            make=_sevennet,
            source="Park 2024, 10.1021/acs.jctc.4c00190",
        ),
        Potential(
            name="nep89",
            package="calorine",
            needs=("calorine",),
            make=_nep89,
            source="Liang 2025, arXiv:2504.21286",
        ),
    )
}
"""Potentials known by name."""


def potential(name: str) -> Potential:
    """A potential by name, or any ASE calculator by ``package.module:factory``.

    Raises
    ------
    InputError
        If there is no such name, module or callable.
    """
    if name in POTENTIALS:
        return POTENTIALS[name]
    if not _ENTRY_POINT.fullmatch(name):
        known = ", ".join(sorted(POTENTIALS))
        raise InputError(
            f"potential {name!r} is not one of {known}, nor of the form package.module:factory"
        )
    module_name, attribute = name.split(":")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except ImportError as error:
        raise InputError(f"potential {name!r}: cannot import {module_name} ({error})") from error
    except AttributeError:
        raise InputError(f"potential {name!r}: {module_name} has no {attribute}") from None
    if not callable(factory):
        raise InputError(f"potential {name!r}: {attribute} is not callable")
    return Potential(
        name=name,
        package=module_name.split(".")[0],
        needs=(),
        make=factory,
        source="given by the user",
    )
