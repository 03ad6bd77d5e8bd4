"""Tests of what changed since a commit, found by name: ``python tests/changed.py [COMMIT]``.

Prints one path a line: for ``features/isolated/net.py`` that is
``tests/features/isolated/test_net.py``, or what ``tests/tested_by.txt`` says, or the folder's tests
where it says nothing. A changed test file stands for itself. Nothing changed: a short selection
over all rooms.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("data", "features", "models", "screening")
FAST = (
    "tests/test_packaging.py",
    "tests/test_contributing.py",
    "tests/data/test_records.py",
    "tests/features/isolated",
    "tests/models/labels",
    "tests/screening/test_hull.py",
    "tests/cli/test_main.py",
)


def changed_files(since: str) -> list[str]:
    """Files that differ from a commit, and untracked ones."""
    commands = (
        ["git", "diff", "--name-only", "--diff-filter=d", since],
        ["git", "ls-files", "--others", "--exclude-standard"],
    )
    found: list[str] = []
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found += done.stdout.split("\n")
    return sorted({name for name in found if name.endswith(".py")})


def tested_by() -> dict[str, str]:
    """Module → test file, for modules that are tested in the file of another one."""
    lines = (ROOT / "tests" / "tested_by.txt").read_text("utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return dict(rows)  # type: ignore[arg-type]


def own_tests(name: str) -> Path:
    """The test file that bears the name of a module, there or not."""
    path = Path(name)
    parts = path.parts[2:] if path.parts[:2] == ("src", "ionsieve") else path.parts
    return Path("tests", *parts[:-1], f"test_{path.name}")


def tests_of(name: str) -> Path | None:
    """The tests of one file, or None where nothing tests it by name."""
    path = Path(name)
    if path.parts[0] == "tests":
        return path if path.name.startswith("test_") else None
    own = own_tests(name)
    if (ROOT / own).exists():
        return own
    if name in (told := tested_by()):
        return Path(told[name])
    return own.parent if (ROOT / own.parent).is_dir() and len(own.parts) > 3 else None


def selection(since: str) -> list[str]:
    """Paths for pytest."""
    chosen = {str(t) for name in changed_files(since) if (t := tests_of(name)) is not None}
    return sorted(chosen or {name for name in FAST if (ROOT / name).exists()})


if __name__ == "__main__":
    print("\n".join(selection(sys.argv[1] if len(sys.argv) > 1 else "HEAD")))
