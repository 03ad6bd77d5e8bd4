"""Displacements → diffusivity, verdict and interval → labels; label tables and their history."""
