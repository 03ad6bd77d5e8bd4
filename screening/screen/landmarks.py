"""Where known fast and slow conductors land: a ranking that a chemist would not believe is wrong.

Answers are those of the model of measurements. Materials of the experiment table are answered by
the predictions that calibrated it, made without the material, its publications and all others of
its composition; those that the table does not hold are answered from composition and cell.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import pandas as pd

from ...data.embedded.experiment import load_experiment_labels
from ...data.errors import ModelError
from ...data.units import ROOM_TEMPERATURE_K
from ...features.featurizer import numeric_columns, rows_to_frame
from ...features.without_structure import composition_row
from ...models import StructureModel
from ...models.selfcheck import GROUP_OUT

Known = Literal["fast", "slow"]


class Cell(NamedTuple):
    """A material as composition and cell."""

    known: Known
    amounts: dict[str, float]
    """Atoms in the cell."""
    volume_A3: float
    space_group: int


TABLED: Final[dict[str, tuple[Known, tuple[str, ...]]]] = {
    "LGPS": ("fast", ("Li10Ge(PS6)2",)),
    "argyrodites Li6PS5X": ("fast", ("Li6PS5Cl", "Li6PS5Br")),
    "LATP": ("fast", ("Li1.3Ti1.7Al0.3P3O12", "Li1.3Al0.3Ti1.7P3O12")),
    "LLTO": ("fast", ("LiLaTi2O6", "Li0.34La0.51TiO2.94", "Li0.43La1.19Ti2O6")),
    "Li3PO4": ("slow", ("Li3PO4",)),
}
"""Name → what is known, and reduced formulas in the experiment table."""
GARNET: Final = "Li7La3Zr2O12"
CUBIC_FROM_S_CM: Final = 1e-5
"""Cubic garnets conduct above this at room temperature, tetragonal ones below."""
STRANGERS: Final[dict[str, Cell]] = {
    "Li7P3S11": Cell("fast", {"Li": 14, "P": 6, "S": 22}, 829.6, 2),
    "Li3YCl6": Cell("fast", {"Li": 9, "Y": 3, "Cl": 18}, 655.0, 164),
    "Li3InCl6": Cell("fast", {"Li": 6, "In": 2, "Cl": 12}, 424.0, 12),
    "LiF": Cell("slow", {"Li": 4, "F": 4}, 65.3, 225),
    "LiCl": Cell("slow", {"Li": 4, "Cl": 4}, 135.6, 225),
    "Li2O": Cell("slow", {"Li": 8, "O": 4}, 98.6, 225),
    "Li2CO3": Cell("slow", {"Li": 8, "C": 4, "O": 12}, 233.5, 15),
}
"""Not in the experiment table; cells as in textbooks, Å³."""


def landmarks(model: StructureModel) -> pd.DataFrame:
    """Answers for known conductors.

    Parameters
    ----------
    model : StructureModel
        Of measurements, trained on the embedded experiment table.

    Returns
    -------
    DataFrame
        ``name``, ``known`` (``fast`` or ``slow``), ``n`` entries, and medians over them in log10
        S/cm: ``label`` (NaN where there is none), ``prediction``, ``low``, ``high``.

    Raises
    ------
    ModelError
        If the model was not trained on the experiment table.
    """
    held_out = model.held_out_
    held_out = held_out[held_out["left_out"] == GROUP_OUT].drop_duplicates("structure_id")
    if held_out.empty:
        raise ModelError("landmarks need the held-out predictions of a model of measurements")
    labels = load_experiment_labels().set_index("structure_id")
    table = held_out.set_index("structure_id").join(labels[["formula", "value"]], how="inner")
    rows = [
        _row(name, known, table[table["formula"].isin(formulas)])
        for name, (known, formulas) in TABLED.items()
    ]
    garnets = table[table["formula"] == GARNET]
    cubic = garnets["value"] > CUBIC_FROM_S_CM
    rows += [_row("LLZO, cubic", "fast", garnets[cubic])]
    rows += [_row("LLZO, tetragonal", "slow", garnets[~cubic])]
    rows += [_row(name, c.known, _answers(model, name, c)) for name, c in STRANGERS.items()]
    return pd.DataFrame([row for row in rows if row["n"]])


def _row(name: str, known: Known, entries: pd.DataFrame) -> dict[str, object]:
    columns = ("prediction", "low", "high")
    label = entries["label_lower"] if "label_lower" in entries else pd.Series(dtype=float)
    return {
        "name": name,
        "known": known,
        "n": len(entries),
        "label": float(label.median()),
        **{column: float(entries[column].median()) for column in columns},
    }


def _answers(model: StructureModel, name: str, cell: Cell) -> pd.DataFrame:
    row = composition_row(name, cell.amounts, "Li", cell.volume_A3, cell.space_group)
    features = rows_to_frame([row], None)[numeric_columns()]
    return model.predict(features, ROOM_TEMPERATURE_K)
