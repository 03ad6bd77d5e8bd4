"""Write the parts of README.md that a run prints: ``make readme``.

Runs the main job, and puts what it prints at 80 columns, the accuracy of the shipped ranking and a
picture of the page between the marks of README.md. Tests say when output or accuracy are old.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "report.png"
OUT = "screen-out"
"""Folder that ``make screen`` writes, below the working directory."""
TERMINAL = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
METHODS = ("shipped model", "bond valence alone", "composition alone")


def main() -> None:
    """Run the screen, or take a finished one, and fill in the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--screen", type=Path, help="folder of a finished screen, with terminal.txt"
    )
    parser.add_argument("--picture", action="store_true", help="also take the picture of the page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = arguments.screen or Path(folder) / OUT
        printed = out / "terminal.txt"
        if not printed.exists():
            printed.write_text(run_screen(out), encoding="utf-8")
        text = between(PAGE.read_text("utf-8"), "screen", shown(printed.read_text("utf-8")))
        text = between(text, "accuracy", accuracy())
        PAGE.write_text(text, encoding="utf-8")
        if arguments.picture:
            take_picture(out / "report.html")


def run_screen(out: Path) -> str:
    """What ``ionsieve screen`` prints at 80 columns, without colour."""
    done = subprocess.run(
        [sys.executable, "-m", "ionsieve.cli.main", "screen", "--out", out.name],
        cwd=out.parent,
        env={**os.environ, **TERMINAL},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def shown(printed: str) -> str:
    """The output as a block."""
    lines = [line.rstrip() for line in printed.splitlines()]
    return "```\n" + "\n".join(lines).strip("\n") + "\n```"


def accuracy() -> str:
    """The scores that ship with ionsieve, the model beside the best single column."""
    from ionsieve.data.embedded.model_scores import load_model_scores

    table = load_model_scores().set_index(["table", "score", "method"])
    lines = ["| labels | score | shipped model | bond valence alone | composition alone |"]
    lines.append("|---|---|---|---|---|")
    for name, score in table.index.droplevel("method").unique():
        if score.startswith(("coverage", "median width")) or score.endswith("is stated"):
            continue
        cells = [_cell(table, name, score, method) for method in METHODS]
        lines.append("| " + " | ".join([name, score, *cells]) + " |")
    return "\n".join(lines)


def _cell(table: pd.DataFrame, name: str, score: str, method: str) -> str:
    if (name, score, method) not in table.index:
        return "–"
    row = table.loc[(name, score, method)]
    return f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"


def block(page: str, name: str) -> str:
    """What stands between two marks of the page."""
    return page.split(f"<!-- {name} -->\n")[1].split(f"\n<!-- end of {name} -->")[0]


def between(page: str, name: str, content: str) -> str:
    """The page with new content between two marks."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, rest = page.split(start)
    return f"{head}{start}\n{content}\n{end}{rest.split(end)[1]}"


def take_picture(report: Path) -> None:
    """First screen of the page, by a headless browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("no chromium here: the picture stays as it is")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-background-networking"]
        command += [f"--user-data-dir={profile}", "--window-size=1440,1100", "--hide-scrollbars"]
        command += [f"--screenshot={PICTURE}", f"file://{report.resolve()}"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)


if __name__ == "__main__":
    main()
