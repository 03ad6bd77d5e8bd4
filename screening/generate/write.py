"""Prototypes by name, and a substitution design as a folder.

    ID.cif           one a candidate, P1, with formal charges; 'ionsieve screen' reads the folder
    candidates.csv   formula, substitution, probability, radii, volume and why, best first
    rejected.csv     every combination and species refused, with its reason
    rejected_counts.csv   how often each kind of reason, with an example
    generate.yaml    rules, hashes of the inputs, counts, versions; written last

A design is written as a whole: after an interruption the same command writes the same files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ...data.atomic import only_writer, remove_leftovers, write_text_atomic
from ...data.convert import to_pymatgen
from ...data.csv_text import csv_text
from ...data.embedded.prototypes import load_prototypes
from ...data.errors import InputError
from ...data.identifiers import printable
from ...data.records import Quarantined, StructureRecord, reduced_formula
from ...data.settings_text import read_settings_text, yaml_text
from ...data.sources.files import identifier_of, is_structure_file, read_file
from ...data.store.open import open_source
from ..batch.run_description import versions
from .design import Design, DesignResult
from .rules import Refused, SubstitutionRules
from .template import Template, embedded_template, template_of

DESCRIPTION: Final[str] = "generate.yaml"
_MAX_BYTES: Final[int] = 200_000_000
"""Of the description: it lists every input."""
_TABLES: Final[tuple[str, ...]] = ("candidates.csv", "rejected.csv", "rejected_counts.csv")


def load_template(name: str, rules: SubstitutionRules) -> Template:
    """A prototype by its name, by a file, or as ``FILE#ID`` out of a file or store of many.

    Raises
    ------
    InputError
        If there is no such prototype, file or id, or the structure cannot be a prototype.
    """
    embedded = load_prototypes()
    if name in embedded:
        return embedded_template(embedded[name])
    path, _, wanted = name.partition("#")
    if not Path(path).exists():
        from difflib import get_close_matches

        close = get_close_matches(name, embedded, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(
            f"{name}: neither an embedded prototype nor a file{hint} "
            "('ionsieve generate --list' shows the prototypes)"
        )
    return template_of(_one_record(Path(path), wanted), rules.mobile, rules.separate_sites)


def _one_record(path: Path, wanted: str) -> StructureRecord:
    if path.is_file() and is_structure_file(path):
        found = read_file(path, identifier_of(Path(path.name)))
    else:
        found = [item.entry for item in open_source(str(path)).items() if _is(item.entry, wanted)]
    chosen = [entry for entry in found if _is(entry, wanted)]
    if not chosen:
        raise InputError(f"{path}: holds no structure {wanted!r}")
    if len(chosen) > 1:
        raise InputError(f"{path}: holds {len(chosen)} structures; name one as {path}#ID")
    if isinstance(chosen[0], Quarantined):
        raise InputError(f"{path}: {chosen[0].reason}")
    return chosen[0]


def _is(entry: Any, wanted: str) -> bool:
    return not wanted or entry.id == wanted


def input_hashes(names: Sequence[str]) -> dict[str, str]:
    """SHA-256 of each file given; ``embedded`` for prototypes of the table."""
    hashes = {}
    for name in names:
        path = Path(name.partition("#")[0])
        content = path if path.is_file() else path / "store.json"
        known = content.is_file() and name not in load_prototypes()
        hashes[printable(name)] = (
            hashlib.sha256(content.read_bytes()).hexdigest() if known else "embedded"
        )
    return hashes


def check_folder(folder: Path, names: Sequence[str], rules: SubstitutionRules) -> None:
    """Refuse a folder that holds anything else than this very design, whole or in part.

    Raises
    ------
    InputError
        With what stands there.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give --out a folder")
    identity = _identity(names, rules)
    if (folder / DESCRIPTION).exists():
        before = _read_description(folder / DESCRIPTION)
        if {k: before.get(k) for k in identity} != identity:
            raise InputError(
                f"{folder}: holds a design of other prototypes or rules; use another --out"
            )
        return
    others = [p.name for p in folder.glob("*") if not p.name.startswith(".")]
    if others:
        raise InputError(f"{folder}: holds other files ({min(others)}); give --out an empty folder")


