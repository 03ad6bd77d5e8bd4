"""The door: the map is that of the contracts, and every file that a task names is there."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TASKS = PAGE.split("## Twelve everyday tasks")[1].split("\n##")[0].split("\n")
ROWS = [line for line in TASKS if line.startswith("| ") and "`" in line]


def test_the_map_is_that_of_the_contracts() -> None:
    with_map = runpy.run_path(str(ROOT / "docs" / "house_map.py"))["with_map"]
    assert with_map(PAGE) == PAGE, "run: python docs/house_map.py --write"


def test_there_are_twelve_tasks() -> None:
    assert len(ROWS) == 12


@pytest.mark.parametrize("row", ROWS)
def test_files_of_a_task_are_few_and_there(row: str) -> None:
    named = [n for n in re.findall(r"`([\w/.]+)`", row.split("|")[2]) if "/" in n]
    assert 1 <= len(named) <= 3
    for name in named:
        assert (ROOT / name).exists(), name


def test_changed_modules_lead_to_their_tests() -> None:
    tests_of = runpy.run_path(str(ROOT / "tests" / "changed.py"))["tests_of"]
    assert tests_of("features/isolated/net.py") == Path("tests/features/isolated/test_net.py")
    assert tests_of("src/ionsieve/cli/screen.py") == Path("tests/cli/test_screen.py")
    assert tests_of("src/ionsieve/cli/train.py") == Path("tests/cli/test_models.py")
    assert tests_of("README.md".replace(".md", ".py")) is None
