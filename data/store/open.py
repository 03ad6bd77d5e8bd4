"""From what the user names to a source: a path, ``optimade:URL`` or ``mp:``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..sources.base import Source
from ..sources.paths import PathSource
from ..sources.web import WebLimits


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How sources are read.

    Parameters
    ----------
    licence : str
        Of files that state none.
    stability_field : str, optional
        Field with the energy above hull, eV/atom; for OPTIMADE the provider's own name of it.
    optimade_filter : str, optional
        Query in the OPTIMADE filter language; everything by default.
    mobile : str
        Materials Project: only materials that hold this element.
    gnome : bool
        Materials Project: include entries of GNoME (their licence forbids commercial use).
    web : WebLimits
        OPTIMADE: hosts, time and number of pages.
    """

    licence: str = "unknown"
    stability_field: str | None = None
    optimade_filter: str | None = None
    mobile: str = "Li"
    gnome: bool = False
    web: WebLimits = field(default_factory=WebLimits)


def open_source(name: str, options: SourceOptions | None = None) -> Source:
    """Open a source by name; nothing is read yet.

    Raises
    ------
    InputError
        If a path does not exist or its format is unknown, or a remote name is malformed.
    MissingDependencyError
        If ``mp:`` is asked for and mp-api is not installed.
    """
    options = options or SourceOptions()
    if name.startswith("optimade:"):
        from ..sources.optimade import OptimadeSource

        url = name.removeprefix("optimade:")
        return OptimadeSource(
            url=url,
            query=options.optimade_filter,
            stability_field=options.stability_field,
            limits=options.web,
        )
    if name == "mp:" or name.startswith("mp:"):
        from ..sources.materials_project import MaterialsProjectSource

        return MaterialsProjectSource(name.removeprefix("mp:"), options.mobile, options.gnome)
    if is_store(Path(name)):
        from .store import StoreSource

        return StoreSource(name)
    return PathSource(name, options.licence, options.stability_field)


def is_store(path: Path) -> bool:
    """True for a folder that ``ionsieve ingest`` wrote."""
    return path.is_dir() and (path / "store.json").is_file()


def is_plain(name: str) -> bool:
    """True for CIF and POSCAR files and folders with nothing but them: small inputs of a user."""
    from ..sources.files import is_structure_file

    path = Path(name)
    if name.startswith(("optimade:", "mp:")) or is_store(path):
        return False
    if path.is_dir():
        return all(is_structure_file(file) for file, _ in PathSource(name).files)
    return not path.exists() or is_structure_file(path)
