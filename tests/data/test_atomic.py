"""Locks: one writer, and nothing that a link points to is touched."""

from pathlib import Path

import pytest

from ionsieve.data.atomic import only_writer, replaced_folder
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


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("one", "two"):
        with replaced_folder(target) as new:
            (new / "a").write_text(content)
        assert (target / "a").read_text() == content
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_folder_stays_where_its_successor_fails(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replaced_folder(target) as new:
        (new / "a").write_text("one")
    with pytest.raises(FileNotFoundError), replaced_folder(target) as new:
        (new / "absent" / "a").write_text("two")
    assert (target / "a").read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_death_between_the_renames_is_repaired(tmp_path: Path) -> None:
    old = tmp_path / ".model.old.tmp"
    old.mkdir()
    (old / "a").write_text("one")
    with pytest.raises(ZeroDivisionError), replaced_folder(tmp_path / "model"):
        raise ZeroDivisionError
    assert (tmp_path / "model" / "a").read_text() == "one"


def test_one_writer_of_a_folder(tmp_path: Path) -> None:
    with (
        replaced_folder(tmp_path / "model"),
        pytest.raises(InputError, match="another process"),
        replaced_folder(tmp_path / "model"),
    ):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"), replaced_folder(tmp_path / "file"):
        pass
