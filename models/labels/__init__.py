"""Feature and label tables as a learner takes them: targets, bounds, folds, population."""
