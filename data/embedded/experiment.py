"""The embedded experiment table: conductivities measured at room temperature, with structures.

All entries of the OBELiX training part (NRC-Mila, CC BY 4.0) as facts: 478 labels, bounds as
bounds; a composition and a cell for each; crystal structures with occupancies for the 254 that
have one. Kind ``experiment``: AIMD is optimistic against it, never mix the two silently. The
same composition in two papers differs by 0.73 decades on average; read
:func:`experiment_summary` before use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from ..records import StructureRecord
from .entries import entry_record, read_entries
from .registry import read_table

if TYPE_CHECKING:
    import pandas as pd

STRUCTURE_TABLE: Final[str] = "experiment_structures.json"
LABEL_TABLE: Final[str] = "experiment_labels.csv"
COMPOSITION_TABLE: Final[str] = "experiment_compositions.csv"

MATCHES: Final[dict[str, str]] = {
    "measured_material": "structure of the material that was measured",
    "close_match": "structure of a material close to the one that was measured",
}
"""How sure it is that a structure of the table is that of the label."""

POSITIONS: Final[dict[str, str]] = {
    "as_published": "coordinates as published",
    "fixed_by_symmetry": "every coordinate is fixed by symmetry",
    "perturbed": "free coordinates perturbed by the authors of the data set, symmetry kept",
}
"""What the coordinates of a structure are worth."""

_NUMBERS: Final = (
    "temperature_K",
    "value",
    "lower",
    "upper",
    "error_log10",
    "sigma_total_S_cm",
    "sigma_bulk_S_cm",
)
_CELL: Final = ("a_A", "b_A", "c_A", "alpha_deg", "beta_deg", "gamma_deg")


@lru_cache(maxsize=1)
def _entries() -> tuple[dict[str, Any], ...]:
    return read_entries(STRUCTURE_TABLE, MATCHES)


def experiment_structure_entries() -> dict[str, dict[str, Any]]:
    """Entries of the structure table as stored, by id: cell, asymmetric unit, match, positions."""
    return {entry["id"]: dict(entry) for entry in _entries()}


def load_experiment_structures(mobile: str | None = None) -> list[StructureRecord]:
    """Structures of the experiment table with their occupancies, conventional cells.

    Parameters
    ----------
    mobile : str, optional
        Only structures that hold this element. Seven CIFs of the source list no Li.

    Returns
    -------
    list of StructureRecord
        Sorted by id. ``provenance.note`` says whether it is the measured material or a close
        match, and whether the authors of the data set perturbed free coordinates.

    Raises
    ------
    InputError, StructureError
        If the table does not agree with its hash, or a site with its multiplicity.
    """
    records = [entry_record(entry) for entry in _entries()]
    return [r for r in records if mobile is None or mobile in r.composition]


def load_experiment_labels() -> pd.DataFrame:
    """Conductivities of the experiment table, one row per entry.

    Returns
    -------
    pandas.DataFrame
        ``structure_id``, the entry (478; 254 of them have a structure); ``temperature_K`` (room
        temperature, taken as 298.15 K); ``kind`` (always ``experiment``); ``quantity`` (always
        ``sigma_S_cm``); ``value``, ``lower``, ``upper`` in S/cm (a bound has no value);
        ``error_log10``, empty: the source gives none; ``group``, the structure family; ``family``
        as the source spells it; ``formula``, reduced; ``source`` and ``doi``, the publication;
        ``read_from``; ``derived``; ``grade``, A where the authors of the data set checked the
        value against the paper, else B; ``match``: one of :data:`MATCHES` or
        ``composition_only``; ``sigma_total_S_cm``, ``sigma_bulk_S_cm`` where the source tells
        them apart; ``note``, of the source.
    """
    import pandas as pd

    text = read_table(LABEL_TABLE)
    table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    for name in _NUMBERS:
        table[name] = pd.to_numeric(table[name]).astype("float64")
    table["derived"] = table["derived"] == "True"
    return table


def load_experiment_compositions() -> pd.DataFrame:
    """Composition, cell and space group of every entry of the experiment table.

    Returns
    -------
    pandas.DataFrame
        ``id``; ``composition``, atoms per cell; ``formula``, reduced; ``a_A``, ``b_A``, ``c_A`` in
        Å, ``alpha_deg``, ``beta_deg``, ``gamma_deg``; ``space_group`` as the source spells it and
        ``space_group_number``; ``group``; ``doi``. Written as CSV it is an input of
        ``ionsieve predict --compositions``.
    """
    import pandas as pd

    text = read_table(COMPOSITION_TABLE)
    table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    for name in _CELL:
        table[name] = pd.to_numeric(table[name]).astype("float64")
    table["space_group_number"] = table["space_group_number"].astype("int64")
    return table


@dataclass(frozen=True, kw_only=True)
class ExperimentSummary:
    """Counts of the experiment table, and in words what it is good for."""

    n_labels: int
    n_bounds: int
    n_compositions: int
    n_publications: int
    n_structures: int
    n_ordered_structures: int
    n_perturbed_structures: int
    n_close_matches: int
    between_papers_decades: float
    """Mean absolute difference of log10 σ of one composition in two papers."""

    @property
    def text(self) -> str:
        """A paragraph for reports."""
        return (
            f"Experiment table: {self.n_labels} conductivities at room temperature "
            f"({self.n_compositions} compositions, {self.n_publications} publications); "
            f"{self.n_bounds} are bounds. {self.n_structures} have a structure, "
            f"{self.n_ordered_structures} of them ordered; in {self.n_perturbed_structures} the "
            "authors of the data set perturbed the free coordinates, "
            f"{self.n_close_matches} are of a close match. The same composition in two papers "
            f"differs by {self.between_papers_decades:.2f} decades on average."
        )


def experiment_summary() -> ExperimentSummary:
    """Count what the experiment table holds."""
    labels, entries = load_experiment_labels(), _entries()
    return ExperimentSummary(
        n_labels=len(labels),
        n_bounds=int(labels["value"].isna().sum()),
        n_compositions=int(labels["formula"].nunique()),
        n_publications=int(labels["doi"].nunique()),
        n_structures=len(entries),
        n_ordered_structures=sum(r.is_ordered for r in load_experiment_structures()),
        n_perturbed_structures=sum(e["positions"] == "perturbed" for e in entries),
        n_close_matches=sum(e["match"] == "close_match" for e in entries),
        between_papers_decades=_between_papers(labels),
    )


def _between_papers(labels: pd.DataFrame) -> float:
    """Mean |Δ log10 σ| over pairs of values of one composition in two publications."""
    import numpy as np

    values = labels[labels["value"].notna()]
    gaps: list[float] = []
    for _, rows in values.groupby("formula"):
        log10 = np.log10(rows["value"].to_numpy(dtype=np.float64))
        doi = rows["doi"].to_numpy()
        first, second = np.triu_indices(len(rows), 1)
        other = doi[first] != doi[second]
        gaps.extend(np.abs(log10[first] - log10[second])[other])
    return float(np.mean(gaps))
