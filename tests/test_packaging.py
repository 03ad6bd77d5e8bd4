"""The explicit package list is complete: an editable install would hide an omission."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("data", "features", "models", "screening")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]


def _package_folders() -> dict[str, Path]:
    found = {}
    for folder in [ROOT / "src" / "ionsieve", *(ROOT / room for room in ROOMS)]:
        prefix = "ionsieve" if folder.name == "ionsieve" else f"ionsieve.{folder.name}"
        for init in folder.rglob("__init__.py"):
            relative = init.parent.relative_to(folder)
            if any((folder / part).is_symlink() for part in relative.parts[:1]):
                continue
            found[".".join([prefix, *relative.parts])] = init.parent
    return found


def test_every_package_is_listed() -> None:
    assert set(SETUPTOOLS["packages"]) == set(_package_folders())


def test_every_data_file_is_packaged() -> None:
    for package, folder in _package_folders().items():
        globs = SETUPTOOLS["package-data"].get(package, [])
        packaged = {path for pattern in globs for path in folder.glob(pattern)}
        present = {
            path
            for path in folder.rglob("*")
            if path.is_file()
            and path.suffix != ".py"
            # Compiled code that Python and numba keep is made anew wherever it is needed.
            and "__pycache__" not in path.parts
            and not any(parent.is_symlink() for parent in path.parents)
        }
        assert present <= packaged, f"{package}: {sorted(present - packaged)} not in package-data"


def test_rooms_are_linked_for_type_checkers() -> None:
    for room in ROOMS:
        link = ROOT / "src" / "ionsieve" / room
        assert link.is_symlink()
        assert link.resolve() == (ROOT / room).resolve()


def test_no_tracked_file_is_larger_than_two_megabytes() -> None:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = [name for name in done.stdout.decode().split("\0") if name]
    # Outside a clone there is no list: then everything in the rooms counts.
    files = [ROOT / name for name in names] or [p for r in ROOMS for p in (ROOT / r).rglob("*")]
    for path in files:
        if path.is_file():
            assert path.stat().st_size < 2_000_000, path
            assert path.suffix != ".whl", path


EXTRAS = {
    line for lines in PYPROJECT["project"]["optional-dependencies"].values() for line in lines
}
TEXTS = [
    *(path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))),
    *sorted((ROOT / "src" / "ionsieve").glob("c*/*.py")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
]


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_install_commands_work_beside_a_clone_and_a_wheel(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"pip install '?ionsieve", text), "no index has it: name the package"
    for command in re.findall(r"pip install ([^\n`\"]+)", text):
        for wanted in re.findall(r"'([\w-]+>=[\d.]+)'", command):
            assert wanted in EXTRAS, "an extra of pyproject.toml has another bound"
