"""Hostile inputs: no crash, no hang, no write outside the store; a reason for each."""

import bz2
import gzip
import io
import json
import os
import random
import re
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from ionsieve.data import InputError, Quarantined, StructureRecord
from ionsieve.data.store.ingest import ingest
from ionsieve.data.store.open import open_source
from ionsieve.data.store.store import Store

ARGYRODITE = Structure.from_spacegroup(
    "F-43m",
    Lattice.cubic(10.2795),
    ["Li", "P", "S", "S", "Cl"],
    [
        [0.25, 0.0179, 0.25],
        [0.5, 0.5, 0.5],
        [0.25, 0.25, 0.25],
        [0.6199, 0.6199, 0.6199],
        [0, 0, 0],
    ],
)
DISORDERED = Structure(
    Lattice.hexagonal(3.9, 18.1),
    [{"Li": 0.4}, {"Li": 0.2}, {"In": 0.9, "Zr": 0.1}, {"Cl": 0.6, "Br": 0.4}],
    [[0, 0, 0.5], [0, 0, 0.49], [0, 0, 0], [1 / 3, 2 / 3, 0.1]],
)


def cif(structure: Structure, symprec: float | None = None) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(CifWriter(structure, symprec=symprec))


def mutated(text: str, rng: random.Random) -> str:
    """One to four of the ways in which files break or are broken."""
    tokens = ["nan", "inf", "-1", "1e400", "?", ".", "9" * 40, "loop_", "data_", "\x00", "ñ", "'"]
    for _ in range(rng.randint(1, 4)):
        where, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        way = rng.randrange(7)
        if way == 0:
            text = text[:where]
        elif way == 1:
            text = text[:where] + text[min(end, where + 80) :]
        elif way == 2:
            text = text[:where] + rng.choice(tokens) + text[where:]
        elif way == 3:
            lines = text.splitlines()
            rng.shuffle(lines)
            text = "\n".join(lines)
        elif way == 4:
            text = re.sub(r"\d+\.\d+", lambda m: rng.choice([m[0], *tokens]), text, count=20)
        elif way == 5:
            text = text[:end] + text[where:]
        else:
            text = "".join(
                chr(ord(c) ^ (1 << rng.randrange(7))) if rng.random() < 0.01 else c for c in text
            )
        if not text:
            return text
    return text


def test_a_thousand_mutated_and_truncated_cifs(tmp_path: Path) -> None:
    rng = random.Random(0)
    originals = [cif(ARGYRODITE), cif(ARGYRODITE, 0.01), cif(DISORDERED)]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(1000):
            archive.writestr(f"c{number:04d}.cif", mutated(originals[number % 3], rng))
    summary = ingest([open_source(str(tmp_path / "all.zip"))], tmp_path / "store")
    store = Store(tmp_path / "store")
    refused = list(store.quarantined())
    assert summary.counts["input"] >= 1000
    assert summary.counts["stored"] + len(refused) == summary.counts["input"]
    assert summary.counts["stored"] > 0
    assert len(refused) > 300
    assert all(entry.reason and "\n" not in entry.reason for entry in refused)
    for stored in store.records():
        assert np.isfinite(stored.record.frac).all()
        assert 0.5 < stored.record.volume_A3 < 1e9


