"""Ingest: every source gives the same crystals, and what cannot be used is named."""

import bz2
import gzip
import json
import os
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase.db
import ase.io
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter

from ionsieve.data import InputError, StructureRecord
from ionsieve.data.sources.base import Item
from ionsieve.data.store.ingest import IngestSettings, ingest
from ionsieve.data.store.open import SourceOptions, open_source
from ionsieve.data.store.store import Store

LI2S = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.719), ["Li", "S"], [[0.25, 0.25, 0.25], [0, 0, 0]]
)
LICL = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.13), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
LI3N = Structure(
    Lattice.hexagonal(3.648, 3.875),
    ["N", "Li", "Li", "Li"],
    [[0, 0, 0], [1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0], [0, 0, 0.5]],
)
CRYSTALS = {"Li2S": LI2S, "LiCl": LICL, "Li3N": LI3N}
HULL = {"Li2S": 0.0, "LiCl": 0.012, "Li3N": 0.3}


def cse(name: str, structure: Structure) -> dict[str, Any]:
    """An entry as Alexandria lays them out."""
    data = {"mat_id": name, "e_above_hull": HULL[name], "band_gap_ind": 3.0}
    return ComputedStructureEntry(structure, -3.0 * len(structure), data=data).as_dict()


def plain(name: str, structure: Structure) -> dict[str, Any]:
    return {
        "id": name,
        "lattice": structure.lattice.matrix.tolist(),
        "species": [site.specie.symbol for site in structure],
        "frac": structure.frac_coords.tolist(),
        "e_above_hull": HULL[name],
    }


def optimade_row(name: str, structure: Structure) -> dict[str, Any]:
    return {
        "id": name,
        "lattice_vectors": structure.lattice.matrix.tolist(),
        "cartesian_site_positions": structure.cart_coords.tolist(),
        "species_at_sites": [site.specie.symbol for site in structure],
        "species": [
            {"name": e.symbol, "chemical_symbols": [e.symbol], "concentration": [1.0]}
            for e in structure.elements
        ],
        "nperiodic_dimensions": 3,
        "_own_hull": HULL[name],
    }


def as_cif_folder(folder: Path) -> Path:
    out = folder / "cifs"
    out.mkdir()
    for name, structure in CRYSTALS.items():
        write_cif(out / f"{name}.cif", structure)
    return out


def write_cif(path: Path, structure: Structure) -> Path:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Site labels are not unique")
        CifWriter(structure).write_file(path)
    return path


def as_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, structure in CRYSTALS.items():
            archive.writestr(f"{name}.vasp", structure.to(fmt="poscar"))
        archive.writestr("README.txt", "not a structure")
    return folder / "all.zip"


def as_jsonl(folder: Path) -> Path:
    lines = "\n".join(json.dumps(plain(n, s)) for n, s in CRYSTALS.items())
    (folder / "all.jsonl.gz").write_bytes(gzip.compress(f"{lines}\n\n".encode()))
    return folder / "all.jsonl.gz"


def as_alexandria(folder: Path) -> Path:
    text = json.dumps({"entries": [cse(n, s) for n, s in CRYSTALS.items()]})
    (folder / "all.json.bz2").write_bytes(bz2.compress(text.encode()))
    return folder / "all.json.bz2"


def as_list(folder: Path) -> Path:
    (folder / "list.json").write_text(json.dumps([cse(n, s) for n, s in CRYSTALS.items()]))
    return folder / "list.json"


def as_mapping(folder: Path) -> Path:
    (folder / "map.json").write_text(json.dumps({n: s.as_dict() for n, s in CRYSTALS.items()}))
    return folder / "map.json"


def as_extxyz(folder: Path) -> Path:
    frames = []
    for name, structure in CRYSTALS.items():
        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.info = {"id": name, "e_above_hull": HULL[name]}
        frames.append(atoms)
    ase.io.write(folder / "all.extxyz", frames, format="extxyz")
    return folder / "all.extxyz"


def as_ase_db(folder: Path) -> Path:
    with ase.db.connect(folder / "all.db") as database:
        for name, structure in CRYSTALS.items():
            atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
            database.write(atoms, mat_id=name, ehull=HULL[name])
    return folder / "all.db"


