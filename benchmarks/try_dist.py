"""Build sdist and wheel, check them, and do the main job with the wheel elsewhere.

``python benchmarks/try_dist.py [--out DIR]``; what is built stays in ``dist/``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMPORTS = "import ionsieve as ion; [getattr(ion, n) for n in ion.__all__]; print(ion.__version__)"


def main() -> None:
    """Build, check, install elsewhere, screen, explain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    out = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    _run(sys.executable, "-m", "build", "--outdir", str(out), str(ROOT))
    built = sorted(str(p) for p in out.iterdir())
    _run(sys.executable, "-m", "twine", "check", "--strict", *built)
    [wheel] = [p for p in built if p.endswith(".whl")]
    config = str(ROOT / "pyproject.toml")
    _run("check-wheel-contents", "--config", config, wheel, beside=True)
    with tempfile.TemporaryDirectory() as folder:
        _try_wheel(wheel, Path(folder))
    print(f"{len(built)} files in {out}: built, checked, and the wheel does the main job")


def _try_wheel(wheel: str, folder: Path) -> None:
    venv.create(folder / "env", with_pip=True)
    python = str(folder / "env" / "bin" / "python")
    ionsieve = str(folder / "env" / "bin" / "ionsieve")
    constraints = str(ROOT / "constraints.txt")
    _run(python, "-m", "pip", "install", "--quiet", "-c", constraints, wheel)
    # Elsewhere: nothing of the clone may be on the path.
    _run(python, "-I", "-c", IMPORTS, cwd=folder)
    _run(ionsieve, "screen", "--out", "result", cwd=folder)
    _run(ionsieve, "explain", "result", "1", cwd=folder)


def _run(*command: str, cwd: Path | None = None, beside: bool = False) -> None:
    first = str(Path(sys.executable).with_name(command[0])) if beside else command[0]
    done = subprocess.run([first, *command[1:]], cwd=cwd, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}")


if __name__ == "__main__":
    main()
