"""Everything that an ingest can be told, as one checked table: the schema of its settings file."""

from __future__ import annotations

from dataclasses import dataclass

from .ingest import Disorder, Duplicates, IngestSettings, Oxidation
from .open import SourceOptions


@dataclass(frozen=True)
class IngestOptions:
    """For inputs that are ingested first; as the options of ``ionsieve ingest``."""

    disorder: Disorder = "occupancy"
    variants: int = 3
    oxidation: Oxidation = "keep"
    duplicates: Duplicates = "drop"
    licence: str = "unknown"
    optimade_filter: str | None = None
    stability_field: str | None = None
    gnome: bool = False

    def settings(self, entries: str | None) -> IngestSettings:
        """Policies of the ingest."""
        return IngestSettings(
            self.disorder, self.variants, self.oxidation, self.duplicates, entries
        )

    def sources(self, mobile: str) -> SourceOptions:
        """How sources are read."""
        return SourceOptions(
            self.licence, self.stability_field, self.optimade_filter, mobile, self.gnome
        )


@dataclass(frozen=True)
class IngestRun(IngestOptions):
    """Settings of ``ionsieve ingest`` itself."""

    mobile: str = "Li"
    entries: str | None = None
