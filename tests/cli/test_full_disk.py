"""A full disk, for real: a small file system in memory. One line, and nothing that looks whole."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import structures
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.store.write import written_store

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_one_line_says_that_the_disk_is_full(small: Path, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    records = [structures.get(name) for name in ("LiF", "Li3OCl", "Li2S")]
    for record in records:
        to_pymatgen(record).to(str(tmp_path / "files" / f"{record.id}.vasp"), fmt="poscar")
    written_store(records, tmp_path / "store", 2)
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    for verb, given in (("ingest", "files"), ("featurize", "store")):
        (small / "fill").write_bytes(b"")
        room = os.statvfs(small)
        (small / "fill").write_bytes(bytes(room.f_bavail * room.f_frsize - 4096))
        command = [
            sys.executable,
            "-m",
            "ionsieve.cli.main",
            verb,
            given,
            "--out",
            str(small / verb),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )
        assert done.returncode == 1, (verb, done.stderr)
        assert "no space is left on the disk" in done.stderr.strip().splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert not list((small / verb).rglob("features-*.parquet"))
