"""Tests of what changed since a commit, found by name: ``python tests/changed.py [COMMIT]``.

Prints one path a line: for ``features/isolated/net.py`` that is
``tests/features/isolated/test_net.py``, or the folder's tests where there is none of that name. A
changed test file stands for itself. Nothing changed: a short selection over all rooms.
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


def tests_of(name: str) -> Path | None:
    """The tests of one file, or None where nothing tests it by name."""
    path = Path(name)
    if path.parts[0] == "tests":
        return path if path.name.startswith("test_") else None
    parts = path.parts[2:] if path.parts[:2] == ("src", "ionsieve") else path.parts
    folder = Path("tests", *parts[:-1])
    own = folder / f"test_{path.name}"
    if (ROOT / own).exists():
        return own
    return folder if (ROOT / folder).is_dir() and len(parts) > 2 else None


def selection(since: str) -> list[str]:
    """Paths for pytest."""
    chosen = {str(t) for name in changed_files(since) if (t := tests_of(name)) is not None}
    return sorted(chosen or {name for name in FAST if (ROOT / name).exists()})


if __name__ == "__main__":
    print("\n".join(selection(sys.argv[1] if len(sys.argv) > 1 else "HEAD")))
