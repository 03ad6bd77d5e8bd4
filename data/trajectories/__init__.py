"""Trajectory files → unwrapped displacements → mean squared displacements."""
