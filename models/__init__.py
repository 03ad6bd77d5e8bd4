"""What is learned: a feature table and a label table → trained, calibrated, explained models."""
