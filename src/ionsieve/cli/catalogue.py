"""``ionsieve catalogue``: every descriptor column with unit, source and definition."""

from __future__ import annotations

import typer


def catalogue(
    families: str = typer.Option("", help="Descriptor families, comma-separated; default all."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    as_markdown: bool = typer.Option(False, "--markdown", help="Print the documentation page."),
) -> None:
    """Print every descriptor column with its unit, source and definition."""
    from ..features.catalogue_page import as_json_text, as_markdown_page, as_text

    chosen = [name.strip() for name in families.split(",") if name.strip()] or None
    if as_json:
        typer.echo(as_json_text(chosen))
    elif as_markdown:
        typer.echo(as_markdown_page(chosen), nl=False)
    else:
        typer.echo(as_text(chosen))
