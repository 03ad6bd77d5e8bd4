"""What notebooks show: drawings and tables, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ..screening.pages.scene import build_scene
from ..screening.pages.svg import scene_svg

if TYPE_CHECKING:
    import pandas as pd

    from .structures import StructureLike


def structure_svg(structure: StructureLike, mobile: str = "Li") -> str:
    """Drawing of a structure with its isolated anions, their net and cages, as SVG.

    Parameters
    ----------
    structure : pymatgen Structure or StructureRecord
    mobile : str
    """
    return f'<div style="max-width:36em">{scene_svg(build_scene(structure, mobile))}</div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """HTML table of cells that are escaped already."""
    head = "".join(f"<th>{escape(c)}</th>" for c in columns)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def frame_table(frame: pd.DataFrame, columns: Sequence[str], n: int = 10) -> str:
    """The first rows of some columns as an HTML table; numbers with three digits."""
    shown = [c for c in columns if c in frame]
    rows = ([_text(v) for v in row] for row in frame[shown].head(n).itertuples(index=False))
    return table(shown, rows)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.3g}"
    return escape(str(value))