def test_truncation_at_every_part_of_a_file(tmp_path: Path) -> None:
    text = cif(ARGYRODITE, 0.01)
    for number, end in enumerate(range(0, len(text), max(1, len(text) // 60))):
        (tmp_path / f"t{number}.cif").write_text(text[:end])
        for item in open_source(str(tmp_path / f"t{number}.cif")).items():
            assert isinstance(item.entry, StructureRecord | Quarantined)


def only(path: Path) -> StructureRecord | Quarantined:
    (item,) = open_source(str(path)).items()
    return item.entry


def refused(path: Path, pattern: str) -> None:
    entry = only(path)
    assert isinstance(entry, Quarantined), entry
    assert re.search(pattern, entry.reason), entry.reason


def test_zip_bombs_are_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.cif", b" " * 19_000_000)
        archive.writestr("bigger.cif", b" " * 30_000_000)
        archive.writestr("good.cif", cif(ARGYRODITE))
    entries = {i.entry.id: i.entry for i in open_source(str(tmp_path / "bomb.zip")).items()}
    assert "over 200 times" in entries["big"].reason
    assert "more than 20 MB" in entries["bigger"].reason
    assert isinstance(entries["good"], StructureRecord)


def test_a_zip_that_lies_about_its_sizes(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("liar.cif", b" " * 30_000_000)
    # Uncompressed size in the local header and in the central directory.
    content = packed.getvalue().replace(struct.pack("<I", 30_000_000), struct.pack("<I", 5000))
    (tmp_path / "liar.zip").write_bytes(content)
    refused(tmp_path / "liar.zip", "CRC|size|empty")


@pytest.mark.parametrize("cut", [10, 200, 2000])
def test_a_truncated_zip(tmp_path: Path, cut: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.cif", cif(ARGYRODITE))
    (tmp_path / "cut.zip").write_bytes(packed.getvalue()[:cut])
    refused(tmp_path / "cut.zip", "not a readable zip")


HOSTILE_NAMES = [
    "../../escape.cif",
    "/etc/cron.d/escape.cif",
    "..\\..\\escape.cif",
    "C:\\Windows\\escape.cif",
    "a/../../../escape.cif",
    "<script>alert(1)</script>/escape.cif",
    "…/\u202eescape.cif",
    "a" * 300 + ".cif",
]


def test_names_that_lead_out_of_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    with zipfile.ZipFile(inside / "names.zip", "w") as archive:
        for number, name in enumerate(HOSTILE_NAMES):
            crystal = ARGYRODITE.copy()
            crystal.scale_lattice(crystal.volume * (1 + number))
            archive.writestr(name, cif(crystal))
    before = set(tmp_path.rglob("*"))
    ingest([open_source(str(inside / "names.zip"))], inside / "store")
    new = set(tmp_path.rglob("*")) - before
    assert all((inside / "store") in [p, *p.parents] for p in new)
    ids = [s.record.id for s in Store(inside / "store").records()]
    ids += [q.id for q in Store(inside / "store").quarantined()]
    assert len(set(ids)) == len(HOSTILE_NAMES)
    for record_id in ids:
        assert not set("/\\\x00\n") & set(record_id)
        assert not record_id.startswith(".")
        assert len(record_id) <= 125


def test_ids_in_files_cannot_lead_anywhere_either(tmp_path: Path) -> None:
    entry = {
        "id": "../../../root/.ssh/x\n\x1b[2J",
        "lattice": (5.7 * np.eye(3)).tolist(),
        "species": ["Li", "Cl"],
        "frac": [[0, 0, 0], [0.5, 0.5, 0.5]],
    }
    (tmp_path / "a.jsonl").write_text(json.dumps(entry))
    record = only(tmp_path / "a.jsonl")
    assert isinstance(record, StructureRecord)
    assert not set("/\\\n\x1b") & set(record.id)


def test_links_and_special_files_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.cif").write_text(cif(ARGYRODITE))
    (folder / "loop").symlink_to(folder)
    (folder / "gone.cif").symlink_to(tmp_path / "absent.cif")
    os.mkfifo(folder / "pipe.cif")
    entries = {item.entry.id: item.entry for item in open_source(str(folder)).items()}
    assert list(entries) == ["gone", "good", "pipe"]
    assert isinstance(entries["good"], StructureRecord)
    # What is no file is not passed over silently, and a pipe is not waited for.
    for name in ("gone", "pipe"):
        assert isinstance(entries[name], Quarantined)
        assert "not a regular file" in entries[name].reason


@pytest.mark.parametrize("value", ["nan", "inf", "-5", "0", "1e300", "1e-300", "abc"])
def test_broken_lattices_in_a_cif(tmp_path: Path, value: str) -> None:
    text = re.sub(r"(_cell_length_a\s+)\S+", rf"\g<1>{value}", cif(ARGYRODITE))
    (tmp_path / "a.cif").write_text(text)
    assert isinstance(only(tmp_path / "a.cif"), Quarantined)


@pytest.mark.parametrize("value", ["NaN", "1e400", "null", '"x"', "[]", "-1e308"])
def test_broken_lattices_in_json(tmp_path: Path, value: str) -> None:
    text = (
        '{"id": "x", "lattice": [[%s, 0, 0], [0, 4, 0], [0, 0, 4]], '
        '"species": ["Li", "F"], "frac": [[0, 0, 0], [0.5, 0.5, 0.5]]}'
    )
    for name in ("a.jsonl", "a.json"):
        (tmp_path / name).write_text(text % value)
        assert isinstance(only(tmp_path / name), Quarantined)


def test_cells_of_fifty_thousand_atoms(tmp_path: Path) -> None:
    n = 50_000
    frac = np.random.default_rng(0).random((n, 3)).round(6)
    atoms = "\n".join(f"Li{i} Li {x} {y} {z} 1" for i, (x, y, z) in enumerate(frac))
    head = "\n".join(
        ["data_big", *(f"_cell_length_{a} 90.0" for a in "abc")]
        + [f"_cell_angle_{a} 90" for a in ("alpha", "beta", "gamma")]
        + ["_symmetry_space_group_name_H-M 'F m -3 m'", "loop_", "_atom_site_label"]
        + ["_atom_site_type_symbol", "_atom_site_fract_x", "_atom_site_fract_y"]
        + ["_atom_site_fract_z", "_atom_site_occupancy", ""]
    )
    (tmp_path / "a.cif").write_text(head + atoms + "\n")
    lattice = np.diag([90.0] * 3).tolist()
    plain = {"lattice": lattice, "species": ["Li"] * n, "frac": frac.tolist()}
    (tmp_path / "a.jsonl").write_text(json.dumps(plain))
    (tmp_path / "b.json").write_text(json.dumps([plain]))
    rows = "\n".join(f"Li {x} {y} {z}" for x, y, z in 90 * frac)
    comment = 'Lattice="90 0 0 0 90 0 0 0 90" Properties=species:S:1:pos:R:3 pbc="T T T"'
    (tmp_path / "a.extxyz").write_text(f"{n}\n{comment}\n{rows}\n")
    coordinates = "\n".join(f"{x} {y} {z}" for x, y, z in frac)
    (tmp_path / "POSCAR").write_text(
        f"x\n1\n90 0 0\n0 90 0\n0 0 90\nLi\n{n}\nDirect\n{coordinates}\n"
    )
    for name in ("a.cif", "a.jsonl", "b.json", "a.extxyz", "POSCAR"):
        refused(tmp_path / name, "50000 sites in the cell, more than 2000")


def test_streams_of_nothing_end(tmp_path: Path) -> None:
    """70 MB of blanks in 50 kB: refused, not waited for."""
    for name, opener in (("a.json.bz2", bz2.open), ("b.json.gz", gzip.open)):
        with opener(tmp_path / name, "wb") as stream:
            stream.write(b"[" + b" " * 70_000_000)
        refused(tmp_path / name, "64 MB without a finished entry")
    with gzip.open(tmp_path / "c.jsonl.gz", "wb") as stream:
        stream.write(b"x" * 70_000_000)
    refused(tmp_path / "c.jsonl.gz", "longer than 64 MB")


@pytest.mark.parametrize(
    ("name", "content", "pattern"),
    [
        ("a.json", b"", "not valid JSON|neither"),
        ("a.json", b"[" * 100_000, "JSON"),
        ("a.json", b'{"a": 1}', "holds no structures"),
        ("a.json", b"\xff\xfe\x00", "not valid JSON"),
        ("a.json", b'"text"', "neither a list nor an object"),
        ("a.jsonl", b"[" * 100_000, "not a JSON object"),
        ("a.json.bz2", b"BZh9 nothing", "damaged"),
        ("a.json.gz", b"\x1f\x8b nothing", "damaged|JSON"),
        ("a.db", b"SQLite format 3\x00" + bytes(5000), "broken"),
        ("a.parquet", b"PAR1 nothing PAR1", "broken"),
        ("a.extxyz", b"hello\n", "does not begin with a number"),
        ("a.extxyz", b"3\nx\nLi 0 0 0\n", "3 atoms are announced, 1 are there"),
        ("a.extxyz", b"1\nx\nLi 0 0 0\n", "not periodic"),
    ],
)
def test_broken_files_of_other_formats(
    tmp_path: Path, name: str, content: bytes, pattern: str
) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, pattern)


def test_a_file_cut_short_keeps_what_it_held_and_says_so(tmp_path: Path) -> None:
    entry = ARGYRODITE.as_dict()
    text = json.dumps({"entries": [entry] * 4}).encode()
    (tmp_path / "cut.json").write_bytes(text[: 3 * len(text) // 4])
    packed = bz2.compress(text)
    (tmp_path / "cut.json.bz2").write_bytes(packed[: len(packed) - 20])
    entries = [item.entry for item in open_source(str(tmp_path / "cut.json")).items()]
    assert [type(e) for e in entries] == [StructureRecord] * (len(entries) - 1) + [Quarantined]
    assert re.search(r"broken behind its first [23] structures", entries[-1].reason)
    last = list(open_source(str(tmp_path / "cut.json.bz2")).items())[-1].entry
    assert isinstance(last, Quarantined)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    """Class names that monty or pickle would import are data here."""
    marker = tmp_path / "executed"
    entry = {
        **ARGYRODITE.as_dict(),
        "@module": "subprocess",
        "@class": "Popen",
        "args": ["touch", str(marker)],
    }
    (tmp_path / "a.json").write_text(json.dumps([entry]))
    assert isinstance(only(tmp_path / "a.json"), StructureRecord)
    assert not marker.exists()


def test_absent_and_unknown_sources_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_source(str(tmp_path / "absent.cif"))
    (tmp_path / "x.docx").write_bytes(b"")
    with pytest.raises(InputError, match="unknown format; known are CIF"):
        open_source(str(tmp_path / "x.docx"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file of a known format"):
        open_source(str(tmp_path / "empty"))


def test_a_pipe_in_a_folder_does_not_stop_an_ingest(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.cif").write_text(cif(ARGYRODITE))
    (tmp_path / "in" / "gone.cif").symlink_to(tmp_path / "absent.cif")
    os.mkfifo(tmp_path / "in" / "pipe.cif")
    summary = ingest([open_source(str(tmp_path / "in"))], tmp_path / "store")
    assert (summary.counts["stored"], summary.counts["quarantined"]) == (1, 2)