def as_parquet(folder: Path) -> Path:
    rows = [optimade_row(n, s) for n, s in CRYSTALS.items()]
    pq.write_table(pa.Table.from_pylist(rows), folder / "all.parquet")
    return folder / "all.parquet"


MAKERS = [
    as_cif_folder,
    as_zip,
    as_jsonl,
    as_alexandria,
    as_list,
    as_mapping,
    as_extxyz,
    as_ase_db,
    as_parquet,
]


@pytest.mark.parametrize("make", MAKERS)
def test_every_format_gives_the_same_crystals(make: Any, tmp_path: Path) -> None:
    options = SourceOptions(licence="CC0")
    source = open_source(str(make(tmp_path)), options)
    summary = ingest([source], tmp_path / "store")
    assert summary.counts["stored"] == 3, (tmp_path / "store" / "quarantine.csv").read_text()
    stored = {s.record.id: s for s in Store(tmp_path / "store").records()}
    assert set(stored) == set(CRYSTALS)
    for name, structure in CRYSTALS.items():
        record = stored[name].record
        assert record.volume_A3 == pytest.approx(structure.volume, rel=1e-6)
        counts = {e.symbol: n for e, n in structure.composition.items()}
        assert record.composition == pytest.approx(counts)
        assert record.provenance.licence == "CC0"
    assert {s.space_group for s in stored.values()} == {225, 191}


@pytest.mark.parametrize("make", [as_jsonl, as_alexandria, as_list, as_extxyz, as_ase_db])
def test_the_energy_above_hull_of_the_source_is_kept(make: Any, tmp_path: Path) -> None:
    ingest([open_source(str(make(tmp_path)))], tmp_path / "store")
    for stored in Store(tmp_path / "store").records():
        assert stored.record.e_above_hull_eV_atom == pytest.approx(HULL[stored.record.id])
        assert stored.hull_origin == "source"


def test_alexandria_energies_are_per_atom(tmp_path: Path) -> None:
    ingest([open_source(str(as_alexandria(tmp_path)))], tmp_path / "store")
    for stored in Store(tmp_path / "store").records():
        assert stored.record.energy_eV_atom == pytest.approx(-3.0)
        assert stored.record.band_gap_eV == pytest.approx(3.0)


def test_a_stability_field_of_any_name(tmp_path: Path) -> None:
    options = SourceOptions(stability_field="_own_hull")
    ingest([open_source(str(as_parquet(tmp_path)), options)], tmp_path / "store")
    found = {
        s.record.id: s.record.e_above_hull_eV_atom for s in Store(tmp_path / "store").records()
    }
    assert found == pytest.approx(HULL)


@pytest.mark.parametrize("make", MAKERS)
def test_a_source_continues_behind_any_cursor(make: Any, tmp_path: Path) -> None:
    source = open_source(str(make(tmp_path)))
    items = list(source.items())
    assert len(items) == 3
    for position, item in enumerate(items, start=1):
        # Cursors survive JSON, as they must to be written down.
        rest = list(source.items(json.loads(json.dumps(item.cursor))))
        assert [i.entry.id for i in rest] == [i.entry.id for i in items[position:]]


def test_a_store_round_trip_keeps_every_digit(tmp_path: Path) -> None:
    mixed = Structure(
        Lattice.from_parameters(4.1, 5.3, 6.7, 81, 97, 104),
        [{"Li+": 0.31, "Na+": 0.4}, {"S2-": 0.5, "Cl-": 0.5}],
        [[0.123456789012, 0.2, 0.3], [0.6, 0.7, 0.8]],
    )
    (tmp_path / "mixed.json").write_text(json.dumps(mixed.as_dict()))
    source = open_source(str(tmp_path / "mixed.json"))
    (item,) = source.items()
    assert isinstance(item.entry, StructureRecord)
    ingest([source], tmp_path / "store")
    (stored,) = Store(tmp_path / "store").records()
    assert stored.record.content_hash == item.entry.content_hash
    assert stored.record.species == item.entry.species
    assert stored.record.species[0][0].oxidation == 1.0
    np.testing.assert_array_equal(stored.record.frac, item.entry.frac)


