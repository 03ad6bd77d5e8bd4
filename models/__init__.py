"""What is learned: a feature table and a label table → trained, calibrated, explained models."""

from .evaluation.grouped import GroupedEvaluation, evaluate_grouped
from .evaluation.splitters import (
    SPLITTERS,
    describe_compositions,
    describe_structures,
    make_splitter,
)
from .model import ConductivityModel, OnsetModel, StructureModel, make_model
from .persistence import load_model, save_model

__all__ = [
    "SPLITTERS",
    "ConductivityModel",
    "GroupedEvaluation",
    "OnsetModel",
    "StructureModel",
    "describe_compositions",
    "describe_structures",
    "evaluate_grouped",
    "load_model",
    "make_model",
    "make_splitter",
    "save_model",
]
