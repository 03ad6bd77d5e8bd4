"""The map of the house in CONTRIBUTING.md, generated from the import-linter contracts.

``python docs/house_map.py`` prints it, ``--write`` puts it into the file.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- map -->", "<!-- end of map -->"
ROOMS = ("data", "features", "models", "screening")


def house_map() -> str:
    """One table a room: folders and modules from top to leaf, and what each is for."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = {
        one["containers"][0].removeprefix("ionsieve."): one["layers"]
        for one in contracts["contracts"]
        if one.get("containers")
    }
    return "\n".join(_room(room, layers[room]) for room in ROOMS)


def _room(room: str, layers: list[str]) -> str:
    lines = [f"### {room}/\n", f"{_summary(ROOT / room / '__init__.py')}\n"]
    lines += ["| from top to leaf | what it is for |", "|---|---|"]
    for layer in layers:
        for name in layer.replace(":", "|").split("|"):
            path = ROOT / room / name.strip().strip("()")
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            shown = f"{path.name}/" if path.is_dir() else file.name
            lines.append(f"| `{shown}` | {_summary(file)} |")
    return "\n".join([*lines, ""])


def _summary(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def with_map(page: str) -> str:
    """The page with a fresh map between its marks."""
    head, rest = page.split(START)
    return f"{head}{START}\n\n{house_map()}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Print the map, or write it into CONTRIBUTING.md."""
    page = ROOT / "CONTRIBUTING.md"
    if "--write" in sys.argv[1:]:
        page.write_text(with_map(page.read_text("utf-8")), encoding="utf-8")
    else:
        print(house_map())


if __name__ == "__main__":
    main()
