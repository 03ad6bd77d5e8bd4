"""What is computed: one structure (or trajectory) → numbers. No files, no network, no models."""

from .bvse import Landscape, bvse_landscape
from .catalogue import Column, catalogue, feature_set_hash
from .featurizer import StructureFeaturizer
from .isolated import IsolatedAnions, find_isolated_anions
from .isolated_records import IsolatedAnion, isolated_anions
from .prepared import PreparedStructure, prepare
from .roles import Roles, assign_roles
from .similarity import acsf_enrichment

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
