"""``ionsieve catalogue`` and the documentation page made from it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ionsieve.cli.main import app
from ionsieve.features.catalogue import FAMILY_NAMES, catalogue

PAGE = Path(__file__).parents[2] / "docs" / "descriptors.md"


def _output(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["catalogue", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_column_is_printed_with_unit_and_source() -> None:
    lines = _output().splitlines()
    assert len(lines) == len(catalogue())
    for line, column in zip(lines, catalogue(), strict=True):
        assert line.split("\t")[:3] == [column.name, column.unit, column.source]


def test_json_holds_every_field() -> None:
    content = json.loads(_output("--json"))
    assert [c["name"] for c in content["columns"]] == [c.name for c in catalogue()]
    assert all(c["unit"] and c["definition"] and c["source"] for c in content["columns"])


def test_families_can_be_chosen() -> None:
    assert len(_output("--families", "density").splitlines()) == len(catalogue(["density"]))


def test_the_page_has_every_family_and_column() -> None:
    page = _output("--markdown")
    assert all(f"## {name}\n" in page for name in FAMILY_NAMES)
    assert all(f"| `{column.name}` |" in page for column in catalogue())


def test_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == _output("--markdown"), "run: make docs"


def test_columns_are_unique_and_complete() -> None:
    columns = catalogue()
    assert len({c.name for c in columns}) == len(columns)
    for c in columns:
        assert c.family in FAMILY_NAMES, c.name
        assert c.definition, c.name
        assert c.lower is None or c.upper is None or c.lower < c.upper, c.name


@pytest.mark.parametrize("suffix", ["_A", "_eV", "_A3", "_kB", "_g_cm3"])
def test_units_agree_with_names(suffix: str) -> None:
    unit = {"_A": "Å", "_eV": "eV", "_A3": "Å³", "_kB": "k", "_g_cm3": "g/cm³"}[suffix]
    for c in catalogue():
        if c.name.endswith(suffix):
            assert unit in c.unit, f"{c.name}: {c.unit}"
