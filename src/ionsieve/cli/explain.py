"""``ionsieve explain``: why a candidate has its rank."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..screening.explain.contributions import Explanation, Neighbour


def explain(
    folder: Path = typer.Argument(..., metavar="DIR", help="Folder of a finished screen."),
    name: str = typer.Argument(..., metavar="ID", help="Id of a ranked structure, or its rank."),
    cache: bool = typer.Option(True, help="Take the trained model from the cache, and keep it."),
    cubes: bool = typer.Option(
        False, "--cubes", help="Also write the similarity map and bond-valence landscape as cubes."
    ),
    json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Say why a candidate has its rank, with a picture of its isolated anions and cages.

    Shows the prediction, what moved it, the nearest structures of the AIMD table with their
    conductivities, isolated anions with net and cages, each flag with its reason, and the AIMD
    that would decide. Writes DIR/explain/ID.html, ID.svg and ID.cif,
    in which isolated anions have labels of their own.
    """
    from ..screening.explain.contributions import explain_candidate
    from ..screening.explain.write import write_explanation
    from ..screening.results.read import FinishedRun
    from .cache import model_cache
    from .progress import console

    found, record = explain_candidate(FinishedRun(folder), name, model_cache() if cache else None)
    written = write_explanation(folder, found, record, cubes)
    if json:
        import json as json_module

        paths = {"page": written.page, "structure": written.structure, "picture": written.picture}
        files = {k: None if v is None else str(v) for k, v in paths.items()}
        files |= {f"{name}_cube": str(path) for name, path in written.cubes.items()}
        content = {**found.as_dict(), "files": files, "undrawn": written.undrawn or None}
        content["without"] = written.without
        typer.echo(json_module.dumps(content, sort_keys=True, allow_nan=False))
        return
    screen = console()
    _print(screen, found, str(written.structure))
    if written.undrawn:
        _say(screen, f"no picture: {written.undrawn}")
    for name, why in written.without.items():
        _say(screen, f"no {name}: {why}")
    for path in written.cubes.values():
        _say(screen, f"wrote {path}")
    _say(screen, f"see {written.page}")


def _print(screen: Console, found: Explanation, structure: str) -> None:
    from ..screening.explain import text as text

    screen.print(text.headline(found), style="bold", markup=False, highlight=False)
    for line in text.verdict_lines(found):
        _say(screen, f"  {line}")
    _print_shares(screen, found)
    _heading(screen, "Isolated anions in the cell as given")
    for line in [*text.anion_lines(found), *text.net_lines(found)] or ["none"]:
        _say(screen, f"  {line}")
    if lines := text.stability_lines(found):
        _heading(screen, "Stability")
        for line in lines:
            _say(screen, f"  {line}")
    _heading(screen, "Flags")
    for line in text.flag_lines(found) or ["none raised"]:
        _say(screen, f"  {line}")
    _print_neighbours(screen, "Nearest in the AIMD table by descriptors", found.by_features)
    _print_neighbours(screen, "Nearest in the AIMD table by composition", found.by_composition)
    _heading(screen, "What would decide it")
    for line in text.next_lines(found, structure):
        _say(screen, f"  {line}")
    _say(screen, found.caution)


def _print_shares(screen: Console, found: Explanation) -> None:
    from ..screening.explain import text as text

    total = found.row["log10_sigma_300K_S_cm"]
    title = f"What moved it: decades from {found.population:.2f} (no structure in particular)"
    _heading(screen, f"{title} to {total:.2f}")
    families = _table("family", "decades")
    for share in found.families:
        families.add_row(share.family, text.share_text(share.decades))
    screen.print(families)
    columns = _table("descriptor", "value", "smaller among ranked", "decades")
    for one in found.columns:
        cells = (text.value_text(one), text.quantile_text(one), text.share_text(one.decades))
        columns.add_row(one.column, *cells)
    screen.print(columns)


def _print_neighbours(screen: Console, title: str, found: tuple[Neighbour, ...]) -> None:
    from ..screening.explain.text import labels_text

    _heading(screen, title)
    for one in found:
        _say(screen, f"  {one.distance:.2f}  {one.formula} ({one.id}): {labels_text(one)}")


def _table(first: str, *others: str) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _heading(screen: Console, title: str) -> None:
    screen.print(title, style="bold", markup=False, highlight=False)


def _say(screen: Console, line: str) -> None:
    screen.print(line, markup=False, highlight=False, soft_wrap=True)
