"""From a candidate to an AIMD plan: simulation cell, electrons, steps."""
