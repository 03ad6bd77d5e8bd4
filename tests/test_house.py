"""Rules of the house that no linter knows: how classes are built, what a name means, its tests."""

import ast
import runpy
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("data", "features", "models", "screening", "src/ionsieve/api", "src/ionsieve/cli")
MODULES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))
CHANGED = runpy.run_path(str(ROOT / "tests" / "changed.py"))
TRIVIAL_LINES = 60
"""Lines with text up to which a module is tested with those that use it."""
MOST_POSITIONAL = 4
POSITIONAL = {
    "Column": "a line of the catalogue reads like a row of a table: name, unit, definition, source,"
    " family; the rest by name",
}
"""Dataclasses that may take more by position, and why."""


def _name(module: Path) -> str:
    return str(module.relative_to(ROOT))


def _classes(module: Path) -> list[ast.ClassDef]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def _dataclass_call(node: ast.ClassDef) -> str | None:
    calls = (ast.unparse(d) for d in node.decorator_list)
    return next((call for call in calls if call.split("(")[0] == "dataclass"), None)


def _positional_fields(node: ast.ClassDef) -> int:
    count = 0
    for line in node.body:
        if not isinstance(line, ast.AnnAssign) or "ClassVar" in ast.unparse(line.annotation):
            continue
        if ast.unparse(line.annotation) == "KW_ONLY":
            break
        count += "init=False" not in ast.unparse(line)
    return count


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_dataclasses_of_many_fields_are_built_by_name(module: Path) -> None:
    for node in _classes(module):
        call = _dataclass_call(node)
        if call is None or "kw_only=True" in call or node.name in POSITIONAL:
            continue
        assert _positional_fields(node) <= MOST_POSITIONAL, f"{node.name}: kw_only=True is missing"


def test_a_public_class_name_means_one_thing() -> None:
    homes = defaultdict(list)
    for module in MODULES:
        for node in _classes(module):
            if not node.name.startswith("_"):
                homes[node.name].append(_name(module))
    shared = {name: found for name, found in homes.items() if len(found) > 1}
    assert shared == {}


def test_every_module_has_its_test_file() -> None:
    told = CHANGED["tested_by"]()
    homeless = [
        name
        for module in MODULES
        if (name := _name(module)) not in told
        and module.name != "__init__.py"
        and sum(bool(line.strip()) for line in module.read_text("utf-8").splitlines())
        >= TRIVIAL_LINES
        and not (ROOT / CHANGED["own_tests"](name)).exists()
    ]
    assert homeless == [], "write a test file of that name, or a line in tests/tested_by.txt"


@pytest.mark.parametrize(("name", "test"), CHANGED["tested_by"]().items())
def test_a_module_is_tested_where_it_is_said(name: str, test: str) -> None:
    assert (ROOT / name).is_file()
    assert (ROOT / test).is_file()
    own = CHANGED["own_tests"](name)
    assert not (ROOT / own).exists(), f"{name}: {own} is there, remove the line"
