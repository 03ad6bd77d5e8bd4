"""Identifiers and file names as text that every table can hold."""

from __future__ import annotations

from pathlib import Path


def no_formula(identifier: str) -> str:
    """Spreadsheets run cells that begin with =, +, - or @: such an identifier gets a ``_`` before.

    Done where identifiers are made, so that one structure has one name in every table.
    """
    return f"_{identifier}" if identifier.startswith(("=", "+", "-", "@")) else identifier


def printable(text: str | Path) -> str:
    """A path as text that every table can hold: bytes that are no UTF-8, line ends, are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
