"""What the pages say of the code is there: imports, dotted names, links, images."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/*.md")])
WRITTEN = [p for p in PAGES if "reference" not in p.parts]
BLOCK = re.compile(r"```(?:python|\{code-cell\})\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WRITTEN, ids=_name)
def test_python_of_a_page_imports_what_there_is(page: Path) -> None:
    for block in BLOCK.findall(page.read_text("utf-8")):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ionsieve"):
                module = import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), block


@pytest.mark.parametrize("page", WRITTEN, ids=_name)
def test_dotted_names_of_a_page_exist(page: Path) -> None:
    for dotted in re.findall(r"`(ionsieve(?:\.\w+)+)`", page.read_text("utf-8")):
        parts = dotted.split(".")
        found = None
        for cut in range(len(parts), 0, -1):
            try:
                found = import_module(".".join(parts[:cut]))
            except ModuleNotFoundError:
                continue
            for name in parts[cut:]:
                found = getattr(found, name)
            break
        assert found is not None, dotted


@pytest.mark.parametrize("page", WRITTEN, ids=_name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        # Reference pages are written when the site is built.
        generated = target.startswith(("reference/", "../reference/"))
        assert generated or (page.parent / target).exists(), target
