"""Rebuild the second part of the embedded AIMD table: sodium conductors and a few of lithium.

    python benchmarks/aimd_more_tables.py FOLDER

FOLDER is the reference data: ``aimd_more/`` (rows and MD frames) and ``pool/phonondb.jsonl.gz``.
Writes ``aimd_more_labels.csv``, ``aimd_more_structures.json`` and ``aimd_classes.csv`` into
``data/tables`` and their hashes into the registry. The same folder gives the same bytes.

What becomes what:

- The frames of Na11M2PX12 are moments of a hot crystal. They are idealised to I4_1/acd: cations on
  the 4 × 4 × 8 grid of the pseudo-cubic cell, every orbit averaged over the frame by the operations
  of the group; 88 Na over the 96 positions of five orbits, 11/12 on each. Only the cell is exact.
- Doped compositions whose ordering the papers do not give take the parent phase, where the phonon
  database has it, with occupancies set to the composition. The rest has a composition only.
- Printed intervals become standard deviations; diffusivities become conductivities
  (Nernst–Einstein) where the cell volume is known.
- Rows without a number are classes, for tests of ranking only. Figure-read rows are not in here.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import spglib
from experiment_tables import as_csv, as_json, register
from pymatgen.core import Composition, Structure
from scipy.optimize import linear_sum_assignment

from ionsieve.data.atomic import write_text_atomic
from ionsieve.data.elements import ATOMIC_NUMBER
from ionsieve.data.embedded.entries import entry_record
from ionsieve.data.embedded.experiment import experiment_structure_entries
from ionsieve.data.embedded.registry import TABLE_FOLDER
from ionsieve.data.records import FloatArray, reduced_formula
from ionsieve.data.transport.label_table import COLUMNS
from ionsieve.data.units import nernst_einstein_sigma_S_cm

PHONONDB = "phonon database of A. Togo (2018-04-17), PBEsol-relaxed, Materials Project"
PHONONDB_REFERENCE = "10.7566/JPSJ.92.012001"
ORDERING = "ordering not in the source"
HE_2018 = "He 2018 (10.1038/s41524-018-0074-y)"
SYMBOL_OF = {z: symbol for symbol, z in ATOMIC_NUMBER.items()}
HOP_A = 3.0
"""Default hop distance of He 2018, Å."""

Occupancies = dict[str, dict[str, float]]

PARENTS: dict[str, tuple[str, Occupancies, str, str]] = {
    "Na3PS4": ("mp-985584", {}, "same_formula_and_space_group", ""),
    "Na2.75Zn0.75Ga1.25S4": ("", {}, "", "no parent in the database"),
    "Na0.67Ti2.33Ga4.67O12": (
        "mp-554441",
        {"Na": {"Na": 2 / 3}, "Ga": {"Ga": 14 / 15, "Ti": 1 / 15}},
        "doped_parent",
        "NaTi2Ga5O12 with Na vacancies and Ti spread over the Ga sites",
    ),
    "Na0.75Ge0.75P0.25SbO5": (
        "mp-6526",
        {"Na": {"Na": 0.75}, "Ge": {"Ge": 0.75, "P": 0.25}},
        "doubtful",
        "NaGeSbO5 in C2/c with Na vacancies and P spread over the Ge sites; it has a second "
        "polymorph, and the paper names neither",
    ),
    "Na4.5In0.5Sn0.5S4": (
        "mp-29376",
        {"Na": {"Na": 0.9}, "In": {"In": 0.5, "Sn": 0.5}},
        "doubtful",
        "Na5InS4 with Na vacancies and Sn spread over the In sites; the paper starts from one of "
        "two parents",
    ),
    "Na4.75In0.75Sn0.25S4": (
        "mp-29376",
        {"Na": {"Na": 0.95}, "In": {"In": 0.75, "Sn": 0.25}},
        "doubtful",
        "Na5InS4 with Na vacancies and Sn spread over the In sites; the paper starts from one of "
        "two parents",
    ),
    "Na5.5Zn0.5Ga0.5S4": (
        "mp-8389",
        {"Na": {"Na": 5.5 / 6}, "Zn": {"Zn": 0.5, "Ga": 0.5}},
        "doped_parent",
        "Na6ZnS4 with Na vacancies and Ga spread over the Zn sites",
    ),
    "Na1.33Mg0.33Er0.67Cl4": (
        "mp-28657",
        {"Na": {"Na": 2 / 3}, "Mg": {"Mg": 1 / 3, "Er": 2 / 3}},
        "doped_parent",
        "Na2MgCl4 with Na vacancies and Er spread over the Mg sites",
    ),
    "Na1.67Ti3Cl8": (
        "mp-569978",
        {"Na": {"Na": 5 / 6}},
        "doped_parent",
        "Na2Ti3Cl8 with Na vacancies",
    ),
    "Li10SiP2S12": ("mp-696129", {}, "same_formula", ""),
    "Li10GeP2S12": ("mp-696128", {}, "same_formula", ""),
}
"""Parent in the phonon database, occupancies by element, match and note, by printed formula."""

INTERSTITIAL = ([0.25, 0.5, 0.0], "12d")
"""Second Na site of cubic Na3PS4 (Hayashi et al. 2012, 10.1038/ncomms1843)."""

SOURCES = {
    "10.1038/s41467-023-43436-3": "Nat. Commun. 2023, design principles of Na conductors",
    "10.1021/acs.chemmater.5b03656": "Zhu et al., Chem. Mater. 2015",
    "10.1126/science.adh5115": "Han et al., Science 2024",
    "10.1039/c2ee23355j": "Ong et al., Energy Environ. Sci. 2013",
    "10.1039/c9ee02457c": "Kahle et al., Energy Environ. Sci. 2020",
}
REPOSITORIES = {
    "bjmorgan": "B. J. Morgan, deposited data na-electrolytes",
    "kamirian": "deposited data mlip-ionic-transport, AIMD of the earlier work",
}

LABEL_COLUMNS = (
    COLUMNS[0],
    "mobile",
    *COLUMNS[1:8],
    "error_basis",
    "group",
    "family",
    "formula",
    "source",
    "doi",
    "doi_confirmed",
    "read_from",
    "derived",
    "grade",
    "match",
    "survey_row",
    "note",
)
CLASS_COLUMNS = ("formula", "mobile", "class", "statement", "source", "doi", "pool_ids")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", type=Path, default=TABLE_FOLDER)
    given = parser.parse_args()
    with (given.folder / "aimd_more" / "new_aimd_rows.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    pool = read_pool(given.folder / "pool" / "phonondb.jsonl.gz", rows)
    numeric = [row for row in rows if row["T_kind"] != "class"]
    classes = [row for row in rows if row["T_kind"] == "class"]
    entries = structure_entries(numeric, pool, given.folder / "aimd_more")
    labels = [label_row(row, entries, given.folder / "aimd_more") for row in numeric]
    ordered = sorted(labels, key=lambda r: (r["structure_id"], float(r["temperature_K"])))
    tables = {
        "aimd_more_labels.csv": as_csv(LABEL_COLUMNS, ordered),
        "aimd_more_structures.json": as_json(sorted(entries.values(), key=lambda e: e["id"])),
        "aimd_classes.csv": as_csv(CLASS_COLUMNS, [class_row(row, pool) for row in classes]),
    }
    counts = dict(zip(tables, (len(labels), len(entries), len(classes)), strict=True))
    for name, text in tables.items():
        write_text_atomic(given.tables / name, text)
        print(f"{name}: {counts[name]} rows, {len(text):,} characters")
    if given.tables == TABLE_FOLDER:
        register(counts)


# --- labels -------------------------------------------------------------------------------------


def label_row(
    row: dict[str, str], entries: dict[str, dict[str, Any]], folder: Path
) -> dict[str, str]:
    entry = entries.get(row["formula"])
    quantity, value = conductivity(row, entry)
    error, basis = uncertainty(row, folder)
    return {
        "structure_id": entry["id"] if entry else row["formula"],
        "mobile": row["mobile_ion"],
        "temperature_K": row["T_K"],
        "kind": "aimd",
        "quantity": quantity,
        "value": f"{value:.4g}",
        "lower": "",
        "upper": "",
        "error_log10": f"{error:.3f}",
        "error_basis": basis,
        "group": group(row["formula"], row["mobile_ion"]),
        "family": family(row["formula"]),
        "formula": formula(row["formula"]),
        "source": source(row),
        "doi": row["doi"],
        "doi_confirmed": str(bool(row["doi"])),
        "read_from": read_from(row),
        "derived": str(row["T_kind"] == "extrapolated"),
        "grade": row["grade"],
        "match": entry["match"] if entry else "composition_only",
        "survey_row": row["row_id"],
        "note": note(row),
    }


def conductivity(row: dict[str, str], entry: dict[str, Any] | None) -> tuple[str, float]:
    """Quantity and value: a conductivity wherever the density of the mobile ion is known."""
    if row["sigma_mScm"]:
        return "sigma_S_cm", float(row["sigma_mScm"]) / 1e3
    diffusivity = float(row["D_cm2s"])
    density = None
    if row["formula"] == "Li15Y7Cl36":
        density = 15 / 1362.6  # 58 atoms in 1362.6 Å3, as the source gives it
    elif entry is not None:
        record = entry_record(entry)
        density = record.composition[row["mobile_ion"]] / record.volume_A3
    if density is None:
        return "diffusivity_cm2_s", diffusivity
    return "sigma_S_cm", nernst_einstein_sigma_S_cm(diffusivity, density, 1.0, float(row["T_K"]))


def uncertainty(row: dict[str, str], folder: Path) -> tuple[float, str]:
    """One standard deviation, decades, and where it comes from."""
    if row["sigma_lo"] and row["sigma_hi"]:
        return math.log10(float(row["sigma_hi"]) / float(row["sigma_lo"])) / 2, "printed"
    if row["D_err"]:
        return float(row["D_err"]) / float(row["D_cm2s"]) / math.log(10), "printed"
    if row["structure_here"].startswith("yes"):
        return he_2018(row, folder) / math.log(10), HE_2018
    return 0.5, "assigned"


def he_2018(row: dict[str, str], folder: Path) -> float:
    """Relative error of a diffusivity from its effective number of hops (He 2018)."""
    with (folder / "D_vs_T.csv").open(encoding="utf-8") as stream:
        found = {(r["formula"], r["T_K"]): float(r["msd_end_A2"]) for r in csv.DictReader(stream)}
    hops = 88 * found[row["formula"], row["T_K"]] / HOP_A**2
    return 3.43 / math.sqrt(hops) + 0.04


def group(text: str, mobile: str) -> str:
    elements = {str(e) for e in Composition(text)}
    if mobile == "Li":
        return "rare_earth_halide" if "Y" in elements else "thiophosphate"
    if {"P", "S"} <= elements or {"P", "Se"} <= elements:
        return "na_thiophosphate"
    if "S" in elements:
        return "na_sulfide"
    return "na_chloride" if "Cl" in elements else "na_oxide"


def family(text: str) -> str:
    if text.startswith("Na11"):
        return "Na11M2PX12" if "O" not in text else "NaMSbO5"
    return "Na3PS4" if {"Na", "P", "S"} <= {str(e) for e in Composition(text)} else ""


def formula(text: str) -> str:
    return reduced_formula({str(e): float(n) for e, n in Composition(text).items()})


def source(row: dict[str, str]) -> str:
    for word, name in REPOSITORIES.items():
        if word in row["source_seen"]:
            return name
    return SOURCES[row["doi"]]


def read_from(row: dict[str, str]) -> str:
    if row["grade"] == "B" and "secondary" in row["note"]:
        return "secondary citation"
    if any(word in row["source_seen"] for word in REPOSITORIES):
        return "deposited data"
    return "table of the paper, third-party transcription"


def note(row: dict[str, str]) -> str:
    parts = [row["method"]]
    if row["Ea_eV"]:
        parts.append(f"Ea {row['Ea_eV']} eV")
    if row["parent_or_structure_id"] and row["structure_here"] == "no":
        parts.append(f"parent {row['parent_or_structure_id']}")
    return "; ".join([*parts, *([row["note"]] if row["note"] else [])])


def class_row(row: dict[str, str], pool: dict[str, dict[str, Any]]) -> dict[str, str]:
    wanted = formula(row["formula"])
    ids = sorted(key for key, entry in pool.items() if entry["formula"] == wanted)
    return {
        "formula": wanted,
        "mobile": row["mobile_ion"],
        "class": "fast" if row["censor"].startswith("fast") else "slow",
        "statement": row["censor"],
        "source": source(row),
        "doi": row["doi"],
        "pool_ids": " ".join(ids),
    }


# --- structures ---------------------------------------------------------------------------------


def read_pool(path: Path, rows: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Parents by id, and every entry whose formula a row of the classes names."""
    formulas = {formula(row["formula"]) for row in rows if row["T_kind"] == "class"}
    parents = {parent for parent, *_ in PARENTS.values()}
    found = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            entry = json.loads(line)
            entry["formula"] = reduced_formula(Counter(entry["species"]))
            if entry["id"] in parents or entry["formula"] in formulas:
                found[entry["id"]] = entry
    return found


