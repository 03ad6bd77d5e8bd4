"""Which simulations are worth their cost: scores, batches, costs; knows no campaign, no engine."""
