"""How far a prediction is believed: calibration, domain distance, metrics."""
