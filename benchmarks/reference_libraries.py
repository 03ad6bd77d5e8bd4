"""What other libraries compute for the same crystal: one entry per quantity, each optional."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ionsieve.features import PreparedStructure
from ionsieve.features.catalogue import families
from ionsieve.features.electrostatics import columns as electrostatics

Numbers = np.ndarray


@dataclass(frozen=True)
class Reference:
    """One quantity from another library beside ours.

    ``theirs`` takes (pymatgen structure, prepared structure), because reading the structure is
    not what is compared; ``ours`` takes a fresh prepared structure.
    """

    name: str
    library: str
    theirs: Callable[[Any, PreparedStructure], Numbers]
    ours: Callable[[PreparedStructure], Numbers]
    is_slow: bool = False
    tolerance: float = 1e-6
    """Largest difference, of the largest number, that counts as agreement."""


def _family(name: str, columns: Callable[[str], bool]) -> Callable[[PreparedStructure], Numbers]:
    (family,) = families([name])
    wanted = [c.name for c in family.columns if columns(c.name)]

    def ours(prepared: PreparedStructure) -> Numbers:
        values = family.compute(prepared, [])
        return np.array([float(values[n]) for n in wanted])

    return ours


def _matminer(make: Callable[[], list[Any]], argument: str = "structure") -> Callable[..., Numbers]:
    featurizers = lru_cache(maxsize=1)(make)

    def theirs(structure: Any, prepared: PreparedStructure) -> Numbers:
        given = structure.composition if argument == "composition" else structure
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parts = [f.featurize(given) for f in featurizers()]
        return np.array([float(v) for part in parts for v in np.ravel(part)])

    featurizers()
    return theirs


def references() -> tuple[list[Reference], list[str]]:
    """Those whose library is installed, and a message for each that is not."""
    found: list[Reference] = []
    messages: list[str] = []
    for make in (_matminer_references, _pymatgen_ewald, _dscribe_acsf, _bvlain_barrier):
        try:
            found += make()
        except ImportError as error:
            messages.append(f"skipped {make.__name__.strip('_')}: {error}")
    return found, messages


def _matminer_references() -> list[Reference]:
    from matminer.featurizers import composition as c
    from matminer.featurizers import structure as s
    from matminer.featurizers.site import BondOrientationalParameter, LocalPropertyDifference

    fingerprint = s.SiteStatsFingerprint
    statistics = ("minimum", "maximum", "range", "mean", "avg_dev")

    def local() -> list[Any]:
        differences = LocalPropertyDifference.from_preset("ward-prb-2017", impute_nan=False)
        return [fingerprint(differences, stats=statistics)]

    def magpie() -> list[Any]:
        return [
            c.ElementProperty.from_preset("magpie", impute_nan=False),
            c.Stoichiometry(),
            c.ValenceOrbital(impute_nan=False),
        ]

    def voronoi(prefixes: tuple[str, ...]) -> Callable[[PreparedStructure], Numbers]:
        return _family("voronoi_order", lambda n: n.startswith(prefixes))

    heterogeneity = ("relative_", "neighbor_distance_")
    return [
        Reference(
            "Magpie, stoichiometry, valence",
            "matminer",
            _matminer(magpie, "composition"),
            _family("composition", lambda n: not n.startswith("ionic_character")),
        ),
        Reference(
            "density",
            "matminer",
            _matminer(lambda: [s.DensityFeatures()]),
            _family(
                "density",
                {"density_g_cm3", "volume_per_atom_A3", "packing_fraction"}.__contains__,
            ),
        ),
        Reference(
            "maximum packing efficiency",
            "matminer",
            _matminer(lambda: [s.MaximumPackingEfficiency()]),
            voronoi(("max_packing",)),
            is_slow=True,
        ),
        Reference(
            "structural heterogeneity",
            "matminer",
            _matminer(lambda: [s.StructuralHeterogeneity()]),
            voronoi(heterogeneity),
            is_slow=True,
        ),
        Reference(
            "effective coordination",
            "matminer",
            _matminer(lambda: [fingerprint.from_preset("CoordinationNumber_ward-prb-2017")]),
            voronoi(("effective_coordination",)),
            is_slow=True,
        ),
        Reference(
            "chemical ordering",
            "matminer",
            _matminer(lambda: [s.ChemicalOrdering()]),
            voronoi(("chemical_ordering",)),
            is_slow=True,
        ),
        Reference(
            "local property difference",
            "matminer",
            _matminer(local),
            voronoi(("local_difference",)),
            is_slow=True,
        ),
        Reference(
            "bond orientation q1–q10",
            "matminer",
            _matminer(
                lambda: [fingerprint(BondOrientationalParameter(), stats=("mean", "std_dev"))]
            ),
            _family("bond_order", lambda n: True),
            is_slow=True,
        ),
    ]


def _pymatgen_ewald() -> list[Reference]:
    from pymatgen.analysis.ewald import EwaldSummation

    def theirs(structure: Any, prepared: PreparedStructure) -> Numbers:
        charged = structure.copy()
        charged.add_oxidation_state_by_site(prepared.roles.oxidation.tolist())
        ewald = EwaldSummation(charged)
        return np.array([ewald.get_site_energy(i) for i in range(len(charged))])

    return [Reference("Ewald site energies", "pymatgen", theirs, electrostatics.site_energies_eV)]


def _dscribe_acsf() -> list[Reference]:
    import dscribe  # noqa: F401

    from ionsieve.features.similarity import acsf
    from ionsieve.features.void.host import host_of

    def theirs(structure: Any, prepared: PreparedStructure) -> Numbers:
        return acsf.dscribe_environments(prepared)

    def ours(prepared: PreparedStructure) -> Numbers:
        host = host_of(prepared)
        return acsf.environment_vectors(host, host.mobile_frac @ host.lattice)

    return [Reference("ACSF at mobile ions", "dscribe", theirs, ours)]


def _bvlain_barrier() -> list[Reference]:
    import bvlain

    (family,) = families(["bvse"])
    names = [f"bvse_barrier_{d}d_eV" for d in (1, 2, 3)]

    def theirs(structure: Any, prepared: PreparedStructure) -> Numbers:
        lain = bvlain.Lain(verbose=False)
        charged = structure.copy()
        charged.add_oxidation_state_by_site(prepared.roles.oxidation.tolist())
        lain.read_structure(charged, oxi_check=False)
        symbol = prepared.roles.mobile
        lain.bvse_distribution(mobile_ion=f"{symbol}1+", resolution=0.2, r_cut=10.0, k=100)
        barriers = lain.percolation_barriers(encut=5.0)
        found = np.array([barriers[f"E_{d}D"] for d in (1, 2, 3)], dtype=np.float64)
        # No percolation is infinite there and NaN here.
        return np.where(np.isfinite(found), found, np.nan)

    def ours(prepared: PreparedStructure) -> Numbers:
        values = family.compute(prepared, [])
        return np.array([float(values[n]) for n in names])

    return [
        Reference(
            "bond-valence barriers 1, 2, 3 D",
            "bvlain",
            theirs,
            ours,
            is_slow=True,
            # bvlain takes the saddle from a 0.2 Å grid, too high by up to some 10 meV.
            tolerance=0.05,
        )
    ]
