"""What is learned: a feature table and a label table → trained, calibrated, explained models."""

from .evaluation import GroupedEvaluation, evaluate_grouped
from .model import ConductivityModel, OnsetModel, StructureModel, make_model
from .splitters import SPLITTERS, describe_structures, make_splitter

__all__ = [
    "SPLITTERS",
    "ConductivityModel",
    "GroupedEvaluation",
    "OnsetModel",
    "StructureModel",
    "describe_structures",
    "evaluate_grouped",
    "make_model",
    "make_splitter",
]
