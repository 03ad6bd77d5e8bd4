"""A file without a name: what was appended is read at any place, and nothing is left behind."""

import gc
from pathlib import Path

import pytest

from ionsieve.screening.screen import scratch_file
from ionsieve.screening.screen.scratch_file import ScratchFile


@pytest.mark.parametrize("buffer", [1, 7, 1 << 20])
def test_bytes_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer: int) -> None:
    monkeypatch.setattr(scratch_file, "_BUFFER", buffer)
    file, whole = ScratchFile(tmp_path / "new"), b""
    for part in (b"abc", b"", b"defgh", b"ij"):
        file.append(part)
        whole += part
        assert len(file) == len(whole)
        assert [file.read(i, len(whole) - i) for i in range(len(whole))] == [
            whole[i:] for i in range(len(whole))
        ]
    assert file.read(2, 0) == b""
    with pytest.raises(EOFError, match="3 bytes at 8 of 10"):
        file.read(8, 3)
    assert not list((tmp_path / "new").iterdir())


def test_it_is_closed_with_its_owner(tmp_path: Path) -> None:
    files = Path("/proc/self/fd")
    if not files.is_dir():
        pytest.skip("the system does not list open files")
    before = len(list(files.iterdir()))
    file = ScratchFile(tmp_path)
    assert len(list(files.iterdir())) == before + 1
    del file
    gc.collect()
    assert len(list(files.iterdir())) == before
