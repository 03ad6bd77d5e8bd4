"""What is a fact: records, units, errors, readers, the AIMD table, trajectories → labels."""

from .errors import (
    FeatureError,
    InputError,
    IonsieveError,
    LabelError,
    MissingDependencyError,
    ModelError,
    RoleError,
    StructureError,
    TrajectoryError,
)
from .records import Label, Provenance, Quarantined, SiteSpecies, StructureRecord

__all__ = [
    "FeatureError",
    "InputError",
    "IonsieveError",
    "Label",
    "LabelError",
    "MissingDependencyError",
    "ModelError",
    "Provenance",
    "Quarantined",
    "RoleError",
    "SiteSpecies",
    "StructureError",
    "StructureRecord",
    "TrajectoryError",
]
