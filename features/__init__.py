"""What is computed: one structure (or trajectory) → numbers. No files, no network, no models."""

from typing import TYPE_CHECKING, Any

from .bvse import Landscape, bvse_landscape
from .catalogue import Column, catalogue, feature_set_hash
from .isolated import IsolatedAnions, find_isolated_anions
from .isolated_records import IsolatedAnion, isolated_anions
from .prepared import PreparedStructure, prepare
from .roles import Roles, assign_roles
from .similarity import acsf_enrichment

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
