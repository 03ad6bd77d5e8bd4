"""Locks: one writer, and nothing that a link points to is touched."""

from pathlib import Path

import pytest

from ionsieve.data.atomic import only_writer
from ionsieve.data.errors import InputError


def test_the_lock_of_a_writer_does_not_follow_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    (tmp_path / ".lock").symlink_to(precious)
    with (
        pytest.raises(InputError, match="a link in the place of a lock"),
        only_writer(tmp_path / ".lock"),
    ):
        pass
    assert precious.read_text() == "keep"


def test_one_writer(tmp_path: Path) -> None:
    with (
        only_writer(tmp_path / ".lock"),
        pytest.raises(InputError, match="another process"),
        only_writer(tmp_path / ".lock"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
    with only_writer(tmp_path / ".lock"):
        pass
