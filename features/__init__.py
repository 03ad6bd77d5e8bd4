"""What is computed: one structure (or trajectory) → numbers. No files, no network, no models."""

from typing import TYPE_CHECKING, Any

from .bvse.landscape import Landscape, bvse_landscape
from .catalogue import catalogue, feature_set_hash
from .core.columns import Column
from .core.prepared import PreparedStructure, prepare
from .core.roles import Roles, assign_roles
from .isolated.definition import IsolatedAnions, find_isolated_anions
from .isolated_anions import IsolatedAnion, isolated_anions
from .similarity.compare import acsf_enrichment

if TYPE_CHECKING:
    from .featurizer import StructureFeaturizer

__all__ = [
    "Column",
    "IsolatedAnion",
    "IsolatedAnions",
    "Landscape",
    "PreparedStructure",
    "Roles",
    "StructureFeaturizer",
    "acsf_enrichment",
    "assign_roles",
    "bvse_landscape",
    "catalogue",
    "feature_set_hash",
    "find_isolated_anions",
    "isolated_anions",
    "prepare",
]


def __getattr__(name: str) -> Any:
    """Load tables and scikit-learn only where they are asked for: workers need neither."""
    if name == "StructureFeaturizer":
        from .featurizer import StructureFeaturizer

        return StructureFeaturizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
