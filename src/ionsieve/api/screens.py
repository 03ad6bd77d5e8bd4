"""Screening from Python."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..screening.results.write import prepared_folder, write_screen
from ..screening.screen.options import ScreenSettings
from ..screening.screen.pipeline import ScreenResult, run_screen
from .structures import StructuresLike, as_records

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = (
    "rank",
    "id",
    "formula",
    "p_fast",
    "log10_sigma_300K_S_cm",
    "p_fast_experiment",
    "isolated_class",
    "follow_up",
    "flags",
)


class Screen:
    """A finished screen: tables, and a page that can be written to a folder."""

    def __init__(self, result: ScreenResult, inputs: tuple[str, ...]) -> None:
        self._result, self._inputs = result, inputs

    @property
    def ranking(self) -> pd.DataFrame:
        """One row per structure, best first."""
        return self._result.ranking

    @property
    def shortlist(self) -> pd.DataFrame:
        """What to compute next, in that order: the rows with a ``follow_up``."""
        chosen = self.ranking[self.ranking["follow_up"].notna()]
        return chosen.sort_values("follow_up")

    @property
    def quarantine(self) -> pd.DataFrame:
        """What was not ranked, and why."""
        return self._result.quarantine

    @property
    def features(self) -> pd.DataFrame:
        """Every descriptor of every ranked structure."""
        return self._result.features

    def write(self, folder: str | Path) -> Path:
        """Write ranking, quarantine, settings and ``report.html``; gives the folder."""
        out = Path(folder)
        prepared_folder(out)
        write_screen(self._result, out, list(self._inputs), self._result.settings.top_structures)
        return out

    def __repr__(self) -> str:
        counts = self._result.counts
        best = self.ranking.head(3)
        names = ", ".join(
            f"{f} ({_share(p)})" for f, p in zip(best["formula"], best["p_fast"], strict=True)
        )
        return (
            f"<screen: {counts['ranked']} ranked, {counts['filtered']} filtered out, "
            f"{counts['quarantined']} quarantined; best by p_fast: {names}>"
        )

    def _repr_html_(self) -> str:
        from .views import frame_table

        return f"<p>{escape(repr(self)[1:-1])}</p>" + frame_table(self.ranking, _COLUMNS)


def _share(p: float) -> str:
    """Two digits; what is rounded to certainty says that it is not certain."""
    text = f"{p:.2f}"
    return "> 0.99" if text == "1.00" and p < 1.0 else text


def screen(
    structures: StructuresLike | None = None,
    *,
    out: str | Path | None = None,
    cache: bool = True,
    **settings: Any,
) -> Screen:
    """Rank structures by the probability of being fast conductors.

    Parameters
    ----------
    structures : structures, optional
        pymatgen structures, records or paths; the embedded candidates by default.
    out : path, optional
        Also write the results there, as ``ionsieve screen`` does.
    cache : bool
        Keep the trained model between calls.
    **settings
        Fields of :class:`~ionsieve.screening.screen.options.ScreenSettings`: ``mobile``, ``seed``,
        ``threshold_mS_cm``, ``workers``, ``follow_up`` and others.

    Returns
    -------
    Screen

    Raises
    ------
    InputError
        If a setting is unknown or outside its limits, or nothing can be ranked.
    """
    from ..cli.cache import model_cache
    from ..data.errors import InputError

    unknown = settings.keys() - ScreenSettings.__dataclass_fields__.keys()
    if unknown:
        known = ", ".join(sorted(ScreenSettings.__dataclass_fields__))
        raise InputError(f"{', '.join(sorted(unknown))}: no such setting; there are {known}")
    options = ScreenSettings(**settings)
    paths = [] if structures is None else _paths(structures)
    held = as_records(structures, options.mobile) if paths is None else ()
    result = run_screen(paths or [], options, model_cache() if cache else None, records=tuple(held))
    finished = Screen(result, tuple(paths or ()))
    if out is not None:
        finished.write(out)
    return finished


def _paths(structures: Any) -> list[str] | None:
    """The inputs as paths, where all of them are; folders and stores are read by the screen."""
    items = [structures] if isinstance(structures, (str, Path)) else structures
    if isinstance(items, (list, tuple)) and all(isinstance(i, (str, Path)) for i in items):
        return [str(i) for i in items]
    return None
