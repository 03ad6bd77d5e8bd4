"""A finished screen, read back from its folder alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ...data.errors import InputError
from ...data.records import StructureRecord
from ..pages.report import CALIBRATION, TEMPERATURES, ReportData, in_page, top_scenes
from .optimade import OPTIMADE, read_optimade
from .quality import shipped_quality

RUN: Final[str] = "run.json"
"""Written last: with it the run is finished."""
FEATURES: Final[str] = "features.parquet"
"""Descriptors of the ranked structures, in the order of the ranking."""
RANKING: Final[str] = "ranking.parquet"
EXPLANATIONS: Final[str] = "explain"
"""Folder of what ``ionsieve explain`` wrote about this run."""

_TEXT: Final[tuple[str, ...]] = (
    "id",
    "file",
    "stage",
    "filter",
    "reason",
    "left_out",
    "structure_id",
)
"""Columns of the CSV files that are text whatever stands in them: 007 is no number."""


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """What ``ionsieve screen`` wrote.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        If it holds no finished screen, or one whose ranking was changed since.
    """

    folder: Path

    def __post_init__(self) -> None:
        expected = self.facts.get("ranking_sha256")
        if hashlib.sha256(self._bytes("ranking.csv")).hexdigest() != expected:
            raise InputError(
                f"{self.folder / 'ranking.csv'}: is not the ranking of {RUN}; screen again"
            )

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Content of ``run.json``."""
        try:
            facts = json.loads(self._bytes(RUN))
        except ValueError:
            raise InputError(f"{self.folder / RUN}: damaged; screen again") from None
        if not isinstance(facts, dict) or "settings" not in facts:
            raise InputError(f"{self.folder / RUN}: not written by 'ionsieve screen'")
        return facts

    @cached_property
    def ranking(self) -> pd.DataFrame:
        """Best first."""
        return read_table(self.folder / RANKING)

    @cached_property
    def features(self) -> pd.DataFrame:
        """Descriptors by id, in the order of the ranking."""
        return read_table(self.folder / FEATURES).set_index("id")

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the screen."""
        return dict(self.facts["settings"])

    @property
    def mobile(self) -> str:
        """Mobile species."""
        return str(self.settings["mobile"])

    @property
    def families(self) -> tuple[str, ...] | None:
        """Descriptor families; None for all."""
        names = self.settings["families"]
        return None if names is None else tuple(names)

    def records(self) -> Iterator[StructureRecord]:
        """Ranked structures, best first, one in memory at a time."""
        return read_optimade(self.folder / OPTIMADE)

    def find(self, name: str) -> dict[str, Any]:
        """Row of the ranking by id or, where no id is so, by rank.

        Raises
        ------
        InputError
            If there is none; the message names the nearest ids.
        """
        ids = self.ranking["id"]
        hit = self.ranking[ids == name]
        if hit.empty and name.isdecimal():
            hit = self.ranking[self.ranking["rank"] == int(name)]
        if hit.empty:
            raise InputError(f"{name}: {self._why_absent(name)}")
        return {str(k): v for k, v in hit.iloc[0].to_dict().items()}

    def record(self, record_id: str) -> StructureRecord:
        """One structure.

        Raises
        ------
        InputError
            If the file of structures does not hold it.
        """
        for record in self.records():
            if record.id == record_id:
                return record
        raise InputError(f"{self.folder / OPTIMADE}: holds no {record_id}; screen again")

    def _bytes(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            raise InputError(
                f"{self.folder}: no finished screen ({name} is absent); run "
                "'ionsieve screen' with this --out"
            ) from None

    def _why_absent(self, name: str) -> str:
        n = len(self.ranking)
        if name.isdecimal():
            return f"neither an id nor a rank; {n:,} are ranked"
        for file, what in (("quarantine.csv", "was not ranked"), ("filtered.csv", "was left out")):
            refused = read_table(self.folder / file)
            if not (hit := refused[refused["id"] == name]).empty:
                return f"{what}: {hit['reason'].iloc[0]}"
        return f"not among the {n:,} ranked; {self._nearest(name)}"

    def _nearest(self, name: str) -> str:
        """Ids of the same formula go before ids that are spelt alike."""
        same = self.ranking.loc[self.ranking["formula"] == name, "id"].tolist()
        lower = {str(i).lower(): str(i) for i in self.ranking["id"][::-1]}
        alike = [lower[i] for i in get_close_matches(name.lower(), lower, 3, 0.4)]
        holding = [str(i) for i in self.ranking["id"] if name.lower() in str(i).lower()]
        near = list(dict.fromkeys([*same, *holding[:3], *alike]))[:3]
        return f"nearest: {', '.join(near)}" if near else "see ranking.csv"


def report_data(
    folder: Path, run: dict[str, Any], ranking: pd.DataFrame | None = None
) -> ReportData:
    """What the report shows, from the files of a run.

    Parameters
    ----------
    folder : path
    run : dict
        Content of ``run.json``.
    ranking : DataFrame, optional
        Content of ``ranking.parquet``, where it is in memory already.

    Raises
    ------
    InputError
        If a file is absent or damaged.
    """
    ranking = read_table(folder / RANKING) if ranking is None else ranking
    # The file has the order of the ranking: no more is read than is shown.
    shown = in_page(ranking)
    ids = ranking.loc[shown, "id"].tolist()
    records = islice(read_optimade(folder / OPTIMADE), int(shown.nonzero()[0].max(initial=0)) + 1)
    scenes, undrawn = top_scenes(records, ids, str(run["settings"]["mobile"]))
    temperatures = read_table(folder / TEMPERATURES, [("id", "in", ids)])
    return ReportData(
        ranking=ranking,
        funnel=read_table(folder / "funnel.csv"),
        quarantine=read_table(folder / "quarantine.csv"),
        run=run,
        calibration=read_table(folder / CALIBRATION),
        temperatures=temperatures,
        scenes=scenes,
        undrawn=undrawn,
        n_pictures=int(run["top_structures"]),
        # Of the models that this version ships; a model of one's own has its card.
        quality=None if run["settings"].get("model") else shipped_quality(),
    )


def read_table(
    path: Path, only: Sequence[tuple[str, str, Sequence[str]]] | None = None
) -> pd.DataFrame:
    """A CSV or Parquet file of a run; an empty cell is no text, and no number.

    Parameters
    ----------
    path : path
    only : sequence of (column, operator, values), optional
        Rows wanted of a Parquet file; the others are not held in memory.

    Raises
    ------
    InputError
        If it is absent or damaged.
    """
    import pyarrow as pa

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path, filters=only)
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(_TEXT, str),
            keep_default_na=False,
            na_values=[""],
            float_precision="round_trip",
        )
    except (OSError, ValueError, pa.ArrowException):
        raise InputError(f"{path}: absent or damaged; screen again") from None
    text = table.select_dtypes(exclude="number").columns
    table[text] = table[text].fillna("")
    return table
