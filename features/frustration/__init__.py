"""Chemical and structural frustration (Wood 2021)."""
