"""What is learned: a feature table and a label table → trained, calibrated, explained models."""

from .evaluation import GroupedEvaluation, evaluate_grouped
from .model import ConductivityModel

__all__ = ["ConductivityModel", "GroupedEvaluation", "evaluate_grouped"]