def structure_entries(
    rows: list[dict[str, str]], pool: dict[str, dict[str, Any]], folder: Path
) -> dict[str, dict[str, Any]]:
    """Structures by the formula that the rows print."""
    entries = {}
    for row in rows:
        text = row["formula"]
        if text in entries:
            continue
        if row["structure_here"].startswith("yes"):
            entries[text] = idealised(text, folder / row["parent_or_structure_id"])
        elif text.endswith("PS4") or text.endswith("P0.9375S4") or text.endswith("P0.875S4"):
            entries[text] = sodium_thiophosphate(text, pool)
        elif PARENTS.get(text, ("",))[0]:
            parent, occupancies, match, remark = PARENTS[text]
            entries[text] = from_pool(text, pool[parent], occupancies, match, remark)
        elif text == "Li10SnP2S12":
            entries[text] = tin_lgps(text, pool)
    return entries


def from_pool(
    text: str, parent: dict[str, Any], occupancies: Occupancies, match: str, remark: str
) -> dict[str, Any]:
    dataset, sites = asymmetric_unit(parent)
    for site in sites:
        (element,) = site["occupancy"]
        site["occupancy"] = {
            e: round(o, 6) for e, o in occupancies.get(element, site["occupancy"]).items()
        }
    notes = [f"disordered: {remark}", ORDERING] if occupancies else []
    entry = {
        **head(text, dataset.international, dataset.number, dataset.hall),
        "lattice": cell(dataset.std_lattice),
        "sites": sites,
        "materials_project_id": parent["id"],
        "source": f"{PHONONDB} {parent['id']}",
        "licence": "CC BY 4.0",
        "reference": PHONONDB_REFERENCE,
        "match": match,
        "note": "; ".join(notes),
    }
    checked(entry, text)
    return entry


