"""Examples in docstrings give what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("data", "features", "models", "screening", "src/ionsieve/api", "src/ionsieve/cli")
FILES = [ROOT / "src/ionsieve/__init__.py", *(p for f in FOLDERS for p in (ROOT / f).rglob("*.py"))]


def _runs(path: Path) -> bool:
    lines = path.read_text(encoding="utf-8").splitlines()
    return any(">>> " in line and "doctest: +SKIP" not in line for line in lines)


WITH_EXAMPLES = sorted(filter(_runs, FILES))


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    own = parts[2:] if parts[0] == "src" else parts
    return ".".join(("ionsieve", *(part for part in own if part != "__init__")))


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=_dotted)
def test_examples(path: Path) -> None:
    found = doctest.testmod(import_module(_dotted(path)), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0


def test_there_are_examples() -> None:
    assert len(WITH_EXAMPLES) > 8
