"""ionsieve: screen crystal structures for fast solid-state ion conductors.

>>> import ionsieve as ion
>>> structures = ion.read("FOLDER_OF_CIFS")         # doctest: +SKIP
>>> ion.isolated_anions(structures[0])              # doctest: +SKIP
>>> ranked = ion.screen(structures, out="results")  # doctest: +SKIP

Everything is loaded when it is first used: importing the package imports no science.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

_OFFERED = {
    "Campaign": "api.campaigns",
    "Label": "data.records",
    "Quarantined": "data.records",
    "Screen": "api.screens",
    "StructureFeaturizer": "features.featurizer",
    "StructureRecord": "data.records",
    "Structures": "api.structures",
    "analyse_md": "api.trajectories",
    "evaluate": "api.learning",
    "featurize": "api.descriptors",
    "isolated_anions": "api.descriptors",
    "read": "api.structures",
    "screen": "api.screens",
    "structure_svg": "api.views",
    "train": "api.learning",
    "FeatureError": "data.errors",
    "InputError": "data.errors",
    "IonsieveError": "data.errors",
    "LabelError": "data.errors",
    "MissingDependencyError": "data.errors",
    "ModelError": "data.errors",
    "RoleError": "data.errors",
    "StructureError": "data.errors",
    "TrajectoryError": "data.errors",
}
"""Public name → module below ``ionsieve`` that holds it."""

__all__ = [
    "Campaign",
    "FeatureError",
    "InputError",
    "IonsieveError",
    "Label",
    "LabelError",
    "MissingDependencyError",
    "ModelError",
    "Quarantined",
    "RoleError",
    "Screen",
    "StructureError",
    "StructureFeaturizer",
    "StructureRecord",
    "Structures",
    "TrajectoryError",
    "__version__",
    "analyse_md",
    "evaluate",
    "featurize",
    "isolated_anions",
    "read",
    "screen",
    "structure_svg",
    "train",
]

if TYPE_CHECKING:
    from .api.campaigns import Campaign
    from .api.descriptors import featurize, isolated_anions
    from .api.learning import evaluate, train
    from .api.screens import Screen, screen
    from .api.structures import Structures, read
    from .api.trajectories import analyse_md
    from .api.views import structure_svg
    from .data.errors import (
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
    from .data.records import Label, Quarantined, StructureRecord
    from .features.featurizer import StructureFeaturizer


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in _OFFERED:
        raise AttributeError(f"module 'ionsieve' has no attribute {name!r}")
    value = getattr(import_module(f".{_OFFERED[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_OFFERED})
