"""What is computed: one structure (or trajectory) → numbers. No files, no network, no models."""

from .catalogue import Column, catalogue, feature_set_hash
from .featurizer import StructureFeaturizer
from .isolated import IsolatedAnions, find_isolated_anions
from .isolated_records import IsolatedAnion, isolated_anions
from .prepared import PreparedStructure, prepare
from .roles import Roles, assign_roles

__all__ = [
    "Column",
    "IsolatedAnion",
    "IsolatedAnions",
    "PreparedStructure",
    "Roles",
    "StructureFeaturizer",
    "assign_roles",
    "catalogue",
    "feature_set_hash",
    "find_isolated_anions",
    "isolated_anions",
    "prepare",
]
