"""What of every candidate stays in memory: answers of the models, and a line that describes it.

A few dozen numbers and texts a candidate; descriptors and structures are read block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ...data.records import FloatArray, StructureRecord, reduced_formula
from ...data.units import ROOM_TEMPERATURE_K
from ...features.featurizer import numeric_columns
from .feature_list import FeatureList
from .follow_up import core_hours_of
from .known import Known
from .ranking import DECIMALS
from .record_list import in_blocks
from .training import TrainedModel

TEMPERATURES_K: Final[tuple[float, ...]] = (300.0, 400.0, 600.0, 1000.0)
"""From room temperature to where AIMD is run."""
_ENDS: Final = ("prediction", "low", "high")


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers:
    """Predictions for n candidates, in the order of their descriptors.

    Parameters
    ----------
    aimd : DataFrame (n)
        At 300 K, as AIMD would find it; columns of :meth:`ionsieve.models.StructureModel.predict`.
    experiment : DataFrame (n), optional
        The same as a measurement would find it.
    curves : array (temperatures, 3, n)
        log10 of S/cm and the ends of its interval at :data:`TEMPERATURES_K`.
    """

    aimd: pd.DataFrame
    experiment: pd.DataFrame | None
    curves: FloatArray

    def temperature_blocks(self, size: int) -> Iterator[pd.DataFrame]:
        """Predictions for an Arrhenius sketch, one row a temperature and candidate.

        Parameters
        ----------
        size : int
            Rows a block.
        """
        ids, n = self.aimd.index.to_numpy(), len(self.aimd)
        total = len(TEMPERATURES_K) * n
        for start in range(0, max(total, 1), size):
            which, place = np.divmod(np.arange(start, min(start + size, total)), max(n, 1))
            values = self.curves[which, :, place].round(DECIMALS)
            yield pd.DataFrame(
                {
                    "id": ids[place],
                    "temperature_K": np.array(TEMPERATURES_K)[which],
                    "log10_sigma_S_cm": values[:, 0],
                    "log10_sigma_low": values[:, 1],
                    "log10_sigma_high": values[:, 2],
                }
            )


def answers(
    features: FeatureList, trained: TrainedModel, families: tuple[str, ...] | None
) -> Answers:
    """Ask the models about all candidates, a block at a time.

    Parameters
    ----------
    features : FeatureList (n)
    trained : TrainedModel
    families : tuple of str, optional
        Of the descriptors; all by default.
    """
    aimd: list[pd.DataFrame] = []
    experiment: list[pd.DataFrame] = []
    curves: list[FloatArray] = []
    for block in features.blocks(numeric_columns(families)):
        found = [trained.model.predict(block, temperature_K=t) for t in TEMPERATURES_K]
        aimd.append(found[TEMPERATURES_K.index(ROOM_TEMPERATURE_K)])
        curves.append(np.array([one[list(_ENDS)].to_numpy().T for one in found]))
        if trained.experiment is not None:
            experiment.append(trained.experiment.predict(block, temperature_K=ROOM_TEMPERATURE_K))
    return Answers(
        aimd=pd.concat(aimd),
        experiment=pd.concat(experiment) if experiment else None,
        curves=np.concatenate(curves, axis=2),
    )


def descriptions(
    records: Sequence[StructureRecord],
    find_known: Callable[[int, Sequence[StructureRecord]], Sequence[Known]],
    notes: Mapping[str, str],
    block: int,
) -> pd.DataFrame:
    """One line about each candidate, for :func:`.ranking.rank_candidates`.

    Parameters
    ----------
    records : sequence of StructureRecord, length n
    find_known : callable
        Called with the place of a block and its structures.
    notes : mapping of id to str
        Why another structure stands for a candidate.
    block : int
        Structures read at a time.

    Returns
    -------
    DataFrame (n)
        Index = id.
    """
    parts = [
        _described(rows, find_known(start, rows), notes)
        for start, rows in in_blocks(records, block)
    ]
    return pd.concat(parts)


def _described(
    records: Sequence[StructureRecord], known: Sequence[Known], notes: Mapping[str, str]
) -> pd.DataFrame:
    # Texts that many rows share are held once.
    same: dict[str, str] = {}

    def once(text: str) -> str:
        return same.setdefault(text, text)

    return pd.DataFrame(
        {
            "formula": [once(reduced_formula(r.composition)) for r in records],
            "n_sites": [r.n_sites for r in records],
            "source": [once(r.provenance.file or r.provenance.source) for r in records],
            "note": ["; ".join(filter(None, [notes.get(r.id), *r.notes])) for r in records],
            "known_structure": [one.structure for one in known],
            "known_relation": [one.relation for one in known],
            "e_above_hull_meV_atom": [_times(1000.0, r.e_above_hull_eV_atom) for r in records],
            "li_window_low_V": [_times(1.0, r.li_window_low_V) for r in records],
            "li_window_high_V": [_times(1.0, r.li_window_high_V) for r in records],
            "core_hours": [core_hours_of(r) for r in records],
            "has_notes": [bool(r.notes) for r in records],
        },
        index=pd.Index([r.id for r in records]),
    )


def _times(factor: float, value: float | None) -> float:
    return float("nan") if value is None else factor * value
