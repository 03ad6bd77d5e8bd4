"""``ionsieve generate``: new candidates by substitution into a prototype."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from .settings import FILE_HELP, SET_HELP, settings_of, write_settings


def generate(
    ctx: typer.Context,
    prototypes: list[str] = typer.Option(
        None,
        "--prototype",
        help="Name of an embedded prototype, or a file with a structure of your own (CIF, POSCAR; "
        "FILE#ID out of a file or store of many). May be repeated.",
    ),
    out: Path = typer.Option(None, "--out", "-o", help="Folder for the candidates."),
    show: bool = typer.Option(False, "--list", help="List the embedded prototypes and end."),
    settings: Path = typer.Option(None, "--settings", help=FILE_HELP),
    assigned: list[str] = typer.Option(None, "--set", metavar="KEY=VALUE", help=SET_HELP),
    mobile: str = typer.Option("Li", help="Mobile species: Li, Na, K, Ag or Cu."),
    rule: str = typer.Option(
        "mined",
        help="Species offered: 'mined' (data-mined table of ionic substitutions) or 'pools' "
        "(those of the embedded candidates).",
    ),
    elements: str = typer.Option("", help="Only these new elements, as Si,Ge,Se."),
    exclude: str = typer.Option("", help="Elements never used, as As,Cd,Pb."),
    sites: str = typer.Option(
        "", help="Labels or elements that may change, as M,Y2 or P,Cl; all by default."
    ),
    separate_sites: bool = typer.Option(
        False, "--separate-sites", help="Let sites of one species change one by one."
    ),
    max_substitutions: int = typer.Option(2, help="Species changed at once."),
    min_probability: float = typer.Option(
        1e-4, help="Smallest data-mined probability of a whole substitution."
    ),
    max_radius_mismatch_A: float = typer.Option(
        0.45, "--max-radius-mismatch-A", help="Largest difference of Shannon radii, Å."
    ),
    aliovalent: bool = typer.Option(
        False, "--aliovalent", help="Let mobile ions make up for a change of charge."
    ),
    max_mobile_change: float = typer.Option(
        0.5, help="With --aliovalent: largest share of the mobile ions added or taken."
    ),
    max_combinations: int = typer.Option(20_000, help="More combinations than this are an error."),
    json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Make candidates by charge-neutral substitution into a prototype, cells scaled.

    Writes one CIF a candidate, candidates.csv, rejected.csv, rejected_counts.csv, settings.yaml
    and generate.yaml. They are starting points for relaxation: nothing says that they are stable.
    """
    from ..data.errors import InputError
    from ..screening.generate.design import design
    from ..screening.generate.rules import SubstitutionRules
    from ..screening.generate.write import check_folder, load_template, write_design
    from .progress import stage_progress

    if show:
        _print_prototypes(json)
        return
    if not prototypes or out is None:
        raise InputError("give --prototype and --out; --list shows the embedded prototypes")
    rules = settings_of(ctx, SubstitutionRules, settings, assigned)
    check_folder(out, prototypes, rules)
    templates = [load_template(name, rules) for name in prototypes]
    with stage_progress(quiet=json) as advance:
        result = design(templates, rules, lambda n: advance("substitutions", n, 0))
    facts = write_design(result, out, prototypes, rules)
    write_settings(out, rules)
    notes = [f"{t.prototype.name}: {t.note}" for t in templates if t.note]
    if json:
        _print_json({**facts, "out": str(out), "notes": notes})
    else:
        _print_text(facts, result, notes, out)
    if not result.designs:
        raise InputError(
            f"no candidate: all {len(result.refused):,} were rejected (see {out / 'rejected.csv'})"
        )


def _print_json(content: Any) -> None:
    import json as json_module

    typer.echo(json_module.dumps(content, sort_keys=True, allow_nan=False))


def _print_prototypes(as_json: bool) -> None:
    from ..screening.generate.write import prototype_lines

    lines = prototype_lines()
    if as_json:
        _print_json({"prototypes": lines})
        return
    for line in lines:
        typer.echo(f"{line['name']:24s} {line['space_group']:10s} {line['sites']}")


def _print_text(facts: dict[str, Any], result: Any, notes: list[str], out: Path) -> None:
    for note in notes:
        typer.echo(note)
    for made in result.designs[:10]:
        typer.echo(f"{made.record.id:40s} {made.substitution.text:28s} {made.why}")
    for kind, number in facts["rejected_by_kind"].items():
        typer.echo(f"{number:8,} rejected: {kind}")
    counts = facts["counts"]
    typer.echo(
        f"{counts['candidates']:,} candidates (see {out / 'candidates.csv'}), "
        f"{counts['rejected']:,} rejected (see {out / 'rejected.csv'})"
    )
    if counts["candidates"]:
        typer.echo(f"next: ionsieve screen {out} --out DIR")
