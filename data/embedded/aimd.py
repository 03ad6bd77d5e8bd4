"""The embedded AIMD table: structures and simulated conductivities as facts with their sources.

The structures are stored as asymmetric units and expanded here by the operations of the stored Hall
symbol; the labels are conductivities or bounds. Both come in two parts: lithium conductors
(`tables/aimd_structures.json`, `tables/aimd_labels.csv`), and sodium conductors with a few more of
lithium (`tables/aimd_more_structures.json`, `tables/aimd_more_labels.csv`). What the literature
gave and the table left out is in `tables/aimd_excluded.csv`, with the reason; compounds of which it
only says fast or slow are in `tables/aimd_classes.csv`, for tests of ranking. AIMD is optimistic
against experiment: read :func:`aimd_summary` before use.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import InputError
from ..records import Label, StructureRecord
from .entries import entry_record, read_entries
from .registry import read_table

if TYPE_CHECKING:
    import pandas as pd

STRUCTURE_TABLES: Final = ("aimd_structures.json", "aimd_more_structures.json")
LABEL_TABLES: Final = ("aimd_labels.csv", "aimd_more_labels.csv")
CLASS_TABLE: Final[str] = "aimd_classes.csv"
EXCLUDED_TABLE: Final[str] = "aimd_excluded.csv"

MATCHES: Final[dict[str, str]] = {
    "simulated_cell": "the cell that was simulated",
    "symmetrised_simulated_cell": "average symmetry of the cell that was simulated",
    "same_entry": "the database entry named by the paper",
    "same_formula_and_space_group": "formula and space group of the phase named by the paper",
    "same_formula": "formula of the paper; polymorph not confirmed",
    "doped_parent": "parent phase, occupancies set to the doped composition; ordering unknown",
    "prototype_construction": "built here from a prototype, as the paper did or by isotypy",
    "doubtful": "probably or possibly another polymorph than the one simulated",
}
"""How sure it is that a structure of the table is the one that was simulated."""

COMPOSITION_ONLY: Final[str] = "composition_only"
"""``match`` of a label whose structure is not in the table."""

_NUMBERS: Final[tuple[str, ...]] = ("temperature_K", "value", "lower", "upper", "error_log10")
_FLAGS: Final[tuple[str, ...]] = ("derived", "doi_confirmed")


@lru_cache(maxsize=1)
def _all_entries() -> tuple[dict[str, Any], ...]:
    return tuple(e for table in STRUCTURE_TABLES for e in read_entries(table, MATCHES))


def _entries(mobile: str) -> tuple[dict[str, Any], ...]:
    found = tuple(e for e in _all_entries() if e.get("mobile", "Li") == mobile)
    if not found:
        known = ", ".join(aimd_mobile_species())
        raise InputError(f"the AIMD table holds nothing for mobile {mobile}; it has {known}")
    return found


def aimd_mobile_species() -> tuple[str, ...]:
    """Mobile ions for which the table has labels, most labels first."""
    counts = _all_labels()["mobile"].value_counts()
    return tuple(str(element) for element in counts.index)


def aimd_structure_entries(mobile: str = "Li") -> dict[str, dict[str, Any]]:
    """Entries of the structure table as stored, by id: cell, asymmetric unit, source, match."""
    return {entry["id"]: entry for entry in json.loads(json.dumps(_entries(mobile)))}


def load_aimd_structures(
    include_doubtful: bool = False, mobile: str = "Li"
) -> list[StructureRecord]:
    """Structures of the AIMD table, expanded to their conventional cells.

    Parameters
    ----------
    include_doubtful : bool
        Also return structures whose polymorph is probably not the simulated one.
    mobile : str
        Mobile ion whose labels they carry, Li or Na.

    Returns
    -------
    list of StructureRecord
        Sorted by id within each part of the table; how sure the match is stands in
        ``provenance.note``.

    Raises
    ------
    InputError, StructureError
        If the table does not agree with its hash, a site with its multiplicity, or no label is of
        this mobile ion.
    """
    kept = [e for e in _entries(mobile) if include_doubtful or e["match"] != "doubtful"]
    return [entry_record(entry) for entry in kept]


def load_aimd_labels(
    include_doubtful: bool = False, mobile: str = "Li", include_composition_only: bool = False
) -> pd.DataFrame:
    """Transport of the AIMD table, one row per (structure, temperature, source).

    Parameters
    ----------
    include_doubtful : bool
        Also return labels whose structure is probably not the simulated one.
    mobile : str
        Mobile ion, Li or Na.
    include_composition_only : bool
        Also return labels without a structure; :func:`load_aimd_compositions` has their
        compositions under the same id.

    Returns
    -------
    pandas.DataFrame
        ``structure_id``; ``mobile``; ``temperature_K``; ``kind`` (always ``aimd``); ``quantity``:
        ``sigma_S_cm``, or ``diffusivity_cm2_s`` for a few labels without a structure; ``value``,
        ``lower``, ``upper`` in S/cm or cm²/s (a bound has no value); ``error_log10``, one standard
        deviation in decades, and where it comes from (``error_basis``: ``assigned`` is a judgement,
        not a measurement); ``derived``, True where extrapolated; ``group`` for
        leave-one-family-out, the finer ``family``; ``formula``, reduced; ``match`` from the
        structure; ``source``, ``doi``, ``doi_confirmed``, ``read_from``, ``grade``,
        ``survey_row``, ``note``.

    Raises
    ------
    InputError
        If no label is of this mobile ion.
    """
    match = {e["id"]: e["match"] for e in _entries(mobile)}
    table = _all_labels()
    table = table[table["mobile"] == mobile].copy()
    table["match"] = table["structure_id"].map(match).fillna(COMPOSITION_ONLY)
    if not include_doubtful:
        table = table[table["match"] != "doubtful"]
    if not include_composition_only:
        table = table[table["match"] != COMPOSITION_ONLY]
    return table.reset_index(drop=True)


def _all_labels() -> pd.DataFrame:
    import pandas as pd

    types = dict.fromkeys(_NUMBERS, "float64") | dict.fromkeys(_FLAGS, "bool")
    parts = [
        pd.read_csv(StringIO(read_table(t)), dtype=types, keep_default_na=False, na_values=[""])
        for t in LABEL_TABLES
    ]
    table = pd.concat([part.dropna(axis="columns", how="all") for part in parts])
    formula = {e["id"]: e["formula"] for e in _all_entries()}
    table["formula"] = table["structure_id"].map(formula).fillna(table["formula"])
    text = [name for name in table.columns if name not in types]
    table[text] = table[text].fillna("")
    return table.reset_index(drop=True)


def load_aimd_compositions(mobile: str = "Li") -> pd.DataFrame:
    """Composition of every labelled material of the AIMD table, with or without a structure.

    Returns
    -------
    pandas.DataFrame
        ``id``, as ``structure_id`` of the labels; ``composition``, reduced formula; ``group``.
    """
    labels = load_aimd_labels(True, mobile, include_composition_only=True)
    table = labels.drop_duplicates("structure_id")[["structure_id", "formula", "group"]]
    return table.set_axis(["id", "composition", "group"], axis="columns").reset_index(drop=True)


def load_aimd_classes() -> pd.DataFrame:
    """Compounds that the literature calls fast or slow without a number: never train on them.

    Returns
    -------
    pandas.DataFrame
        ``formula``, reduced; ``mobile``; ``class``, ``fast`` or ``slow``; ``statement`` of the
        source; ``source``, ``doi``; ``pool_ids``, Materials Project ids of entries of that formula,
        separated by spaces: the polymorph is not known.
    """
    import pandas as pd

    return pd.read_csv(StringIO(read_table(CLASS_TABLE)), dtype=str, keep_default_na=False)


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


@dataclass(frozen=True, kw_only=True)
class AimdSummary:
    """Counts of the AIMD table, and in words what it is good for."""

    mobile: str
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
            f"AIMD table ({self.mobile}): {self.n_labels} conductivities of {self.n_structures} "
            f"structures ({self.n_compositions} compositions, {self.n_groups} families); "
            f"{self.n_bounds} are bounds, {self.n_derived} are extrapolated or interpolated rather "
            "than simulated at their temperature. AIMD is optimistic against experiment, often by "
            f"a factor of 10 and up to 40. {self.n_doubtful_structures} more structures with "
            "doubtful polymorphs are left out unless asked for; "
            f"{self.n_excluded_rows} literature rows were excluded, each with its reason."
        )


def aimd_summary(mobile: str = "Li") -> AimdSummary:
    """Count what the AIMD table holds of one mobile ion, doubtful structures left out."""
    labels = load_aimd_labels(mobile=mobile)
    entries = [e for e in _entries(mobile) if e["match"] != "doubtful"]
    return AimdSummary(
        mobile=mobile,
        n_structures=len(entries),
        n_compositions=len({e["formula"] for e in entries}),
        n_groups=int(labels["group"].nunique()),
        n_labels=len(labels),
        n_bounds=int(labels["value"].isna().sum()),
        n_derived=int(labels["derived"].sum()),
        n_doubtful_structures=len(_entries(mobile)) - len(entries),
        n_excluded_rows=len(load_aimd_excluded()),
    )
