"""Everything that an ingest can be told, as one checked table: the schema of its settings file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..sources.web import WebLimits
from .open import SourceOptions

if TYPE_CHECKING:
    from .ingest import IngestSettings

Disorder = Literal["occupancy", "ordered", "enumerate"]
Oxidation = Literal["keep", "ignore", "require"]
Duplicates = Literal["drop", "keep"]


@dataclass(frozen=True, kw_only=True)
class IngestOptions:
    """For inputs that are ingested first; as the options of ``ionsieve ingest``."""

    disorder: Disorder = "occupancy"
    variants: int = 3
    oxidation: Oxidation = "keep"
    duplicates: Duplicates = "drop"
    licence: str = "unknown"
    optimade_filter: str | None = None
    optimade_hosts: tuple[str, ...] = ()
    optimade_deadline_s: float = 86_400.0
    optimade_max_pages: int = 100_000
    stability_field: str | None = None
    gnome: bool = False

    def settings(self, entries: str | None) -> IngestSettings:
        """Policies of the ingest."""
        # Here, so that the command line reads the options without loading pyarrow.
        from .ingest import IngestSettings

        return IngestSettings(
            disorder=self.disorder,
            max_variants=self.variants,
            oxidation=self.oxidation,
            duplicates=self.duplicates,
            entries=entries,
        )

    def sources(self, mobile: str) -> SourceOptions:
        """How sources are read."""
        web = WebLimits(
            hosts=self.optimade_hosts,
            deadline_s=self.optimade_deadline_s,
            max_pages=self.optimade_max_pages,
        )
        return SourceOptions(
            licence=self.licence,
            stability_field=self.stability_field,
            optimade_filter=self.optimade_filter,
            mobile=mobile,
            gnome=self.gnome,
            web=web,
        )


@dataclass(frozen=True, kw_only=True)
class IngestRun(IngestOptions):
    """Settings of ``ionsieve ingest`` itself."""

    mobile: str = "Li"
    entries: str | None = None