def sodium_thiophosphate(text: str, pool: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Cubic Na3PS4, pure or with P replaced and the excess of Na spread over the 12d sites."""
    composition = Composition(text)
    dopant = next((str(e) for e in composition if str(e) not in ("Na", "P", "S")), None)
    share = composition[dopant] if dopant else 0.0
    excess = composition["Na"] - 3.0
    occupancies = {"P": {"P": 1.0 - share, dopant: share}} if dopant else {}
    doped = excess > 0
    remark = "cubic Na3PS4 with the excess of Na on 12d" + (f", {dopant} on P" if dopant else "")
    match = "doped_parent" if doped else "same_formula_and_space_group"
    parent, _, _, _ = PARENTS["Na3PS4"]
    entry = from_pool("Na3PS4", pool[parent], {}, match, "")
    if not doped:
        return entry
    for site in entry["sites"]:
        (element,) = site["occupancy"]
        site["occupancy"] = occupancies.get(element, site["occupancy"])
    point, wyckoff = INTERSTITIAL
    occupancy = round(excess * 2 / 12, 6)
    entry["sites"].append({"wyckoff": wyckoff, "occupancy": {"Na": occupancy}, "xyz": point})
    entry.update(head(text, "I-43m", 217, entry["space_group"]["hall"]))
    entry["note"] = f"disordered: {remark}; {ORDERING}"
    checked(entry, text)
    return entry


def tin_lgps(text: str, pool: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Ordered Li10GeP2S12 with Sn for Ge, as the paper simulated, in the measured cell."""
    parent, *_ = PARENTS["Li10GeP2S12"]
    dataset, sites = asymmetric_unit(pool[parent])
    for site in sites:
        if "Ge" in site["occupancy"]:
            site["occupancy"] = {"Sn": 1.0}
    entry = {
        **head(text, dataset.international, dataset.number, dataset.hall),
        "lattice": experiment_structure_entries()["13q"]["lattice"],
        "sites": sites,
        "materials_project_id": "",
        "source": f"{PHONONDB} {parent}, Sn for Ge; cell of OBELiX entry 13q",
        "licence": "CC BY 4.0",
        "reference": PHONONDB_REFERENCE,
        "match": "prototype_construction",
        "note": "",
    }
    checked(entry, text)
    return entry


def head(text: str, symbol: str, sg_number: int, hall: str) -> dict[str, Any]:
    mobile = "Na" if "Na" in text else "Li"
    return {
        "id": f"{text}_{symbol.replace('/', '_')}",
        "formula": formula(text),
        "mobile": mobile,
        "family": family(text),
        "group": group(text, mobile),
        "space_group": {"symbol": symbol, "number": sg_number, "hall": hall},
    }


def cell(lattice: FloatArray) -> dict[str, float]:
    found = gemmi.UnitCell(*(float(x) for x in parameters(lattice)))
    names = ("a_A", "b_A", "c_A", "alpha_deg", "beta_deg", "gamma_deg")
    return {name: round(float(v), 5) for name, v in zip(names, found.parameters, strict=True)}


def parameters(lattice: FloatArray) -> list[float]:
    lengths = np.linalg.norm(lattice, axis=1)
    pairs = ((1, 2), (0, 2), (0, 1))
    cosines = [lattice[i] @ lattice[j] / lengths[i] / lengths[j] for i, j in pairs]
    return [*lengths, *np.degrees(np.arccos(cosines))]


def asymmetric_unit(parent: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """Sites of the standardised cell, one of each orbit, with the Hall symbol of its setting."""
    numbers = [ATOMIC_NUMBER[s] for s in parent["species"]]
    first = spglib.get_symmetry_dataset((parent["lattice"], parent["frac"], numbers), symprec=1e-3)
    standard = (first.std_lattice, first.std_positions, first.std_types)
    dataset = spglib.get_symmetry_dataset(standard, symprec=1e-4)
    if not np.allclose(dataset.origin_shift, 0) or not np.allclose(
        dataset.transformation_matrix, np.eye(3)
    ):
        raise SystemExit(f"{parent['id']}: the standard cell is not in the setting of its symbol")
    sites = []
    for orbit in sorted(set(dataset.crystallographic_orbits)):
        multiplicity = int((dataset.crystallographic_orbits == orbit).sum())
        point = first.std_positions[orbit] % 1.0
        sites.append(
            {
                "wyckoff": f"{multiplicity}{dataset.wyckoffs[orbit]}",
                "occupancy": {SYMBOL_OF[int(first.std_types[orbit])]: 1.0},
                "xyz": [round(float(x), 6) for x in point],
            }
        )
    return dataset, sites


def checked(entry: dict[str, Any], text: str) -> None:
    """The entry expands, and to the composition that the row prints."""
    found = entry_record(entry).composition
    wanted = {str(e): float(n) for e, n in Composition(text).items()}
    for element in wanted:
        a = found[element] / sum(found.values())
        b = wanted[element] / sum(wanted.values())
        if abs(a - b) > 2e-3:  # printed with two digits
            raise SystemExit(f"{text}: {element} is {a:.4f} in the structure, {b:.4f} in the row")


# --- frames of molecular dynamics -----------------------------------------------------------------

NA11_GROUP = "I41/acd:2"
NA11_ANIONS = ([0.1504, 0.3875, 0.0469], [0.1557, 0.0804, 0.0491], [0.085, 0.165, 0.332])
"""Start of the three 32g orbits of S or Se; the averages do not depend on the last digits."""
NA11_CATIONS = {
    "Na": (
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.125],
        [0.0, 0.0, 0.25],
        [0.0, 0.25, 0.0],
        [0.25, 0.0, 0.125],
    ),
    "M": ([0.25, 0.0, 0.0],),
    "P": ([0.0, 0.25, 0.375],),
}
"""Orbits of I4_1/acd on the 4 × 4 × 8 grid; the eighth, 8b at (0, 1/4, 1/8), is empty."""
NA11_WYCKOFF = ("16c", "32g", "16e", "16d", "16f")


def idealised(text: str, path: Path) -> dict[str, Any]:
    """A frame of Na11M2PX12 averaged to I4_1/acd."""
    frame = Structure.from_str(path.read_text(), fmt="poscar")
    metal, anion = (e for e in ("Ge", "Sn", "S", "Se") if e in Composition(text).as_dict())
    orbits = [("Na", point) for point in NA11_CATIONS["Na"]]
    orbits += [(metal, point) for point in NA11_CATIONS["M"]]
    orbits += [("P", point) for point in NA11_CATIONS["P"]]
    orbits += [(anion, point) for point in NA11_ANIONS]
    points = [np.array(point) for _, point in orbits]
    for _ in range(20):
        points = averaged(frame, [element for element, _ in orbits], points)
    sites = [
        {
            "multiplicity": len(images(point)[0]),
            "occupancy": {element: round(11 / 12, 6) if element == "Na" else 1.0},
            "xyz": [round(float(x), 5) for x in point % 1.0],
        }
        for (element, _), point in zip(orbits, points, strict=True)
    ]
    entry = {
        **head(text, "I4_1/acd", 142, gemmi.SpaceGroup(NA11_GROUP).hall),
        "lattice": cell(frame.lattice.matrix),
        "sites": sites,
        "source": REPOSITORIES["bjmorgan"],
        "licence": "facts",
        "reference": "10.1039/c7ee03083e",
        "match": "symmetrised_simulated_cell",
        "note": "disordered: one frame of molecular dynamics averaged to I4_1/acd, 88 Na spread "
        "evenly over the 96 positions of five orbits; the cell is that of the simulation; the "
        "average over librations shortens P bonds by 0.07 Å",
    }
    checked(entry, text)
    return entry


def images(point: FloatArray) -> tuple[FloatArray, list[list[tuple[FloatArray, FloatArray]]]]:
    """Positions of an orbit, each with the operations that lead there."""
    group_operations = gemmi.SpaceGroup(NA11_GROUP).operations()
    found: dict[tuple[int, ...], list[tuple[FloatArray, FloatArray]]] = defaultdict(list)
    places: dict[tuple[int, ...], FloatArray] = {}
    for operation in group_operations:
        rotation = np.array(operation.rot) / gemmi.Op.DEN
        shift = np.array(operation.tran) / gemmi.Op.DEN
        place = (rotation @ point + shift) % 1.0
        key = tuple(np.round(place * 1000).astype(int) % 1000)
        found[key].append((rotation, shift))
        places[key] = place
    return np.array([places[key] for key in found]), list(found.values())


def averaged(frame: Structure, elements: list[str], points: list[FloatArray]) -> list[FloatArray]:
    """Representatives of the orbits after one assignment of the atoms of the frame to them."""
    lattice, frac = frame.lattice.matrix, frame.frac_coords
    symbols = np.array([site.specie.symbol for site in frame])
    sums = [np.zeros(3) for _ in points]
    counts = [0] * len(points)
    for element in dict.fromkeys(elements):
        atoms = frac[symbols == element]
        owners, targets, operations = [], [], []
        for index, point in enumerate(points):
            if elements[index] == element:
                places, ways = images(point)
                owners += [index] * len(places)
                targets += list(places)
                operations += ways
        gap = atoms[:, None] - np.array(targets)[None]
        gap -= np.round(gap)
        chosen = linear_sum_assignment((np.linalg.norm(gap @ lattice, axis=2)) ** 2)
        for atom, target in zip(*chosen, strict=True):
            for rotation, _ in operations[target]:
                sums[owners[target]] += np.linalg.solve(rotation, gap[atom, target])
                counts[owners[target]] += 1
    return [point + total / max(n, 1) for point, total, n in zip(points, sums, counts, strict=True)]


if __name__ == "__main__":
    main()
