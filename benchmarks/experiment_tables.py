"""Rebuild the embedded experiment tables from the OBELiX training part (CC BY 4.0).

    python benchmarks/experiment_tables.py FOLDER

FOLDER holds ``train.csv`` and ``cifs/``. Writes ``experiment_labels.csv``,
``experiment_compositions.csv`` and ``experiment_structures.json`` into ``data/tables`` and their
hashes and row counts into the registry there. The same folder gives the same bytes.

What becomes what: ``<1E-10`` is an upper bound; no error is given by the source, so none is
stored; symmetry operations of a CIF become a Hall symbol, its atom list the asymmetric unit. The
authors perturbed the free coordinates of entries taken from the ICSD: those carry an ICSD number
in ``train.csv``, and are marked ``perturbed`` here unless symmetry fixes every site.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
from pymatgen.core import Composition

from ionsieve.data.atomic import write_text_atomic
from ionsieve.data.embedded.entries import entry_record
from ionsieve.data.embedded.orbits import expand_site, lattice_matrix
from ionsieve.data.embedded.registry import REGISTRY_FILE, TABLE_FOLDER, table_sha256
from ionsieve.data.records import FloatArray, reduced_formula
from ionsieve.data.transport.label_table import COLUMNS

SOURCE = "OBELiX training part (NRC-Mila)"
LICENCE = "CC BY 4.0 (OBELiX, NRC-Mila)"
ROOM_TEMPERATURE_K = 298.15
SYMMETRY = "_symmetry_equiv_pos_as_xyz"
SAME_COMPOSITION = 0.005
"""Largest difference of an atomic fraction between a CIF and the composition measured."""

GROUPS = {
    "NASICON": "nasicon",
    "argyrodites": "argyrodite_A8BX6",
    "argyrodite": "argyrodite_A8BX6",
    "thio-phosphate": "thiophosphate",
    "nitrides": "nitride",
    "cholorides": "halide",
    "chlorides": "halide",
    "halides": "halide",
    "fluorides": "fluoride",
    "phosphates": "phosphate",
    "pyrophosphate": "diphosphate",
    "garnet-like": "garnet",
    "perovskites": "perovskite",
    "oxides": "oxide",
    "sulfides": "sulfide",
    "molybdates": "molybdate",
    "hydrides": "hydride",
}
"""Families under one name, that of the AIMD table where it has the same one."""

LABEL_COLUMNS = (
    *COLUMNS[:-1],
    "family",
    "formula",
    "source",
    "doi",
    "read_from",
    "derived",
    "grade",
    "match",
    "sigma_total_S_cm",
    "sigma_bulk_S_cm",
    "note",
)
COMPOSITION_COLUMNS = (
    "id",
    "composition",
    "formula",
    "a_A",
    "b_A",
    "c_A",
    "alpha_deg",
    "beta_deg",
    "gamma_deg",
    "space_group",
    "space_group_number",
    "group",
    "doi",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", type=Path, default=TABLE_FOLDER)
    given = parser.parse_args()
    with (given.folder / "train.csv").open(encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row["ID"])
    entries = {
        row["ID"]: structure_entry(row, given.folder / "cifs" / f"{row['ID']}.cif")
        for row in rows
        if (given.folder / "cifs" / f"{row['ID']}.cif").is_file()
    }
    tables = {
        "experiment_labels.csv": as_csv(LABEL_COLUMNS, [label_row(r, entries) for r in rows]),
        "experiment_compositions.csv": as_csv(COMPOSITION_COLUMNS, map(composition_row, rows)),
        "experiment_structures.json": as_json(list(entries.values())),
    }
    counts = dict(zip(tables, (len(rows), len(rows), len(entries)), strict=True))
    for name, text in tables.items():
        write_text_atomic(given.tables / name, text)
        print(f"{name}: {counts[name]} rows, {len(text):,} characters")
    if given.tables == TABLE_FOLDER:
        register(counts)


def register(counts: dict[str, int]) -> None:
    """Put hash and number of rows of each table into the registry."""
    text = (TABLE_FOLDER / REGISTRY_FILE).read_text(encoding="utf-8")
    for name, rows in counts.items():
        start = text.index(f"  {name}:\n")
        head, entry = text[:start], text[start:]
        entry = re.sub(r'sha256: "\w*"', f'sha256: "{table_sha256(name)}"', entry, count=1)
        text = head + re.sub(r"rows: \d+", f"rows: {rows}", entry, count=1)
    write_text_atomic(TABLE_FOLDER / REGISTRY_FILE, text)


def label_row(row: dict[str, str], entries: dict[str, dict[str, Any]]) -> dict[str, str]:
    printed = row["Ionic conductivity (S cm-1)"].strip()
    below = printed.startswith("<")
    entry = entries.get(row["ID"])
    return {
        "structure_id": row["ID"],
        "temperature_K": str(ROOM_TEMPERATURE_K),
        "kind": "experiment",
        "quantity": "sigma_S_cm",
        "value": "" if below else number(printed),
        "lower": "",
        "upper": number(printed[1:]) if below else "",
        "error_log10": "",
        "group": group(row),
        "family": row["Family"].strip(),
        "formula": formula(row),
        "source": row["DOI"].strip(),
        "doi": row["DOI"].strip(),
        "read_from": SOURCE,
        "derived": "False",
        "grade": "A" if row["Checked"] == "1" else "B",
        "match": "composition_only" if entry is None else entry["match"],
        "sigma_total_S_cm": number(row["IC (Total)"]),
        "sigma_bulk_S_cm": number(row["IC (Bulk)"]),
        "note": row["note"].strip(),
    }


def composition_row(row: dict[str, str]) -> dict[str, str]:
    cell = Composition(row["True Composition"])
    return {
        "id": row["ID"],
        "composition": " ".join(f"{element}{amount:g}" for element, amount in cell.items()),
        "formula": formula(row),
        "a_A": number(row["a"]),
        "b_A": number(row["b"]),
        "c_A": number(row["c"]),
        "alpha_deg": number(row["alpha"]),
        "beta_deg": number(row["beta"]),
        "gamma_deg": number(row["gamma"]),
        "space_group": row["Space group"].strip(),
        "space_group_number": number(row["Space group #"]),
        "group": group(row),
        "doi": row["DOI"].strip(),
    }


def formula(row: dict[str, str]) -> str:
    """Reduced formula as the rest of the project writes it."""
    return reduced_formula(amounts(Composition(row["True Composition"])))


def amounts(composition: Composition) -> dict[str, float]:
    return {str(element): float(n) for element, n in composition.items()}


def group(row: dict[str, str]) -> str:
    family = row["Family"].strip()
    return GROUPS.get(family, family.lower().replace(" ", "_").replace("-", "_"))


def number(text: str) -> str:
    """The shortest text of the same number."""
    return f"{float(text):.12g}" if text.strip() else ""


def structure_entry(row: dict[str, str], path: Path) -> dict[str, Any]:
    """One CIF as an entry of the structure table."""
    block = gemmi.cif.read(str(path)).sole_block()
    small = gemmi.make_small_structure_from_block(block)
    operations = [gemmi.Op(gemmi.cif.as_string(t)) for t in block.find_loop(SYMMETRY)]
    space_group = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(operations))
    if space_group is None:
        raise SystemExit(f"{path.name}: its operations are those of no tabulated setting")
    closest = row["close match DOI"].strip()
    entry = {
        "id": row["ID"],
        "formula": "",
        "group": group(row),
        "family": row["Family"].strip(),
        "space_group": {
            "symbol": space_group.xhm(),
            "number": space_group.number,
            "hall": space_group.hall,
        },
        "lattice": {
            "a_A": small.cell.a,
            "b_A": small.cell.b,
            "c_A": small.cell.c,
            "alpha_deg": small.cell.alpha,
            "beta_deg": small.cell.beta,
            "gamma_deg": small.cell.gamma,
        },
        "sites": asymmetric_unit(block, space_group.hall, cell_matrix(small.cell)),
        "positions": positions(block, bool(row["ICSD ID"].strip())),
        "match": "close_match" if row["close match"] == "Yes" else "measured_material",
        "source": f"OBELiX training part (NRC-Mila), entry {row['ID']}",
        "licence": LICENCE,
        "reference": closest or row["DOI"].strip(),
        "note": "",
    }
    record = entry_record(entry)
    entry["formula"] = reduced_formula(record.composition)
    entry["note"] = structure_note(entry, record.composition, row)
    return entry


def asymmetric_unit(block: Any, hall: str, lattice: FloatArray) -> list[dict[str, Any]]:
    """Positions with all that is on them, in the order of the CIF."""
    tags = ("type_symbol", "symmetry_multiplicity", "fract_x", "fract_y", "fract_z", "occupancy")
    content: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for line in block.find("_atom_site_", list(tags)):
        symbol = re.sub(r"[\d+-]+$", "", line[0])
        on_site = content[tuple(line[i] for i in (1, 2, 3, 4))]
        on_site[symbol] = on_site.get(symbol, 0.0) + float(line[5])
    return [merged(place, found, hall, lattice) for place, found in content.items()]


def merged(
    place: tuple[str, ...], occupancy: dict[str, float], hall: str, lattice: FloatArray
) -> dict[str, Any]:
    """One site; copies within 0.05 Å of each other are one position that holds what both do."""
    point = np.array([float(text) for text in place[1:]])
    images = expand_site(hall, lattice, point)
    shares = int(place[0]) / len(images)
    if shares > 1:
        gaps = images - point
        point = point + (gaps - np.round(gaps))[np.linalg.norm(gaps @ lattice, axis=1).argmin()]
    return {
        "multiplicity": len(images),
        "occupancy": {element: round(o * shares, 8) for element, o in occupancy.items()},
        "xyz": [round(float(x), 8) for x in point],
    }


def cell_matrix(cell: Any) -> FloatArray:
    return lattice_matrix((cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma))


def positions(block: Any, from_icsd: bool) -> str:
    printed = [t for axis in "xyz" for t in block.find_loop(f"_atom_site_fract_{axis}")]
    values = np.array([float(text) for text in printed])
    # Special positions are multiples of 1/24, here with eight digits.
    if np.abs(values * 24 - np.round(values * 24)).max() < 1e-6:
        return "fixed_by_symmetry"
    return "perturbed" if from_icsd else "as_published"


def structure_note(
    entry: dict[str, Any], composition: dict[str, float], row: dict[str, str]
) -> str:
    notes = []
    if entry["positions"] == "perturbed":
        notes.append("free coordinates perturbed by the authors of the data set")
    if any(sum(site["occupancy"].values()) < 0.999 for site in entry["sites"]) or any(
        len(site["occupancy"]) > 1 for site in entry["sites"]
    ):
        notes.append("disordered")
    measured = amounts(Composition(row["True Composition"]))
    if "Li" not in composition:
        notes.append(f"the CIF lists no Li, the measured material is {reduced_formula(measured)}")
    elif off := largest_difference(composition, measured):
        notes.append(
            f"differs from the measured {reduced_formula(measured)} by {off:.3f} in an "
            "atomic fraction"
        )
    return "; ".join(notes)


def largest_difference(a: dict[str, float], b: dict[str, float]) -> float:
    """Largest difference of an atomic fraction, 0 within :data:`SAME_COMPOSITION`."""
    total_a, total_b = sum(a.values()), sum(b.values())
    off = max(abs(a.get(e, 0.0) / total_a - b.get(e, 0.0) / total_b) for e in set(a) | set(b))
    return off if off > SAME_COMPOSITION else 0.0


def as_csv(columns: tuple[str, ...], rows: Any) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def as_json(entries: list[dict[str, Any]]) -> str:
    """One site a line, so that a change of the table can be read."""
    head = '{\n "schema": 1,\n "units": {"lattice": "Å and degrees", "xyz": "fractional"},\n'
    return head + ' "structures": [\n' + ",\n".join(map(one_entry, entries)) + "\n ]\n}\n"


def one_entry(entry: dict[str, Any]) -> str:
    lines = []
    for key, value in entry.items():
        if key == "sites":
            sites = ",\n".join("    " + json.dumps(site, ensure_ascii=False) for site in value)
            lines.append(f'   "sites": [\n{sites}\n   ]')
        else:
            lines.append(f"   {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "  {\n" + ",\n".join(lines) + "\n  }"


if __name__ == "__main__":
    main()
