"""Reference pages written from the code: commands, descriptor families, public Python names.

Written when the site is built and never edited: the code is the one source.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer.main
from click import Command, Parameter

API = {
    "ionsieve": (
        "The names of `import ionsieve as ion`, loaded when first used.",
        {
            "ionsieve.api.structures": ("read", "Structures"),
            "ionsieve.api.descriptors": ("featurize", "isolated_anions"),
            "ionsieve.api.screens": ("screen", "Screen"),
            "ionsieve.api.learning": ("train", "evaluate"),
            "ionsieve.api.trajectories": ("analyse_md",),
            "ionsieve.api.campaigns": ("Campaign",),
            "ionsieve.api.views": ("structure_svg",),
            "ionsieve.features.featurizer": ("StructureFeaturizer",),
        },
    ),
    "data": (
        "Records, errors, tables and trajectories.",
        {
            "ionsieve.data.records": ("StructureRecord", "SiteSpecies", "Label", "Provenance"),
            "ionsieve.data.convert": ("from_pymatgen", "to_pymatgen"),
            "ionsieve.data.embedded.aimd": ("load_aimd_labels", "load_aimd_structures"),
            "ionsieve.data.transport.label_table": ("read_label_table", "write_label_table"),
            "ionsieve.data.transport.analysis": ("analyse", "AnalysisSettings", "TransportLabel"),
            "ionsieve.data.transport.arrhenius": ("fit_arrhenius",),
        },
    ),
    "features": (
        "Descriptors of one structure.",
        {
            "ionsieve.features.core.prepared": ("prepare", "PreparedStructure"),
            "ionsieve.features.core.roles": ("assign_roles", "Roles"),
            "ionsieve.features.isolated.definition": ("find_isolated_anions", "IsolatedAnions"),
            "ionsieve.features.bvse.landscape": ("bvse_landscape", "Landscape"),
            "ionsieve.features.similarity.compare": ("acsf_enrichment",),
            "ionsieve.features.catalogue": ("catalogue",),
            "ionsieve.features.core.columns": ("Column", "Family"),
        },
    ),
    "models": (
        "Models that know their uncertainty.",
        {
            "ionsieve.models.model": ("StructureModel", "ConductivityModel", "OnsetModel"),
            "ionsieve.models.evaluation.grouped": ("evaluate_grouped", "GroupedEvaluation"),
            "ionsieve.models.evaluation.splitters": ("make_splitter",),
        },
    ),
    "screening": (
        "The screen behind `ion.screen`.",
        {
            "ionsieve.screening.screen.options": ("ScreenSettings",),
            "ionsieve.screening.screen.pipeline": ("run_screen", "ScreenResult"),
        },
    ),
}


def write_reference(folder: Path) -> None:
    """Write all generated pages; what is no longer generated is removed."""
    pages = {**_command_pages(), **_descriptor_pages(), **_api_pages()}
    pages["index.md"] = "# Reference\n\n" + _toctree(
        ["commands", "descriptors/index", "api/index", "../descriptors"]
    )
    folder.mkdir(exist_ok=True)
    for old in folder.rglob("*.md"):
        if str(old.relative_to(folder)) not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        # Unchanged pages keep their date, so that a second build is quick.
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _toctree(names: list[str]) -> str:
    return "```{toctree}\n:maxdepth: 1\n\n" + "\n".join(names) + "\n```\n"


def _command_pages() -> dict[str, str]:
    from ionsieve.cli.main import app

    root = typer.main.get_command(app)
    parts = ["# Commands\n\nWritten from the program itself: what `--help` prints, on one page.\n"]
    for name, command in _commands(root, "ionsieve"):
        parts.append(f"## `{name}`\n\n{_help(command)}\n\n{_parameters(command)}")
    return {"commands.md": "\n".join(parts)}


def _commands(command: Command, name: str) -> Iterator[tuple[str, Command]]:
    children: dict[str, Command] = getattr(command, "commands", {})
    if not children:
        yield name, command
        return
    for child, sub in children.items():
        yield from _commands(sub, f"{name} {child}")


def _help(command: Command) -> str:
    text = (command.help or "").replace("[INPUT…]", "INPUT")
    return "\n".join(line.strip() for line in text.splitlines()).replace("<", "\\<")


def _parameters(command: Command) -> str:
    rows = [
        f"| {_name(p)} | {_cell(getattr(p, 'help', None) or '')} | {_default(p)} |"
        for p in command.params
        if not getattr(p, "hidden", False)
    ]
    if not rows:
        return ""
    return "\n".join(["| parameter | meaning | default |", "|---|---|---|", *rows]) + "\n"


def _name(p: Parameter) -> str:
    if p.param_type_name == "argument":
        return f"`{p.metavar or (p.name or '').upper()}`"
    return ", ".join(f"`{o}`" for o in [*p.opts, *p.secondary_opts])


def _default(p: Parameter) -> str:
    if p.param_type_name == "argument" or p.required:
        return "required" if p.required else ""
    shown = p.default
    if shown is None or shown is False or callable(shown) or "Sentinel" in type(shown).__name__:
        return ""
    return f"`{shown}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "\\<").split())


def _descriptor_pages() -> dict[str, str]:
    from ionsieve.features.catalogue import FAMILY_NAMES
    from ionsieve.features.catalogue_page import as_markdown_page

    pages = {}
    for family in FAMILY_NAMES:
        page = as_markdown_page([family])
        body = page[page.index(f"## {family}") :]
        pages[f"descriptors/{family}.md"] = body.replace(f"## {family}", f"# `{family}`", 1)
    whole = as_markdown_page()
    introduction = whole[: whole.index("\n## ")]
    names = list(FAMILY_NAMES)
    introduction = introduction.replace("# Descriptor reference", "# Descriptors by family", 1)
    pages["descriptors/index.md"] = f"{introduction}\n\n{_toctree(names)}"
    return pages


def _api_pages() -> dict[str, str]:
    pages = {}
    for room, (summary, modules) in API.items():
        parts = [f"# {room}\n\n{summary}\n"]
        for module, names in modules.items():
            for name in names:
                kind = "autoclass" if name[0].isupper() else "autofunction"
                members = "\n:members:" if kind == "autoclass" else ""
                parts.append(f"```{{eval-rst}}\n.. {kind}:: {module}.{name}")
                if members:
                    parts[-1] += "\n   :members:"
                parts[-1] += "\n```\n"
        pages[f"api/{room}.md"] = "\n".join(parts)
    order = list(API)
    pages["api/index.md"] = (
        f"# Python\n\nWritten from the docstrings; units stand in names.\n\n{_toctree(order)}"
    )
    return pages