def _read_description(path: Path) -> dict[str, Any]:
    try:
        found = read_settings_text(path, _MAX_BYTES)
    except InputError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: damaged; use another --out, or remove this folder")
    return found


def _identity(names: Sequence[str], rules: SubstitutionRules) -> dict[str, Any]:
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(rules).items()}
    return {"prototypes": input_hashes(names), "rules": plain}


def write_design(
    result: DesignResult, folder: Path, names: Sequence[str], rules: SubstitutionRules
) -> dict[str, Any]:
    """Write every file; returns the content of ``generate.yaml``.

    Raises
    ------
    InputError
        If another process writes to the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        **_identity(names, rules),
        "complete": False,
        "counts": {"candidates": len(result.designs), "rejected": len(result.refused)},
        "rejected_by_kind": result.refused_by_kind,
        "versions": versions(),
    }
    with only_writer(folder / ".lock"):
        remove_leftovers(folder)
        # First, so that after a kill the folder is known to be of this design.
        _write_yaml(folder / DESCRIPTION, facts)
        for made in result.designs:
            write_text_atomic(folder / f"{made.record.id}.cif", cif_text(made.record))
        for name, table in zip(_TABLES, _tables(result), strict=True):
            text = csv_text(table)
            write_text_atomic(folder / name, text)
        facts["complete"] = True
        _write_yaml(folder / DESCRIPTION, facts)
    return facts


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    write_text_atomic(path, yaml_text(dict(sorted(content.items()))))


def cif_text(record: StructureRecord) -> str:
    """CIF in P1 with ten digits and formal charges; comment lines say where it comes from."""
    from pymatgen.io.cif import CifWriter

    text = str(CifWriter(to_pymatgen(record, oxidation_states=True), significant_figures=10))
    head = [record.id, record.provenance.source, record.provenance.note, record.provenance.licence]
    lines = [f"# {' '.join(part.split())}" for part in head if part]
    return "\n".join([*lines, *text.splitlines()[1:]]) + "\n"


def _tables(result: DesignResult) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    candidates = pd.DataFrame([_row(made) for made in result.designs], columns=list(_COLUMNS))
    rejected = pd.DataFrame(
        [_rejected_row(entry) for entry in result.refused],
        columns=["id", "substitution", "kind", "reason"],
    )
    counts = [
        (kind, n, *rejected[rejected["kind"] == kind].iloc[0][["id", "reason"]])
        for kind, n in result.refused_by_kind.items()
    ]
    return (
        candidates,
        rejected,
        pd.DataFrame(counts, columns=["kind", "count", "example", "reason"]),
    )


_COLUMNS: Final[tuple[str, ...]] = (
    "id",
    "formula",
    "prototype",
    "substitution",
    "probability",
    "radius_mismatch_A",
    "volume_factor",
    "mobile_change_per_cell",
    "n_sites",
    "why",
    "source",
    "licence",
)


def _row(made: Design) -> tuple[Any, ...]:
    chosen, record = made.substitution, made.record
    return (
        record.id,
        reduced_formula(record.composition),
        made.prototype.name,
        chosen.text,
        float(f"{chosen.probability:.6g}"),
        round(chosen.radius_mismatch_A, 4),
        round(made.volume_factor, 4),
        made.mobile_change,
        record.n_sites,
        made.why,
        made.prototype.source,
        made.prototype.licence,
    )


def _rejected_row(entry: Refused) -> tuple[str, str, str, str]:
    kind, _, detail = entry.reason.partition(": ")
    return entry.id, entry.substitution, kind, detail


def prototype_lines() -> list[dict[str, str]]:
    """Name, formula, space group, labels and source of every embedded prototype."""
    return [
        {
            "name": p.name,
            "formula": p.formula,
            "space_group": p.space_group,
            "sites": ", ".join(
                f"{n} {label.element} ({label.role.replace('_', ' ')})"
                for n, label in p.labels.items()
            ),
            "source": p.source,
            "licence": p.licence,
        }
        for p in load_prototypes().values()
    ]
