"""Honest evaluation: grouped folds, baselines, tuning, ablation, the model card."""
