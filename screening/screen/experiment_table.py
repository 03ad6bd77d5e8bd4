"""The embedded experiment table as features and labels for training.

Composition and cell are known of all entries; structures of half of them. What a structure adds
fills the rest of the columns, and NaN stays where there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from ...data.disorder.representative import representative
from ...data.embedded.experiment import (
    load_experiment_compositions,
    load_experiment_labels,
    load_experiment_structures,
)
from ...data.errors import FeatureError
from ...features.featurizer import numeric_columns, rows_to_frame
from ...features.without_structure import POSITION_FREE_COLUMNS, composition_row
from ...models import make_splitter
from ..batch.row_cache import described_rows

_CELL: Final = ("a_A", "b_A", "c_A", "alpha_deg", "beta_deg", "gamma_deg")
_MEANS: Final = ("_mean", "_avg_dev")
LEARNED_COLUMNS: Final[tuple[str, ...]] = tuple(
    c for c in POSITION_FREE_COLUMNS if not c.startswith("magpie_") or c.endswith(_MEANS)
)
"""What measured conductivities are learned from: element fractions, mean element properties and
the cell. Extremes of element properties over a composition only add noise."""


def _composition_rows(mobile: str) -> pd.DataFrame:
    from pymatgen.core import Composition, Lattice

    rows = []
    for entry in load_experiment_compositions().to_dict("records"):
        cell = Lattice.from_parameters(*(entry[name] for name in _CELL))
        amounts = Composition(entry["composition"].replace(" ", "")).get_el_amt_dict()
        row = composition_row(
            str(entry["id"]), amounts, mobile, float(cell.volume), int(entry["space_group_number"])
        )
        if row.values is None:
            raise FeatureError(f"experiment table: {row.reason}")
        rows.append(row)
    return rows_to_frame(rows, None)[numeric_columns()]


def experiment_features(
    workers: int = 1, cache: Path | None = None, mobile: str = "Li"
) -> pd.DataFrame:
    """Numeric columns of the catalogue for every entry, index = id.

    Parameters
    ----------
    workers : int
        Processes that compute descriptors.
    cache : path, optional
        Folder of rows kept between runs.
    mobile : str
        Mobile species.
    """
    table = _composition_rows(mobile)
    records = [representative(r, mobile).record for r in load_experiment_structures(mobile)]
    rows = described_rows(records, workers=workers, cache=cache)
    known = rows_to_frame([row for row in rows if row.values is not None], None)
    structural = [c for c in numeric_columns() if c not in POSITION_FREE_COLUMNS]
    table.loc[known.index, structural] = known[structural].to_numpy(dtype=float)
    return table


def experiment_labels() -> pd.DataFrame:
    """Labels in joined groups: neither a publication nor a composition is ever split."""
    labels = load_experiment_labels()
    described = labels.set_index("structure_id")[["formula"]]
    return make_splitter("doi+formula").assign(labels, described)


def experiment_chemical_systems() -> pd.Series:
    """Elements joined by dashes, by id."""
    from pymatgen.core import Composition

    table = load_experiment_compositions()
    systems = ["-".join(sorted(Composition(f).get_el_amt_dict())) for f in table["formula"]]
    return pd.Series(systems, index=table["id"])
