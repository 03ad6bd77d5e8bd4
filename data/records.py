"""Frozen, validated records: structure, label, provenance, quarantine entry.

A record is a fact with its origin. It holds plain arrays and strings; pymatgen objects exist
only at the door (:mod:`ionsieve.data.convert`).
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .elements import ATOMIC_NUMBER, SYMBOLS
from .errors import LabelError, StructureError

if TYPE_CHECKING:
    from pymatgen.core import Composition

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

Kind = Literal["aimd", "mlip_md", "experiment"]
KINDS: Final[tuple[Kind, ...]] = ("aimd", "mlip_md", "experiment")
Quantity = Literal["sigma_S_cm", "diffusivity_cm2_s", "t_onset_K", "diffuses"]
QUANTITIES: Final[tuple[Quantity, ...]] = (
    "sigma_S_cm",
    "diffusivity_cm2_s",
    "t_onset_K",
    "diffuses",
)

MAX_COORDINATE: Final[float] = 4e9
"""Fractional coordinates are folded into the cell; beyond this, double precision has no digit of
1e-6 left to fold."""
OCCUPANCY_TOLERANCE: Final[float] = 1e-3
"""Occupancies printed with few digits may sum to a little over 1; beyond this they are wrong."""


MAX_EDGE_A: Final[float] = 1e4
"""Longest lattice vector, Å: a hundred times that of any crystal."""


class SiteSpecies(NamedTuple):
    """One species on one site."""

    element: str
    occupancy: float = 1.0
    oxidation: float | None = None


SiteContent = tuple[SiteSpecies, ...]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a fact comes from and under which licence it may be used."""

    source: str
    licence: str = "unknown"
    reference: str | None = None
    """DOI, database id or address-free citation."""
    file: str | None = None
    """Name of the file it was read from, as the user gave it."""
    note: str = ""


def _validated_lattice(record_id: str, lattice: object) -> FloatArray:
    array = np.array(lattice, dtype=np.float64)
    if array.shape != (3, 3):
        raise StructureError(
            f"{record_id}: lattice must be 3×3 (rows a, b, c in Å), got {array.shape}"
        )
    if not np.isfinite(array).all():
        raise StructureError(
            f"{record_id}: lattice holds NaN or infinity; correct the cell parameters"
        )
    if np.abs(array).max() > MAX_EDGE_A:
        raise StructureError(f"{record_id}: lattice vector longer than {MAX_EDGE_A:g} Å")
    volume = abs(float(np.linalg.det(array)))
    lengths = np.linalg.norm(array, axis=1)
    # A flat cell is relative to its edges: 1e-3 of a·b·c is far below any real crystal.
    if lengths.min() < 0.5 or volume < 1e-3 * float(lengths.prod()):
        raise StructureError(
            f"{record_id}: lattice is flat or shorter than 0.5 Å (volume {volume:.3g} Å³)"
        )
    array.flags.writeable = False
    return array


def _validated_frac(record_id: str, frac: object, n_sites: int) -> FloatArray:
    array = np.array(frac, dtype=np.float64)
    if array.shape != (n_sites, 3):
        raise StructureError(
            f"{record_id}: {n_sites} sites need frac of shape ({n_sites}, 3), got {array.shape}"
        )
    if not np.isfinite(array).all():
        site = int(np.argwhere(~np.isfinite(array).all(axis=1))[0, 0])
        raise StructureError(f"{record_id}: site {site} has a NaN or infinite coordinate")
    if (np.abs(array) > MAX_COORDINATE).any():
        site = int(np.argwhere((np.abs(array) > MAX_COORDINATE).any(axis=1))[0, 0])
        raise StructureError(
            f"{record_id}: site {site} has a coordinate beyond {MAX_COORDINATE:g}, whose digits "
            "say nothing about its place in the cell"
        )
    array -= np.floor(array)
    # Rounding just below 1.0 puts equivalent sites on both faces of the cell: fold them to 0.
    array[array > 1.0 - 1e-9] = 0.0
    array.flags.writeable = False
    return array


def _validated_content(record_id: str, site: int, content: SiteContent) -> SiteContent:
    if not content:
        raise StructureError(f"{record_id}: site {site} has no species")
    checked = tuple(SiteSpecies(*species) for species in content)
    for species in checked:
        if species.element not in ATOMIC_NUMBER:
            raise StructureError(
                f"{record_id}: site {site} holds {species.element!r}, not an element"
            )
        if not (0.0 < species.occupancy <= 1.0 + OCCUPANCY_TOLERANCE):
            raise StructureError(
                f"{record_id}: site {site} has occupancy {species.occupancy} of {species.element}; "
                "it must be above 0 and at most 1"
            )
    total = sum(species.occupancy for species in checked)
    if total > 1.0 + OCCUPANCY_TOLERANCE:
        raise StructureError(
            f"{record_id}: occupancies on site {site} sum to {total:.3f}, more than 1"
        )
    return checked


