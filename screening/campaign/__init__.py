"""The active-learning loop: propose, submit, collect, retrain."""
