"""Descriptors: a table for many structures, isolated anions for one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..features.featurizer import numeric_columns, rows_to_frame
from ..features.isolated_anions import IsolatedAnion
from ..features.isolated_anions import isolated_anions as find
from ..screening.batch.batch import featurize_isolated
from .structures import StructureLike, StructuresLike, as_records

if TYPE_CHECKING:
    import pandas as pd

_SERIAL = 8
"""Up to so many structures, starting workers costs more than it saves."""


def featurize(
    structures: StructuresLike,
    families: Sequence[str] | None = None,
    *,
    mobile: str = "Li",
    numeric: bool = False,
    workers: int = 0,
    timeout_s: float = 120.0,
) -> pd.DataFrame:
    """Descriptors of structures, one row each.

    Parameters
    ----------
    structures : structures
        pymatgen structures, records, paths, or any mixture.
    families : sequence of str, optional
        Descriptor families; all by default (``ionsieve catalogue`` lists them).
    mobile : str
        Mobile species: Li, Na, K, Ag or Cu.
    numeric : bool
        Leave out the columns that hold words.
    workers : int
        Processes; 0 takes two for more than a handful of structures.
    timeout_s : float
        Longest time for one structure, s.

    Returns
    -------
    DataFrame (n_structures, n_columns)
        Indexed by structure id; units stand in the column names. NaN means "not defined here".
        ``attrs["reasons"]`` says, by id, why a structure has no features or which are NaN and why.
    """
    records = as_records(structures, mobile).records
    processes = workers or (2 if len(records) > _SERIAL else 1)
    rows = featurize_isolated(records, families, mobile, processes, timeout_s)
    frame = rows_to_frame(rows, families)
    frame.attrs["reasons"] = {row.id: row.reason for row in rows if row.reason}
    return frame[numeric_columns(families)] if numeric else frame


class IsolatedAnionList(list[IsolatedAnion]):
    """Isolated anions of one structure, with a picture of it for notebooks."""

    def __init__(self, structure: StructureLike, mobile: str) -> None:
        super().__init__(find(structure, mobile))
        self.structure, self.mobile = structure, mobile

    def __repr__(self) -> str:
        lines = [f"<{len(self)} isolated anions"]
        lines += [
            f"  {a.element} at site {a.index}: symmetry {a.site_symmetry}, "
            f"{a.mobile_coordination:.2g} mobile ions around it, margin {a.margin:.2f}"
            for a in self
        ]
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        """The structure drawn with isolated anions, their net and cages, above a table."""
        from .views import structure_svg, table

        columns = (
            "index",
            "element",
            "site_symmetry",
            "mobile_coordination",
            "margin",
            "ewald_site_energy_eV",
            "acsf_enrichment",
        )
        rows = [[_cell(getattr(anion, name)) for name in columns] for anion in self]
        return structure_svg(self.structure, self.mobile) + table(columns, rows)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))


def isolated_anions(structure: StructureLike, mobile: str = "Li") -> IsolatedAnionList:
    """Isolated anions of a structure (Yang 2025): those that no framework cation binds.

    Parameters
    ----------
    structure : pymatgen Structure or StructureRecord
    mobile : str

    Returns
    -------
    list of IsolatedAnion
        Element, site symmetry, margin, clearance, Ewald site energy and similarity of each;
        in a notebook also a picture.

    Raises
    ------
    RoleError
        If mobile ions, framework and anions cannot be told apart.
    """
    [record] = as_records(structure)
    return IsolatedAnionList(record, mobile)
