"""What is a fact: records, units, errors, readers, the AIMD table, trajectories → labels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from .embedded.aimd import load_aimd_labels, load_aimd_structures
    from .embedded.experiment import (
        load_experiment_compositions,
        load_experiment_labels,
        load_experiment_structures,
    )
    from .embedded.mlip import load_mlip_labels

_ON_DEMAND = {
    "load_aimd_labels": ".embedded.aimd",
    "load_aimd_structures": ".embedded.aimd",
    "load_experiment_compositions": ".embedded.experiment",
    "load_experiment_labels": ".embedded.experiment",
    "load_experiment_structures": ".embedded.experiment",
    "load_mlip_labels": ".embedded.mlip",
}
"""The embedded tables: read when first asked for, so that importing a record costs nothing."""


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ON_DEMAND[name], __name__), name)


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
    "load_aimd_labels",
    "load_aimd_structures",
    "load_experiment_compositions",
    "load_experiment_labels",
    "load_experiment_structures",
    "load_mlip_labels",
]
