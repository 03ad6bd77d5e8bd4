"""The embedded AIMD table: structures and simulated conductivities as facts with their sources.

The structures are stored as asymmetric units (`tables/aimd_structures.json`) and expanded here by
the operations of the stored Hall symbol; the labels (`tables/aimd_labels.csv`) are conductivities
or bounds. What the literature gave and the table left out is in `tables/aimd_excluded.csv`, with
the reason. AIMD is optimistic against experiment: read :func:`aimd_summary` before use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..records import Label, StructureRecord
from .entries import entry_record, read_entries
from .registry import read_table

if TYPE_CHECKING:
    import pandas as pd

STRUCTURE_TABLE: Final[str] = "aimd_structures.json"
LABEL_TABLE: Final[str] = "aimd_labels.csv"
EXCLUDED_TABLE: Final[str] = "aimd_excluded.csv"

MATCHES: Final[dict[str, str]] = {
    "simulated_cell": "the cell that was simulated",
    "symmetrised_simulated_cell": "average symmetry of the cell that was simulated",
    "same_entry": "the database entry named by the paper",
    "same_formula_and_space_group": "formula and space group of the phase named by the paper",
    "same_formula": "formula of the paper; polymorph not confirmed",
    "prototype_construction": "built here from a prototype, as the paper did or by isotypy",
    "doubtful": "probably or possibly another polymorph than the one simulated",
}
"""How sure it is that a structure of the table is the one that was simulated."""

_NUMBERS: Final[tuple[str, ...]] = ("temperature_K", "value", "lower", "upper", "error_log10")
_FLAGS: Final[tuple[str, ...]] = ("derived", "doi_confirmed")


@lru_cache(maxsize=1)
def _entries() -> tuple[dict[str, Any], ...]:
    return read_entries(STRUCTURE_TABLE, MATCHES)


def aimd_structure_entries() -> dict[str, dict[str, Any]]:
    """Entries of the structure table as stored, by id: cell, asymmetric unit, source, match."""
    return {entry["id"]: entry for entry in json.loads(json.dumps(_entries()))}


def load_aimd_structures(include_doubtful: bool = False) -> list[StructureRecord]:
    """Structures of the AIMD table, expanded to their conventional cells.

    Parameters
    ----------
    include_doubtful : bool
        Also return structures whose polymorph is probably not the simulated one.

    Returns
    -------
    list of StructureRecord
        Sorted by id; how sure the match is stands in ``provenance.note``.

    Raises
    ------
    InputError, StructureError
        If the table does not agree with its hash, or a site with its multiplicity.
    """
    return [entry_record(e) for e in _entries() if include_doubtful or e["match"] != "doubtful"]


def load_aimd_labels(include_doubtful: bool = False) -> pd.DataFrame:
    """Conductivities of the AIMD table, one row per (structure, temperature, source).

    Parameters
    ----------
    include_doubtful : bool
        Also return labels whose structure is probably not the simulated one.

    Returns
    -------
    pandas.DataFrame
        ``structure_id``; ``temperature_K``; ``kind`` (always ``aimd``); ``quantity`` (always
        ``sigma_S_cm``); ``value``, ``lower``, ``upper`` in S/cm (a bound has no value);
        ``error_log10``, one standard deviation in decades, and where it comes from
        (``error_basis``: ``assigned`` is a judgement, not a measurement); ``derived``, True where
        extrapolated; ``group`` for leave-one-family-out, the finer ``family``; ``match`` from the
        structure; ``source``, ``doi``, ``doi_confirmed``, ``read_from``, ``grade``, ``note``.
    """
    import pandas as pd

    types = dict.fromkeys(_NUMBERS, "float64") | dict.fromkeys(_FLAGS, "bool")
    table = pd.read_csv(
        StringIO(read_table(LABEL_TABLE)), dtype=types, keep_default_na=False, na_values=[""]
    )
    text = [name for name in table.columns if name not in types]
    table[text] = table[text].fillna("")
    table["match"] = table["structure_id"].map({e["id"]: e["match"] for e in _entries()})
    if not include_doubtful:
        table = table[table["match"] != "doubtful"]
    return table.reset_index(drop=True)


def load_aimd_excluded() -> pd.DataFrame:
    """Literature rows that the table leaves out, each with its ``reason``."""
    import pandas as pd

    return pd.read_csv(StringIO(read_table(EXCLUDED_TABLE)), dtype=str, keep_default_na=False)


def label_records(labels: pd.DataFrame) -> list[Label]:
    """Turn rows of :func:`load_aimd_labels` into validated :class:`Label` records.

    Raises
    ------
    LabelError
        If a row cannot be a label; the message names structure and temperature.
    """

    def number(cell: float) -> float | None:
        return None if np.isnan(cell) else float(cell)

    return [
        Label(
            structure_id=row["structure_id"],
            temperature_K=float(row["temperature_K"]),
            kind=row["kind"],
            quantity=row["quantity"],
            value=number(row["value"]),
            lower=number(row["lower"]),
            upper=number(row["upper"]),
            error_log10=number(row["error_log10"]),
            group=row["group"],
            source=row["doi"],
            derived=bool(row["derived"]),
            grade=row["grade"],
            note=row["note"],
        )
        for row in labels.to_dict("records")
    ]


@dataclass(frozen=True)
class AimdSummary:
    """Counts of the AIMD table, and in words what it is good for."""

    n_structures: int
    n_compositions: int
    n_groups: int
    n_labels: int
    n_bounds: int
    n_derived: int
    n_doubtful_structures: int
    n_excluded_rows: int

    @property
    def text(self) -> str:
        """A paragraph for reports."""
        return (
            f"AIMD table: {self.n_labels} conductivities of {self.n_structures} structures "
            f"({self.n_compositions} compositions, {self.n_groups} families); {self.n_bounds} are "
            f"bounds, {self.n_derived} are extrapolated or interpolated rather than simulated at "
            "their temperature. AIMD is optimistic against experiment, often by a factor of 10 and "
            f"up to 40. {self.n_doubtful_structures} more structures with doubtful polymorphs are "
            f"left out unless asked for; {self.n_excluded_rows} literature rows were excluded, "
            "each with its reason."
        )


def aimd_summary() -> AimdSummary:
    """Count what the AIMD table holds, doubtful structures left out."""
    labels = load_aimd_labels()
    entries = [e for e in _entries() if e["match"] != "doubtful"]
    return AimdSummary(
        n_structures=len(entries),
        n_compositions=len({e["formula"] for e in entries}),
        n_groups=int(labels["group"].nunique()),
        n_labels=len(labels),
        n_bounds=int(labels["value"].isna().sum()),
        n_derived=int(labels["derived"].sum()),
        n_doubtful_structures=len(_entries()) - len(entries),
        n_excluded_rows=len(load_aimd_excluded()),
    )