def test_duplicates_by_id_and_by_structure(tmp_path: Path) -> None:
    moved = LI2S.copy()
    moved.translate_sites(range(len(moved)), [0.1, 0.2, 0.3])
    swollen = moved.copy()
    swollen.scale_lattice(moved.volume * 1.06)
    lines = [
        plain("Li2S", LI2S),
        {**plain("Li2S", LICL), "id": "Li2S"},
        {**plain("Li2S", swollen.get_primitive_structure()), "id": "again"},
        plain("LiCl", LICL),
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    summary = ingest([open_source(str(tmp_path / "a.jsonl"))], tmp_path / "store")
    reasons = {q.id: (q.stage, q.reason) for q in Store(tmp_path / "store").quarantined()}
    assert reasons == {
        "Li2S": ("duplicate", "another structure before it has this id"),
        "again": ("duplicate", "same structure as Li2S"),
    }
    assert summary.counts["stored"] == 2
    settings = IngestSettings(duplicates="keep")
    kept = ingest([open_source(str(tmp_path / "a.jsonl"))], tmp_path / "all", settings)
    assert kept.counts["stored"] == 3


def test_polymorphs_are_no_duplicates(tmp_path: Path) -> None:
    fluorite_like = plain("Li2S", LI2S)
    cotunnite = Structure.from_spacegroup(
        "Pnma",
        Lattice.orthorhombic(6.228, 3.825, 7.158),
        ["Li", "Li", "S"],
        [[0.023, 0.25, 0.33], [0.34, 0.25, 0.43], [0.25, 0.25, 0.11]],
    )
    lines = [fluorite_like, {**plain("Li2S", cotunnite), "id": "cotunnite"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert ingest([open_source(str(tmp_path / "a.jsonl"))], tmp_path / "s").counts["stored"] == 2


def disordered(tmp_path: Path) -> str:
    structure = Structure(
        Lattice.cubic(5.458),
        [{"Li+": 1.0}] * 8 + [{"S2-": 0.5, "Se2-": 0.5}] * 4,
        [*LI2S.frac_coords[:8], *LI2S.frac_coords[8:]],
    )
    (tmp_path / "mixed.json").write_text(json.dumps(structure.as_dict()))
    return str(tmp_path / "mixed.json")


def test_disorder_policies(tmp_path: Path) -> None:
    name = disordered(tmp_path)
    counts = {}
    for policy in ("occupancy", "ordered", "enumerate"):
        settings = IngestSettings(disorder=policy)  # type: ignore[arg-type]
        ingest([open_source(name)], tmp_path / policy, settings)
        counts[policy] = [s.record for s in Store(tmp_path / policy).records()]
    assert [r.is_ordered for r in counts["occupancy"]] == [False]
    assert counts["ordered"] == []
    cells = counts["enumerate"]
    assert 1 <= len(cells) <= 3
    assert all(r.is_ordered for r in cells)
    assert cells[0].id == "mixed-ord1"
    for cell in cells:
        assert cell.composition["S"] == cell.composition["Se"] == cell.composition["Li"] / 4
        assert "not relaxed" in cell.provenance.note


def test_oxidation_policies(tmp_path: Path) -> None:
    name = disordered(tmp_path)
    (tmp_path / "bare.jsonl").write_text(json.dumps(plain("Li2S", LI2S)))
    settings = IngestSettings(oxidation="require")
    sources = [open_source(name), open_source(str(tmp_path / "bare.jsonl"))]
    ingest(sources, tmp_path / "require", settings)
    assert [s.record.id for s in Store(tmp_path / "require").records()] == ["mixed"]
    ingest([open_source(name)], tmp_path / "ignore", IngestSettings(oxidation="ignore"))
    (stored,) = Store(tmp_path / "ignore").records()
    assert all(s.oxidation is None for content in stored.record.species for s in content)


def test_unknown_settings_are_named() -> None:
    with pytest.raises(InputError, match="'guess': use one of occupancy, ordered, enumerate"):
        IngestSettings(disorder="guess")  # type: ignore[arg-type]


def test_a_store_belongs_to_its_sources(tmp_path: Path) -> None:
    ingest([open_source(str(as_jsonl(tmp_path)))], tmp_path / "store")
    again = ingest([open_source(str(tmp_path / "all.jsonl.gz"))], tmp_path / "store")
    assert again.was_complete
    with pytest.raises(InputError, match="other sources or settings"):
        ingest([open_source(str(as_list(tmp_path)))], tmp_path / "store")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"holds other files \(thesis.tex\)"):
        ingest([open_source(str(tmp_path / "list.json"))], tmp_path / "mine")


def test_stores_can_be_put_together(tmp_path: Path) -> None:
    ingest([open_source(str(as_jsonl(tmp_path)))], tmp_path / "one")
    (tmp_path / "b.jsonl").write_text(json.dumps({**plain("LiCl", LICL), "id": "other"}))
    both = [open_source(str(tmp_path / "one")), open_source(str(tmp_path / "b.jsonl"))]
    summary = ingest(both, tmp_path / "both")
    assert (summary.counts["stored"], summary.counts["quarantined"]) == (3, 1)


class _Interrupted:
    """A source that fails behind a number of items, as a connection does."""

    def __init__(self, source: Any, after: int) -> None:
        self.source, self.left, self.name = source, after, source.name

    def identity(self) -> dict[str, Any]:
        return self.source.identity()

    def notices(self) -> list[str]:
        return self.source.notices()

    def items(self, after: Any = None) -> Iterator[Item]:
        for item in self.source.items(after):
            if self.left == 0:
                raise InputError("connection lost")
            self.left -= 1
            yield item


def many(tmp_path: Path, count: int = 23) -> str:
    """Rock salts of different sizes: duplicates of each other, and broken ones between them."""
    lines = []
    for number in range(count):
        structure = LICL.copy() if number % 2 else LI2S.copy()
        structure.scale_lattice(structure.volume * (1 + 0.01 * number))
        line = json.dumps({**plain("LiCl", structure), "id": f"n{number}"})
        lines.append(line[:-20] if number % 7 == 3 else line)
    (tmp_path / "many.jsonl").write_text("\n".join(lines))
    return str(tmp_path / "many.jsonl")


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 12, 22])
def test_an_interrupted_ingest_ends_with_the_same_bytes(tmp_path: Path, stop: int) -> None:
    name = many(tmp_path)
    ingest([open_source(name)], tmp_path / "whole", block=5)
    with pytest.raises(InputError, match="connection lost"):
        ingest([_Interrupted(open_source(name), stop)], tmp_path / "parts", block=5)
    summary = ingest([open_source(name)], tmp_path / "parts", block=5)
    assert summary.resumed == 5 * (stop // 5)
    assert content(tmp_path / "parts") == content(tmp_path / "whole")
    assert summary.counts["input"] == 23
    assert summary.counts["input"] == summary.counts["stored"] + summary.counts["quarantined"]


def test_memory_stays_flat_however_large_the_file(tmp_path: Path) -> None:
    """A file whose text is 60 MB goes through a reader in a tenth of that."""
    entry = json.dumps(cse("Li2S", LI2S)).encode()
    n = 60_000_000 // len(entry)
    with bz2.open(tmp_path / "big.json.bz2", "wb", compresslevel=1) as stream:
        stream.write(b'{"entries": [' + entry)
        for _ in range(n - 1):
            stream.write(b", " + entry)
        stream.write(b"]}")
    source = open_source(str(tmp_path / "big.json.bz2"))
    tracemalloc.start()
    count = sum(1 for _, item in zip(range(2000), source.items(), strict=False) if item)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2000
    assert peak < 6_000_000


MEASURED = """
import sys
from pathlib import Path
from ionsieve.data.store.ingest import IngestSettings, ingest
from ionsieve.data.store.open import open_source
ingest([open_source(sys.argv[1])], sys.argv[2], IngestSettings(duplicates="keep"), block=100)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def test_memory_of_a_whole_ingest_does_not_grow_with_the_dump(tmp_path: Path) -> None:
    """ComputedStructureEntry json.bz2, every crystal another one: read, described, written.

    The peak of the process itself: ``ru_maxrss`` of a child begins with that of its parent.
    """
    peaks_MB = []
    for count in (200, 800):
        dump = tmp_path / f"{count}.json.bz2"
        with bz2.open(dump, "wt", compresslevel=1) as stream:
            stream.write('{"entries": [')
            for number in range(count):
                angle = Lattice.orthorhombic(4 + number / 97, 5 + number / 89, 6 + number / 83)
                crystal = Structure(angle, LI2S.species, LI2S.frac_coords)
                entry = {**cse("Li2S", crystal), "entry_id": f"n{number}", "data": {}}
                stream.write(("," if number else "") + json.dumps(entry))
            stream.write("]}")
        command = [sys.executable, "-c", MEASURED, str(dump), str(tmp_path / f"store-{count}")]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        peaks_MB.append(float(done.stdout) / 1024)
    assert Store(tmp_path / "store-800").n_structures == 800
    assert peaks_MB[1] < 1.15 * peaks_MB[0]
    assert peaks_MB[1] < 200


def test_real_crystals_from_the_pool(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "pool" / "phonondb.jsonl.gz", "rt") as lines:
        chosen = [line for number, line in enumerate(lines) if number % 100 == 0]
    (tmp_path / "pool.jsonl").write_text("".join(chosen))
    summary = ingest([open_source(str(tmp_path / "pool.jsonl"))], tmp_path / "store")
    assert summary.counts["stored"] == len(chosen) == 101


def test_the_index_of_a_finished_store_is_gone(tmp_path: Path) -> None:
    ingest([open_source(str(as_jsonl(tmp_path)))], tmp_path / "store")
    names = {p.name for p in (tmp_path / "store").iterdir()}
    assert names == {
        "store.json",
        "structures-00000.parquet",
        "quarantine-00000.parquet",
        "quarantine.csv",
    }


def test_a_damaged_index_is_an_error(tmp_path: Path) -> None:
    name = many(tmp_path)
    with pytest.raises(InputError, match="connection lost"):
        ingest([_Interrupted(open_source(name), 12)], tmp_path / "parts", block=5)
    (tmp_path / "parts" / ".twins.sqlite").unlink()
    with pytest.raises(InputError, match="is gone; remove"):
        ingest([open_source(name)], tmp_path / "parts", block=5)


def test_hulls_are_computed_where_the_source_gives_energies_only(tmp_path: Path) -> None:
    """Li and Cl at zero, LiCl at −2 eV/atom: a second LiCl phase 0.1 eV/atom above it."""
    lithium = Structure(Lattice.cubic(3.4), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    chlorine = Structure(Lattice.cubic(5), ["Cl", "Cl"], [[0, 0, 0], [0, 0, 0.4]])
    cesium_like = Structure(Lattice.cubic(3.2), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    crystals = {"Li": lithium, "Cl": chlorine, "LiCl": LICL, "B2": cesium_like, "Li2S": LI2S}
    energies = {"Li": 0.0, "Cl": 0.0, "LiCl": -2.0, "B2": -1.9, "Li2S": -1.0}
    entries = [
        ComputedStructureEntry(s, energies[n] * len(s), entry_id=n).as_dict()
        for n, s in crystals.items()
    ]
    (tmp_path / "e.json").write_text(json.dumps(entries))
    ingest([open_source(str(tmp_path / "e.json"))], tmp_path / "store")
    store = Store(tmp_path / "store")
    found = {s.record.id: s for s in store.records()}
    assert found["B2"].record.e_above_hull_eV_atom == pytest.approx(0.1)
    assert found["LiCl"].record.e_above_hull_eV_atom == pytest.approx(0.0, abs=1e-12)
    assert found["B2"].hull_origin == "computed from entries"
    # No elemental sulfur, no hull.
    assert found["Li2S"].record.e_above_hull_eV_atom is None
    assert found["Li2S"].hull_origin == ""
    assert store.manifest["hulls"]["not_computable"] == 1
