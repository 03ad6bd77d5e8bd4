"""Descriptors of a material of which only composition, cell volume and space group are known.

The same columns as for a structure; what needs positions of atoms is NaN. Nothing is imputed:
learners that take NaN answer from what is there, and the domain distance says how far that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ..data.elements import ATOMIC_NUMBER
from ..data.errors import FeatureError
from ..data.records import FloatArray
from ..data.rounding import meaningful
from ..data.units import AMU_A3_TO_G_CM3
from .catalogue import catalogue
from .core.columns import Values
from .core.elements import atomic_masses_amu, covalent_radii_A, slater_radii_A
from .rows import FeatureRow
from .standard.composition import COLUMNS as COMPOSITION_COLUMNS
from .standard.composition import magpie_matrix
from .standard.element_fractions import COLUMNS as FRACTIONS
from .standard.element_fractions import fraction_matrix
from .standard.symmetry import describe_space_group

POSITION_FREE_COLUMNS: Final[tuple[str, ...]] = (
    *(c.name for c in COMPOSITION_COLUMNS),
    *(c.name for c in FRACTIONS),
    "mobile_fraction",
    "density_g_cm3",
    "volume_per_atom_A3",
    "mobile_density_A3",
    "spacegroup_number",
)
"""What models of measurements learn from: known of every measured material."""
NO_STRUCTURE: Final[str] = "no structure: columns that need positions of atoms are empty"


def composition_row(
    record_id: str,
    amounts: Mapping[str, float],
    mobile: str = "Li",
    volume_A3: float | None = None,
    space_group_number: int | None = None,
) -> FeatureRow:
    """Features of a material without a structure.

    Parameters
    ----------
    record_id : str
    amounts : mapping
        Element symbol → number of atoms; of the cell where ``volume_A3`` is given.
    mobile : str
        Mobile species.
    volume_A3 : float, optional
        Volume of the cell that holds ``amounts``, Å³. Without it the densities are NaN.
    space_group_number : int, optional
        1 to 230.

    Returns
    -------
    FeatureRow
        With every column of the catalogue; without values where the composition cannot be used.
    """
    try:
        row = magpie_matrix([amounts])[0]
        shares = fraction_matrix([amounts])[0]
    except FeatureError as error:
        return FeatureRow(record_id, None, f"{record_id}: {error}")
    if mobile not in amounts:
        return FeatureRow(record_id, None, f"{record_id}: holds no {mobile}")
    values: Values = {c.name: "" if c.dtype == "category" else np.nan for c in catalogue()}
    values |= {c.name: v for c, v in zip(COMPOSITION_COLUMNS, row.tolist(), strict=True)}
    values |= {c.name: v for c, v in zip(FRACTIONS, shares.tolist(), strict=True)}
    values |= _densities(amounts, mobile, volume_A3)
    if space_group_number is not None:
        values |= _symmetry(space_group_number)
    rounded = {k: v if isinstance(v, str) else meaningful(float(v)) for k, v in values.items()}
    return FeatureRow(record_id, rounded, NO_STRUCTURE)


def _densities(amounts: Mapping[str, float], mobile: str, volume_A3: float | None) -> Values:
    z = np.array([ATOMIC_NUMBER[e] for e in amounts], dtype=np.int64)
    n = np.array(list(amounts.values()), dtype=np.float64)
    share: Values = {"mobile_fraction": float(amounts[mobile] / n.sum())}
    if volume_A3 is None:
        return share
    return share | {
        "density_g_cm3": float(n @ atomic_masses_amu()[z]) / volume_A3 * AMU_A3_TO_G_CM3,
        "volume_per_atom_A3": volume_A3 / float(n.sum()),
        "packing_fraction": _filled(n, slater_radii_A()[z], volume_A3),
        "covalent_packing_fraction": _filled(n, covalent_radii_A()[z], volume_A3),
        "mobile_density_A3": float(amounts[mobile]) / volume_A3,
    }


def _filled(n: FloatArray, radius_A: FloatArray, volume_A3: float) -> float:
    return float((n * 4 / 3 * np.pi * radius_A**3).sum()) / volume_A3


def _symmetry(number: int) -> Values:
    group = describe_space_group(number)
    return {
        "spacegroup_number": float(group.number),
        "crystal_system": group.crystal_system,
        "crystal_system_rank": float(group.crystal_system_rank),
        "is_centrosymmetric": float(group.is_centrosymmetric),
        "n_symmetry_ops": float(group.n_operations),
    }