@dataclass(frozen=True, eq=False, kw_only=True)
class StructureRecord:
    """A periodic crystal structure with its origin.

    Parameters
    ----------
    id : str
        Unique, stable identifier.
    lattice : array (3, 3), Å
        Rows are the lattice vectors a, b, c.
    species : sequence of site contents, length n_sites
        Each site holds one or more :class:`SiteSpecies`; occupancies sum to at most 1.
    frac : array (n_sites, 3)
        Fractional coordinates, folded to [0, 1).
    provenance : Provenance
        Source and licence.
    e_above_hull_eV_atom, band_gap_eV : float, optional
        As given by the source; None where it gives none.
    energy_eV_atom : float, optional
        Total energy, eV/atom, with the corrections of the source; comparable within it only.
    li_window_low_V, li_window_high_V : float, optional
        Reduction and oxidation limit against lithium metal, V, where energies are known.
    notes : tuple of str
        Remarks of the reader that a user has to see, such as a difference between the sites and
        the formula sum of the file.

    Raises
    ------
    StructureError
        With the site and the value, if anything is not physical.
    """

    id: str
    lattice: FloatArray
    species: tuple[SiteContent, ...]
    frac: FloatArray
    provenance: Provenance = field(default_factory=lambda: Provenance(source="unknown"))
    e_above_hull_eV_atom: float | None = None
    band_gap_eV: float | None = None
    energy_eV_atom: float | None = None
    li_window_low_V: float | None = None
    li_window_high_V: float | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(self.notes))
        if not self.species:
            raise StructureError(f"{self.id}: structure has no sites")
        content = tuple(_validated_content(self.id, i, c) for i, c in enumerate(self.species))
        object.__setattr__(self, "species", content)
        object.__setattr__(self, "lattice", _validated_lattice(self.id, self.lattice))
        object.__setattr__(self, "frac", _validated_frac(self.id, self.frac, len(content)))

    @classmethod
    def ordered(
        cls,
        record_id: str,
        lattice: object,
        elements: list[str] | tuple[str, ...],
        frac: object,
        provenance: Provenance | None = None,
    ) -> StructureRecord:
        """Build a fully occupied structure from element symbols."""
        species = tuple((SiteSpecies(element),) for element in elements)
        return cls(
            id=record_id,
            lattice=np.asarray(lattice, dtype=np.float64),
            species=species,
            frac=np.asarray(frac, dtype=np.float64),
            provenance=provenance or Provenance(source="unknown"),
        )

    @property
    def n_sites(self) -> int:
        """Number of crystallographic sites in the cell, occupied or partly so."""
        return len(self.species)

    @cached_property
    def volume_A3(self) -> float:
        """Cell volume, Å³."""
        return abs(float(np.linalg.det(self.lattice)))

    @cached_property
    def is_ordered(self) -> bool:
        """True when every site holds one species at full occupancy."""
        return all(
            len(content) == 1 and abs(content[0].occupancy - 1.0) <= OCCUPANCY_TOLERANCE
            for content in self.species
        )

    @cached_property
    def has_whole_sites(self) -> bool:
        """True when every site holds one species at an occupancy of 1, to the last digit."""
        return all(len(content) == 1 and content[0].occupancy == 1.0 for content in self.species)

    @cached_property
    def composition(self) -> dict[str, float]:
        """Atoms per cell by element, occupancies counted, in order of atomic number."""
        totals: defaultdict[str, float] = defaultdict(float)
        for content in self.species:
            for species in content:
                totals[species.element] += species.occupancy
        return {e: float(totals[e]) for e in sorted(totals, key=ATOMIC_NUMBER.__getitem__)}

    @property
    def elements(self) -> tuple[str, ...]:
        """Element symbols in order of atomic number."""
        return tuple(self.composition)

    @cached_property
    def dominant_atomic_numbers(self) -> IntArray:
        """Atomic number of the most abundant species on each site, shape (n_sites,)."""
        dominant = [
            max(content, key=lambda s: (s.occupancy, s.element)) for content in self.species
        ]
        return np.array([ATOMIC_NUMBER[s.element] for s in dominant], dtype=np.int64)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over lattice, species and coordinates (not id or provenance), 16 hex digits."""
        digest = hashlib.sha256()
        digest.update(np.round(self.lattice, 8).tobytes())
        digest.update(np.round(self.frac, 8).tobytes())
        digest.update(repr(self.species).encode())
        return digest.hexdigest()[:16]


NUMBERS: Final[tuple[str, ...]] = tuple(
    field.name for field in fields(StructureRecord) if field.type == "float | None"
)
"""Fields of a record that hold a number of its source, or None where the source gives none."""


@dataclass(frozen=True)
class Quarantined:
    """An input that was not used, and why: nothing is skipped silently."""

    id: str
    file: str
    stage: str
    """``read``, ``duplicate``, ``policy``, ``roles``, ``features`` or ``predict``."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Label:
    """One (structure, temperature, kind) → transport quantity, as a value or as a bound.

    A run without long-range diffusion carries ``upper`` and no ``value``. ``error_log10`` is one
    standard deviation in decades. ``derived`` is True where the number was extrapolated from other
    temperatures rather than simulated or measured at ``temperature_K``.
    """

    structure_id: str
    temperature_K: float
    kind: Kind
    quantity: Quantity
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    error_log10: float | None = None
    group: str = ""
    source: str = ""
    derived: bool = False
    grade: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        where = f"label of {self.structure_id} at {self.temperature_K} K"
        if self.kind not in KINDS:
            raise LabelError(f"{where}: kind {self.kind!r} is not one of {', '.join(KINDS)}")
        if self.quantity not in QUANTITIES:
            raise LabelError(
                f"{where}: quantity {self.quantity!r} is not one of {', '.join(QUANTITIES)}"
            )
        if not (math.isfinite(self.temperature_K) and self.temperature_K > 0):
            raise LabelError(f"{where}: temperature_K must be positive")
        if self.value is None and self.lower is None and self.upper is None:
            raise LabelError(f"{where}: give value, lower or upper")
        for name in ("value", "lower", "upper", "error_log10"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise LabelError(f"{where}: {name} is {number}; leave it empty instead")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise LabelError(f"{where}: lower {self.lower} exceeds upper {self.upper}")


_NEAR: Final[tuple[float, float, float]] = (0.002, 0.004, 0.05)
"""So close to a whole number of atoms an amount is one, as occupancies are written as 0.3333: at
least, as a share of the amount, at most."""
_LONGEST_SUM = 60
"""Whole numbers that add up to more are harder to read than shares of a formula unit."""


def reduced_formula(composition: dict[str, float]) -> str:
    """Reduced formula as pymatgen writes it, so that formulas match what people see elsewhere.

    Sums of rounded occupancies are taken for the whole numbers that they stand for (25.99992 is
    26). Where whole numbers would be large or there are none, amounts are those of the largest
    formula unit in which they are multiples of 0.01: Li6.6La3Zr1.6Ta0.4O12.

    Parameters
    ----------
    composition : dict
        Atoms of each element in a cell.
    """
    from pymatgen.core import Composition

    amounts = {e: _whole_or_same(n) for e, n in composition.items()}
    units = _formula_units(list(amounts.values()))
    unit = Composition({e: round(n / units, 4) for e, n in amounts.items()})
    if all(n == round(n) for n in unit.values()):
        return str(unit.reduced_formula)
    # pymatgen writes the 1 of PS5 where another amount is no whole number.
    return "".join(f"{e}{'' if n == 1 else f'{n:g}'}" for e, n in _in_order(unit))


def _in_order(composition: Composition) -> list[tuple[str, float]]:
    """Elements with their amounts, in the order of pymatgen's formulas."""
    words = composition.formula.split()
    symbols = [word.rstrip("0123456789.") for word in words]
    return [(symbol, float(composition[symbol])) for symbol in symbols]


def _whole_or_same(amount: float) -> float:
    nearest = round(amount)
    least, share, most = _NEAR
    slack = min(most, max(least, share * amount))
    return float(nearest) if nearest and abs(amount - nearest) <= slack else amount


def _formula_units(amounts: list[float]) -> float:
    """How many formula units a cell holds."""
    whole = [round(n) for n in amounts if n == round(n)]
    divisor = math.gcd(*whole) if whole else 1
    if len(whole) == len(amounts) and sum(whole) // divisor <= _LONGEST_SUM:
        return divisor
    for units in range(divisor, 1, -1):
        percent = [100.0 * n / units for n in amounts]
        if divisor % units == 0 and all(abs(n - round(n)) < 0.1 for n in percent):
            return units
    return 1


__all__ = [
    "KINDS",
    "NUMBERS",
    "QUANTITIES",
    "SYMBOLS",
    "FloatArray",
    "IntArray",
    "Kind",
    "Label",
    "Provenance",
    "Quantity",
    "Quarantined",
    "SiteContent",
    "SiteSpecies",
    "StructureRecord",
    "reduced_formula",
]
