"""Optional packages: absent, broken beside the others, or there."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ionsieve.data.errors import MissingDependencyError
from ionsieve.screening.engines import ase_calculators
from ionsieve.screening.engines.ase_calculators import require


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package that wants a name which its neighbour no longer has."""
    name = "package_of_yesterday"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / name / "sets.py").write_text("from numpy import no_such_name\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(ase_calculators.REMEDIES, name, "pip install it")
    yield name
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[module]


def test_a_package_that_does_not_go_with_the_others_is_one_line(broken: str) -> None:
    require(broken)
    require(broken, broken)
    with pytest.raises(MissingDependencyError, match="no_such_name") as caught:
        require(broken, f"{broken}.sets")
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert said.startswith(f"{broken} is installed, but {broken}.sets")
    assert said.endswith("pip install it")


def test_an_absent_package_says_how_it_is_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ase_calculators.REMEDIES, "no_such_package", "pip install it")
    with pytest.raises(MissingDependencyError, match="no_such_package is not installed: pip"):
        require("no_such_package", "no_such_package.part")


def test_what_is_there_is_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    require("numpy", "numpy.linalg")
    assert capsys.readouterr() == ("", "")
