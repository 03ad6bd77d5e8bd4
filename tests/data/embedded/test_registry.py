"""Every shipped data file is registered with its exact hash, licence, units and size."""

import csv
import hashlib
import json
from io import StringIO
from pathlib import Path

import pytest

from ionsieve.data import InputError
from ionsieve.data.embedded import registry as registry_module
from ionsieve.data.embedded.registry import (
    REGISTRY_FILE,
    TABLE_FOLDER,
    load_registry,
    read_table,
    table_sha256,
    verify_tables,
)


def test_every_file_of_the_folder_is_registered_and_no_other() -> None:
    present = {path.name for path in TABLE_FOLDER.iterdir()} - {REGISTRY_FILE}
    assert present == set(load_registry())


@pytest.mark.parametrize("name", sorted(load_registry()))
def test_registered_hash_is_that_of_the_bytes(name: str) -> None:
    found = hashlib.sha256((TABLE_FOLDER / name).read_bytes()).hexdigest()
    assert load_registry()[name].sha256 == found == table_sha256(name)


@pytest.mark.parametrize("name", sorted(load_registry()))
def test_registered_row_count_is_true(name: str) -> None:
    text = read_table(name)
    if name.endswith(".json"):
        rows = len(json.loads(text)["structures"])
    else:
        rows = sum(1 for _ in csv.DictReader(StringIO(text)))
    assert load_registry()[name].rows == rows


@pytest.mark.parametrize("name", sorted(load_registry()))
def test_registered_facts_are_filled_in(name: str) -> None:
    entry = load_registry()[name]
    assert min(map(len, (entry.description, entry.licence, entry.units, entry.citation))) > 3


def test_all_tables_verify() -> None:
    assert verify_tables() == list(load_registry())


@pytest.fixture
def copied_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in TABLE_FOLDER.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(registry_module, "TABLE_FOLDER", tmp_path)
    load_registry.cache_clear()
    yield tmp_path
    load_registry.cache_clear()


def test_one_changed_byte_is_refused(copied_tables: Path) -> None:
    target = copied_tables / "aimd_labels.csv"
    target.write_bytes(target.read_bytes().replace(b"2.076", b"2.077", 1))
    with pytest.raises(InputError, match=r"aimd_labels\.csv has SHA-256"):
        read_table("aimd_labels.csv")


def test_a_missing_table_and_an_unregistered_one_are_refused(copied_tables: Path) -> None:
    (copied_tables / "aimd_labels.csv").unlink()
    with pytest.raises(InputError, match="registered but missing"):
        read_table("aimd_labels.csv")
    with pytest.raises(InputError, match="not in registry"):
        read_table("other.csv")


def test_a_registry_without_a_licence_is_refused(copied_tables: Path) -> None:
    target = copied_tables / REGISTRY_FILE
    text = target.read_text(encoding="utf-8")
    target.write_text(text.replace("    licence:", "    terms:", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"fields: licence, terms"):
        load_registry()


def test_no_machine_path_or_address_in_any_table() -> None:
    for path in TABLE_FOLDER.iterdir():
        text = path.read_text(encoding="utf-8")
        for word in ("/work", "/tmp", "/home", "http://", "https://", "\r"):
            assert word not in text, f"{path.name} holds {word!r}"
