"""What is learned: a feature table and a label table → trained, calibrated, explained models."""

from .conductivity import ConductivityModel
from .evaluation import GroupedEvaluation, evaluate_grouped

__all__ = ["ConductivityModel", "GroupedEvaluation", "evaluate_grouped"]
